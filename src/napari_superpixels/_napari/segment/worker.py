"""What runs in the worker: from a request to labels, table and colours."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels._napari.input.axes import NOUNS, Mode
from napari_superpixels._napari.input.mask import mask_of
from napari_superpixels._napari.input.segmentation_input import Frames, SegmentationInput
from napari_superpixels._napari.input.start import StartKind, StartLabels, arguments_of
from napari_superpixels._napari.segment.appearance import neighbour_colormap
from napari_superpixels._napari.segment.cancelling import (
    REPORT_INTERVAL_S,
    CancelSwitch,
    tell_runtime_errors,
    watched,
)
from napari_superpixels._napari.settings import Preferences
from napari_superpixels.api.result import SuperpixelResult
from napari_superpixels.core.regions.graph import (
    PartSums,
    part_sums,
    series_table,
    superpixel_table,
)
from napari_superpixels.events import FinishReason
from napari_superpixels.params import SuperpixelParams

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari.utils.colormaps import CyclicLabelColormap
    from numpy.typing import NDArray

    from napari_superpixels.api.series import SeriesStep
    from napari_superpixels.events import Step
    from napari_superpixels.tiling.progress import TileStep
    from napari_superpixels.tiling.tiled_result import TiledResult

    AnyStep = Step | SeriesStep | TileStep

PREVIEW_INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a run needs, frozen when Segment is clicked.

    Attributes
    ----------
    source, params, device, preferences, preset
        What is chosen.
    asked_device : str
        What the user chose, such as “auto”.
    tiled_output : Path or None
        OME-Zarr that a run in tiles writes; None for a run in one piece.
    """

    source: SegmentationInput
    params: SuperpixelParams
    device: str
    preferences: Preferences
    preset: str
    asked_device: str = "auto"
    tiled_output: Path | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A finished run, with what its Labels layer needs; made in the worker.

    Attributes
    ----------
    request : Request
        What was asked for.
    result : SuperpixelResult or TiledResult
        How the labels came about.
    labels : ndarray of int32, or list of dask.array.Array
        Labels, with the axes of a stack first; or the levels of labels too large for memory.
    table : dict of str to ndarray
        A row for each superpixel; empty if the labels are not in memory.
    colormap : napari.utils.colormaps.CyclicLabelColormap or None
        In which neighbours differ; None for napari's own, where there are too many superpixels.
    n_frames : int
        Planes that were segmented.
    problem : str
        Which planes failed, and why; empty if none did.
    channels : ndarray or None
        The image, with its channels first, while other levels of the result can be asked for.
    """

    request: Request
    result: SuperpixelResult | TiledResult
    labels: NDArray[np.int32] | list[Any]
    table: dict[str, NDArray[np.generic]]
    colormap: CyclicLabelColormap | None
    n_frames: int = 1
    problem: str = ""
    channels: NDArray[np.generic] | None = None

    def without_levels(self) -> Delivery:
        """The same without what takes memory for other levels."""
        if not isinstance(self.result, SuperpixelResult):
            return self
        return replace(self, result=replace(self.result, levels=None), channels=None)

    @property
    def stopped(self) -> bool:
        """Whether the run was cancelled, and what was there is kept."""
        return getattr(self.result, "reason", None) == FinishReason.STOPPED


def segment(request: Request, switch: CancelSwitch) -> Generator[AnyStep, None, Delivery | None]:
    """Run a request.

    Parameters
    ----------
    request : Request
        What to do.
    switch : CancelSwitch
        Stops the run within one iteration.

    Yields
    ------
    Step, SeriesStep or TileStep
        At most ten a second, and all that carry a preview.

    Returns
    -------
    Delivery or None
        The result; None if cancelled without keeping it.

    Raises
    ------
    SuperpixelError
        Also for any RuntimeError, which a worker would swallow.
    ValueError
        If the image or a parameter is unusable.
    """
    run = _segment_frames if request.source.mode in (Mode.EACH, Mode.SERIES) else _segment
    if request.tiled_output is not None:
        run = _segment_in_tiles
    return (yield from tell_runtime_errors(run(request, switch)))


def _segment(request: Request, switch: CancelSwitch) -> Generator[AnyStep, None, Delivery | None]:
    # Imported here, in the worker's thread: torch takes seconds to load.
    from napari_superpixels.api.image import iter_superpixels
    from napari_superpixels.core.prepare.checks import as_channels

    source = request.source
    if source.start is not None and source.start.kind == StartKind.REFINE:
        return _refined(request, source.start)
    image = source.read()
    mask = mask_of(source)
    steps = iter_superpixels(
        image,
        request.params,
        channel_axis=source.read_axis,
        mask=None if mask is None else np.broadcast_to(mask, source.shape),
        nodata=source.nodata,
        spacing=source.spacing,
        device=request.device,
        preview_interval_s=PREVIEW_INTERVAL_S if request.preferences.preview else None,
        memory_limit_gb=request.preferences.memory_limit_gb,
        **arguments_of(source.start, source),
    )
    result = yield from watched(steps, switch)
    if result is None:
        return None
    channels = as_channels(image, source.read_axis, n_axes=len(source.shape))
    return delivery_of(request, result, channels)


def _refined(request: Request, start: StartLabels) -> Delivery:
    """Move the borders of labels, as `_segment` finds new ones; takes a second or so."""
    from napari_superpixels.api.image import refine
    from napari_superpixels.core.prepare.checks import as_channels

    source, begin = request.source, time.perf_counter()
    image, mask = source.read(), mask_of(source)
    labels = refine(
        image,
        start.of(source),
        keep_background=False,
        channel_axis=source.read_axis,
        mask=None if mask is None else np.broadcast_to(mask, source.shape),
        nodata=source.nodata,
        spacing=source.spacing,
        smoothness=request.params.refine_smoothness,
    ).astype(np.int32)
    n = len(np.unique(labels[labels > 0]))
    result = SuperpixelResult(
        labels=labels,
        params=request.params.replace(n_segments=n),
        n_obtained=n,
        losses=(),
        iterations=0,
        seconds=time.perf_counter() - begin,
        device="cpu",
        reason=FinishReason.COMPLETED,
        weights={},
    )
    channels = as_channels(image, source.read_axis, n_axes=len(source.shape))
    return replace(delivery_of(request, result, channels), channels=None)


def delivery_of(
    request: Request, result: SuperpixelResult, channels: NDArray[np.generic]
) -> Delivery:
    """Add to a result what its layer needs.

    Parameters
    ----------
    request : Request
        What was asked for.
    result : SuperpixelResult
        Of a run in one piece.
    channels : ndarray, shape (C, *labels.shape)
        Values of the image as they are, for the means of the table.

    Returns
    -------
    Delivery
        With a table of sizes and means, and colours that differ between neighbours.
    """
    source = request.source
    table = superpixel_table(
        result.labels,
        channels,
        channel_names=source.channel_names,
        pixel_area=source.placement.voxel_volume,
    )
    # The labels that a run started from, superpixel by superpixel.
    table |= {name: column for name, column in result.table.items() if name not in table}
    colormap = neighbour_colormap(result.labels)
    return Delivery(request, result, result.labels, table, colormap, channels=channels)


def _segment_in_tiles(
    request: Request, switch: CancelSwitch
) -> Generator[AnyStep, None, Delivery | None]:
    from napari_superpixels._napari.segment import tiled_run
    from napari_superpixels.tiling.checkpoint import checkpoint_path

    assert request.tiled_output is not None
    work = checkpoint_path(request.tiled_output)
    is_new = not work.exists()
    steps = tiled_run.segment_tiles(
        request.source,
        request.params,
        request.device,
        request.preferences.memory_limit_gb,
        request.tiled_output,
    )
    try:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: TiledResult = end.value
                break
            if switch.cancelled:
                steps.close()
                # Kept tiles are for another run; what an earlier one left is not ours to remove.
                if is_new and not switch.keep:
                    shutil.rmtree(work, ignore_errors=True)
                return None
            yield step
    finally:
        steps.close()
    labels = tiled_run.labels_of(result.path)
    if isinstance(labels, list):
        return Delivery(request, result, labels, {}, None)
    table = tiled_run.table(request.source, labels, result.n_obtained)
    return Delivery(request, result, labels, table, neighbour_colormap(labels))


def _segment_frames(
    request: Request, switch: CancelSwitch
) -> Generator[AnyStep, None, Delivery | None]:
    """Segment each plane of a stack; those that fail stay 0, those done are kept if asked."""
    from napari_superpixels.api.series import iter_series, spelled_problems
    from napari_superpixels.core.device import describe_device, resolve_device

    source, begin = request.source, time.perf_counter()
    frames = Frames(source)
    mask = mask_of(source)
    if mask is not None and mask.ndim > 2:
        mask = mask.reshape(-1, *mask.shape[-2:])
    labels = np.zeros((len(frames), *source.plane_shape), np.int32)
    done: list[PartSums] = []
    problems: dict[str, str] = {}
    reported = 0.0
    start: dict[str, Any] = {
        name: value.reshape(-1, *value.shape[-2:]) if isinstance(value, np.ndarray) else value
        for name, value in arguments_of(source.start, source).items()
    }
    steps = iter_series(
        frames,
        request.params,
        channel_axis=source.frame_axis,
        mask=mask,
        nodata=source.nodata,
        device=request.device,
        follow=source.mode == Mode.SERIES,
        memory_limit_gb=request.preferences.memory_limit_gb,
        skip_failing=True,  # what is done is not lost
        out=labels,
        **start,
    )
    try:
        for step in steps:
            if step.labels is not None and step.image is not None:
                done.append(part_sums(step.labels, step.image))
            elif step.problem:
                problems[frames.name(step.frame)] = step.problem
            if switch.cancelled:
                break
            if step.step is None or time.monotonic() - reported >= REPORT_INTERVAL_S:
                reported = time.monotonic()
                yield step
    finally:
        steps.close()
    stopped = len(done) + len(problems) < len(frames)
    if switch.cancelled and not (switch.keep and done):
        return None
    table = series_table(
        done, channel_names=source.channel_names, pixel_area=source.placement.pixel_area
    )
    info = describe_device(resolve_device(request.device))
    result = SuperpixelResult(
        labels=labels.reshape(source.shape),
        params=request.params,
        n_obtained=len(table["index"]),
        losses=(),
        iterations=request.params.iterations,
        seconds=time.perf_counter() - begin,
        device=f"{info.device} ({info.name})",
        reason=FinishReason.STOPPED if stopped else FinishReason.COMPLETED,
        weights={},
    )
    colormap = neighbour_colormap(result.labels)
    problem = spelled_problems(problems, f"{NOUNS[source.mode]}s")
    return Delivery(request, result, result.labels, table, colormap, len(done), problem)
