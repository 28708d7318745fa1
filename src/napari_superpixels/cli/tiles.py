"""The work of ``napari-superpixels segment`` for images that are segmented in tiles."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.messages import complain
from napari_superpixels.cli.output import is_plain
from napari_superpixels.cli.pixels import left_out
from napari_superpixels.cli.subject import Pixels, Subject, write_all
from napari_superpixels.errors import (
    ExportError,
    FileExists,
    InTheWay,
    LabelsKept,
    SuperpixelError,
    SuperpixelMemoryError,
)
from napari_superpixels.errors.quantities import counted, gigabytes
from napari_superpixels.io.atomic import is_taken
from napari_superpixels.io.ome_zarr import holds_labels
from napari_superpixels.tiling.identity import differences, with_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.cli.options import SegmentOptions
    from napari_superpixels.io.images import ImageFile
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.tiling.progress import TileStep
    from napari_superpixels.tiling.tiled_result import TiledResult

# Of tables, graphs and polygons, measured on 4 megapixels: labels, ranks, values in their order.
_BYTES_A_PIXEL, _BYTES_A_VALUE = 60, 16
# Attribute of labels that are deleted once they are copied.
_TEMPORARY = "napari-superpixels-temporary"


@dataclass(frozen=True, slots=True)
class TilesOutput:
    """Where a run in tiles writes its labels.

    Attributes
    ----------
    target : Path
        First of what is to be written in the end.
    """

    target: Path

    @property
    def is_temporary(self) -> bool:
        """Whether the labels are only on their way to another format."""
        return self.target.suffix.lower() != ".zarr"

    @property
    def path(self) -> Path:
        """OME-Zarr: the target, or beside it."""
        target = self.target
        return target.with_name(f"{target.name}.zarr") if self.is_temporary else target

    @property
    def was_begun(self) -> bool:
        """Whether a run left something to go on with, be it that only a copy is missing."""
        from napari_superpixels.tiling.checkpoint import checkpoint_path

        return self.path.exists() or checkpoint_path(self.path).exists()

    def is_in_the_way(self) -> bool:
        """Whether something has the name of temporary labels, and is none of them."""
        return self.is_temporary and is_taken(self.path) and not self._is_marked()

    def mark(self) -> None:
        """Note that the labels are temporary, and may be deleted."""
        import zarr

        zarr.open_group(self.path, mode="r+").attrs[_TEMPORARY] = True

    def _is_marked(self) -> bool:
        import zarr

        if not holds_labels(self.path):
            return False
        return _TEMPORARY in zarr.open_group(self.path, mode="r").attrs

    def tidy_up(self) -> None:
        """Delete temporary labels, as a run that was killed leaves them at its very end."""
        if self.is_temporary and self.path.exists() and self._is_marked():
            shutil.rmtree(self.path)


def is_tiled(
    found: ImageFile, output: TilesOutput, params: SuperpixelParams, options: SegmentOptions
) -> bool:
    """Whether to segment a file in tiles: it is asked for, or memory would not do.

    Parameters
    ----------
    found : ImageFile
    output : TilesOutput
        Where a run in tiles would write.
    params : SuperpixelParams
    options : SegmentOptions

    Returns
    -------
    bool
        As `plan_run` decides, where nothing is asked for.
    """
    if options.asks_for_tiles or (options.resume and output.was_begun):
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
    found: ImageFile,
    targets: list[Path],
    output: TilesOutput,
    params: SuperpixelParams,
    options: SegmentOptions,
) -> str:
    """Segment a file in tiles.

    Parameters
    ----------
    found : ImageFile
        The file, at full resolution.
    targets : list of Path
        What to write: ``.zarr``, or label files that are written from it.
    output : TilesOutput
        Where tiles are put together.
    params : SuperpixelParams
    options : SegmentOptions

    Returns
    -------
    str
        What to tell the user.
    """
    if not output.is_temporary:
        return _segment(found, targets, output, params, options)
    from napari_superpixels.tiling.output_lock import only_run

    with only_run(output.target):  # also while labels are copied, and deleted
        return _segment(found, targets, output, params, options)


def _segment(
    found: ImageFile,
    targets: list[Path],
    output: TilesOutput,
    params: SuperpixelParams,
    options: SegmentOptions,
) -> str:
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
    others = [target for target in targets if target != output.path]
    is_foreign = output.is_in_the_way()
    if is_foreign and not options.resume:
        raise InTheWay(str(output.path), str(output.target))
    pixels = PixelOptions(
        channel_axis=subject.channel_axis,
        channels=asked.channels,
        level=asked.level or 0,
        nodata=subject.nodata,
    )
    n_segments = options.n_segments(params)
    for target in others:  # now, not after hours
        if is_taken(target) and not (told.force or output.path.exists()):
            raise FileExists(str(target))
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
        output.path,
        n_segments,
        params,
        mask=asked.mask,
        pixel_size=spatial.pixel_size or (where.pixel_size if where else None),
        unit=spatial.unit or (where.unit if where else None),
        translation=spatial.translation,
        flipped=spatial.flipped,
        place=spatial.to_dict().get("place"),
        resume=options.resume,
        overwrite=told.force and not is_foreign,
        **asdict(pixels),
        **asdict(options.tiling),
        **asdict(options.resources),
    )
    try:
        with _Bars(image.name, hidden=told.quiet) as bars:
            result: TiledResult = drain(steps, bars.show)
    except KeyboardInterrupt:
        if not output.was_begun:
            raise
        raise KeyboardInterrupt(
            f"the tiles that are done are kept in {checkpoint_path(output.path)}: the same command "
            "with --resume goes on from there"
        ) from None
    except FileExists:
        if is_foreign:
            raise InTheWay(str(output.path), str(output.target)) from None
        raise
    if output.is_temporary and not is_foreign:
        output.mark()
    outside = left_out(da.from_zarr(str(output.path / "0")))
    run = read_provenance(output.path)["run"] if others else {}
    known = {"source": image.name, "run": run} | spatial.to_dict()
    about = subject.described(result.provenance() | known)
    labels = None
    values = Pixels(subject, None, keep=True)
    for target in others:
        try:
            labels = read_labels(output.path).labels if labels is None else labels
            if is_taken(target) and not told.force and _holds(target, labels):
                continue  # a run was killed between this copy and its end
            write_all([target], labels, values, about, overwrite=told.force)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"the labels are kept in {output.path}: the same command with --resume goes on "
                f"from there to {target}"
            ) from None
        except (SuperpixelError, OSError, ValueError, MemoryError) as error:
            cause: Exception = error
            if isinstance(error, MemoryError) and not isinstance(error, SuperpixelError):
                cause = SuperpixelMemoryError(f"{target}: needs more memory than there is")
            raise LabelsKept(cause, str(output.path), str(target)) from error
    output.tidy_up()
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


def _holds(target: Path, labels: NDArray[np.integer]) -> bool:
    """Whether a label file is a whole copy of labels."""
    import numpy as np

    from napari_superpixels.io.labels import read_labels

    return is_plain(target) and np.array_equal(read_labels(target).labels, labels)


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

        if step.note:
            complain(f"{self._name}: {step.note}")
        if step.phase != self._phase:
            self.__exit__()
            self._phase = step.phase
            title = f"{self._name}: {step.phase}"
            self._bar = tqdm(
                total=step.total, desc=title, disable=self._hidden or None, unit="tile", leave=False
            )
        self._bar.update(step.done - self._bar.n)
