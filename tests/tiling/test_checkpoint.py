"""What tiles keep on disk."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from napari_superpixels.plan.tile_grid import TileGrid
from napari_superpixels.tiling.checkpoint import Checkpoint


def test_threads_that_read_at_once(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    tile = next(iter(TileGrid((50, 50), (50, 50), (9, 9)).tiles.values()))
    (tmp_path / "ids").mkdir()
    checkpoint.save("ids", tile, {name: np.arange(9) for name in "abcd"})

    def read(_):
        return sum(int(array.sum()) for array in checkpoint.load("ids", tile).values())

    def lets_others_run(*_):
        time.sleep(0)

    threshold = gc.get_threshold()
    gc.callbacks.append(lets_others_run)  # dask has one as well
    try:
        gc.set_threshold(50)
        with ThreadPoolExecutor(4) as threads:
            found = set(threads.map(read, range(1000)))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(lets_others_run)
    assert found == {4 * 36}
