"""A run that takes long needs no more memory for it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import dask.array as da
import numpy as np
import pytest

from napari_superpixels.events import drain
from napari_superpixels.tiling import progress as waiting
from napari_superpixels.tiling.checkpoint import Checkpoint, checkpoint_path
from napari_superpixels.tiling.run import iter_superpixels_tiled
from tests.fixtures.quick import FAST


def once_there(block, gate):
    """The block; for a tile, which another thread reads, as soon as there is a file."""
    while threading.current_thread() is not threading.main_thread() and not gate.exists():
        time.sleep(0.01)
    return block


def n_waiting():
    """What waits for something in an event loop."""
    return sum(issubclass(type(found), asyncio.Task) for found in gc.get_objects())


@pytest.mark.slow
def test_waiting_leaves_nothing_behind(image, tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "_PULSE_S", 0.001)
    gate = tmp_path / "open"
    meta = np.empty((0, 0, 0), image.dtype)
    late = da.from_array(image).map_blocks(once_there, gate, dtype=image.dtype, meta=meta)
    steps = iter_superpixels_tiled(
        late,
        tmp_path / "out.zarr",
        60,
        FAST,
        channel_axis=-1,
        tile_size_px=64,
        halo_px=32,
    )
    for _ in range(10):
        step = next(steps)
    before = n_waiting()
    for _ in range(100):
        step = next(steps)
    after = n_waiting()
    gate.touch()
    assert drain(steps).n_tiles == step.total == 12
    assert step.done == 0
    assert after < before + 20  # one a tile and call would be 1,200


def test_few_of_many_reasons_are_told(image, tmp_path):
    steps = iter_superpixels_tiled(
        image, tmp_path / "out.zarr", 60, FAST, channel_axis=-1, tile_size_px=64, halo_px=32
    )
    next(steps)
    grid = Checkpoint(checkpoint_path(tmp_path / "out.zarr")).spec().grid
    failed = {index: OSError(f"reason {i}") for i, index in enumerate(grid.tiles)}
    told = waiting._what_failed("segmenting tiles", failed, len(failed), grid)
    steps.close()
    assert told.count("reason ") == 3
    assert "and 9 other reasons like these" in told


def test_long_reasons_are_cut(image, tmp_path):
    steps = iter_superpixels_tiled(
        image, tmp_path / "out.zarr", 60, FAST, channel_axis=-1, tile_size_px=64, halo_px=32
    )
    next(steps)
    grid = Checkpoint(checkpoint_path(tmp_path / "out.zarr")).spec().grid
    failed = {next(iter(grid.tiles)): ValueError("word " * 1000)}
    told = waiting._what_failed("segmenting tiles", failed, 12, grid)
    steps.close()
    assert told.count("word") == 60
    assert told.endswith("…)")
