"""Tools of the correction dock, as a user works them: real viewer, real mouse, real keys."""

from __future__ import annotations

import numpy as np
from docs.tour import CTRL, SHIFT
from qtpy.QtCore import Qt

from napari_superpixels._napari.correction.editor import EDITED, HELD
from tests.fixtures.correction import assert_consistent


def test_merge_by_a_stroke_is_one_step_of_undo(viewer, dock, layer, mouse, press, settled):
    before = layer.data.copy()
    assert dock.tool_buttons["Merge"].isChecked()
    mouse.drag(layer, (8, 8), (8, 20), (8, 40), (24, 40))
    joined = np.isin(before, [1, 2, 3, 7])
    assert len(np.unique(layer.data[joined])) == 1
    assert layer.data[0, 0] not in before
    assert dock.message.text() == "Merged 4 superpixels."
    assert layer.selected_label == layer.data[0, 0]
    assert_consistent(dock)
    press("Z", CTRL)
    settled(dock)
    np.testing.assert_array_equal(layer.data, before)
    assert_consistent(dock)
    press("Z", CTRL | SHIFT)
    settled(dock)
    assert len(np.unique(layer.data[joined])) == 1
    assert_consistent(dock)
    assert layer.metadata["mine"] == 1


def test_touched_superpixels_are_outlined_while_one_drags(viewer, dock, layer, mouse):
    mouse.press(layer, (8, 8))
    mouse.move(layer, (8, 24))
    marks = dock.editor.marks.layer.data
    assert set(np.unique(marks[:16, :32])) == {1}
    assert not marks[:, 32:].any()
    mouse.release()
    assert set(np.unique(dock.editor.marks.layer.data[:16, :32])) == {2}  # edited now
    assert viewer.layers.selection.active is layer


def test_merge_by_two_clicks_and_escape(dock, layer, mouse, press):
    before = layer.data.copy()
    mouse.click(layer, (8, 8))
    assert "neighbour" in dock.message.text()
    press("Escape")
    mouse.click(layer, (8, 24))  # the first click is forgotten
    np.testing.assert_array_equal(layer.data, before)
    mouse.click(layer, (8, 40))
    assert layer.data[8, 24] == layer.data[8, 40] != layer.data[8, 8]


def test_split_between_two_clicks(dock, layer, mouse, press):
    press("J")  # the same tool again: the mouse is napari's
    assert not any(b.isChecked() for b in dock.tool_buttons.values())
    press("J")
    mouse.drag(layer, (8, 8), (8, 24))
    press("S")
    assert dock.tool_buttons["Split"].isChecked()
    mouse.click(layer, (8, 4))
    assert "1 seed" in dock.message.text()
    mouse.click(layer, (8, 28))
    # the two tiles have other colours: the cut is where they meet
    assert layer.data[8, 4] != layer.data[8, 28]
    left = layer.data[:16, :32] == layer.data[8, 4]
    assert (left == (np.arange(32) < 16)).mean() > 0.97
    assert_consistent(dock)


def test_split_in_three_with_shift(dock, layer, mouse, press):
    press("S")
    mouse.click(layer, (4, 4), modifiers=SHIFT)
    mouse.click(layer, (4, 12), modifiers=SHIFT)
    assert dock.message.text().startswith("2 seeds")
    mouse.click(layer, (12, 8))
    assert len(np.unique(layer.data[:16, :16])) == 3


def test_cut_along_a_line(dock, layer, mouse, press):
    press("C")
    mouse.drag(layer, (4, 10), (12, 10))
    assert len(np.unique(layer.data[:16, :9])) == 1
    assert len(np.unique(layer.data[:16, :16])) == 2
    assert dock.editor.marks.layer.data[8, 10] == 2  # the line is gone, the outline is there


