"""Adjacency, merging, tables, colours."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels.graph import (
    adjacency,
    contrasting_colors,
    merge_to_count,
    superpixel_sums,
    superpixel_table,
)

LABELS = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 3, 0]])


def test_adjacency_by_hand():
    pairs, border = adjacency(LABELS)
    np.testing.assert_array_equal(pairs, [[1, 2], [1, 3], [2, 3]])
    np.testing.assert_array_equal(border, [2, 2, 1])


def test_merging_stops_at_islands():
    labels = np.array([[1, 0, 2]])
    area, sums = superpixel_sums(labels, np.ones((1, 1, 3)), 3)
    area[0] = 0
    np.testing.assert_array_equal(merge_to_count(area, sums, *adjacency(labels), 1), [0, 1, 2])


def test_merging_to_one_reaches_everything(rng):
    labels = rng.permutation(np.arange(1, 26)).reshape(5, 5)
    area, sums = superpixel_sums(labels, rng.random((2, 5, 5)), 26)
    area[0] = 0
    parent = merge_to_count(area, sums, *adjacency(labels), 1)
    assert len(np.unique(parent[labels])) == 1


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
