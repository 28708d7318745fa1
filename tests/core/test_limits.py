"""What keeps superpixels apart: in cutting, merging and refinement, each on its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_superpixels.core.regions.connectivity import connected_pieces, join_small_pieces
from napari_superpixels.core.regions.graph import most_frequent
from napari_superpixels.core.regions.limits import NO_LIMITS, Limits
from napari_superpixels.core.regions.merge import merge_tree
from napari_superpixels.core.regions.refine import refine_boundaries
from napari_superpixels.core.regions.split import with_background_pieces
from napari_superpixels.events import drain
from napari_superpixels.params import SuperpixelParams
from napari_superpixels.plan.memory import DeviceInfo
from napari_superpixels.plan.run_plan import ImageFacts, Machine, plan_run

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=14) | hnp.array_shapes(
    min_dims=3, max_dims=3, min_side=2, max_side=6
)


@st.composite
def cases(draw):
    """Labels with a hole, two maps of groups with free pixels, features."""
    labels = draw(hnp.arrays(np.int32, SHAPES, elements=st.integers(0, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    share = draw(st.sampled_from([0.05, 0.4, 1.0]))
    groups = tuple(
        (rng.integers(1, 4, labels.shape) * (rng.random(labels.shape) < share)).astype(np.int32)
        for _ in range(draw(st.integers(1, 2)))
    )
    features = rng.normal(size=(2, *labels.shape)).astype(np.float32)
    return labels, Limits(groups), features


def assert_apart(labels, limits):
    for groups in limits.hard:
        on = (labels > 0) & (groups > 0)
        pairs = np.unique(np.stack([labels[on], groups[on]]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]


@settings(max_examples=80, deadline=None)
@given(cases())
def test_each_step_keeps_groups_apart(case):
    labels, limits, features = case
    pieces = connected_pieces(limits.cut(labels, features))
    assert_apart(pieces, limits)
    np.testing.assert_array_equal(pieces > 0, labels > 0)
    joined = join_small_pieces(pieces, features, 3, limits)
    assert_apart(joined, limits)
    pieces = joined.astype(np.int32)
    options = {"iterations": 4, "compactness": 0.1, "smoothness": 0.2, "limits": limits}
    refined = drain(refine_boundaries(pieces, features, **options))
    assert_apart(refined, limits)
    np.testing.assert_array_equal(np.unique(refined), np.unique(pieces))
    merged = merge_tree(refined, features, 9.0, min_size_px=4, limits=limits).cut(1)
    assert_apart(merged, limits)
    # Nothing is left apart that could merge.
    if merged.any():
        again = merge_tree(merged, features, 9.0, limits=limits)
        assert len(again.merges) == 0


@settings(max_examples=50, deadline=None)
@given(cases())
def test_free_pixels_alone_change_nothing(case):
    labels, limits, features = case
    pieces = connected_pieces(labels).astype(np.int32)
    free = Limits(tuple(np.zeros_like(groups) for groups in limits.hard))
    one, other = (
        merge_tree(pieces, features, 9.0, min_size_px=2, limits=some) for some in (free, NO_LIMITS)
    )
    np.testing.assert_array_equal(one.merges, other.merges)
    np.testing.assert_array_equal(one.costs, other.costs)
    options = {"iterations": 4, "compactness": 0.1, "smoothness": 0.2}
    one, other = (
        drain(refine_boundaries(pieces, features, **options, limits=some))
        for some in (free, NO_LIMITS)
    )
    np.testing.assert_array_equal(one, other)


def test_soft_walls_come_last_in_merging():
    """Four strips of one colour, a wall in the middle: it is crossed by the last merge only."""
    labels = np.repeat(np.arange(1, 5), 4)[None].repeat(6, 0).astype(np.int32)
    groups = np.repeat([1, 2], 8)[None].repeat(6, 0).astype(np.int32)
    features = np.zeros((1, 6, 16), np.float32)
    tree = merge_tree(labels, features, 24.0, limits=Limits(soft=(groups,)))
    np.testing.assert_array_equal(tree.cut(2), groups)
    assert tree.cut(1).max() == 1
    assert tree.costs[2] > 100 * tree.costs[1]


def test_a_step_of_colour_may_be_stronger_than_a_soft_wall():
    labels = np.repeat(np.arange(1, 5), 4)[None].repeat(6, 0).astype(np.int32)
    groups = np.repeat([1, 2], 8)[None].repeat(6, 0).astype(np.int32)
    features = np.zeros((1, 6, 16), np.float32)
    features[..., 12:] = 6
    merged = merge_tree(labels, features, 24.0, limits=Limits(soft=(groups,))).cut(2)
    np.testing.assert_array_equal(merged, np.repeat([1, 1, 1, 2], 4)[None].repeat(6, 0))


@settings(max_examples=60, deadline=None)
@given(
    labels=hnp.arrays(np.int32, SHAPES, elements=st.integers(0, 5)),
    seed=st.integers(0, 99),
    above_0=st.booleans(),
)
def test_the_most_frequent_value(labels, seed, above_0):
    values = np.random.default_rng(seed).integers(0, 4, labels.shape) * 10
    found = most_frequent(labels, values, above_0=above_0)
    assert found[0] == 0
    for i in range(1, len(found)):
        mine = values[(labels == i) & ((values > 0) | (not above_0))]
        counts = np.bincount(mine, minlength=1)
        assert found[i] == counts.argmax() if mine.size else found[i] == 0


def test_background_pieces_are_as_large_as_labels():
    labels = np.zeros((60, 80), np.int32)
    labels[10:20, 10:20], labels[40:50, 50:60] = 1, 2
    pieces = with_background_pieces(labels, (1.0, 1.0))
    np.testing.assert_array_equal(np.where(pieces <= 2, pieces, 0), labels)
    sizes = np.bincount(pieces.ravel())[3:]
    assert len(sizes) == 46
    assert sizes.min() >= 40
    assert sizes.max() <= 200
    full = np.ones((4, 5), np.int32)
    np.testing.assert_array_equal(with_background_pieces(full, (1.0, 1.0)), full)


@pytest.mark.parametrize("shape", [(1500, 1500), (40, 120, 120)])
def test_walls_are_planned_at_full_resolution(shape):
    machine = Machine(DeviceInfo("cpu", "CPU", 10**12, 10**12))
    params = SuperpixelParams()
    without, walled = (
        plan_run(ImageFacts(shape=shape, n_channels=3, has_walls=has), params, machine)
        for has in (False, True)
    )
    assert without.finishing_factor not in (1, (1, 1, 1))
    assert walled.finishing_factor == 1
    # The network of a volume takes more than what comes after it.
    assert walled.needed_bytes - without.needed_bytes >= (10**7 if len(shape) == 2 else 0)
    assert walled.working_factor == without.working_factor