def test_detach_later_and_only_one(dock, layer, mouse, press):
    before = layer.data.copy()
    mouse.drag(layer, (8, 8), (8, 56))
    press("D")
    mouse.click(layer, (8, 56), modifiers=SHIFT)
    assert layer.data[8, 8] == layer.data[8, 40] != layer.data[8, 56]
    mouse.click(layer, (8, 8))
    for i in (1, 2, 3, 4):
        (now,) = np.unique(layer.data[before == i])
        assert ((layer.data == now) == (before == i)).all()
    mouse.click(layer, (8, 8))
    assert "nothing to detach" in dock.message.text()


def test_lock_refuses_and_unlocks(dock, layer, mouse, press):
    before = layer.data.copy()
    press("K")
    mouse.drag(layer, (8, 8), (8, 24))
    assert "2 locked" in dock.layer_label.text()
    assert (dock.editor.marks.layer.data[:16, :32] == 3).all()
    press("J")
    locked = layer.data.copy()
    mouse.drag(layer, (8, 8), (24, 8))
    assert "is locked: unlock it first" in dock.message.text()
    np.testing.assert_array_equal(layer.data, locked)
    press("K")
    mouse.drag(layer, (8, 8), (8, 24))
    np.testing.assert_array_equal(layer.data, before)
    assert "locked" not in dock.layer_label.text()


def test_classes_by_key_with_semantic_layer_and_table(viewer, dock, layer, mouse, press, settled):
    dock.classes.add("nucleus")
    dock.classes.add("rest")
    assert dock.tool_buttons["Class"].isChecked()
    press("1")
    mouse.drag(layer, (8, 8), (8, 24))
    press("2")
    mouse.click(layer, (40, 8))
    semantic = dock.classes.semantic.layer
    assert not semantic.editable
    np.testing.assert_array_equal(semantic.data[:16, :32], 1)
    np.testing.assert_array_equal(semantic.data[32:, :16], 2)
    assert np.count_nonzero(semantic.data) == 3 * 256
    texts = [[dock.classes.table.item(r, c).text() for c in range(6)] for r in range(2)]
    assert texts == [
        ["1", "", "nucleus", "2", "1", "512 px"],
        ["2", "", "rest", "1", "1", "256 px"],
    ]
    named = dict(zip(layer.features["index"], layer.features["class"], strict=True))
    assert named[layer.data[8, 8]] == "nucleus"
    press("Z", CTRL)
    press("Z", CTRL)
    settled(dock)
    assert not semantic.data.any()
    press("Z", CTRL | SHIFT)
    settled(dock)
    np.testing.assert_array_equal(semantic.data[:16, :32], 1)
    press("0")
    mouse.click(layer, (8, 8))
    assert not semantic.data[:16, :16].any()
    assert semantic.data[:16, 16:32].all()
    press("J")
    press("2")  # napari's own key again: the brush
    assert layer.mode == "paint"


def test_suggestions_are_shown_until_they_are_accepted(viewer, dock, layer, mouse, press):
    dock.classes.suggest()
    assert "at least two classes" in dock.message.text()
    dock.classes.add()
    mouse.drag(layer, (8, 8), (8, 24))
    dock.classes.add()
    mouse.drag(layer, (40, 8), (40, 24))
    dock.classes.suggest_button.click()
    assert dock.message.text().startswith("8 suggestions")
    shown = dock.classes.suggestions.layer
    assert not shown.data[:16, :32].any()
    assert 0.4 < (shown.data[16:32] > 0).mean() < 0.6  # hatched
    before = layer.data.copy()
    dock.classes.accept_button.click()
    assert shown not in viewer.layers
    assert dock.classes.semantic.layer.data.all()
    dock.classes.go_to_next()
    assert "has a class" in dock.message.text()
    press("Z", CTRL)
    dock.editor.sync()
    np.testing.assert_array_equal(layer.data, before)
    assert np.count_nonzero(dock.classes.semantic.layer.data) == 4 * 256
    dock.classes.go_to_next()
    rows = dict(zip(layer.features["index"], layer.features["class"], strict=True))
    assert rows[layer.selected_label] == ""


