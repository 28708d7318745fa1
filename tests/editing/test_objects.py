"""Superpixels of a class that touch each other: counted, and merged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_superpixels.editing.actions.global_edits import (
    assign_many,
    clean_up,
    merge_touching,
)
from napari_superpixels.editing.actions.operations import assign, detach, lock
from napari_superpixels.editing.attributes import Lock
from napari_superpixels.editing.contacts import Contacts
from napari_superpixels.editing.history.replay import replay
from napari_superpixels.editing.label_edit import EditError, edit_between
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from tests.fixtures.maps import assert_tidy, label_maps, tiles

PLANE = Scope.whole(2)


def classes_of(session):
    known, rows = np.unique(session.labels, return_inverse=True)
    found = np.array([session.attributes[int(i)].category for i in known])
    return found[rows].reshape(session.labels.shape)


def classify(session, **by_class):
    for name, positions in by_class.items():
        category = int(name.removeprefix("c"))
        session.commit(session.build(assign, PLANE, positions=positions, category=category))


@given(label_maps(), label_maps(), st.data())
@settings(max_examples=40, deadline=None)
def test_contacts_follow_edits_and_count_objects(start, end, data):
    if start.shape != end.shape:
        end = start.copy()
        end[: 1 + len(end) // 2, -1:] = 77
    session = Session(start)
    contacts = Contacts(session.labels, (0, 1))
    edit = edit_between(start, end)
    edit.apply(session.labels)
    contacts.update(session.labels, edit)
    fresh = Contacts(end, (0, 1))
    assert contacts._length == fresh._length
    ids = np.unique(end[end != 0]).astype(np.int64)
    classes = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(ids), max_size=len(ids))))
    pieces = {i: ndimage.label(end == i)[1] for i in ids.tolist()}
    if len(ids) == 0 or max(pieces.values()) > 1:
        return
    of_pixel = np.full(end.shape, -1)
    for i, c in zip(ids.tolist(), classes.tolist(), strict=True):
        of_pixel[end == i] = c
    counts = contacts.objects(ids, classes.astype(np.int64))
    for c, n in enumerate(counts.tolist()):
        assert n == ndimage.label(of_pixel == c)[1]


def test_frames_do_not_touch_but_planes_of_a_volume_do():
    labels = np.stack([tiles((8, 8), 4), tiles((8, 8), 4) + 4])
    ids, category = np.arange(1, 9), np.ones(8, np.int64)
    assert Contacts(labels, (1, 2)).objects(ids, category).tolist() == [0, 2]
    assert Contacts(labels, (0, 1, 2)).objects(ids, category).tolist() == [0, 1]


def test_touching_ones_become_one_and_fall_apart_again(session):
    start = session.labels.copy()
    # Two of class 1 side by side, one far off; one of class 2 beside them.
    classify(session, c1=[(2, 2), (2, 8), (20, 26)], c2=[(8, 2)])
    alone, other = session.labels[20, 26], session.labels[8, 2]
    change = session.build(merge_touching, PLANE, category=1)
    session.commit(change)
    assert change.message == "Merged 2 superpixels into 1 object."
    joined = session.labels[2, 2]
    np.testing.assert_array_equal(
        session.labels == joined, (start == start[2, 2]) | (start == start[2, 8])
    )
    assert session.labels[20, 26] == alone
    assert session.labels[8, 2] == other
    assert session.attributes[int(joined)].category == 1
    assert_tidy(session)
    again = replay(start, session.image, session.log)
    np.testing.assert_array_equal(again.labels, session.labels)
    session.commit(session.build(detach, PLANE, position=(2, 2)))
    assert session.labels[2, 2] != session.labels[2, 8]
    assert classes_of(session)[2, 2] == classes_of(session)[2, 8] == 1


def test_locked_ones_are_left_and_told(session):
    classify(session, c1=[(2, 2), (2, 8), (2, 14)])
    session.commit(session.build(lock, PLANE, positions=[(2, 14)], on=True))
    held = int(session.labels[2, 14])
    change = session.build(merge_touching, PLANE, category=1)
    assert change.message == "Merged 2 superpixels into 1 object. 1 locked superpixel left alone."
    session.commit(change)
    assert session.labels[2, 14] == held
    assert session.attributes[held].lock is Lock.HELD
    with pytest.raises(EditError, match="No two unlocked superpixels"):
        session.build(merge_touching, PLANE, category=1)
    with pytest.raises(EditError, match="No two unlocked superpixels"):
        session.build(merge_touching, PLANE, category=2)


def test_only_the_plane_worked_in_is_merged():
    labels = np.stack([tiles((8, 8), 4)] * 2)
    session = Session(labels)
    ids = session.statistics.ids.tolist()
    whole = Scope.whole(3)
    session.commit(session.build(assign_many, whole, ids=ids, categories=[1] * len(ids)))
    session.commit(session.build(merge_touching, Scope((1, 2), (1, 0, 0)), category=1))
    assert [len(np.unique(plane)) for plane in session.labels] == [4, 1]
    assert not np.isin(session.labels[1], session.labels[0]).any()


def test_pieces_of_one_superpixel_are_not_merged(session):
    painted = session.labels.copy()
    painted[20, 26] = painted[0, 0]
    session.observe(painted, painted=True)
    ids = [int(painted[0, 0])]
    session.commit(session.build(assign_many, PLANE, ids=ids, categories=[1]))
    with pytest.raises(EditError, match="No two"):
        session.build(merge_touching, PLANE, category=1)
    session.commit(session.build(clean_up, PLANE))
