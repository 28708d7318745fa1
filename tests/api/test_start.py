"""Runs that start from labels: objects, scribbles, superpixels of other software."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label

from napari_superpixels import iter_superpixels, metrics, superpixels
from napari_superpixels.errors import (
    InvalidParameter,
    LabelsMismatch,
    NoLabels,
    NotLabels,
    TooFewSegments,
)
from napari_superpixels.events import drain
from napari_superpixels.params import SuperpixelParams

QUICK = SuperpixelParams(
    n_segments=12, iterations=4, downscale=2, hidden_channels=(4, 4), refine_iterations=3
)


def run(image, params=QUICK, **options):
    return drain(iter_superpixels(image, params, **options))


def discs(shape, n, seed, radius=5):
    """Round objects that may touch, with numbers that are not in sequence."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    grid = np.indices(shape)
    for i in range(n):
        centre = [rng.integers(0, side) for side in shape]
        far = sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True))
        labels[far <= rng.integers(1, radius + 1) ** 2] = 7 * i + 3
    return labels


def crossings(labels, objects):
    """Number of superpixels that hold pixels of two objects, or of one and of what is outside."""
    inside = labels > 0
    pairs = np.unique(np.stack([labels[inside], objects[inside]]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum())


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_objects=st.integers(0, 8),
    n_segments=st.integers(1, 30),
    is_volume=st.booleans(),
    is_masked=st.booleans(),
    oversegmentation=st.sampled_from([0, 100]),
)
def test_no_superpixel_crosses_an_object(
    seed, n_objects, n_segments, is_volume, is_masked, oversegmentation
):
    shape = (5, 14, 15) if is_volume else (26, 31)
    objects = discs(shape, n_objects, seed)
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.normal(size=shape), 1)
    mask = np.ones(shape, bool)
    if is_masked:
        mask[..., :7] = False
    params = QUICK.replace(
        n_segments=n_segments,
        oversegmentation=100 if is_volume else oversegmentation,
        seed=seed % 7,
    )
    result = run(
        image,
        params,
        mask=mask,
        objects=objects,
        spacing=(2, 1, 1) if is_volume else None,
    )
    labels = result.labels
    assert crossings(labels, objects) == 0
    np.testing.assert_array_equal(labels > 0, mask)
    assert label(labels, background=0, connectivity=1).max() == labels.max() == result.n_obtained
    # Each part that must have one has one, and beyond these no more than were asked for.
    parts = label(np.where(mask, objects + 1, 0), background=0, connectivity=1).max()
    assert parts <= result.n_obtained <= max(parts, n_segments)
    of_object = result.table["object"]
    np.testing.assert_array_equal(result.table["index"], np.arange(1, labels.max() + 1))
    np.testing.assert_array_equal(of_object[labels[mask] - 1], objects[mask])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n_segments=st.integers(1, 20), is_volume=st.booleans())
def test_scribbles_keep_their_labels(seed, n_segments, is_volume):
    shape = (4, 13, 14) if is_volume else (25, 30)
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    scribbles = np.zeros(shape, np.uint16)
    for i in range(4):  # lines that may touch
        at = [rng.integers(0, side) for side in shape[:-1]]
        begin = rng.integers(0, shape[-1] - 3)
        scribbles[(*at, slice(begin, begin + rng.integers(1, 9)))] = 5 * i + 2
    params = QUICK.replace(n_segments=n_segments)
    result = run(image, params, initial=scribbles, spacing=(1, 1, 1) if is_volume else None)
    labels, on = result.labels, scribbles > 0
    np.testing.assert_array_equal(result.table["initial"][labels[on] - 1], scribbles[on])
    assert label(labels, connectivity=1).max() == labels.max()
    assert result.provenance()["initial"] == {
        "kind": "scribbles",
        "number": len(np.unique(scribbles[on])),
    }


def test_scribbles_part_what_the_image_does_not(rng):
    """Two lines in an even field: each gets its half, where the image has one region."""
    image = rng.normal(0, 0.01, (30, 40))
    image[:, 20:] += 0.5  # so faint that a strong square takes both superpixels
    image[10:20, 12:28] = 3
    scribbles = np.zeros((30, 40), np.int64)
    scribbles[3, 3:9], scribbles[26, 30:38] = 4, 9
    params = QUICK.replace(n_segments=3, iterations=8, oversegmentation=100, count="exact")
    without = run(image, params.replace(n_segments=2)).labels
    assert without[3, 5] == without[26, 35] != without[15, 20]
    result = run(image, params, initial=scribbles)
    one, other = result.labels[3, 5], result.labels[26, 35]
    assert one != other
    assert result.table["initial"][[one - 1, other - 1]].tolist() == [4, 9]
    # Between them the border follows the faint step, above and below the square.
    assert (result.labels[:8, :17] == one).all()
    assert (result.labels[22:, 23:] == other).all()