def test_napari_s_own_brush_fill_and_undo_keep_everything_true(
    viewer, dock, layer, mouse, press, settled
):
    mouse.drag(layer, (8, 8), (8, 24))
    merged = layer.data.copy()
    press("P")  # napari's brush
    assert not any(b.isChecked() for b in dock.tool_buttons.values())
    assert layer.mode == "paint"
    layer.selected_label = int(layer.data[8, 8])
    layer.brush_size = 5
    mouse.drag(layer, (24, 8), (24, 20))
    settled(dock)
    assert (layer.data != merged).any()
    assert_consistent(dock)
    layer.fill((40, 8), 77)
    settled(dock)
    assert_consistent(dock)
    for _ in range(2):
        layer.undo()
    settled(dock)
    np.testing.assert_array_equal(layer.data, merged)
    assert_consistent(dock)
    press("D")
    mouse.click(layer, (8, 8))
    assert layer.data[8, 8] != layer.data[8, 24]


def test_space_moves_the_image_while_a_tool_is_on(viewer, dock, layer, mouse, qtbot):
    before, canvas = layer.data.copy(), viewer.window._qt_viewer.canvas.native
    centre = viewer.scene.camera.center
    qtbot.keyPress(canvas, Qt.Key.Key_Space)
    mouse.drag(layer, (8, 8), (8, 24))
    qtbot.keyRelease(canvas, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: viewer.scene.camera.center != centre)  # with the next frame
    np.testing.assert_array_equal(layer.data, before)
    qtbot.wait(100)
    centre = viewer.scene.camera.center
    mouse.drag(layer, (8, 8), (8, 24))
    qtbot.wait(100)
    assert viewer.scene.camera.center == centre
    assert (layer.data != before).any()


def test_wrong_use_is_told_and_harmless(viewer, dock, layer, mouse, press):
    before = layer.data.copy()
    mouse.click(layer, (-6, 8))
    assert "outside the labels" in dock.message.text()
    layer.fill((8, 8), 0)
    mouse.click(layer, (8, 8))
    assert "label 0" in dock.message.text()
    layer.undo()
    press("S")
    mouse.click(layer, (8, 8))
    mouse.click(layer, (8, 24))
    assert "different superpixels (1 and 2)" in dock.message.text()
    press("C")
    mouse.drag(layer, (-5, -5), (-3, -3))
    assert "no superpixel" in dock.message.text()
    np.testing.assert_array_equal(layer.data, before)
    viewer.layers.selection.active = viewer.layers["tiles"]
    press("J")  # another layer is active: its keys
    assert dock.tool_buttons["Cut"].isChecked()
    mouse.drag(layer, (8, 8), (8, 24))
    np.testing.assert_array_equal(layer.data, before)


def test_what_was_painted_is_spared_by_recompute(viewer, dock, layer, press, settled):
    layer.selected_label = 1
    layer.paint((8, 17), 1)
    settled(dock)
    assert "2 edited" in dock.layer_label.text()  # the one that grew, and the one that shrank
    assert dock.editor.marks.layer.data[2, 2] == EDITED
    dock.network.count.value = 5
    layer.undo()
    settled(dock)
    assert "edited" not in dock.layer_label.text()
    assert not dock.editor.marks.layer.data.any()
    layer.redo()
    settled(dock)
    assert "2 edited" in dock.layer_label.text()


def test_lock_on_an_edited_one_locks_it(dock, layer, mouse, press):
    mouse.drag(layer, (8, 8), (8, 24))
    press("K")
    mouse.click(layer, (8, 8))
    assert dock.message.text() == "Locked 1 superpixel."
    assert dock.editor.marks.layer.data[8, 8] == HELD
    mouse.click(layer, (8, 8))
    assert dock.message.text() == "Unlocked 1 superpixel."
    assert dock.editor.marks.layer.data[8, 8] == 0


def test_escape_ends_a_stroke_of_any_tool(viewer, dock, layer, mouse, press):
    dock.classes.add("tumour")
    before = layer.data.copy()
    mouse.press(layer, (8, 8))
    mouse.move(layer, (8, 24))
    press("Escape")
    mouse.move(layer, (8, 40))
    mouse.release()
    np.testing.assert_array_equal(layer.data, before)
