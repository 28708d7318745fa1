"""Boundary refinement: better borders, same superpixels, always connected."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label

from napari_superpixels.core.regions.connectivity import connected_pieces
from napari_superpixels.core.regions.refine import _removable, _ring, _sides, refine_boundaries
from napari_superpixels.events import drain


def refined(*args, **kwargs):
    return drain(refine_boundaries(*args, **kwargs))


@settings(max_examples=150, deadline=None)
@given(
    labels=hnp.arrays(
        np.int64,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=16)
        | hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7),
        elements=st.integers(0, 4),
    ),
    seed=st.integers(0, 9),
    compactness=st.sampled_from([0.0, 0.3, 5.0]),
    smoothness=st.sampled_from([0.0, 0.1, 2.0]),
    spacing=st.sampled_from([1.0, 3.0]),
)
def test_superpixels_stay_connected_and_none_is_lost(
    labels, seed, compactness, smoothness, spacing
):
    before = connected_pieces(labels).astype(np.int32)
    features = np.random.default_rng(seed).normal(size=(2, *labels.shape)).astype(np.float32)
    after = refined(
        before,
        features,
        iterations=6,
        compactness=compactness,
        smoothness=smoothness,
        spacing=(spacing, *(1.0,) * (labels.ndim - 1)),
    )
    np.testing.assert_array_equal(after == 0, before == 0)
    np.testing.assert_array_equal(np.unique(after), np.unique(before))
    assert label(after, background=0, connectivity=1).max(initial=0) == before.max(initial=0)


def test_a_border_moves_to_the_edge():
    image = np.zeros((1, 20, 30), np.float32)
    image[:, :, 12:] = 1
    labels = np.ones((20, 30), np.int32)
    labels[:, 16:] = 2
    out = refined(labels, image, iterations=20, compactness=0.0, smoothness=0.01)
    np.testing.assert_array_equal(out, np.where(image[0] > 0, 2, 1))


def test_smoothness_shortens_borders(rng):
    image = (np.arange(40) > 20)[None, None].repeat(40, 1) + rng.normal(0, 0.5, (1, 40, 40))
    labels = np.ones((40, 40), np.int32)
    labels[:, 20:] = 2
    lengths = [
        (np.diff(out, axis=1) != 0).sum() + (np.diff(out, axis=0) != 0).sum()
        for out in (
            refined(labels, image, iterations=9, compactness=0.0, smoothness=s) for s in (0.0, 0.5)
        )
    ]
    assert lengths[1] < lengths[0]


def test_no_rounds_no_change_and_the_input_is_not_touched(rng):
    labels = np.ones((9, 9), np.int32)
    labels[:, 4:] = 2
    kept = labels.copy()
    image = rng.normal(size=(1, 9, 9)).astype(np.float32)
    np.testing.assert_array_equal(
        refined(labels, image, iterations=0, compactness=0, smoothness=0), kept
    )
    refined(labels, image, iterations=5, compactness=0, smoothness=0)
    np.testing.assert_array_equal(labels, kept)


@settings(max_examples=100, deadline=None)
@given(patch=hnp.arrays(bool, (3, 3, 3)))
def test_a_voxel_may_leave_where_its_neighbours_hold_together_without_it(patch):
    offsets = _ring(3)
    places = tuple((offsets + 1).T)
    pattern = int((patch[places] * (1 << np.arange(18))).sum())
    ring = np.zeros((3, 3, 3), bool)
    ring[places] = patch[places]
    parts = label(ring, connectivity=1)
    touching = {int(parts[tuple(offsets[k] + 1)]) for k in _sides(3)} - {0}
    assert _removable(3)[pattern] == (len(touching) == 1)


def test_a_surface_moves_to_the_edge_of_a_volume():
    volume = np.zeros((1, 8, 10, 14), np.float32)
    volume[..., 6:] = 1
    labels = np.ones((8, 10, 14), np.int32)
    labels[..., 9:] = 2
    out = refined(labels, volume, iterations=20, compactness=0.0, smoothness=0.01)
    np.testing.assert_array_equal(out, np.where(volume[0] > 0, 2, 1))
