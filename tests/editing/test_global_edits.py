"""Clean up, exact count, levels of detail, results of the network, classes for many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from napari_superpixels.editing.actions.global_edits import (
    assign_many,
    clean_up,
    levels,
    set_count,
    survey,
    take_over,
)
from napari_superpixels.editing.actions.operations import assign, detach, lock, merge
from napari_superpixels.editing.attributes import DEFAULT, Lock
from napari_superpixels.editing.history.patch import encode_array
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.reference_image import ReferenceImage
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from tests.fixtures.maps import assert_tidy, grey_image, label_maps, tiles

PLANE = Scope.whole(2)


def n_pieces(labels):
    return int(label(labels, background=0, connectivity=1).max())


@pytest.fixture
def untidy():
    labels = tiles((20, 20), 10)
    labels[2, 2] = 4  # another piece of superpixel 4
    labels[5:7, 5:7] = 0  # a hole
    labels[15, 3] = 900  # small, with a number far away
    return Session(labels, grey_image(labels.shape))


def test_survey_says_what_is_untidy(untidy):
    found = survey(untidy, PLANE, min_size_px=5)
    assert found.plan(connect=True, fill_holes=True, sequential=True) == (
        "Clean up will turn 5 superpixels into 6 pieces, then join 2 that are too small to a "
        "neighbour, then fill 1 hole, then number anew (ids go up to 900 for 5)."
    )
    found = survey(untidy, PLANE)
    assert found.plan(connect=False, fill_holes=False, sequential=False) == "Nothing to clean up."


def test_clean_up_does_what_was_asked_and_nothing_else(untidy):
    before = untidy.labels.copy()
    change = untidy.build(clean_up, PLANE)
    untidy.commit(change)
    assert n_pieces(untidy.labels) == 6 == len(np.unique(untidy.labels)) - 1
    assert_tidy(untidy)
    assert change.message == "Cleaned up: 5 superpixels became 6."
    untidy.commit(untidy.build(clean_up, PLANE, min_size_px=5))
    assert n_pieces(untidy.labels) == 4
    assert (untidy.labels[5:7, 5:7] == 0).all()
    untidy.commit(untidy.build(clean_up, PLANE, fill_holes=True))
    assert (untidy.labels > 0).all()
    untidy.commit(untidy.build(clean_up, PLANE, sequential=True))
    np.testing.assert_array_equal(np.unique(untidy.labels), [1, 2, 3, 4])
    assert n_pieces(before) == 6
    assert_tidy(untidy)
    with pytest.raises(EditError):
        untidy.build(clean_up, PLANE, min_size_px=5, fill_holes=True, sequential=True)


def test_clean_up_leaves_locked_superpixels_alone(untidy):
    untidy.commit(untidy.build(lock, PLANE, positions=[(15, 3)], on=True))
    untidy.commit(untidy.build(clean_up, PLANE, min_size_px=5))
    assert untidy.attributes[int(untidy.labels[15, 3])].lock is Lock.HELD
    assert (untidy.labels == untidy.labels[15, 3]).sum() == 1


def test_renumbering_keeps_what_is_known_and_is_undone_with_it(session):
    def known():
        return [
            session.attributes[int(session.labels[p])] for p in ((0, 0), (0, 7), (8, 8), (20, 20))
        ]

    session.commit(session.build(merge, PLANE, positions=[(0, 0), (0, 7)]))
    session.commit(session.build(assign, PLANE, positions=[(20, 20)], category=2))
    states, facts, edits = [session.labels.copy()], [known()], []
    for operation, arguments in (
        (clean_up, {"sequential": True}),
        (assign, {"positions": [(8, 8)], "category": 5}),
        (clean_up, {"sequential": True}),
        (detach, {"position": (0, 0)}),
    ):
        change = session.build(operation, PLANE, **arguments)
        session.commit(change)
        states.append(session.labels.copy())
        facts.append(known())
        edits.append(change.edit)
    assert facts[2][2].category == 5
    assert np.array_equal(np.unique(states[3]), np.arange(1, len(np.unique(states[3])) + 1))
    assert session.labels.max() > max(s.max() for s in states[:-1])  # no id is given twice
    assert facts[1] == facts[0]
    for k in (3, 2, 1, 0, 1, 2, 3, 4, 3, 2):  # undo everything, redo everything, undo some
        session.observe(states[k], painted=False)
        assert known() == facts[k], k
    change = session.build(assign, PLANE, positions=[(0, 0)], category=7)
    session.commit(change)  # after undo: what was undone is gone
    assert known()[0].category == 7
    session.observe(states[2], painted=False)
    session.observe(states[1], painted=False)
    assert known() == facts[1]


@pytest.mark.parametrize("n", [1, 9])
def test_renumbering_never_leads_back_to_a_state_that_undo_can_reach(n):
    start = (np.arange(n) + 1).reshape(1, n).astype(np.uint16)
    session = Session(start, grey_image(start.shape))
    session.commit(session.build(assign, PLANE, positions=[(0, n - 1)], category=3))
    classed = session.labels.copy()
    if n == 1:  # 1 is what the superpixel was called when it had no class
        with pytest.raises(EditError):
            session.build(clean_up, PLANE, sequential=True)
    else:
        session.commit(session.build(clean_up, PLANE, sequential=True))
        assert sorted(session.labels[0]) == sorted(start[0])
        assert session.attributes[int(session.labels[0, -1])].category == 3
        session.observe(classed, painted=False)
        assert session.attributes[int(classed[0, -1])].category == 3
    session.observe(start, painted=False)
    assert session.attributes[int(start[0, -1])].category == 0


@settings(max_examples=30, deadline=None)
@given(label_maps(), st.integers(1, 40))
def test_exact_count(labels, wanted):
    session = Session(labels, grey_image(labels.shape))
    n, islands = n_pieces(labels), n_pieces(labels > 0)
    if wanted == n or wanted < islands or wanted > np.count_nonzero(labels):
        with pytest.raises(EditError):
            session.build(set_count, PLANE, n_segments=wanted)
    else:
        session.commit(session.build(set_count, PLANE, n_segments=wanted))
        assert n_pieces(session.labels) == wanted
        assert_tidy(session)


def test_exact_count_spares_what_is_locked(session):
    session.commit(session.build(lock, PLANE, positions=[(0, 0), (20, 20)], on=True))
    held = session.labels[0, 0], session.labels[20, 20]
    session.commit(session.build(set_count, PLANE, n_segments=6))
    assert len(np.unique(session.labels)) == 6
    assert (session.labels == held[0]).sum() == (session.labels == held[1]).sum() == 36
    with pytest.raises(EditError, match="2 superpixels locked by hand"):
        session.build(set_count, PLANE, n_segments=2)


def test_levels_are_nested_and_lossless(session):
    found = levels(session, PLANE)
    assert (found.finest, found.coarsest) == (20, 1)
    np.testing.assert_array_equal(found.at(20), session.labels)
    finer = found.at(20)
    for n in range(19, 0, -1):
        level = found.at(n)
        assert n_pieces(level) == level.max() == n
        pairs = np.unique(np.stack([finer.ravel(), level.ravel()]), axis=1)
        assert len(pairs[0]) == finer.max()  # each finer superpixel lies in one coarser one
        finer = level


def test_a_level_that_was_applied_can_be_detached(session):
    before = session.labels.copy()
    session.commit(session.build(set_count, PLANE, n_segments=1))
    session.commit(session.build(detach, PLANE, position=(0, 0)))
    for i in range(1, 21):
        assert len(np.unique(session.labels[before == i])) == 1
    assert len(np.unique(session.labels)) == 20


def test_levels_merge_what_looks_alike():
    labels = tiles((30, 30), 5)
    values = np.where(np.arange(30) < 15, 50, 200)[None].repeat(30, 0)
    session = Session(labels, ReferenceImage(values[None].astype(np.uint8), ("grey",)))
    session.commit(session.build(set_count, PLANE, n_segments=2))
    assert len(np.unique(session.labels[:, :15])) == 1
    assert len(np.unique(session.labels[:, 15:])) == 1


def test_the_network_s_superpixels_spare_what_was_edited(session):
    session.commit(session.build(merge, PLANE, positions=[(0, 0), (0, 7)]))
    merged = session.labels == session.labels[0, 0]
    parts = encode_array(np.where(merged, 0, 1 + (np.arange(30) > 14)[None]))
    change = session.build(take_over, PLANE, start=(0, 0), parts=parts, recompute=True)
    session.commit(change)
    np.testing.assert_array_equal(session.labels == session.labels[0, 0], merged)
    assert len(np.unique(session.labels)) == 3
    assert session.attributes[int(session.labels[20, 20])].lock is Lock.FREE
    everywhere = encode_array(np.ones((24, 30), int))
    with pytest.raises(EditError, match="edited superpixel"):
        session.build(take_over, PLANE, start=(0, 0), parts=everywhere, recompute=True)


def test_classes_for_many_leave_out_what_is_gone_or_locked(session):
    session.commit(session.build(lock, PLANE, positions=[(0, 0)], on=True))
    before = session.labels.copy()
    ids, categories = [2, int(before[0, 0]), 9999, 20], [1, 1, 1, 3]
    change = session.build(assign_many, PLANE, ids=ids, categories=categories)
    session.commit(change)
    assert change.message == "Classes assigned to 2 superpixels."
    assert session.attributes[int(session.labels[before == 2][0])].category == 1
    assert session.attributes[int(session.labels[before == 20][0])].category == 3
    assert session.labels[0, 0] == before[0, 0]
    assert session.attributes[3] == DEFAULT
