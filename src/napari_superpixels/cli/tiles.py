"""Options and work of ``napari-superpixels segment`` for images that are segmented in tiles."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.output import is_plain, write_output
from napari_superpixels.cli.pixels import left_out, nodata_of
from napari_superpixels.cli.stacks import is_volume
from napari_superpixels.errors import LabelsKept, SuperpixelError, SuperpixelMemoryError
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari_superpixels.io.images import ImageFile
    from napari_superpixels.io.spatial import Origin
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.tiling.progress import TileStep
    from napari_superpixels.tiling.tiled_result import TiledResult

# Of tables, graphs and polygons, measured on 4 megapixels: labels, ranks, values in their order.
_BYTES_A_PIXEL, _BYTES_A_VALUE = 60, 16
_OPTIONS = ("tile_size_px", "halo_px", "workers", "scheduler", "level")


def add_tile_options(segment: argparse.ArgumentParser) -> None:
    """Add the options to the parser of ``segment``.

    Parameters
    ----------
    segment : argparse.ArgumentParser
        The parser.
    """
    group = segment.add_argument_group(
        "tiles, for images larger than memory (any of these but --resume, an OUT that ends in "
        ".zarr, or an estimate above the memory segments in tiles)"
    )
    group.add_argument("--tile-size-px", type=int, help="size of a tile; chosen if not given")
    group.add_argument("--halo-px", type=int, help="what a tile sees around it")
    group.add_argument("--workers", type=int, help="processes on this machine; else threads")
    group.add_argument("--scheduler", metavar="ADDRESS", help="of a running Dask scheduler")
    group.add_argument(
        "--resume", action="store_true", help="go on with a run in tiles that was stopped, if any"
    )
    group.add_argument("--level", type=int, help="level of a pyramid, 0 for full resolution")


def may_be_tiled(arguments: argparse.Namespace) -> bool:
    """Whether the command line asks for tiles.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    bool
        True with any option of tiles, or for an OME-Zarr of a plane.
    """
    if "series" in arguments or is_volume(arguments):
        return False
    to_zarr = arguments.output.lower().rstrip("/").endswith(".zarr") or "zarr" in arguments.format
    return to_zarr or has_tile_options(arguments)


def has_tile_options(arguments: argparse.Namespace) -> bool:
    """Whether the command line has options of tiles.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    bool
        True with any of them.
    """
    return any(name in arguments for name in _OPTIONS)


def was_begun(output: Path) -> bool:
    """Whether a run in tiles left something to go on with.

    Parameters
    ----------
    output : Path
        From `output_of_tiles`.

    Returns
    -------
    bool
        Also where only the copy to other formats is missing.
    """
    from napari_superpixels.tiling.checkpoint import checkpoint_path

    return output.exists() or checkpoint_path(output).exists()


def output_of_tiles(targets: list[Path]) -> Path:
    """Where a run in tiles writes its labels.

    Parameters
    ----------
    targets : list of Path
        What is to be written in the end.

    Returns
    -------
    Path
        OME-Zarr: the first target, or beside it.
    """
    first = targets[0]
    return first if first.suffix.lower() == ".zarr" else first.with_name(f"{first.name}.zarr")


def is_tiled(
    image: Path, targets: list[Path], params: SuperpixelParams, arguments: argparse.Namespace
) -> bool:
    """Whether to segment a file in tiles: it is asked for, or memory would not do.

    Parameters
    ----------
    image : Path
        The file.
    targets : list of Path
        What to write.
    params : SuperpixelParams
        Parameters.
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    bool
        Whether to.
    """
    if may_be_tiled(arguments):
        return True
    output = output_of_tiles(targets)
    if "resume" in arguments and was_begun(output):
        return True
    if "plane" in arguments:
        return False
    if image.is_dir():
        return True
    from napari_superpixels.core.device import check_memory, estimate_memory, resolve_device
    from napari_superpixels.io.lazy_images import open_image
    from napari_superpixels.tiling.estimate import estimate_run
    from napari_superpixels.tiling.reader import ImageReader

    if not image.exists():
        return False
    found = open_image(image)
    axis = getattr(arguments, "channel_axis", found.channel_axis)
    source = ImageReader(found.array, None, 0, axis, channels=getattr(arguments, "channels", None))
    if len(source.shape) != 2:
        return False
    needed = estimate_memory(source.shape, source.n_channels, params) + found.array.nbytes
    try:
        check_memory(
            needed, resolve_device(arguments.device), getattr(arguments, "memory_limit_gb", None)
        )
    except SuperpixelMemoryError:
        estimate = estimate_run(
            image, params.n_segments, params, trial=False, **_tile_options(found, arguments)
        )
        if estimate.added_bytes >= needed:
            return False  # tiles would not help: refused as it is, with what does
        if not arguments.quiet:
            print(
                f"{image}: needs about {needed / 1e9:.1f} GB at once, so it is segmented in tiles",
                file=sys.stderr,
            )
        return True
    return False


def segment_in_tiles(
    image: Path,
    targets: list[Path],
    params: SuperpixelParams,
    arguments: argparse.Namespace,
    origin_of: Callable[[Path], Mapping[str, Any]],
) -> str:
    """Segment a file in tiles.

    Parameters
    ----------
    image : Path
        The file.
    targets : list of Path
        What to write: ``.zarr``, or label files that are written from it.
    params : SuperpixelParams
        Parameters.
    arguments : argparse.Namespace
        Of ``segment``.
    origin_of : callable
        Reads what a file says of its place and pixel size.

    Returns
    -------
    str
        What to tell the user.
    """
    import dask.array as da

    from napari_superpixels.errors import ExportError
    from napari_superpixels.events import drain
    from napari_superpixels.io.lazy_images import open_image
    from napari_superpixels.io.spatial import Origin
    from napari_superpixels.tiling.estimate import estimate_run, too_much
    from napari_superpixels.tiling.run import iter_superpixels_tiled

    if "plane" in arguments:
        raise ValueError("--plane does not work in tiles: save the plane as a file of its own")
    level = getattr(arguments, "level", 0)
    found = open_image(image, level)
    origin = Origin.from_dict(origin_of(image))
    if level:
        origin = origin.at(_plane_shape(open_image(image)), _plane_shape(found))
    known = origin.to_dict()
    size = origin.pixel_size or (origin.place.pixel_size if origin.place else None)
    output = output_of_tiles(targets)
    to_zarr = output == targets[0]
    others = targets[1:] if to_zarr else targets
    axis = getattr(arguments, "channel_axis", found.channel_axis)
    nodata = nodata_of(found, arguments)
    n_segments = getattr(arguments, "n_segments", params.n_segments)
    for target in others:  # now, not after hours
        if target.suffix.lower() == ".png" and n_segments >= 2**16:
            raise ExportError(f"{target}: PNG holds at most 65535 labels; write a TIFF")
        if not is_plain(target):
            _refuse_too_large(target, found.array, axis)
    options = _tile_options(found, arguments)
    estimate = estimate_run(image, n_segments, params, nodata=nodata, **options)
    if options["scheduler"] is None:
        problem = too_much(estimate, arguments.device, options["memory_limit_gb"])
        if problem is not None:
            raise problem
    if not arguments.quiet:
        print(f"{image}: {estimate}", file=sys.stderr)
    steps = iter_superpixels_tiled(
        image,
        output,
        n_segments,
        params,
        mask=getattr(arguments, "mask", None),
        nodata=nodata,
        pixel_size=size,
        unit=origin.unit or (origin.place.unit if origin.place else None),
        place=known.get("place"),
        resume=getattr(arguments, "resume", False),
        overwrite=arguments.force,
        **options,
    )
    try:
        with _Bars(image.name, hidden=arguments.quiet) as bars:
            result: TiledResult = drain(steps, bars.show)
    except KeyboardInterrupt:
        if not was_begun(output):
            raise
        raise KeyboardInterrupt(
            f"the tiles that are done are kept in {output}.partial: the same command with --resume "
            "goes on from there"
        ) from None
    outside = left_out(da.from_zarr(str(output / "0")))
    provenance = result.provenance() | {"source": image.name} | known
    pixels = found.array, axis, nodata
    for target in others:
        try:
            _write(target, output, provenance, origin, pixels, overwrite=arguments.force)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"the labels are kept in {output}: the same command with --resume goes on from "
                f"there to {target}"
            ) from None
        except (SuperpixelError, OSError, ValueError, MemoryError) as error:
            cause: Exception = error
            if isinstance(error, MemoryError) and not isinstance(error, SuperpixelError):
                cause = ExportError(f"{target}: needs more memory than there is")
            raise LabelsKept(cause, str(output), str(target)) from error
    if not to_zarr:
        shutil.rmtree(output)
    return (
        f"{counted(result.n_obtained, 'superpixel')} of {result.n_requested} asked for"
        f"{result.why_more}, {counted(result.n_tiles, 'tile')}, in "
        f"{result.seconds:.1f} s on {result.device}{outside}"
    )


def _tile_options(image: ImageFile, arguments: argparse.Namespace) -> dict[str, Any]:
    """What both the estimate and the run take."""
    return {
        "channel_axis": getattr(arguments, "channel_axis", image.channel_axis),
        "channels": getattr(arguments, "channels", None),
        "level": getattr(arguments, "level", 0),
        "tile_size_px": getattr(arguments, "tile_size_px", None),
        "halo_px": getattr(arguments, "halo_px", None),
        "device": arguments.device,
        "scheduler": getattr(arguments, "scheduler", None),
        "n_workers": getattr(arguments, "workers", None),
        "memory_limit_gb": getattr(arguments, "memory_limit_gb", None),
    }


def _refuse_too_large(target: Path, array: Any, channel_axis: int | None) -> None:
    """Refuse formats that describe more pixels at once than there is memory for."""
    import psutil

    n_channels = 1 if channel_axis is None else array.shape[channel_axis]
    n_pixels = array.size / n_channels
    needed, free = (
        n_pixels * (_BYTES_A_PIXEL + _BYTES_A_VALUE * n_channels),
        psutil.virtual_memory().available,
    )
    if needed > free:
        raise SuperpixelMemoryError(
            f"{target}: this format describes all pixels at once, which needs about "
            f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; leave it out, or take a "
            "machine with more memory for it later, with export"
        )


def _plane_shape(image: ImageFile) -> tuple[int, int]:
    """Rows and columns of an image, which may have channels."""
    axis = image.channel_axis
    shape = image.array.shape
    rows, columns = [n for i, n in enumerate(shape) if axis is None or i != axis % len(shape)][-2:]
    return rows, columns


def _write(
    target: Path,
    tiled: Path,
    provenance: Mapping[str, Any],
    origin: Origin,
    pixels: tuple[Any, int | None, float | None],
    *,
    overwrite: bool,
) -> None:
    """Write the labels of an OME-Zarr, with values of the image, as another file."""
    import numpy as np
    import zarr

    from napari_superpixels.io.images import without_nodata

    labels = np.asarray(zarr.open_array(tiled / "0", mode="r")[:])
    array, channel_axis, nodata = pixels
    image = None if is_plain(target) else without_nodata(array, nodata)
    write_output(
        target,
        labels,
        provenance,
        origin,
        image=image,
        channel_axis=channel_axis,
        overwrite=overwrite,
    )


class _Bars:
    """A progress bar for each phase of a run.

    Parameters
    ----------
    name : str
        Of the image.
    hidden : bool
        Whether to show none.
    """

    def __init__(self, name: str, *, hidden: bool) -> None:
        self._name = name
        self._hidden = hidden
        self._phase = ""
        self._bar: Any = None

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, step: TileStep) -> None:
        """Show progress."""
        from tqdm import tqdm

        if step.phase != self._phase:
            self.__exit__()
            self._phase = step.phase
            title = f"{self._name}: {step.phase}"
            self._bar = tqdm(
                total=step.total, desc=title, disable=self._hidden or None, unit="tile", leave=False
            )
        self._bar.update(step.done - self._bar.n)
