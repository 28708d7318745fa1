"""What is said before a run fits what the run then does."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_superpixels import get_preset
from napari_superpixels.core.device import machine_here
from napari_superpixels.params.options import Resources
from napari_superpixels.plan.run_plan import tiles_shortage
from napari_superpixels.tiling import estimate as module
from napari_superpixels.tiling.estimate import estimate_run
from tests.fixtures.quick import FAST

SMALL = {"tile_size_px": 64, "halo_px": 32, "device": "cpu"}


def too_much(needs, limit_gb):
    """Whether so much is too much for this machine's CPU."""
    return tiles_shortage(needs, machine_here(Resources("cpu", limit_gb)))


def test_tiles_and_disk_are_those_of_the_run(image, segment, tmp_path, monkeypatch):
    estimate = estimate_run(image, 60, FAST, channel_axis=-1, **SMALL)
    _, result = segment(image, channel_axis=-1)
    assert (estimate.n_tiles, estimate.tile_px) == (result.n_tiles, result.tile_px)
    written = sum(f.stat().st_size for f in result.path.rglob("*") if f.is_file())
    assert written < estimate.disk_bytes
    assert re.fullmatch(
        r"12 tiles of 64 × 64 pixels; at most \d.\d GB of memory and 0.\d+ GB on disk, "
        r"about [\d.]+ s",
        str(estimate),
    )


def test_processes_take_memory_of_their_own(image):
    threads = estimate_run(image, 60, FAST, channel_axis=-1, **SMALL)
    processes = estimate_run(image, 60, FAST, channel_axis=-1, n_workers=4, **SMALL)
    assert processes.memory_bytes > threads.memory_bytes + 3e8


def test_processes_take_time_to_start(image, monkeypatch):
    def no_time(*_):
        yield
        return 0.0

    monkeypatch.setattr(module, "_seconds_a_pixel", no_time)
    started = [
        estimate_run(image, 60, FAST, channel_axis=-1, n_workers=n, **SMALL).seconds
        for n in (None, 1, 3)
    ]
    assert started[0] == 0
    assert started[2] == 3 * started[1] > 3


@pytest.mark.slow
def test_threads_that_memory_holds(image, segment, expected, monkeypatch):
    monkeypatch.setattr("dask.system.CPU_COUNT", 8)
    options = {"channel_axis": -1, "trial": False, **SMALL}
    all_cores = estimate_run(image, 60, FAST, **options).added_bytes
    one = estimate_run(image, 60, FAST, memory_limit_gb=0.001, **options).added_bytes
    a_few = (one + all_cores) / 2
    estimate = estimate_run(image, 60, FAST, memory_limit_gb=a_few / 1e9, **options)
    assert one < estimate.added_bytes <= a_few
    assert too_much(estimate, a_few / 1e9) is None
    labels, _ = segment(image, channel_axis=-1, memory_limit_gb=a_few / 1e9)
    np.testing.assert_array_equal(labels, expected)


def test_what_does_not_fit_is_told(image):
    estimate = estimate_run(image, 60, FAST, channel_axis=-1, trial=False, **SMALL)
    assert too_much(estimate, None) is None
    limited = too_much(estimate, 0.01)
    assert limited.is_limit
    assert limited.in_tiles
    assert limited.available_bytes == 0.01e9
    huge = too_much(replace(estimate, memory_bytes=1e15), None)
    assert huge.needed_bytes == pytest.approx(1e15, rel=1e-6)
    assert huge.device.startswith("cpu (")
    assert not huge.is_limit


def test_no_trial_of_what_only_the_cluster_has(image):
    elsewhere = {**SMALL, "device": "cuda:77", "scheduler": "tcp://127.0.0.1:9"}
    assert estimate_run(image, 60, FAST, channel_axis=-1, **elsewhere).seconds is None


def test_neighbours_wait_for_each_other(monkeypatch):
    def one_second(*_):
        yield
        return 1.0

    monkeypatch.setattr(module, "_seconds_a_pixel", one_second)
    monkeypatch.setattr(module, "_WORKER_S", 0)
    options = {"tile_size_px": 64, "halo_px": 0, "device": "cpu"}

    def rounds(shape, n_workers):
        found = estimate_run(np.zeros(shape), 9, FAST, n_workers=n_workers, **options)
        return found.seconds / 64**2

    assert rounds((128, 128), 1) == 4
    assert rounds((128, 128), 8) == 4  # each of the four touches the three others
    assert rounds((256, 256), 1) == 16
    assert rounds((256, 256), 2) == 8
    assert rounds((256, 256), 100) == 4


def test_nothing_to_try_it_on():
    empty = np.full((200, 200), np.nan)
    estimate = estimate_run(empty, 60, FAST, **SMALL)
    assert estimate.seconds is None
    assert "on disk" in str(estimate)
    assert not str(estimate).endswith("s")


def test_a_slow_preset_is_tried_for_some_time_only(image, monkeypatch):
    monkeypatch.setattr(module, "_PROBE_S", 0.05)
    ticks = []
    original = module.iter_superpixels

    def counted(*arguments, **options):
        for step in original(*arguments, **options):
            ticks.append(step)
            yield step

    monkeypatch.setattr(module, "iter_superpixels", counted)
    paper = get_preset("paper").replace(iterations=5000, hidden_channels=(4,))
    estimate = estimate_run(image, 60, paper, channel_axis=-1, **SMALL)
    assert len(ticks) < 1000
    assert estimate.seconds > 0
    assert math.isfinite(estimate.seconds)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_stays(image, threads):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        estimate_run(image, 60, FAST, channel_axis=-1, **SMALL)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
