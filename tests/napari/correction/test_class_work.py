"""Classes as a user works with them: name, colour, keys, next, objects, the next image."""

from __future__ import annotations

import numpy as np
import pytest
from docs.tour import CTRL
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QColorDialog, QLineEdit

from napari_superpixels._napari.correction.editor import FOUND
from napari_superpixels._napari.correction.panels.class_table import (
    AREA,
    COLOR,
    NAME,
    OBJECTS,
    SUPERPIXELS,
)
from tests.fixtures.correction import squares


def add(dock, qtbot, *names):
    for name in names:
        dock.classes.name_field.setFocus()
        qtbot.keyClicks(dock.classes.name_field, name)
        qtbot.keyClick(dock.classes.name_field, Qt.Key.Key_Return)


def names(dock):
    return [info.name for info in dock.classes.classes]


def column(dock, which):
    table = dock.classes.table
    return [table.item(row, which).text() for row in range(table.rowCount())]


def is_on(dock):
    return [name for name, made in dock.tool_buttons.items() if made.isChecked()]


@pytest.fixture
def click_cell(dock, qtbot):
    def click(row, which):
        table = dock.classes.table
        where = table.visualItemRect(table.item(row, which)).center()
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)

    return click


def answer_with(color, seen):
    """Choose a colour in the dialog that is about to open; None cancels it."""

    def look():
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QColorDialog):
            timer.start(50)
            return
        seen.append(dialog.windowTitle())
        if color is None:
            dialog.reject()
        else:
            dialog.setCurrentColor(color)
            dialog.accept()

    timer = QTimer(QApplication.instance())
    timer.setSingleShot(True)
    timer.timeout.connect(look)
    timer.start(50)


def test_a_name_and_enter_add_a_class(dock, layer, qtbot):
    add(dock, qtbot, "nucleus", "2 or more", " ")
    assert names(dock) == ["nucleus", "2 or more", "class 3"]
    assert dock.classes.name_field.text() == ""
    assert is_on(dock) == ["Class"]
    assert dock.classes.category == 3
    qtbot.keyClicks(dock.classes.name_field, "rest")
    dock.classes.add_button.click()
    assert names(dock)[3] == "rest"
    add(dock, qtbot, "nucleus")  # no second of this name
    assert len(names(dock)) == 4
    assert dock.classes.category == 1
    assert "already" in dock.message.text()


def test_a_click_on_the_colour_changes_it(viewer, dock, layer, mouse, qtbot, click_cell):
    add(dock, qtbot, "nucleus")
    mouse.click(layer, (8, 8))
    seen = []
    answer_with(QColor(10, 200, 30), seen)
    click_cell(0, COLOR)
    assert seen == ["Colour of “nucleus”"]
    (info,) = dock.classes.classes
    np.testing.assert_allclose(info.color, np.array([10, 200, 30]) / 255, atol=1e-3)
    semantic = dock.classes.semantic.layer
    np.testing.assert_allclose(semantic.colormap.map(1)[:3], info.color, atol=1e-3)
    swatch = dock.classes.table.item(0, COLOR).icon().pixmap(16).toImage()
    assert swatch.pixelColor(8, 8).getRgb()[:3] == (10, 200, 30)
    answer_with(None, seen)
    qtbot.keyClick(dock.classes.table, Qt.Key.Key_Return)  # and by keyboard
    assert len(seen) == 2
    assert next(iter(dock.classes.classes)) == info


def test_keys_choose_a_class_wherever_the_focus_is(dock, layer, mouse, qtbot, click_cell, press):
    add(dock, qtbot, "a", "b", "c")
    click_cell(0, NAME)
    assert dock.classes.category == 1
    table = dock.classes.table
    qtbot.keyClick(table, Qt.Key.Key_2)
    assert dock.classes.category == 2
    assert names(dock) == ["a", "b", "c"]
    assert table.state() != table.State.EditingState
    press("3")
    assert dock.classes.category == 3
    qtbot.keyClick(dock.classes.next_button, Qt.Key.Key_1)
    assert dock.classes.category == 1
    qtbot.keyClicks(dock.classes.name_field, "2")
    assert dock.classes.category == 1
    dock.choose_tool("")
    qtbot.keyClick(table, Qt.Key.Key_2)
    assert is_on(dock) == ["Class"]
    mouse.click(layer, (8, 8))
    assert dock.classes.semantic.layer.data[8, 8] == 2
    qtbot.keyClick(table, Qt.Key.Key_9)
    assert "no class 9" in dock.message.text()


def test_a_double_click_or_f2_renames(dock, layer, qtbot, click_cell):
    add(dock, qtbot, "a", "b")
    qtbot.keyClick(dock.classes.table, Qt.Key.Key_F2)
    editor = dock.classes.table.findChild(QLineEdit)
    qtbot.keyClicks(editor, "stroma")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(dock) == ["a", "stroma"])
    assert dock.message.text() == "Class “b” is “stroma” now."
    dock.classes.table.item(0, NAME).setText("stroma")
    assert names(dock) == ["a", "stroma"]
    assert column(dock, NAME) == ["a", "stroma"]
    assert "already" in dock.message.text()


