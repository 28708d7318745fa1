"""Connected superpixels from any label map: properties, and who joins whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label

from napari_superpixels.core.regions.connectivity import connected_superpixels, join_small_pieces

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)


@settings(max_examples=150, deadline=None)
@given(
    labels=hnp.arrays(np.int64, SHAPES, elements=st.integers(1, 5)),
    n_segments=st.integers(1, 30),
    min_size_px=st.integers(1, 12),
    seed=st.integers(0, 9),
)
def test_connected_covering_and_at_most_n(labels, n_segments, min_size_px, seed):
    features = np.random.default_rng(seed).random((2, *labels.shape)).astype(np.float32)
    out = connected_superpixels(labels, features, n_segments=n_segments, min_size_px=min_size_px)
    n = out.max()
    assert out.min() == 1
    assert n <= n_segments
    assert label(out, connectivity=1).max() == n
    np.testing.assert_array_equal(np.unique(out), np.arange(1, n + 1))
    if n > 1:
        assert np.bincount(out.ravel())[1:].min() >= min_size_px


@settings(max_examples=60, deadline=None)
@given(labels=hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 3)))
def test_outside_stays_outside(labels):
    features = np.zeros((1, *labels.shape), np.float32)
    islands = label(labels > 0, connectivity=1).max()
    out = connected_superpixels(labels, features, n_segments=max(1, int(islands)), min_size_px=4)
    np.testing.assert_array_equal(out > 0, labels > 0)
    assert out.max() == islands if islands else True


def test_a_small_piece_joins_the_colour_it_resembles():
    labels = np.ones((6, 9), np.int64)
    labels[:, 5:] = 2
    labels[2:4, 3:6] = 3
    color = np.where(labels == 2, 1.0, 0.0)
    color[labels == 3] = 0.9  # like the right side, although its border with the left is longer
    out = connected_superpixels(labels, color[None].astype(np.float32), n_segments=9, min_size_px=9)
    assert out.max() == 2
    assert out[2, 4] == out[0, 8]


def test_equal_colours_are_decided_by_the_longer_border():
    labels = np.ones((5, 8), np.int64)
    labels[:, 4:] = 2
    labels[2, 2:5] = 3  # touches the left with 5 + ... pixel edges, the right with 3
    out = join_small_pieces(labels, np.zeros((1, 5, 8), np.float32), 4)
    assert out[2, 3] == out[0, 0]


def test_too_many_merge_by_least_variance_added():
    # Four stripes; the two in the middle are nearly alike.
    labels = np.repeat(np.arange(1, 5), 3)[None].repeat(4, 0)
    color = np.array([0, 5, 5.1, 9])[labels - 1]
    out = connected_superpixels(labels, color[None].astype(np.float32), n_segments=3, min_size_px=1)
    assert out.max() == 3
    assert out[0, 4] == out[0, 7]
    assert len({out[0, 0], out[0, 4], out[0, 11]}) == 3


def test_more_islands_than_superpixels_is_an_error():
    labels = np.zeros((3, 5), np.int64)
    labels[:, ::2] = 1
    with pytest.raises(ValueError, match="3 separate regions, more than the 2"):
        connected_superpixels(labels, np.zeros((1, 3, 5)), n_segments=2, min_size_px=1)


def test_noise_of_a_real_size_is_handled(rng):
    labels = rng.integers(1, 50, (300, 300))
    out = connected_superpixels(
        labels, rng.random((1, 300, 300)).astype(np.float32), n_segments=40, min_size_px=30
    )
    assert out.max() == 40
