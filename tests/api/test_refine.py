"""`refine`: the borders of labels from anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import expand_labels, slic

from napari_superpixels import metrics, refine
from napari_superpixels.io import sample_images as samples


@pytest.fixture(scope="module")
def truth():
    return np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64])
def test_borders_reach_the_edges_and_ids_and_dtype_stay(tiles_image, truth, dtype):
    labels = (100 - np.roll(truth, 2, axis=1)).astype(dtype)
    labels[:, :2] = labels[:, 2:3]
    before = labels.copy()
    out = refine(tiles_image, labels, channel_axis=-1)
    assert out.dtype == dtype
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(np.unique(out), np.unique(before))
    assert metrics.boundary_recall(out, truth, tolerance=0) > 0.98
    assert (out != before).any()


def test_zero_stays_zero_and_gaps_in_the_ids_are_kept(tiles_image, truth):
    labels = truth * 1000 - 3000  # negative ones and a 0 among them
    out = refine(tiles_image, labels, channel_axis=-1)
    np.testing.assert_array_equal(out == 0, labels == 0)
    np.testing.assert_array_equal(np.unique(out), np.unique(labels))


@settings(max_examples=60, deadline=None)
@given(
    labels=hnp.arrays(
        np.int64,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
        elements=st.integers(-3, 4),
    ),
    seed=st.integers(0, 9),
    keep_background=st.booleans(),
)
def test_any_labels_keep_their_ids_and_parts(labels, seed, keep_background):
    image = np.random.default_rng(seed).random(labels.shape)
    out = refine(image, labels, iterations=4, keep_background=keep_background)
    if keep_background:
        np.testing.assert_array_equal(out == 0, labels == 0)
    np.testing.assert_array_equal(np.unique(out), np.unique(labels))
    for i in np.unique(labels[labels != 0]):
        assert label(out == i, connectivity=1).max() <= label(labels == i, connectivity=1).max()


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("change", ["eroded", "dilated", "shifted"])
def test_objects_that_lie_apart_find_their_edges(rng, ndim, change):
    shape = (60, 80) if ndim == 2 else (30, 36, 40)
    truth = np.zeros(shape, np.uint16)
    grid = np.indices(shape)
    for number, at in ((3, 0.25), (900, 0.75)):
        far = sum((g - at * side) ** 2 for g, side in zip(grid, shape, strict=True))
        truth[far < (11 if ndim == 2 else 7) ** 2] = number
    image = (truth > 0) * 40.0 + grid[-1] * 0.5 + rng.normal(0, 3, shape)  # uneven light
    given = {
        "eroded": np.where(ndimage.binary_erosion(truth > 0, iterations=2), truth, 0),
        "dilated": expand_labels(truth, 3),
        "shifted": np.roll(truth, 3, axis=-1),
    }[change]
    options = {"spacing": (1,) * ndim}
    out = refine(image, given, keep_background=False, **options)
    assert out.dtype == given.dtype
    for number in (3, 900):
        before, after = (
            (truth[labels == number] == number).sum()
            / ((truth == number) | (labels == number)).sum()
            for labels in (given, out)
        )
        assert before < 0.8
        assert after > 0.93
    kept = refine(image, given, **options)
    np.testing.assert_array_equal(kept, given)  # nothing touches


def test_masked_and_nodata_pixels_keep_their_label(tiles_image, truth):
    labels = np.roll(truth, 2, axis=1) + 1
    image = tiles_image.astype(float)
    image[:20, :30] = -9
    mask = np.ones(labels.shape, bool)
    mask[30:, 40:] = False
    out = refine(image, labels, channel_axis=-1, mask=mask, nodata=-9)
    np.testing.assert_array_equal(out[:20, :30], labels[:20, :30])
    np.testing.assert_array_equal(out[~mask], labels[~mask])
    assert (out != labels).sum() > 50


def test_slic_gets_better():
    image = samples.photo()
    labels = slic(image, 150, start_label=1, channel_axis=-1)
    before, after = (
        metrics.explained_variation(x, image, channel_axis=-1)
        for x in (labels, refine(image, labels, channel_axis=-1))
    )
    assert after > before


def test_smoothness_trades_border_pixels():
    image = samples.photo()[::2, ::2]
    labels = slic(image, 100, start_label=1, channel_axis=-1)
    shares = [
        metrics.boundary_mask(refine(image, labels, channel_axis=-1, smoothness=s)).mean()
        for s in (0.02, 0.15, 0.6)
    ]
    assert shares == sorted(shares, reverse=True)


def test_pixels_without_a_value_keep_their_label(rng):
    image = rng.random((20, 20))
    image[5:8, 5:8] = np.nan
    labels = np.ones((20, 20), int)
    labels[:, 10:] = 2
    out = refine(image, labels)
    np.testing.assert_array_equal(out[5:8, 5:8], 1)


def test_labels_stay_connected_through_pixels_without_a_value(rng):
    for _ in range(60):
        labels = np.arange(1, 10).reshape(3, 3).repeat(4, 0).repeat(4, 1)
        image = rng.random(labels.shape)
        image[rng.random(labels.shape) < 0.15] = np.nan
        out = refine(image, labels, compactness=0, smoothness=0)
        assert label(out, connectivity=1).max() == 9


def test_only_zeros_is_nothing_to_do():
    np.testing.assert_array_equal(refine(np.ones((3, 3)), np.zeros((3, 3), int)), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.ones((48, 64))}, "labels to refine hold values of the type float64"),
        ({"labels": np.ones((4, 4), int)}, r"labels to refine \(4, 4\) and the image \(48, 64\)"),
        ({"mask": np.ones((1, 64), bool)}, r"mask \(1, 64\) and the image \(48, 64\)"),
        ({"smoothness": -1}, "^smoothness must be auto or 0 to 100, got -1"),
        ({"iterations": 1001}, "^iterations must be 0 to 1000, got 1001"),
        ({"color_space": "hsv"}, "^color_space must be auto or lab or channels, got 'hsv'"),
        ({"channel_axis": None}, "say which holds the channels"),
    ],
)
def test_bad_input(tiles_image, changes, message):
    given = {"labels": np.ones((48, 64), int), "channel_axis": -1} | changes
    with pytest.raises(ValueError, match=message):
        refine(tiles_image, **given)


def test_the_order_in_memory_does_not_matter(rng):
    image = rng.random((20, 30))
    labels = np.indices(image.shape)[1] // 8 + 1
    expected = refine(image, labels, smoothness=0.1)
    assert not np.array_equal(expected, labels)
    found = refine(image, np.asfortranarray(labels), smoothness=0.1)
    np.testing.assert_array_equal(found, expected)
