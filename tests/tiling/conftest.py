"""Images and a quick way to run tiles."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_superpixels.events import drain
from napari_superpixels.tiling.run import iter_superpixels_tiled, superpixels_tiled
from tests.fixtures.quick import FAST, FAST_FIELDS


@pytest.fixture(scope="session")
def image():
    """A smooth RGB image with edges, 150 × 210."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:150, :210]
    cells = (rows // 23 * 7 + columns // 31 * 5) % 6
    values = rng.integers(0, 255, (6, 3))[cells] + rng.normal(0, 6, (150, 210, 3))
    return values.clip(0, 255).astype(np.uint8)


@pytest.fixture
def segment(tmp_path):
    """``segment(image, ...) -> (labels, result)``; small tiles, quick parameters."""

    def run(image, name="out.zarr", n_segments=60, **options):
        options = {"params": FAST, "tile_size_px": 64, "halo_px": 32} | options
        steps = iter_superpixels_tiled(image, tmp_path / name, n_segments, **options)
        result = drain(steps)
        return zarr.open_array(result.path / "0", mode="r")[:], result

    return run


@pytest.fixture(scope="session")
def expected(image):
    """Labels of the image from a run that nothing disturbs, as `segment` makes them."""
    return superpixels_tiled(image, 60, channel_axis=-1, tile_size_px=64, halo_px=32, **FAST_FIELDS)
