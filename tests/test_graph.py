"""Adjacency, borders, tables, colours."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels.graph import (
    adjacency,
    border_steps,
    contrasting_colors,
    superpixel_table,
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
