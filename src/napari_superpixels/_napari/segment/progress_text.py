"""What the dock says of a run: while it goes on, and when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from napari_superpixels._napari.input.axes import NOUNS, Mode
from napari_superpixels.api.result import SuperpixelResult
from napari_superpixels.errors.quantities import counted, duration
from napari_superpixels.events import FinishReason, Step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels._napari.segment.worker import Delivery
    from napari_superpixels.api.series import SeriesStep
    from napari_superpixels.tiling.progress import TileStep
    from napari_superpixels.tiling.tiled_result import TiledResult

# Frames that follow from the one before take a third of the time of the first one.
_FIRST_FRAME = 3


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    done, total : int
        For the progress bar.
    text : str
        In words.
    labels : ndarray of int32 or None
        Preview of the labels, or of a frame.
    frame : int or None
        The frame that `labels` are of.
    """

    done: int
    total: int
    text: str
    labels: NDArray[np.int32] | None = None
    frame: int | None = None


def of_any(step: Step | SeriesStep | TileStep, mode: Mode) -> Progress:
    """Tell of a run.

    Parameters
    ----------
    step : Step, SeriesStep or TileStep
        Of one image or volume, of a stack of planes, of tiles.
    mode : Mode
        What of a stack is segmented.

    Returns
    -------
    Progress
        For the progress bar, in words, with a preview.
    """
    from napari_superpixels.api.series import SeriesStep  # with torch, which takes seconds to load

    if isinstance(step, SeriesStep):
        return of_frame(step, mode)
    return of_step(step) if isinstance(step, Step) else of_tile(step)


def of_step(step: Step) -> Progress:
    """Tell of a run on one image or volume."""
    if step.iteration == step.n_iterations:
        text = "Connecting pieces and refining borders…"
    else:
        text = (
            f"Step {step.iteration} of {step.n_iterations}, "
            f"{counted(step.n_superpixels, 'superpixel')} so far"
        )
    return Progress(step.iteration, step.n_iterations, text, step.labels)


def of_frame(step: SeriesStep, mode: Mode) -> Progress:
    """Tell of a run on a stack of planes."""
    within, each = 0, 1
    if step.step is not None:
        within, each = step.step.iteration, step.step.n_iterations
    text = f"{NOUNS[mode].capitalize()} {step.frame + 1} of {step.n_frames}"
    more = _FIRST_FRAME - 1 if mode == Mode.SERIES else 0
    before, length = (0, 1 + more) if step.frame == 0 else (step.frame + more, 1)
    share = 1 if step.step is None else within / (each + 1)
    done = round(1000 * (before + length * share))
    return Progress(done, 1000 * (step.n_frames + more), text, step.labels, step.frame)


def of_tile(step: TileStep) -> Progress:
    """Tell of a run in tiles."""
    return Progress(
        step.done, step.total, f"{step.phase.capitalize()}: {step.done} of {step.total}"
    )


def of_result(delivery: Delivery, layer_name: str) -> str:
    """Tell of a finished run, as rich text.

    Parameters
    ----------
    delivery : Delivery
    layer_name : str
        Layer that holds its labels.

    Returns
    -------
    str
        Count, time, device, and what may be done with the layer.
    """
    result = delivery.result
    use = "is editable now"
    if isinstance(delivery.labels, list):
        use = "is read from there; “Make an editable copy” of the correction dock loads it"
    text = _of_one(delivery, result) if isinstance(result, SuperpixelResult) else _of_tiles(result)
    if delivery.problem:
        text += f" <b>Left out:</b> {escape(delivery.problem, quote=False)}."
    return f"{text} The layer “{escape(layer_name, quote=False)}” {use}."


def _of_tiles(result: TiledResult) -> str:
    return (
        f"<b>{counted(result.n_obtained, 'superpixel')}</b> of {result.n_requested} asked "
        f"for{result.why_more}, in {counted(result.n_tiles, 'tile')}, in "
        f"{duration(result.seconds)} on {result.device}. "
        f"Written to {escape(str(result.path), quote=False)}."
    )


def _of_one(delivery: Delivery, result: SuperpixelResult) -> str:
    mode = delivery.request.source.mode
    ended = {FinishReason.STOPPED: "stopped", FinishReason.SETTLED: "settled"}
    after = counted(result.iterations, "iteration")
    kind, within, asked = "superpixel", "", f" of {result.n_requested} asked for"
    if mode in NOUNS:
        within = f" in {counted(delivery.n_frames, NOUNS[mode])}"
        asked = f", {result.n_requested} asked for in each"
        after = f"{delivery.n_frames} of {counted(delivery.request.source.n_frames, NOUNS[mode])}"
    if mode == Mode.VOLUME:
        kind = "supervoxel"
    if result.run_params is not None:
        return f"<b>{counted(result.n_obtained, kind)}</b>{asked}, without another run."
    stopped = f" ({ended[result.reason]} after {after})" if result.reason in ended else ""
    return (
        f"<b>{counted(result.n_obtained, kind)}{within}</b>{asked}{stopped}, "
        f"in {duration(result.seconds)} on {result.device}."
    )