def test_objects_and_scribbles_together(rng):
    image = ndimage.gaussian_filter(rng.normal(size=(40, 50)), 2)
    objects = discs((40, 50), 4, 5, radius=12)
    scribbles = np.zeros_like(objects)
    scribbles[8, 2:48], scribbles[30, 2:48] = 1, 2
    result = run(image, QUICK.replace(n_segments=6), objects=objects, initial=scribbles)
    assert crossings(result.labels, objects) == 0
    on = scribbles > 0
    table = result.table
    np.testing.assert_array_equal(table["initial"][result.labels[on] - 1], scribbles[on])
    np.testing.assert_array_equal(table["object"][result.labels - 1], objects)


def test_every_level_respects_objects_and_knows_them(rng):
    image = ndimage.gaussian_filter(rng.normal(size=(40, 50)), 2)
    objects = discs((40, 50), 5, 3, radius=8)
    result = run(image, QUICK.replace(oversegmentation=200), objects=objects)
    for n in (1, 5, 40, 120):
        level = result.at(n)
        assert crossings(level.labels, objects) == 0
        np.testing.assert_array_equal(level.table["object"][level.labels - 1], objects)
    parts = label(objects + 1, background=0, connectivity=1).max()
    assert result.at(1).n_obtained == parts
    assert result.at(120, count="exact").n_obtained == 120


def test_exactly_fewer_superpixels_than_objects_are_refused(rng):
    objects = discs((40, 50), 5, 3, radius=8)
    parts = int(label(objects + 1, background=0, connectivity=1).max())
    with pytest.raises(TooFewSegments) as caught:
        run(rng.normal(size=(40, 50)), QUICK.replace(n_segments=2, count="exact"), objects=objects)
    assert (caught.value.n_segments, caught.value.n_needed) == (2, parts)
    exactly = QUICK.replace(n_segments=parts, count="exact")
    assert run(rng.normal(size=(40, 50)), exactly, objects=objects).n_obtained == parts


def test_the_number_is_what_it_is_without_objects(rng):
    """Few large objects do not change how many superpixels there are."""
    image = ndimage.gaussian_filter(rng.normal(size=(60, 80)), 3)
    objects = np.zeros((60, 80), np.uint8)
    objects[10:40, 10:50] = 200
    params = QUICK.replace(n_segments=50, oversegmentation=300, lam=3.0)
    assert run(image, params, objects=objects).n_obtained == 50


@pytest.mark.parametrize("shape", [(300, 400), (30, 60, 70)])
def test_walls_hold_where_images_are_reduced_otherwise(rng, shape):
    image = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    objects = discs(shape, 9, 2, radius=12)
    params = QUICK.replace(downscale=8, oversegmentation=100, n_segments=30)
    options = {"spacing": (1, 1, 1)} if len(shape) == 3 else {}
    assert run(image, params, **options).levels.factor not in (1, (1, 1, 1))
    result = run(image, params, objects=objects, **options)
    assert crossings(result.labels, objects) == 0
    assert label(result.labels, connectivity=1).max() == result.n_obtained


def test_soft_walls_give_way_to_stronger_edges_only(rng):
    """An object on an even field stands out, but not where a strong edge needs its place."""
    image = rng.normal(0, 0.02, (40, 60))
    image[:, 30:] += 4
    objects = np.zeros((40, 60), np.int32)
    objects[5:15, 5:15] = 1  # on an even field
    params = QUICK.replace(n_segments=3, oversegmentation=100, iterations=8, count="exact")
    without = run(image, params).labels
    soft = run(image, params, objects=objects, object_walls="soft")
    inside = soft.labels[7:13, 7:13]
    assert (inside == inside[0, 0]).all()
    assert (soft.labels == inside[0, 0]).sum() == pytest.approx(100, abs=25)
    assert (without == without[10, 10]).sum() > 300
    assert soft.table["object"].tolist().count(1) == 1
    # With two superpixels the strong edge is what stays.
    two = soft.at(2)
    assert two.n_obtained == 2
    assert two.labels[10, 10] == two.labels[30, 10] != two.labels[10, 50]
    assert two.table["object"].tolist() == [0, 0]
    hard = run(image, params.replace(n_segments=2), objects=objects, object_walls="hard")
    np.testing.assert_array_equal(hard.labels == hard.labels[10, 10], objects == 1)


