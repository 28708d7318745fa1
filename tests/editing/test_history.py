"""Long random sequences of edits with undo and redo; the log repeats them."""

from __future__ import annotations

import contextlib
import json
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_superpixels.editing.actions import global_edits as whole_map
from napari_superpixels.editing.actions import operations
from napari_superpixels.editing.attributes import UNDO_STEPS
from napari_superpixels.editing.history.replay import replay
from napari_superpixels.editing.label_edit import EditError, edit_between
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from napari_superpixels.editing.storage import pack, unpack
from tests.fixtures.maps import assert_tidy, grey_image, tiles

PLANE = Scope.whole(2)
SHAPE = (24, 30)


class Editor:
    """Applies edits with an undo history that works like napari's."""

    def __init__(self, labels):
        self.session = Session(labels, grey_image(SHAPE))
        self.data = labels.copy()
        self.undo_steps, self.redo_steps = deque(maxlen=UNDO_STEPS), []
        self.lost = 0  # steps that the history has no room for
        self.facts = [self.known()]

    def known(self):
        attributes = self.session.attributes
        return {int(i): attributes[int(i)] for i in np.unique(self.data)}

    def push(self, edit):
        self.lost += len(self.undo_steps) == UNDO_STEPS
        self.undo_steps.append((edit, self.known_before))
        self.redo_steps.clear()

    def run(self, operation, **arguments):
        self.known_before = self.known()
        change = self.session.build(operation, PLANE, **arguments)
        change.edit.apply(self.data)
        self.session.commit(change)
        self.push(change.edit)

    def paint(self, row, column, label):
        self.known_before = self.known()
        before = self.data.copy()
        self.data[row : row + 3, column : column + 3] = label
        edit = edit_between(before, self.data)
        if len(edit):
            self.session.observe(self.data, painted=True)
            self.push(edit)

    def undo(self):
        if self.undo_steps:
            edit, known = self.undo_steps.pop()
            after = self.known()
            edit.inverse().apply(self.data)
            self.session.observe(self.data, painted=False)
            self.redo_steps.append((edit, known, after))
            assert self.known() == known

    def redo(self):
        if self.redo_steps:
            edit, known, after = self.redo_steps.pop()
            edit.apply(self.data)
            self.session.observe(self.data, painted=False)
            self.undo_steps.append((edit, known))
            assert self.known() == after


def random_step(editor, rng, *, brush):
    labels = editor.data
    pixel = lambda: [int(rng.integers(n)) for n in labels.shape]  # noqa: E731
    steps = [
        lambda: editor.run(operations.merge, positions=[pixel(), pixel()]),
        lambda: editor.run(operations.split, seeds=[pixel(), pixel()]),
        lambda: editor.run(operations.split_line, line=[pixel(), pixel()]),
        lambda: editor.run(operations.detach, position=pixel(), only=bool(rng.integers(2))),
        lambda: editor.run(operations.lock, positions=[pixel()], on=bool(rng.integers(4) == 0)),
        lambda: editor.run(
            operations.assign, positions=[pixel(), pixel()], category=int(rng.integers(4))
        ),
        lambda: editor.run(whole_map.clean_up, min_size_px=4, sequential=bool(rng.integers(2))),
        lambda: editor.run(whole_map.set_count, n_segments=int(rng.integers(5, 40))),
        editor.undo,
        editor.undo,
        editor.redo,
    ]
    if brush:
        steps.append(lambda: editor.paint(*pixel(), int(rng.choice(np.unique(labels)))))
    # Merges of what touches are likelier than two random pixels make them.
    row, column = pixel()
    steps.append(
        lambda: editor.run(
            operations.merge, positions=[[row, column], [row, min(column + 5, SHAPE[1] - 1)]]
        )
    )
    with contextlib.suppress(EditError):  # many random edits are impossible
        steps[rng.integers(len(steps))]()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint16, np.int32, np.int64]))
