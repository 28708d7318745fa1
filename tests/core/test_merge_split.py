"""Merging and splitting to a count: properties, and who merges with whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label

from napari_superpixels.core.regions.connectivity import connected_pieces
from napari_superpixels.core.regions.merge import merge_regions
from napari_superpixels.core.regions.split import split_to_count

LABELS = hnp.arrays(
    np.int64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14),
    elements=st.integers(0, 4),
)


def is_partition(labels, inside):
    """Connected superpixels 1...K inside, 0 outside."""
    ids = np.unique(labels[inside])
    np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
    np.testing.assert_array_equal(labels != 0, inside)
    return label(labels, background=0, connectivity=1).max(initial=0) == len(ids)


@settings(max_examples=120, deadline=None)
@given(labels=LABELS, n=st.integers(1, 40), seed=st.integers(0, 9), flat=st.booleans())
def test_split_reaches_the_count_and_keeps_parts_connected(labels, n, seed, flat):
    pieces = connected_pieces(labels)
    features = np.random.default_rng(seed).normal(size=(2, *labels.shape)).astype(np.float32)
    out = split_to_count(pieces, 0 * features if flat else features, n)
    assert is_partition(out, pieces != 0)
    n_before, n_pixels = int(pieces.max(initial=0)), int((pieces != 0).sum())
    assert out.max(initial=0) == max(n_before, min(n, n_pixels))
    for i in range(1, n_before + 1):  # a split never crosses a border
        assert i in out[pieces == i]
    assert len(np.unique(np.stack([out[pieces != 0], pieces[pieces != 0]]), axis=1).T) == out.max(
        initial=0
    )


@settings(max_examples=120, deadline=None)
@given(labels=LABELS, n=st.integers(1, 40), seed=st.integers(0, 9), size=st.integers(1, 8))
def test_merge_reaches_the_count_and_the_size(labels, n, seed, size):
    pieces = connected_pieces(labels)
    features = np.random.default_rng(seed).normal(size=(2, *labels.shape)).astype(np.float32)
    inside = pieces != 0
    islands = label(inside, connectivity=1)
    out = merge_regions(pieces, features, n, min_size_px=size)
    assert is_partition(out, inside)
    assert out.max(initial=0) <= max(n, islands.max(initial=0))
    if size == 1 and islands.max(initial=0) <= n:
        assert out.max(initial=0) == min(n, pieces.max(initial=0))
    for i in np.unique(out[inside]):
        here = out == i
        whole_island = (islands == islands[here][0]).sum() == here.sum()
        assert whole_island or here.sum() >= size


def stripes(colors, height=12, width=8):
    labels = np.repeat(np.arange(1, len(colors) + 1), width)[None].repeat(height, 0)
    return labels, np.asarray(colors, np.float32)[labels - 1][None]


def test_the_most_alike_merge_first():
    labels, image = stripes([0, 5, 5.1, 9])
    out = merge_regions(labels, image, 3)
    assert out[0, 8] == out[0, 16]
    assert len({out[0, 0], out[0, 8], out[0, -1]}) == 3


def test_alike_regions_merge_below_n_up_to_the_stop_cost():
    labels, image = stripes([0, 0.1, 2, 2.1])
    assert merge_regions(labels, image, 4).max() == 4
    assert merge_regions(labels, image, 4, stop_cost=1.0).max() == 2
    assert merge_regions(labels, image, 4, stop_cost=1e9).max() == 1


def test_colours_outside_the_mask_do_not_count(rng):
    labels = rng.integers(1, 5, (30, 30))
    labels[8:22:3] = 0
    labels = connected_pieces(labels)
    image = rng.normal(size=(2, 30, 30))
    out = [merge_regions(labels, np.where(labels, image, fill), 20) for fill in (0, 50)]
    np.testing.assert_array_equal(*out)


def test_an_enclosed_region_merges_before_one_that_only_touches():
    labels = np.ones((30, 60), np.int64)
    labels[:, 30:] = 2
    labels[10:16, 10:16] = 3  # inside 1
    labels[0:6, 30:36] = 4  # in a corner of 2, along the border with 1
    image = np.zeros((1, 30, 60), np.float32)
    image[0, labels == 2] = 4
    image[0, labels == 3] = 1
    image[0, labels == 4] = 5
    out = merge_regions(labels, image, 3)
    assert out[12, 12] == out[0, 0]
    assert out[2, 32] != out[29, 59]


def test_the_least_homogeneous_is_split_at_its_edge():
    labels, image = stripes([0, 1])
    image[0, :, 12:] += 8  # an edge inside the second stripe
    out = split_to_count(labels, image, 3)
    np.testing.assert_array_equal(
        np.diff(out[0]) != 0, np.diff([*[0] * 8, *[1] * 4, *[2] * 4]) != 0
    )


@pytest.mark.parametrize("n", [1, 7, 100])
def test_even_regions_split_into_compact_parts(n):
    out = split_to_count(np.ones((40, 40), np.int64), np.zeros((1, 40, 40), np.float32), n)
    areas = np.bincount(out.ravel())[1:]
    assert len(areas) == n
    assert areas.max() <= 4 * areas.min()
