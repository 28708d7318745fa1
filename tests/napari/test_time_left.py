"""The time that is left follows how the run goes on."""

from __future__ import annotations

import pytest

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.segment import progress_text as wording
from napari_superpixels._napari.segment.time_left import TimeLeft
from napari_superpixels.api.series import SeriesStep


def test_a_steady_run():
    left = TimeLeft()
    assert left.after(0, 10, 100.0) is None
    assert [left.after(i, 10, 100.0 + 2 * i) for i in range(1, 11)] == [
        20 - 2 * i for i in range(1, 11)
    ]


def test_a_slow_start_is_forgotten():
    left = TimeLeft()
    left.after(0, 100, 0.0)
    assert left.after(1, 100, 30.0) == pytest.approx(30 * 99)
    estimates = [left.after(i, 100, 30.0 + i) for i in range(2, 101)]
    assert estimates[40] == pytest.approx(100 - 42)
    assert estimates[70] == pytest.approx(100 - 72)
    assert estimates[-1] == 0


def test_another_phase_begins_anew():
    left = TimeLeft()
    left.after(0, 4, 0.0)
    assert left.after(2, 4, 10.0) == 10
    assert left.after(0, 50, 11.0) is None
    assert left.after(10, 50, 12.0) == 4
    assert left.after(5, 50, 13.0) is None


def test_the_first_frame_of_a_time_series_counts_as_three():
    def done(frame, mode):
        return wording.of_frame(SeriesStep(frame, 4), mode)

    assert [done(i, Mode.EACH).done for i in range(4)] == [1000, 2000, 3000, 4000]
    assert [done(i, Mode.SERIES).done for i in range(4)] == [3000, 4000, 5000, 6000]
    assert done(0, Mode.SERIES).total == 6000
