"""There is one correction dock a viewer, from wherever it is opened."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QApplication, QLabel, QMenu

from napari_superpixels._napari.correction.dock import CorrectionWidget, open_correction
from napari_superpixels._napari.correction.panels.class_table import SUPERPIXELS
from tests.fixtures.correction import reacts, squares


def docks(viewer):
    return [w for w in viewer.window.dock_widgets.values() if isinstance(w, CorrectionWidget)]


def menu_entry(viewer):
    """The entry in napari's menu of the plugin."""
    menu = viewer.window.plugins_menu
    menu.aboutToShow.emit()
    found = [
        entry
        for part in [menu, *menu.findChildren(QMenu)]
        for entry in part.actions()
        if "Correct" in entry.text()
    ]
    return found[0]


def is_in_front(dock):
    QApplication.processEvents()
    return not dock.visibleRegion().isEmpty()


@pytest.fixture
def segment(viewer, layer, open_quick_dock):
    return open_quick_dock(viewer)


def test_button_and_menu_lead_to_the_same_dock(viewer, layer, segment, qtbot):
    segment.correct_button.click()
    (dock,) = docks(viewer)
    assert is_in_front(dock)
    segment.parent().raise_()
    qtbot.waitUntil(lambda: not is_in_front(dock))
    segment.correct_button.click()
    assert docks(viewer) == [dock]
    assert is_in_front(dock)
    menu_entry(viewer).trigger()  # napari's menus show and hide
    assert docks(viewer) == [dock]
    assert not dock.isVisible()
    menu_entry(viewer).trigger()
    assert docks(viewer) == [dock]
    qtbot.waitUntil(lambda: is_in_front(dock))
    menu_entry(viewer).trigger()
    segment.correct_button.click()
    assert docks(viewer) == [dock]
    assert is_in_front(dock)


def test_the_button_finds_the_dock_of_the_menu(viewer, layer, segment, qtbot):
    menu_entry(viewer).trigger()
    (dock,) = docks(viewer)
    viewer.window.add_dock_widget(QLabel("another"), tabify=True)
    segment.correct_button.click()
    assert docks(viewer) == [dock]
    assert is_in_front(dock)


def test_a_second_dock_takes_over_from_the_first(viewer, dock, layer, mouse, press, qtbot):
    dock.classes.add("mine")
    mouse.click(layer, (8, 8))
    again = CorrectionWidget(viewer)
    viewer.window.add_dock_widget(again, name="again")
    assert docks(viewer) == [again]
    assert sum("Controller" in repr(c) for c in layer.mouse_drag_callbacks) == 1
    assert [info.name for info in again.classes.classes] == ["mine"]
    assert again.classes.table.item(0, SUPERPIXELS).text() == "1"
    press("J")
    mouse.drag(layer, (24, 8), (24, 24))
    assert layer.data[24, 8] == layer.data[24, 24]
    assert [entry["operation"] for entry in again.editor.session.log] == ["assign", "merge"]


def test_each_viewer_has_a_dock_of_its_own(viewer, dock, layer, make_napari_viewer):
    other = make_napari_viewer()
    labels = other.add_labels(squares())
    second = open_correction(other)
    assert docks(viewer) == [dock]
    assert docks(other) == [second]
    assert reacts(layer)
    assert reacts(labels)
