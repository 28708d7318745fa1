"""What the segmentation dock shows, as a pure function of what is chosen and what runs; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_superpixels._napari.input.segmentation_input import SegmentationInput
    from napari_superpixels._napari.segment.run_plan import PlanText
    from napari_superpixels.params import SuperpixelParams


class RunState(Enum):
    """Whether a run is under way."""

    NONE = auto()
    RUNNING = auto()
    STOPPING = auto()


@dataclass(frozen=True, slots=True)
class Choices:
    """What is chosen in the dock.

    Attributes
    ----------
    source : SegmentationInput or None
        What would be segmented; None where that is not possible.
    params : SuperpixelParams or None
        None where one of them is not valid.
    device : str
        The device, in words.
    problem : str
        Why nothing can be run with these; empty if it can.
    """

    source: SegmentationInput | None
    params: SuperpixelParams | None
    device: str
    problem: str


@dataclass(frozen=True, slots=True)
class DockState:
    """What the dock shows.

    Attributes
    ----------
    source, device : str
        What would be segmented; where, and what that needs.
    status : str or None
        Why Segment is disabled, or how long a run takes; None while the line tells of a run.
    is_running : bool
        Whether the buttons that end a run stand in the place of Segment.
    can_segment, can_cancel, can_copy, can_show : bool
        Which buttons are enabled, and whether there are superpixels to show in another way.
    """

    source: str
    device: str
    status: str | None
    is_running: bool
    can_segment: bool
    can_cancel: bool
    can_copy: bool
    can_show: bool


def resolve(
    choices: Choices,
    plan: PlanText | None,
    time: str,
    run: RunState,
    *,
    has_result: bool,
    can_show: bool = False,
) -> DockState:
    """Work out what the dock shows.

    Parameters
    ----------
    choices : Choices
        What is chosen.
    plan : PlanText or None
        What a run with it needs; None where there is nothing to plan.
    time : str
        How long it takes, in a sentence; empty where that is not known.
    run : RunState
        Whether one is under way.
    has_result : bool
        Whether a run has ended well.
    can_show : bool, default False
        Whether there are superpixels in the viewer.

    Returns
    -------
    DockState
    """
    device, problem = choices.device, choices.problem
    if plan is not None:
        device += f"; {plan.text}"
        problem = problem or plan.problem
    is_idle = run == RunState.NONE
    return DockState(
        source=choices.source.description if choices.source else "",
        device=device,
        status=problem or time if is_idle else None,
        is_running=not is_idle,
        can_segment=is_idle and not problem,
        can_cancel=run == RunState.RUNNING,
        can_copy=has_result,
        can_show=can_show,
    )