def test_dense_labels_start_the_run_and_may_move(tiles_image):
    truth = 1 + np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1)
    shifted = np.roll(truth, 3, axis=1)
    shifted[:, :3] = shifted[:, 3:4]
    params = QUICK.replace(oversegmentation=100, iterations=20, refine_iterations=10)
    result = run(tiles_image, params, channel_axis=-1, initial=shifted)
    assert result.n_obtained == 12
    before = metrics.boundary_recall(shifted, truth, tolerance=0)
    assert metrics.boundary_recall(result.labels, truth, tolerance=0) > before + 0.2
    # Each of them goes on in one superpixel.
    assert sorted(result.table["initial"].tolist()) == list(range(1, 13))
    assert result.provenance()["initial"] == {"kind": "labels", "number": 12}
    # Fewer superpixels than labels are possible.
    assert run(tiles_image, params.replace(n_segments=5), channel_axis=-1, initial=shifted)


def test_more_labels_than_label_maps(rng):
    labels = np.arange(40 * 40).reshape(40, 40).repeat(3, 0).repeat(3, 1) + 1
    params = QUICK.replace(n_segments=1600, oversegmentation=2000)
    result = run(rng.normal(size=(120, 120)), params, initial=labels)
    assert max(len(w) for w in result.weights.values() if w.ndim > 1) <= 256
    assert result.n_obtained > 1000


@pytest.mark.parametrize("walls", ["hard", "soft"])
def test_the_same_seed_gives_the_same_result(rng, walls):
    image = rng.normal(size=(30, 40))
    options = {"objects": discs((30, 40), 4, 1), "object_walls": walls}
    scribbles = np.zeros((30, 40), int)
    scribbles[4, 4:9], scribbles[20, 30:36] = 1, 2
    one, other = (run(image, **options, initial=scribbles).labels for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_no_objects_change_nothing(rng):
    """An image in which Cellpose found no cell; the plan of a small image is the same."""
    image = rng.normal(size=(30, 40))
    result = run(image, objects=np.zeros((30, 40), np.uint16))
    np.testing.assert_array_equal(result.labels, run(image).labels)
    assert not result.table["object"].any()
    assert result.provenance()["objects"] == {"number": 0, "walls": "hard"}
    assert set(run(image).table) == {"index"}
    assert "objects" not in run(image).provenance()


def test_the_network_of_a_run_is_a_start_without_walls(tiles_image):
    first = run(tiles_image, channel_axis=-1)
    second = run(tiles_image, channel_axis=-1, initial=first)
    assert second.provenance()["initial"] == {"kind": "network"}
    assert set(second.table) == {"index"}


def test_a_single_pixel_and_a_single_superpixel_know_their_object():
    mask = np.zeros((10, 12), bool)
    mask[4, 4] = True
    objects = np.full((10, 12), 8)
    image = np.arange(120.0).reshape(10, 12)
    assert run(image, mask=mask, objects=objects).table["object"].tolist() == [8]
    objects[:, :5] = 2
    one = run(image, QUICK.replace(n_segments=1), objects=objects)
    assert one.table["object"].tolist() == [2, 8]
    soft = run(image, QUICK.replace(n_segments=1), objects=objects, object_walls="soft")
    assert soft.table["object"].tolist() == [8]


@pytest.mark.parametrize("role", ["initial", "objects"])
def test_labels_that_are_none(rng, role):
    image = rng.normal(size=(20, 30))
    good = discs((20, 30), 3, 0)
    with pytest.raises(LabelsMismatch) as shape:
        run(image, **{role: good[:-1]})
    assert (shape.value.role, shape.value.labels, shape.value.image) == (role, (19, 30), (20, 30))
    negative, fraction, nothing = good.copy(), good.astype(float), good.astype(float)
    negative[3, 4], fraction[3, 4], nothing[3, 4] = -2, 0.25, np.nan
    for bad, found in ((negative, "-2"), (fraction, "0.25"), (nothing, "nan")):
        with pytest.raises(NotLabels, match=f"hold {found} in 1 pixel, which is no label") as wrong:
            run(image, **{role: bad})
        assert wrong.value.role == role
    whole = run(image, **{role: good.astype(np.float32)})
    np.testing.assert_array_equal(whole.labels, run(image, **{role: good}).labels)


def test_initial_labels_outside_the_mask_are_none(rng):
    scribbles, mask = np.zeros((20, 30), int), np.ones((20, 30), bool)
    scribbles[3, 3], mask[3, 3] = 1, False
    with pytest.raises(NoLabels):
        run(rng.normal(size=(20, 30)), mask=mask, initial=scribbles)


def test_walls_are_hard_or_soft(rng):
    with pytest.raises(InvalidParameter) as caught:
        superpixels(rng.normal(size=(9, 9)), 4, object_walls="brick")
    assert caught.value.name == "object_walls"
