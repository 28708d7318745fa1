"""Every metric against cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_superpixels import metrics

# Ground truth: left half 0, right half 1. Superpixels: columns 0-2 and column 3.
TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
LABELS = np.array([[1, 1, 1, 2], [1, 1, 1, 2]])


def test_achievable_segmentation_accuracy():
    # Superpixel 1 covers 4 pixels of segment 0 and 2 of segment 1; superpixel 2 is pure.
    assert metrics.achievable_segmentation_accuracy(LABELS, TRUTH) == pytest.approx(6 / 8)
    assert metrics.achievable_segmentation_accuracy(TRUTH + 1, TRUTH) == 1


def test_achievable_iou_by_hand():
    truth = np.array([[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]])
    labels = np.array([[1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2]])
    # 1 belongs to the background; 2, of two pixels of object 1 and four of object 2, to object 2.
    assert metrics.achievable_iou(labels, truth) == pytest.approx((0 + 4 / 6) / 2)
    everything = metrics.achievable_iou(labels, truth, background=None)
    assert everything == pytest.approx((4 / 6 + 0 + 4 / 6) / 3)
    assert metrics.achievable_iou(labels, truth, ignore_label=1) == 1
    assert metrics.achievable_iou(truth + 1, truth) == 1
    assert metrics.achievable_iou(labels, np.zeros_like(truth)) == 1


def test_achievable_iou_counts_small_objects_like_large_ones():
    truth = np.zeros((50, 50), int)
    truth[:, :40], truth[:3, 44:47] = 1, 2
    labels = np.ones((50, 50), int)
    labels[:, 40:] = 2
    assert metrics.achievable_iou(labels, truth) == 0.5
    assert metrics.achievable_segmentation_accuracy(labels, truth) > 0.99


def test_undersegmentation_error():
    # Superpixel 1 leaks min(4, 2) into segment 0's count and min(2, 4) into segment 1's.
    assert metrics.undersegmentation_error(LABELS, TRUTH) == pytest.approx(4 / 8)
    assert metrics.undersegmentation_error(TRUTH + 1, TRUTH) == 0


def test_boundary_mask_is_right_and_lower_neighbour():
    labels = np.array([[1, 1, 2], [1, 1, 2], [3, 3, 3]])
    expected = np.array([[0, 1, 0], [1, 1, 1], [0, 0, 0]], bool)
    np.testing.assert_array_equal(metrics.boundary_mask(labels), expected)


def test_boundary_recall_and_precision():
    # True boundary in column 1, found one in column 2: one pixel apart.
    assert metrics.boundary_recall(LABELS, TRUTH, tolerance=0) == 0
    assert metrics.boundary_recall(LABELS, TRUTH, tolerance=1) == 1
    noisy = np.array([[1, 1, 2, 2, 2, 3], [1, 1, 2, 2, 2, 3]])
    truth = np.array([[0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
    assert metrics.boundary_recall(noisy, truth) == 1
    assert metrics.boundary_precision(noisy, truth) == pytest.approx(0.5)
    assert metrics.boundary_recall(noisy, np.zeros_like(truth)) == 1


def test_boundary_recall_patch_is_square():
    labels = np.ones((5, 5), int)
    labels[3:, 3:] = 2  # boundary at (2, 3), (2, 4), (3, 2), (4, 2)
    truth = np.zeros((5, 5), int)
    truth[0, 0] = 1  # boundary at (0, 0): within 2 of no boundary pixel but by the diagonal
    assert metrics.boundary_recall(labels, truth, tolerance=2) == 0
    assert metrics.boundary_recall(labels, truth, tolerance=3) == 1


def test_compactness():
    assert metrics.compactness(np.ones((4, 4), int)) == pytest.approx(math.pi / 4)
    # 1 x 4 strip: 4 pi 4 / 10^2; the other two strips of the 4 x 4 form are 4 x 1.5... by area.
    strip = np.array([[1, 1, 1, 1], [2, 2, 2, 2]])
    assert metrics.compactness(strip) == pytest.approx(4 * math.pi * 4 / 100)
    outside = np.array([[1, 1, 0], [1, 1, 0]])
    assert metrics.compactness(outside) == pytest.approx(math.pi / 4)


def test_explained_variation():
    image = np.array([[0.0, 2.0, 8.0, 6.0]])
    labels = np.array([[1, 1, 2, 2]])
    # Means 1 and 7 around 4: 4 * 9 = 36 explained of 16 + 4 + 16 + 4 = 40.
    assert metrics.explained_variation(labels, image) == pytest.approx(0.9)
    two = np.stack([image, 2 * image])
    assert metrics.explained_variation(labels, two, channel_axis=0) == pytest.approx(0.9)
    assert metrics.explained_variation(labels, np.ones((1, 4))) == 1


def test_explained_variation_needs_finite_values():
    image = np.array([[np.nan, 2.0, 8.0, 6.0]])
    with pytest.raises(ValueError, match="NaN or infinite"):
        metrics.explained_variation(np.array([[1, 1, 2, 2]]), image)
    assert metrics.explained_variation(np.array([[0, 1, 2, 2]]), image) < 1


def test_outside_and_ignored_pixels_do_not_count():
    labels = LABELS.copy()
    labels[:, 2] = 0
    assert metrics.achievable_segmentation_accuracy(labels, TRUTH) == 1
    assert metrics.achievable_segmentation_accuracy(LABELS, TRUTH, ignore_label=1) == 1
    assert metrics.undersegmentation_error(LABELS, TRUTH, ignore_label=0) == 0


def test_big_sparse_ids(rng):
    labels = rng.integers(1, 5, (30, 30))
    truth = rng.integers(0, 5, (30, 30))
    expected = metrics.achievable_segmentation_accuracy(labels, truth)
    sparse = metrics.achievable_segmentation_accuracy(labels * 10**12, truth * 10**12)
    assert sparse == expected


@pytest.mark.parametrize(
    ("labels", "truth", "message"),
    [
        (np.ones((2, 2), int), np.ones((2, 3), int), "differ in shape"),
        (np.ones((2, 2)), np.ones((2, 2), int), "must hold integers"),
        (np.ones(4, int), np.ones(4, int), "2D or 3D label map"),
        (-np.ones((2, 2), int), np.ones((2, 2), int), ">= 0"),
        (np.zeros((2, 2), int), np.ones((2, 2), int), "no pixel is labelled"),
    ],
)
def test_bad_input(labels, truth, message):
    with pytest.raises(ValueError, match=message):
        metrics.achievable_segmentation_accuracy(labels, truth)


def test_negative_tolerance_and_wrong_image():
    with pytest.raises(ValueError, match="tolerance must be >= 0"):
        metrics.boundary_recall(LABELS, TRUTH, tolerance=-1)
    with pytest.raises(ValueError, match="does not match labels"):
        metrics.explained_variation(LABELS, np.ones((3, 3)))
    with pytest.raises(ValueError, match="no superpixel"):
        metrics.compactness(np.zeros((2, 2), int))
    with pytest.raises(ValueError, match="no superpixel"):
        metrics.explained_variation(np.zeros((2, 2), int), np.ones((2, 2)))
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.boundary_recall(LABELS, np.ones((3, 3), int))


def test_volumes_have_accuracy_and_leakage():
    truth = np.ones((4, 5, 6), int)
    truth[2:] = 2
    labels = np.ones((4, 5, 6), int)
    labels[1:] = 2  # a fourth of the volume is on the wrong side
    assert metrics.achievable_segmentation_accuracy(labels, truth) == pytest.approx(0.75)
    assert metrics.undersegmentation_error(labels, truth) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="2D label map"):
        metrics.boundary_recall(labels, truth)
