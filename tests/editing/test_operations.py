"""Merge, split, detach, lock, assign: what they do to a label map, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_superpixels.editing.actions.operations import (
    assign,
    detach,
    lock,
    merge,
    split,
    split_line,
)
from napari_superpixels.editing.attributes import DEFAULT, UNDO_STEPS, Lock
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.reference_image import ReferenceImage
from napari_superpixels.editing.region import region_at
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from tests.fixtures.maps import assert_tidy, grey_image, is_connected, label_maps, tiles

PLANE = Scope.whole(2)


def do(session, operation, scope=PLANE, **arguments):
    before = session.labels.copy()
    change = session.build(operation, scope, **arguments)
    np.testing.assert_array_equal(session.labels, before)  # building applies nothing
    session.commit(change)
    undone = session.labels.copy()
    change.edit.inverse().apply(undone)
    np.testing.assert_array_equal(undone, before)
    return change


def test_merge_takes_a_fresh_id(session):
    before = session.labels.copy()
    change = do(session, merge, positions=[(0, 0), (0, 7), (8, 8)])
    merged = np.isin(before, before[[0, 0, 8], [0, 7, 8]])
    (new,) = np.unique(session.labels[merged])
    assert new > before.max()
    np.testing.assert_array_equal(session.labels[~merged], before[~merged])
    assert change.message == "Merged 3 superpixels."
    assert session.attributes[new].lock is Lock.EDITED
    assert_tidy(session)


@settings(max_examples=60, deadline=None)
@given(label_maps(), st.randoms(use_true_random=False))
def test_merge_does_not_depend_on_the_order(labels, random):
    inside = np.argwhere(labels > 0)
    if len(inside) == 0:
        return
    picks = [tuple(random.choice(inside.tolist())) for _ in range(4)]
    shuffled = picks[:]
    random.shuffle(shuffled)
    results = []
    for positions in (picks, shuffled):
        session = Session(labels, grey_image(labels.shape))
        try:
            session.commit(session.build(merge, PLANE, positions=positions))
        except EditError as error:
            results.append(str(error))
        else:
            assert_tidy(session)
            (new,) = session.log[-1]["fresh_ids"]
            fragments = [
                (f.start, f.mask.tolist())
                for f in (
                    session.attributes.fragments[i] for i in session.attributes[new].fragments
                )
            ]
            results.append((session.labels.tolist(), session.attributes[new], fragments))
    assert results[0] == results[1]


def test_what_does_not_touch_is_not_merged(session):
    with pytest.raises(EditError, match="do not touch"):
        session.build(merge, PLANE, positions=[(0, 0), (0, 20)])
    with pytest.raises(EditError, match="Only one superpixel"):
        session.build(merge, PLANE, positions=[(0, 0), (1, 1)])


def test_a_label_in_two_pieces_is_merged_piecewise():
    labels = np.array([[1, 2, 1, 3]])
    session = Session(labels)
    do(session, merge, positions=[(0, 0), (0, 1)])
    assert session.labels.tolist() == [[4, 4, 1, 3]]


@settings(max_examples=60, deadline=None)
@given(label_maps(), st.integers(2, 4), st.randoms(use_true_random=False))
def test_split_parts_are_connected_disjoint_and_cover(labels, n_seeds, random):
    inside = np.argwhere(labels > 0).tolist()
    if not inside:
        return
    session = Session(labels, grey_image(labels.shape))
    region = region_at(labels, random.choice(inside))
    pixels = np.stack(region.indices, 1).tolist()
    if len(pixels) < n_seeds:
        return
    seeds = random.sample(pixels, n_seeds)
    do(session, split, seeds=seeds)
    parts = session.labels[region.indices]
    assert len(np.unique(parts)) == n_seeds
    assert len({session.labels[tuple(seed)] for seed in seeds}) == n_seeds
    outside = np.ones(labels.shape, bool)
    outside[region.indices] = False
    np.testing.assert_array_equal(session.labels[outside], labels[outside])
    assert_tidy(session)


@pytest.mark.parametrize("random_walker_px", [10**6, 0])
def test_split_follows_the_edge(random_walker_px, monkeypatch):
    monkeypatch.setattr(
        "napari_superpixels.editing.actions.cuts._RANDOM_WALKER_PX", random_walker_px
    )
    rng = np.random.default_rng(3)
    left = np.arange(40)[None] < 12 + 4 * np.sin(np.arange(30) / 5)[:, None]
    values = np.where(left, 80, 160) + rng.normal(0, 5, left.shape)
    session = Session(np.ones((30, 40), np.int32), ReferenceImage(values[None], ("grey",)))
    do(session, split, seeds=[(15, 3), (15, 36)])  # halfway would be column 19
    agree = (session.labels == session.labels[15, 3]) == left
    assert agree.mean() > 0.98


def test_split_without_an_image_cuts_halfway():
    session = Session(np.ones((5, 20), np.int32))
    do(session, split, seeds=[(2, 0), (2, 19)])
    np.testing.assert_array_equal(session.labels[:, :10], session.labels[0, 0])
    np.testing.assert_array_equal(session.labels[:, 10:], session.labels[0, 19])


def test_split_refuses_seeds_in_different_superpixels(session):
    with pytest.raises(EditError, match=r"different superpixels \(1 and 2\)"):
        session.build(split, PLANE, seeds=[(0, 0), (0, 7)])
    with pytest.raises(EditError, match="two clicks"):
        session.build(split, PLANE, seeds=[(0, 0)])
    with pytest.raises(EditError, match="same pixel"):
        session.build(split, PLANE, seeds=[(0, 0), (0, 0)])


@settings(max_examples=80, deadline=None)
@given(label_maps(), st.randoms(use_true_random=False), st.booleans())
def test_a_line_cuts_in_connected_parts(labels, random, snap):
    session = Session(labels, grey_image(labels.shape))
    line = [[random.randrange(-1, n + 1) for n in labels.shape] for _ in range(3)]
    try:
        change = session.build(split_line, PLANE, line=line, snap=snap)
    except EditError:
        return
    session.commit(change)
    assert len(np.unique(change.edit.old)) == 1
    assert len(np.unique(change.edit.new)) >= 2
    assert_tidy(session)


def test_a_line_is_extended_to_the_border():
    session = Session(np.ones((20, 30), np.int32))
    do(session, split_line, line=[(5, 9), (7, 9)])
    assert len(np.unique(session.labels)) == 2
    assert len(np.unique(session.labels[:, :9])) == 1
    assert len(np.unique(session.labels[:, 10:])) == 1


def test_a_line_snaps_to_the_edge_near_it():
    values = np.where(np.arange(40) < 16, 50.0, 200.0)[None].repeat(30, 0)
    for snap, column in ((False, 20), (True, 16)):
        session = Session(np.ones((30, 40), np.int32), ReferenceImage(values[None], ("grey",)))
        do(session, split_line, line=[(2, 19), (27, 19)], snap=snap)
        left = session.labels[0, 0]
        assert abs((session.labels == left).mean() * 40 - column) <= 1


def test_a_line_that_cuts_nothing_is_refused(session):
    with pytest.raises(EditError, match="no superpixel"):
        session.build(split_line, PLANE, line=[(-5, -5), (-2, -2)])
    with pytest.raises(EditError, match="no length"):
        session.build(split_line, PLANE, line=[(2, 2), (2, 2)])


def test_detach_gives_the_fragments_back_also_after_other_edits(session):
    before = session.labels.copy()
    do(session, merge, positions=[(0, 0), (0, 7)])
    do(session, assign, positions=[(20, 20)], category=2)
    do(session, merge, positions=[(0, 0), (8, 0)])  # a third one, to what was merged
    do(session, detach, position=(0, 0))
    for i in (before[0, 0], before[0, 7], before[8, 0]):
        (now,) = np.unique(session.labels[before == i])
        np.testing.assert_array_equal(session.labels == now, before == i)
    with pytest.raises(EditError, match="nothing to detach"):
        session.build(detach, PLANE, position=(0, 0))
    assert_tidy(session)


def test_detach_only_the_fragment_that_was_clicked(session):
    before = session.labels.copy()
    do(session, merge, positions=[(0, 0), (0, 7), (0, 13)])
    do(session, detach, position=(0, 7), only=True)  # the middle one: the rest is in two pieces
    assert len(np.unique(session.labels[0, [0, 7, 13]])) == 3
    np.testing.assert_array_equal(session.labels == session.labels[0, 7], before == before[0, 7])
    assert_tidy(session)
    do(session, merge, positions=[(0, 0), (0, 7), (8, 0)])
    do(session, detach, position=(0, 7), only=True)
    assert session.labels[0, 0] == session.labels[8, 0]
    do(session, detach, position=(0, 0))  # and these two are still fragments
    assert session.labels[0, 0] != session.labels[8, 0]


def test_detach_after_a_split_and_after_the_brush(session):
    do(session, merge, positions=[(0, 0), (0, 7)])
    do(session, split_line, line=[(3, 0), (3, 11)])  # through both fragments
    painted = session.labels.copy()
    painted[0:2, 12] = painted[0, 0]  # the brush adds pixels of a neighbour
    session.observe(painted, painted=True)
    do(session, detach, position=(0, 0))
    assert session.labels[0, 0] != session.labels[0, 7]
    assert session.labels[0, 12] == session.labels[0, 11]
    assert session.labels[5, 0] == session.labels[5, 7]  # the other half is still one
    assert_tidy(session)


def test_locks_are_other_ids_and_come_back(session):
    original = session.labels.copy()
    do(session, lock, positions=[(0, 0), (0, 7)], on=True)
    held = int(session.labels[0, 0])
    assert held not in original
    assert session.attributes[held].lock is Lock.HELD
    for operation, arguments in (
        (merge, {"positions": [(0, 0), (8, 0)]}),
        (split, {"seeds": [(0, 0), (3, 3)]}),
        (split_line, {"line": [(3, 0), (3, 5)]}),
        (detach, {"position": (0, 0)}),
        (assign, {"positions": [(0, 0)], "category": 1}),
    ):
        with pytest.raises(EditError, match=rf"Superpixel {held} is locked"):
            session.build(operation, PLANE, **arguments)
    with pytest.raises(EditError, match="Already locked"):
        session.build(lock, PLANE, positions=[(0, 0)], on=True)
    do(session, lock, positions=[(0, 0), (0, 7)], on=False)
    np.testing.assert_array_equal(session.labels, original)  # the ids of before
    assert session.attributes[int(session.labels[0, 0])] == DEFAULT


def test_classes_survive_merge_and_detach(session):
    do(session, assign, positions=[(0, 0)], category=3)
    do(session, merge, positions=[(0, 0), (0, 7)])
    assert session.attributes[int(session.labels[0, 0])].category == 3
    do(session, detach, position=(0, 0))
    assert session.attributes[int(session.labels[0, 7])].category == 3
    do(session, assign, positions=[(0, 7)], category=0)
    assert session.attributes[int(session.labels[0, 7])].category == 0


def test_pieces_of_one_label_do_not_become_one_superpixel():
    session = Session(np.array([[1, 2, 1]]))
    do(session, assign, positions=[(0, 0)], category=1)
    do(session, assign, positions=[(0, 2)], category=1)
    assert len(np.unique(session.labels)) == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64])
def test_integer_types(dtype):
    session = Session(tiles(dtype=dtype))
    do(session, merge, positions=[(0, 0), (0, 7)])
    assert session.labels.dtype == dtype
    assert_tidy(session)


def test_a_full_integer_type_is_refused_with_the_remedy():
    labels = (np.arange(255).reshape(15, 17) + 1).astype(np.uint8)
    session = Session(labels)
    with pytest.raises(EditError, match=r"uint8, which holds ids up to 255.*Convert data type"):
        session.build(merge, PLANE, positions=[(0, 0), (0, 1)])
    np.testing.assert_array_equal(session.labels, labels)


def test_ids_are_used_again_only_when_undo_cannot_bring_them_back():
    session = Session((np.arange(250) + 1).reshape(1, 250).astype(np.uint8))
    for category in range(1, 6):
        do(session, assign, positions=[(0, 0)], category=category)
    np.testing.assert_array_equal(session.labels[0, 0], 255)
    with pytest.raises(EditError, match="none is free"):
        session.build(assign, PLANE, positions=[(0, 0)], category=6)
    for step in range(UNDO_STEPS):  # brush strokes push older steps out of napari's history
        painted = session.labels.copy()
        painted[0, 9] = 9 + step % 2
        session.observe(painted, painted=True)
    do(session, assign, positions=[(0, 0)], category=6)
    assert session.labels[0, 0] == 1  # the first id that vanished is the first to be free
    assert session.attributes[1].category == 6


def test_steps_that_were_undone_do_not_count_as_gone():
    session = Session((np.arange(250) + 1).reshape(1, 250).astype(np.uint8))
    do(session, assign, positions=[(0, 0)], category=1)
    assigned = session.labels.copy()
    for _ in range(2 * UNDO_STEPS):  # another edit, and undo, again and again
        painted = assigned.copy()
        painted[0, 9] = 9
        session.observe(painted, painted=True)
        session.observe(assigned, painted=False)
    for category in range(2, 6):
        do(session, assign, positions=[(0, 0)], category=category)
    with pytest.raises(EditError, match="none is free"):
        session.build(assign, PLANE, positions=[(0, 0)], category=6)


def test_three_dimensions():
    labels = tiles((8, 12, 12), 4)
    volume, plane = Scope.whole(3), Scope((1, 2), (2, 0, 0))
    session = Session(labels, grey_image(labels.shape))
    do(session, merge, volume, positions=[(0, 0, 0), (4, 0, 0)])
    assert session.labels[0, 0, 0] == session.labels[7, 3, 3]
    do(session, detach, volume, position=(7, 3, 3))
    assert session.labels[0, 0, 0] != session.labels[4, 0, 0]
    assert_tidy(session)
    before = session.labels.copy()
    do(session, split, volume, seeds=[(2, 0, 0), (2, 3, 3)], plane=[1, 2])
    changed = session.labels != before
    assert changed[2, :4, :4].any()
    assert ndimage.label(session.labels == session.labels[2, 0, 0])[1] == 1
    assert session.labels[1, 3, 3] == session.labels[2, 0, 0]  # stays with the planes around
    assert (session.labels == session.labels[2, 3, 3]).sum((1, 2))[[1, 3]].sum() == 0
    assert_tidy(session)
    do(session, split_line, volume, line=[(5, 0, 5), (5, 3, 6)])
    assert_tidy(session)
    session = Session(labels)
    do(session, merge, plane, positions=[(2, 0, 0), (2, 0, 4)])  # a slice of a time series
    assert (session.labels[2] != labels[2]).sum() == 32
    np.testing.assert_array_equal(np.delete(session.labels, 2, 0), np.delete(labels, 2, 0))


def test_a_region_is_found_whatever_its_size():
    labels = np.zeros((300, 400), np.int32)
    labels[10, 5:390] = 7
    labels[10:290, 389] = 7
    labels[100:110, 100:110] = 7  # another piece
    region = region_at(labels, (10, 200))
    assert region.area == 385 + 279
    assert region.box == (slice(10, 290), slice(5, 390))
    assert (105, 105) not in region
    assert is_connected(region.mask, True)
