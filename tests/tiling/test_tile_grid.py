"""Tiles cover the image once and know what comes before them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_superpixels.params import SuperpixelParams
from napari_superpixels.plan.tile_grid import TileGrid, common, inside
from napari_superpixels.plan.tiles import plan_tiles


@st.composite
def grids(draw):
    ndim = draw(st.integers(2, 3))
    shape = tuple(draw(st.integers(1, 50)) for _ in range(ndim))
    tile = tuple(draw(st.integers(6, 25)) for _ in range(ndim))
    halo = tuple(draw(st.integers(0, size // 2)) for size in tile)
    return TileGrid(shape, tile, halo)


@settings(max_examples=40, deadline=None)
@given(grids())
def test_cores_cover_once_and_windows_hold_their_cores(grid):
    covered = np.zeros(grid.shape, int)
    for tile in grid.tiles.values():
        covered[tile.core] += 1
        assert common(tile.core, tile.window) == tile.core
        assert all(s.stop <= n for s, n in zip(tile.window, grid.shape, strict=True))
    assert (covered == 1).all()
    assert len(grid.tiles) == len(grid)


@settings(max_examples=40, deadline=None)
@given(grids())
def test_tiles_that_share_pixels_have_an_order(grid):
    order = list(grid.tiles)
    for one, other in combinations(order, 2):  # one comes first
        if common(grid.tiles[one].window, grid.tiles[other].window) is not None:
            assert one in grid.tiles[other].earlier
    for tile in grid.tiles.values():
        assert all(order.index(i) < order.index(tile.index) for i in tile.earlier)


@settings(max_examples=40, deadline=None)
@given(grids())
def test_boxes_in_boxes(grid):
    positions = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    for tile in grid.tiles.values():
        part = positions[tile.window][inside(tile.core, tile.window)]
        np.testing.assert_array_equal(part, positions[tile.core])


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    st.integers(1, 100_000),
    st.floats(0, 3),
)
def test_planned_tiles_are_even(shape, n_segments, lam):
    grid = plan_tiles(shape, n_segments, SuperpixelParams(lam=lam))
    for n, size, count in zip(shape, grid.tile_px, grid.counts, strict=True):
        last = n - (count - 1) * size
        assert 0 < last <= size
        assert count == 1 or size == 2 * grid.halo_px[0] or last > size - 16 * count


@pytest.mark.parametrize("sizes", [{"tile_size_px": 8}, {"halo_px": -1}])
def test_impossible_tiles_are_refused(sizes):
    with pytest.raises(ValueError, match="pixels"):
        plan_tiles((100, 100), 10, SuperpixelParams(), **sizes)


@pytest.mark.parametrize("n_segments", [1, 20, 1000])
def test_large_superpixels_make_no_tile_of_the_whole_image(n_segments):
    grid = plan_tiles((20_000, 30_000), n_segments, SuperpixelParams())
    assert max(grid.tile_px) <= 2048
    assert max(grid.halo_px) <= 1024