def test_next_outlines_the_superpixel_and_shows_it(viewer, dock, layer, mouse, qtbot, press):
    add(dock, qtbot, "a")
    viewer.scene.camera.zoom *= 4
    press("N")
    first = layer.selected_label
    marks = dock.editor.marks.layer
    np.testing.assert_array_equal(marks.data == FOUND, layer.data == first)
    np.testing.assert_allclose(
        viewer.scene.camera.center[-2:], np.argwhere(layer.data == first).mean(0), atol=1
    )
    at = tuple(np.argwhere(layer.data == first)[100])
    press("1")
    mouse.click(layer, at)
    assert not (marks.data == FOUND).any()  # it has a class, and another id
    press("Z", CTRL)
    dock.editor.sync()
    np.testing.assert_array_equal(marks.data == FOUND, layer.data == first)
    mouse.click(layer, at)
    dock.classes.next_button.click()
    second = layer.selected_label
    assert second != first
    np.testing.assert_array_equal(marks.data == FOUND, layer.data == second)


def test_the_outline_of_next_goes_when_ids_mean_something_else(dock, layer, qtbot, press):
    layer.data_setitem((np.array([0]), np.array([0])), 900)
    dock.editor.sync()
    dock.tidy.size_box.value = 0
    press("N")
    marks = dock.editor.marks.layer
    assert (marks.data == FOUND).any()
    found = layer.selected_label
    dock.tidy.clean_button.click()
    assert layer.data.max() == 13
    assert not (marks.data == FOUND).any()
    press("N")
    assert (marks.data == FOUND).sum() == (layer.data == layer.selected_label).sum()
    press("Z", CTRL)
    dock.editor.sync()
    assert layer.data.max() == 900
    assert found in layer.data
    assert not (marks.data == FOUND).any()


def test_objects_are_counted_and_merged_in_one_step(dock, layer, mouse, press, qtbot):
    add(dock, qtbot, "a", "b")
    press("1")
    mouse.drag(layer, (8, 8), (8, 24), (8, 40))
    mouse.click(layer, (40, 8))
    press("2")
    mouse.click(layer, (24, 8))
    assert column(dock, SUPERPIXELS) == ["4", "1"]
    assert column(dock, OBJECTS) == ["2", "1"]
    press("K")
    mouse.click(layer, (8, 40))
    before = layer.data.copy()
    qtbot.keyClick(dock.classes.table, Qt.Key.Key_1)
    dock.classes.merge_button.click()
    assert dock.message.text() == (
        "Merged 2 superpixels into 1 object. 1 locked superpixel left alone."
    )
    assert layer.data[8, 8] == layer.data[8, 24] != layer.data[8, 40]
    assert layer.data[8, 40] == before[8, 40]
    assert column(dock, SUPERPIXELS) == ["3", "1"]
    assert column(dock, OBJECTS) == ["2", "1"]
    press("Z", CTRL)
    dock.editor.sync()
    np.testing.assert_array_equal(layer.data, before)
    assert column(dock, SUPERPIXELS) == ["4", "1"]
    dock.classes.choose(0)
    dock.classes.merge_button.click()
    assert "Choose a class" in dock.message.text()


def test_a_time_series_has_objects_in_each_frame(viewer, open_correction, mouse, qtbot):
    stack = np.stack([squares(), squares() + 12])
    layer = viewer.add_labels(
        stack, axis_labels=("time", "y", "x"), scale=(1, 0.5, 0.5), units=("s", "um", "um")
    )
    dock = open_correction()
    add(dock, qtbot, "a")
    for frame in (0, 1):
        viewer.dims.set_point(0, frame)
        mouse.drag(layer, (frame, 8, 8), (frame, 8, 24))
    assert column(dock, SUPERPIXELS) == ["4"]
    assert column(dock, OBJECTS) == ["2"]
    assert column(dock, AREA) == ["256 µm²"]
    dock.work_box.value = "volume (3D)"
    assert column(dock, OBJECTS) == ["1"]
    assert column(dock, AREA) == ["1,024 voxels"]


def test_the_next_image_begins_with_the_same_classes(viewer, dock, layer, mouse, qtbot):
    add(dock, qtbot, "nucleus", "rest")
    dock.classes.classes.change(1, color=(0.1, 0.2, 0.3))
    mouse.click(layer, (8, 8))
    viewer.layers.clear()
    assert column(dock, NAME) == []
    other = viewer.add_labels(squares(), name="next")
    assert column(dock, NAME) == ["nucleus", "rest"]
    assert column(dock, SUPERPIXELS) == ["0", "0"]
    assert next(iter(dock.classes.classes)).color == (0.1, 0.2, 0.3)
    assert set(other.features["class"]) == {""}
    dock.classes.choose(2)
    dock.classes.remove()
    assert names(dock) == ["nucleus"]
    viewer.layers.selection.active = viewer.add_labels(squares(), name="third")
    assert names(dock) == ["nucleus"]
    viewer.layers.selection.active = other
    dock.classes.choose(1)
    dock.classes.remove()  # a list that was emptied stays empty
    viewer.layers.selection.active = viewer.layers["third"]
    viewer.layers.selection.active = other
    assert names(dock) == []


def test_a_dock_opened_again_still_knows_the_classes(viewer, dock, layer, qtbot, open_correction):
    add(dock, qtbot, "nucleus")
    viewer.window.remove_dock_widget(dock)
    viewer.layers.clear()
    viewer.add_labels(squares(), name="next")
    again = open_correction()
    assert column(again, NAME) == ["nucleus"]
