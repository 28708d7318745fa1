"""Adjacency, borders, tables, colours."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels.core.regions.graph import (
    adjacency,
    border_steps,
    contrasting_colors,
    part_sums,
    series_table,
    superpixel_table,
    table_of_tiles,
)

LABELS = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 3, 0]])


def test_adjacency_by_hand():
    pairs, border = adjacency(LABELS)
    np.testing.assert_array_equal(pairs, [[1, 2], [1, 3], [2, 3]])
    np.testing.assert_array_equal(border, [2, 2, 1])


def test_border_steps_by_hand():
    image = np.zeros((2, 3, 4))
    image[0, :2, 2:] = 3.0  # superpixel 2 differs from 1 and 3 by (3, 4)
    image[1, :2, 2:] = 4.0
    image[0, 2, 0] = 1.0  # one pixel of 3 differs from the one above by 1
    pairs, _ = adjacency(LABELS)
    np.testing.assert_allclose(border_steps(LABELS, image, pairs), [10.0, 1.0, 5.0])


def test_table_by_hand():
    image = np.arange(12.0).reshape(3, 4)
    image[0, 0] = np.nan
    table = superpixel_table(LABELS, image[None], channel_names=["a"], pixel_area=0.25)
    np.testing.assert_array_equal(table["index"], [1, 2, 3])
    np.testing.assert_array_equal(table["area_px"], [4, 4, 3])
    np.testing.assert_array_equal(table["area"], [1.0, 1.0, 0.75])
    np.testing.assert_allclose(table["mean a"], [(1 + 4 + 5) / 3, 4.5, 9])


def test_table_of_nothing_but_nan():
    table = superpixel_table(np.ones((2, 2), int), np.full((1, 2, 2), np.nan), channel_names=["a"])
    assert np.isnan(table["mean a"]).all()


@pytest.mark.parametrize("n", [2, 9, 64, 400])
def test_neighbours_get_different_colours(rng, n):
    side = int(n**0.5) + 1
    labels = (rng.permutation(side**2) + 1).reshape(side, side).repeat(3, 0).repeat(3, 1)
    palette = rng.random((16, 3))
    chosen = contrasting_colors(labels, palette)
    assert len(chosen) == side**2
    pairs, _ = adjacency(labels)
    assert (chosen[pairs[:, 0] - 1] != chosen[pairs[:, 1] - 1]).all()


def test_tiles_make_the_same_table(rng):
    labels = rng.integers(0, 9, (20, 30))
    image = rng.random((2, 20, 30))
    image[1, 3:9] = np.nan
    names = ["a", "b"]
    whole = superpixel_table(labels, image, channel_names=names, pixel_area=0.25)
    boxes = [np.s_[y : y + 7, x : x + 11] for y in range(0, 20, 7) for x in range(0, 30, 11)]
    parts = [(labels[box], image[(slice(None), *box)]) for box in boxes]
    tiled = table_of_tiles(parts, 8, channel_names=names, pixel_area=0.25)
    assert list(tiled) == list(whole)
    for name, values in whole.items():
        np.testing.assert_allclose(tiled[name], values, err_msg=name)


def test_table_of_a_series_by_hand():
    labels = np.array([[[1, 1, 5]], [[1, 0, 7]]])
    frames = np.array([[[[2.0, 4.0, 6.0]]], [[[9.0, 1.0, np.nan]]]])
    sums = [part_sums(*frame) for frame in zip(labels, frames, strict=True)]
    table = series_table(sums, channel_names=["a"], pixel_area=2.0)
    np.testing.assert_array_equal(table["index"], [1, 5, 7])
    np.testing.assert_array_equal(table["frames"], [2, 1, 1])
    np.testing.assert_array_equal(table["area_px"], [1.5, 1, 1])
    np.testing.assert_array_equal(table["area"], [3, 2, 2])
    np.testing.assert_array_equal(table["mean a"], [5.0, 6.0, np.nan])
