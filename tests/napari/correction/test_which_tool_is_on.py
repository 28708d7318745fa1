"""A tool is on only when somebody has turned it on, and only while the dock can be seen."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QLabel

from tests.fixtures.correction import squares


def is_on(dock):
    return [name for name, made in dock.tool_buttons.items() if made.isChecked()]


def frame_of(widget):
    while not isinstance(widget, QDockWidget):
        widget = widget.parent()
    return widget


@pytest.fixture
def another_tab(viewer, dock, qtbot):
    """Another dock behind that of the correction."""
    other = viewer.window.add_dock_widget(QLabel("another"), name="another", tabify=True)
    frame_of(dock).raise_()
    qtbot.wait(100)
    return other


def test_the_dock_opens_without_a_tool_and_says_so(viewer, layer, open_correction, mouse, qtbot):
    dock = open_correction(tool="")
    assert is_on(dock) == []
    assert "No tool is on" in dock.tool_label.text()
    assert dock.tool_label.isVisible()
    before, centre = layer.data.copy(), viewer.scene.camera.center
    mouse.drag(layer, (8, 8), (8, 24), (8, 40))
    qtbot.waitUntil(lambda: viewer.scene.camera.center != centre)
    np.testing.assert_array_equal(layer.data, before)


def test_the_dock_says_which_tool_is_on(dock, press):
    press("K")
    assert is_on(dock) == ["Lock"]
    assert dock.tool_label.text().startswith("<b>Lock</b>: click or drag")
    press("K")
    assert "No tool is on" in dock.tool_label.text()


def test_behind_another_tab_a_drag_moves_the_image(
    viewer, dock, layer, mouse, press, another_tab, qtbot
):
    press("J")
    assert is_on(dock) == ["Merge"]
    another_tab.raise_()
    qtbot.waitUntil(lambda: not is_on(dock))
    before = layer.data.copy()
    press("J")  # its keys are napari's own meanwhile
    mouse.drag(layer, (8, 8), (8, 24))
    np.testing.assert_array_equal(layer.data, before)
    assert layer.mouse_pan
    frame_of(dock).raise_()
    qtbot.wait(100)
    assert is_on(dock) == []
    press("J")
    mouse.drag(layer, (8, 8), (8, 24))
    assert layer.data[8, 8] == layer.data[8, 24]


def test_a_layer_chosen_while_the_dock_is_hidden_gets_no_tool(
    viewer, dock, layer, mouse, press, another_tab, qtbot
):
    another_tab.raise_()
    qtbot.waitUntil(lambda: not is_on(dock))
    other = viewer.add_labels(squares(), name="other")
    press("J")
    mouse.drag(other, (8, 8), (8, 24))
    np.testing.assert_array_equal(other.data, squares())


@pytest.mark.parametrize("how", ["hide", "close"])
def test_a_hidden_dock_lets_go_of_the_mouse(dock, layer, mouse, qtbot, how):
    getattr(frame_of(dock), how)()
    qtbot.wait(100)
    before = layer.data.copy()
    mouse.drag(layer, (8, 8), (8, 24))
    np.testing.assert_array_equal(layer.data, before)


def test_a_floating_dock_goes_on(dock, layer, mouse, qtbot):
    frame_of(dock).setFloating(True)
    qtbot.wait(200)
    dock.choose_tool("Merge")
    mouse.drag(layer, (8, 8), (8, 24))
    assert layer.data[8, 8] == layer.data[8, 24]


def test_keys_work_where_the_focus_is_in_the_dock(dock, layer, qtbot):
    qtbot.keyClick(dock.tabs, Qt.Key.Key_K)
    assert is_on(dock) == ["Lock"]
    qtbot.keyClick(dock.classes.add_button, Qt.Key.Key_S)
    assert is_on(dock) == ["Split"]
    qtbot.keyClick(dock.detail.count.native, Qt.Key.Key_7)  # a field for numbers
    assert is_on(dock) == ["Split"]