def test_two_hundred_random_edits(seed, dtype):
    rng = np.random.default_rng(seed)
    editor = Editor(tiles(SHAPE, dtype=dtype))
    for step in range(200):
        random_step(editor, rng, brush=False)
        np.testing.assert_array_equal(editor.session.labels, editor.data)
        if step % 10 == 0:
            assert_tidy(editor.session)
    while editor.undo_steps:
        editor.undo()
    if not editor.lost:
        np.testing.assert_array_equal(editor.data, tiles(SHAPE, dtype=dtype))
    while editor.redo_steps:
        editor.redo()
    assert_tidy(editor.session)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_log_repeats_edits_exactly(seed):
    rng = np.random.default_rng(seed)
    start = tiles(SHAPE)
    editor = Editor(start)
    for _ in range(80):
        random_step(editor, rng, brush=True)
    log = json.loads(json.dumps(editor.session.log))
    repeated = replay(start, grey_image(SHAPE), log)
    np.testing.assert_array_equal(repeated.labels, editor.data)
    assert repeated.log == log
    for i in np.unique(editor.data).tolist():
        assert repeated.attributes[i].category == editor.session.attributes[i].category
        assert repeated.attributes[i].lock == editor.session.attributes[i].lock


def test_a_log_of_other_labels_is_refused():
    editor = Editor(tiles(SHAPE))
    editor.run(operations.merge, positions=[(0, 0), (0, 7)])
    log = editor.session.log
    with pytest.raises(EditError, match=r"step 1 \(merge\).*Only one superpixel"):
        replay(np.ones(SHAPE, int), grey_image(SHAPE), log)
    with pytest.raises(EditError, match="other superpixels than in the log"):
        replay(tiles(SHAPE) + 1, grey_image(SHAPE), log)
    with pytest.raises(EditError, match="needs the image"):
        replay(tiles(SHAPE), None, log)
    with pytest.raises(EditError, match="no such operation"):
        replay(tiles(SHAPE), None, [{"operation": "frobnicate"}])
    with pytest.raises(EditError, match="lacks"):
        replay(tiles(SHAPE), None, [{"operation": "merge"}])


def test_replay_of_a_log_that_was_saved_and_opened_in_between():
    image = grey_image(SHAPE)
    session = Session(tiles(SHAPE), image)
    scope = Scope.whole(2)

    def do(operation, **arguments):
        session.commit(session.build(operation, scope, **arguments))

    do(operations.lock, positions=[(0, 0)], on=True)
    do(operations.merge, positions=[(8, 8), (8, 16)])
    session = unpack(pack(session))  # what a file does
    session.use_image(image)
    session.note_reopened()
    do(operations.lock, positions=[(0, 0)], on=False)
    do(operations.detach, position=(8, 8))
    log = json.loads(json.dumps(session.log))
    again = replay(tiles(SHAPE), image, log)
    np.testing.assert_array_equal(again.labels, session.labels)
    assert again.log == log


def test_replay_on_another_image_is_told():
    session = Session(tiles(SHAPE, 24), grey_image(SHAPE))
    change = session.build(operations.split, Scope.whole(2), seeds=[(2, 2), (20, 20)])
    session.commit(change)
    other = grey_image(SHAPE, seed=5)
    with pytest.raises(EditError, match="not the image and labels that it began with"):
        replay(tiles(SHAPE, 24), other, session.log)


def test_painting_protects_and_classes_do_not_leak():
    session = Session(tiles(SHAPE), grey_image(SHAPE))
    scope = Scope.whole(2)
    session.commit(session.build(operations.assign, scope, positions=[(0, 0)], category=2))
    before = session.labels.copy()
    painted = before.copy()
    painted[0, 8] = painted[8, 8]
    session.observe(painted, painted=True)
    touched = {int(before[0, 8]), int(painted[8, 8])}
    assert {
        i for i in session.statistics.ids.tolist() if session.attributes[i].lock == "edited"
    } == (touched)
    session.observe(before, painted=False)
    assert not session.facts().lock.any()
    session.observe(painted, painted=False)
    assert session.facts().lock.sum() == 2
    session.commit(session.build(whole_map.set_count, scope, n_segments=2))
    area = session.statistics.area[session.facts().category == 2].sum()
    assert area <= 64  # the class of one small superpixel is not that of half the image
