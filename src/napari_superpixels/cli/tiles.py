"""The work of ``napari-superpixels segment`` for images that are segmented in tiles."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.output import is_plain
from napari_superpixels.cli.pixels import left_out
from napari_superpixels.cli.subject import Pixels, Subject, write_all
from napari_superpixels.errors import (
    ExportError,
    LabelsKept,
    SuperpixelError,
    SuperpixelMemoryError,
)
from napari_superpixels.errors.quantities import counted, gigabytes
from napari_superpixels.tiling.identity import differences, with_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_superpixels.cli.options import SegmentOptions
    from napari_superpixels.io.images import ImageFile
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.tiling.progress import TileStep
    from napari_superpixels.tiling.tiled_result import TiledResult

# Of tables, graphs and polygons, measured on 4 megapixels: labels, ranks, values in their order.
_BYTES_A_PIXEL, _BYTES_A_VALUE = 60, 16


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
    found: ImageFile, targets: list[Path], params: SuperpixelParams, options: SegmentOptions
) -> bool:
    """Whether to segment a file in tiles: it is asked for, or memory would not do.

    Parameters
    ----------
    found : ImageFile
    targets : list of Path
        What to write.
    params : SuperpixelParams
    options : SegmentOptions

    Returns
    -------
    bool
        As `plan_run` decides, where nothing is asked for.
    """
    if options.asks_for_tiles or (options.resume and was_begun(output_of_tiles(targets))):
        return True
    if options.input.plane is not None:
        return False
    if found.path.is_dir():
        return True
    from napari_superpixels.core.device import machine_here
    from napari_superpixels.plan.run_plan import Tiles, plan_run
    from napari_superpixels.tiling.estimate import facts_of
    from napari_superpixels.tiling.reader import ImageReader

    axis = options.input.axis_of(found)
    reader = ImageReader(found.array, None, 0, axis, channels=options.input.channels)
    if len(reader.shape) != 2:
        return False
    facts = facts_of(reader, held_bytes=found.array.nbytes)
    plan = plan_run(facts, params, machine_here(options.resources), Tiles.AUTO, options.tiling)
    if plan.in_tiles and not options.output.quiet:
        print(
            f"{found.path}: needs about {gigabytes(plan.needed_bytes)} at once, so it is segmented "
            "in tiles",
            file=sys.stderr,
        )
    return plan.in_tiles


def segment_in_tiles(
    found: ImageFile, targets: list[Path], params: SuperpixelParams, options: SegmentOptions
) -> str:
    """Segment a file in tiles.

    Parameters
    ----------
    found : ImageFile
        The file, at full resolution.
    targets : list of Path
        What to write: ``.zarr``, or label files that are written from it.
    params : SuperpixelParams
    options : SegmentOptions

    Returns
    -------
    str
        What to tell the user.
    """
    import dask.array as da

    from napari_superpixels.core.device import machine_here
    from napari_superpixels.events import drain
    from napari_superpixels.io.formats import read_provenance
    from napari_superpixels.io.labels import read_labels
    from napari_superpixels.params.options import PixelOptions
    from napari_superpixels.plan.run_plan import tiles_shortage
    from napari_superpixels.tiling.checkpoint import checkpoint_path
    from napari_superpixels.tiling.estimate import iter_estimate
    from napari_superpixels.tiling.run import iter_superpixels_tiled

    asked, told, image = options.input, options.output, found.path
    if asked.plane is not None:
        raise ValueError("--plane does not work in tiles: save the plane as a file of its own")
    subject = subject_in_tiles(found, options)
    spatial = subject.spatial
    where = spatial.georeference
    output = output_of_tiles(targets)
    to_zarr = output == targets[0]
    others = targets[1:] if to_zarr else targets
    pixels = PixelOptions(
        channel_axis=subject.channel_axis,
        channels=asked.channels,
        level=asked.level or 0,
        nodata=subject.nodata,
    )
    n_segments = options.n_segments(params)
    for target in others:  # now, not after hours
        if target.suffix.lower() == ".png" and n_segments >= 2**16:
            raise ExportError(f"{target}: PNG holds at most 65535 labels; write a TIFF")
        if not is_plain(target):
            _refuse_too_large(target, subject.array, pixels.channel_axis)
    needs = drain(
        iter_estimate(image, n_segments, params, pixels, options.tiling, options.resources)
    )
    if options.tiling.scheduler is None:
        problem = tiles_shortage(needs, machine_here(options.resources))
        if problem is not None:
            raise problem
    if not told.quiet:
        print(f"{image}: {needs}", file=sys.stderr)
    steps = iter_superpixels_tiled(
        image,
        output,
        n_segments,
        params,
        mask=asked.mask,
        pixel_size=spatial.pixel_size or (where.pixel_size if where else None),
        unit=spatial.unit or (where.unit if where else None),
        place=spatial.to_dict().get("place"),
        resume=options.resume,
        overwrite=told.force,
        **asdict(pixels),
        **asdict(options.tiling),
        **asdict(options.resources),
    )
    try:
        with _Bars(image.name, hidden=told.quiet) as bars:
            result: TiledResult = drain(steps, bars.show)
    except KeyboardInterrupt:
        if not was_begun(output):
            raise
        raise KeyboardInterrupt(
            f"the tiles that are done are kept in {checkpoint_path(output)}: the same command with "
            "--resume goes on from there"
        ) from None
    outside = left_out(da.from_zarr(str(output / "0")))
    run = read_provenance(output)["run"] if others else {}
    known = {"source": image.name, "run": run} | spatial.to_dict()
    about = subject.described(result.provenance() | known)
    labels = None
    values = Pixels(subject, None, keep=True)
    for target in others:
        try:
            labels = read_labels(output).labels if labels is None else labels
            write_all([target], labels, values, about, overwrite=told.force)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"the labels are kept in {output}: the same command with --resume goes on from "
                f"there to {target}"
            ) from None
        except (SuperpixelError, OSError, ValueError, MemoryError) as error:
            cause: Exception = error
            if isinstance(error, MemoryError) and not isinstance(error, SuperpixelError):
                cause = SuperpixelMemoryError(f"{target}: needs more memory than there is")
            raise LabelsKept(cause, str(output), str(target)) from error
    if not to_zarr:
        shutil.rmtree(output)
    return (
        f"{counted(result.n_obtained, 'superpixel')} of {result.n_requested} asked for"
        f"{result.why_more}, {counted(result.n_tiles, 'tile')}, in "
        f"{result.seconds:.1f} s on {result.device}{outside}"
    )


def other_in_tiles(
    found: ImageFile, run: Mapping[str, Any], params: SuperpixelParams, options: SegmentOptions
) -> list[str]:
    """Name in what a run in tiles would differ from one before.

    Parameters
    ----------
    found : ImageFile
        The file, at full resolution.
    run : mapping
        What decided the result of the one before, see `RunSpec.identity`.
    params : SuperpixelParams
    options : SegmentOptions

    Returns
    -------
    list of str
        See `differences`.
    """
    from napari_superpixels.plan.tiles import plan_tiles
    from napari_superpixels.tiling.reader import open_reader
    from napari_superpixels.tiling.run_spec import RunSpec
    from napari_superpixels.tiling.tile_pixels import iter_digests, of_all

    asked, tiling, n = options.input, options.tiling, options.n_segments(params)
    axis = asked.axis_of(found)
    reader = open_reader(found.path, asked.level or 0, axis, channels=asked.channels)
    mask = None if asked.mask is None else open_reader(asked.mask, kind="mask")
    grid = plan_tiles(reader.shape, n, params, tiling.tile_size_px, tiling.halo_px)
    nodata, device = asked.nodata_of(found), options.resources.device
    spec = RunSpec(reader, mask, nodata, grid, n, params, device)
    now = spec.identity()
    del now["parameters"]  # an older version may not know all of them
    other = differences(run, now)
    return other or differences(run, with_pixels(now, of_all(iter_digests(spec))))


def subject_in_tiles(found: ImageFile, options: SegmentOptions) -> Subject:
    """Take what a run in tiles segments, at the level that is asked for.

    Parameters
    ----------
    found : ImageFile
        The file, at full resolution.
    options : SegmentOptions

    Returns
    -------
    Subject
        Without what the mask leaves out.
    """
    from napari_superpixels.cli.stacks import spatial_of
    from napari_superpixels.io.images import open_image

    asked, spatial = options.input, spatial_of(found, 2)
    if asked.level:
        full, found = found, open_image(found.path, asked.level)
        found.close()
        spatial = spatial.resampled(full.plane_shape, found.plane_shape)
    return Subject(
        found=found,
        array=found.array,
        channel_axis=asked.axis_of(found),
        mask=None,
        nodata=asked.nodata_of(found),
        spatial=spatial,
    )


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
            f"{gigabytes(needed)}, and {gigabytes(free)} are free; leave it out, or take a "
            "machine with more memory for it later, with export"
        )


class _Bars:
    """A progress bar for each phase of a run.

    Parameters
    ----------
    name : str
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
