"""What the segmentation dock shows, without a dock."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_superpixels._napari.segment.run_plan import PlanText
from napari_superpixels._napari.segment.state import Choices, RunState, resolve

SOURCE = SimpleNamespace(description="image: 4 × 5 pixels")
READY = Choices(SOURCE, object(), "CPU", "")


def shown(choices=READY, plan=None, time="", run=RunState.NONE, *, has_result=False):
    return resolve(choices, plan, time, run, has_result=has_result)


def test_a_run_can_start():
    state = shown(plan=PlanText("this run needs about 1 GB"), time="Takes about 3 s.")
    assert state.source == "image: 4 × 5 pixels"
    assert state.device == "CPU; this run needs about 1 GB"
    assert (state.can_segment, state.can_cancel, state.can_copy) == (True, False, False)
    assert state.status == "Takes about 3 s."
    assert not state.is_running


@pytest.mark.parametrize(
    ("choices", "plan", "problem"),
    [
        (Choices(None, None, "CPU", "choose an image"), None, "choose an image"),
        (READY, PlanText("much", problem="too much"), "too much"),
        (Choices(SOURCE, None, "CPU", "no"), PlanText("much", problem="too much"), "no"),
    ],
)
def test_why_a_run_cannot_start(choices, plan, problem):
    state = shown(choices, plan)
    assert (state.can_segment, state.status) == (False, problem)


@pytest.mark.parametrize(
    ("run", "can_cancel"), [(RunState.RUNNING, True), (RunState.STOPPING, False)]
)
def test_while_a_run_goes_on_its_line_is_left(run, can_cancel):
    state = shown(plan=PlanText("", problem="too much"), run=run, has_result=True)
    assert state.status is None
    assert state.is_running
    assert (state.can_segment, state.can_cancel, state.can_copy) == (False, can_cancel, True)
