"""The docks behave as napari's users expect: wheel, Tab, shortcuts, tabs, and nothing cut off."""

from __future__ import annotations

import re

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QKeySequence, QWheelEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QMenu,
    QScrollArea,
    QScrollBar,
    QTabBar,
    QWidget,
)

from napari_superpixels._napari.correction.dock import CorrectionWidget, open_correction
from tests.fixtures.correction import squares

LONG_NAME = "2024-03-17 slide 12 of the second series, overview, stitched, background subtracted"


@pytest.fixture
def viewer(shown_viewer):
    return shown_viewer


@pytest.fixture
def segment(viewer, open_quick_dock, rng, qtbot):
    viewer.add_image(rng.integers(0, 255, (5, 48, 64), np.uint8), name="stack")
    dock = open_quick_dock(viewer)
    dock.more_section.expand(animate=False)
    dock.advanced.expand(animate=False)
    qtbot.wait(200)
    return dock


@pytest.fixture
def correct(viewer, tiles_image, qtbot):
    viewer.add_image(tiles_image, name="tiles")
    viewer.add_labels(np.stack([squares()] * 2), name="labels")
    dock = open_correction(viewer)
    dock.classes.add("one")
    qtbot.wait(200)
    return dock


def turn(widget, steps=-1):
    """Turn the wheel over a widget.

    Qt passes on to parents what is not accepted, but only from the window system: so done here.
    """
    middle = widget.rect().center()
    assert widget.visibleRegion().contains(middle)
    while widget is not None:
        event = QWheelEvent(
            QPointF(middle),
            QPointF(widget.mapToGlobal(middle)),
            QPoint(0, 0),
            QPoint(0, 120 * steps),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)
        if event.isAccepted():
            return
        middle, widget = widget.mapToParent(middle), widget.parentWidget()


def value(control):
    if isinstance(control, QComboBox):
        return control.currentIndex()
    return control.value()


def guarded(dock):
    kinds = (QAbstractSpinBox, QComboBox, QAbstractSlider)
    found = [w for w in dock.findChildren(QWidget) if isinstance(w, kinds)]
    return [w for w in found if w.isVisible() and not isinstance(w, QScrollBar)]


def check_wheel(dock, at_least):
    area = dock.findChild(QScrollArea)
    bar = area.verticalScrollBar()
    assert bar.maximum() > 0
    controls = guarded(dock)
    assert len(controls) >= at_least
    dock.setFocus()
    for control in controls:
        # With another policy, Qt gives the focus to what the wheel is turned over.
        assert control.focusPolicy() == Qt.FocusPolicy.StrongFocus
        area.ensureWidgetVisible(control)
        before, at = value(control), bar.value()
        turn(control, -1 if at < bar.maximum() else 1)
        assert value(control) == before, control
        assert not control.hasFocus()
        assert bar.value() != at, control


def test_the_wheel_scrolls_over_controls_of_segment(viewer, segment, qtbot):
    boxes = segment.image.axes_box.boxes
    assert len(boxes) == 3  # they were made for this image
    assert set(boxes) <= set(guarded(segment))
    check_wheel(segment, 12)
    number = segment.form.number.native
    segment.findChild(QScrollArea).ensureWidgetVisible(number)
    number.setFocus()
    before = value(number)
    turn(number)
    assert value(number) < before


def test_the_wheel_scrolls_over_controls_of_correct(viewer, correct, qtbot):
    viewer.window.resize(1000, 480)  # so that there is something to scroll
    for i in range(correct.tabs.count()):
        correct.tabs.setCurrentIndex(i)
        qtbot.wait(100)
        check_wheel(correct, 1)
    parts = correct.network.parts.native
    parts.setFocus()
    before = value(parts)
    turn(parts)
    assert value(parts) == before - 1


def test_controls_made_later_are_guarded_too(viewer, segment, rng, qtbot):
    viewer.add_image(rng.integers(0, 255, (2, 5, 48, 64), np.uint8), name="four axes")
    boxes = segment.image.axes_box.boxes
    assert len(boxes) == 4
    qtbot.wait(200)
    segment.setFocus()
    for box in boxes:
        segment.findChild(QScrollArea).ensureWidgetVisible(box)
        qtbot.waitUntil(lambda box=box: box.focusPolicy() == Qt.FocusPolicy.StrongFocus)
        before = box.currentIndex()
        turn(box)
        assert box.currentIndex() == before


def tab_stops(dock, inside):
    """Controls of a part of a dock to which the Tab key leads: those that are shown."""
    return [
        w
        for w in inside.findChildren(QWidget)
        if w.isVisibleTo(dock) and w.isEnabled() and w.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]


@pytest.mark.parametrize("part", ["more_section", "advanced", "batch_section"])
def test_folded_sections_are_no_tab_stops(viewer, open_quick_dock, tiles_image, part, qtbot):
    viewer.add_image(tiles_image)
    dock = open_quick_dock(viewer)
    section = getattr(dock, part)
    content = section.content()
    assert tab_stops(dock, content) == []
    qtbot.mouseClick(section.toggleButton(), Qt.MouseButton.LeftButton)
    assert len(tab_stops(dock, content)) >= 4
    qtbot.mouseClick(section.toggleButton(), Qt.MouseButton.LeftButton)
    assert tab_stops(dock, content) == []
    # And the key itself passes them by.
    dock.segment_button.setFocus()
    seen = []
    while dock.isAncestorOf(QApplication.focusWidget()) and len(seen) < 30:
        seen.append(QApplication.focusWidget())
        qtbot.keyClick(seen[-1], Qt.Key.Key_Tab)
    assert section.toggleButton() in seen
    assert not any(content.isAncestorOf(w) for w in seen)


def mnemonics(dock):
    """Alt shortcuts that Qt makes of & in texts."""
    texts = [w.text() for w in dock.findChildren(QAbstractButton)]
    texts += [w.text() for w in dock.findChildren(QLabel) if w.buddy() is not None]
    texts += [bar.tabText(i) for bar in dock.findChildren(QTabBar) for i in range(bar.count())]
    found = (QKeySequence.mnemonic(text).toString() for text in texts)
    return {made for made in found if made}


def napari_shortcuts(viewer):
    """Alt shortcuts of napari: of its menus, and of every action in them."""
    window = viewer.window._qt_window
    bar = window.menuBar()
    found = [QKeySequence.mnemonic(a.text()).toString() for a in bar.actions()]
    for menu in window.findChildren(QMenu):
        found += [s.toString() for a in menu.actions() for s in a.shortcuts()]
    return {made for made in found if made.startswith("Alt+")}


def test_no_mnemonic_is_napari_s(viewer, segment, correct):
    theirs = napari_shortcuts(viewer)
    assert {"Alt+S", "Alt+C", "Alt+F"} <= theirs
    for dock in (segment, correct):
        ours = mnemonics(dock)
        assert not ours & theirs
    assert QKeySequence.mnemonic("&Save").toString() in theirs  # such a button would clash


@pytest.mark.parametrize("key", ["S", "C"])
def test_napari_s_screenshot_keys_work_beside_our_docks(viewer, segment, correct, qtbot, key):
    window = viewer.window._qt_window
    actions = {a for menu in window.findChildren(QMenu) for a in menu.actions()}
    wanted = [a for a in actions if f"Alt+{key}" in [s.toString() for s in a.shortcuts()]]
    assert len(wanted) == 1
    (action,) = wanted
    fired = []
    action.triggered.disconnect()  # no file dialog
    action.triggered.connect(lambda: fired.append(key))
    for focused in (viewer.window._qt_viewer.canvas.native, segment.form.number.native):
        focused.setFocus()
        qtbot.keyClick(window, getattr(Qt.Key, f"Key_{key}"), Qt.KeyboardModifier.AltModifier)
    assert fired == [key, key]


def test_docks_of_the_menu_are_tabs_with_short_titles(viewer, qtbot):
    menu = viewer.window.plugins_menu
    menu.aboutToShow.emit()
    entries = [e for m in menu.findChildren(QMenu) for e in m.actions()]
    for name in ("Segment", "Correct"):
        next(e for e in entries if name in e.text()).trigger()
        qtbot.wait(200)
    window = viewer.window._qt_window
    found = [w.parent() for w in viewer.window.dock_widgets.values()]
    assert [frame.windowTitle() for frame in found] == ["Segment", "Correct"]
    assert found[1] in window.tabifiedDockWidgets(found[0])
    bars = [bar for bar in window.findChildren(QTabBar) if bar.isVisible()]
    assert ["Segment", "Correct"] in [[bar.tabText(i) for i in range(bar.count())] for bar in bars]
    assert isinstance(list(viewer.window.dock_widgets.values())[1], CorrectionWidget)


def cut(dock):
    """Widgets of a dock that do not fit into what they stand in, from left to right."""
    shown = [w for w in dock.findChildren(QWidget) if w.isVisibleTo(dock)]
    return [
        f"{type(w).__name__} {re.sub(' +', ' ', getattr(w, 'text', str)())}"
        for w in shown
        if w.geometry().right() > w.parentWidget().width() and not w.isWindow()
    ]


@pytest.fixture
def appearance():
    """Change napari's theme and font, and change them back."""
    settings = get_settings().appearance
    before = settings.theme, settings.font_size

    def choose(theme, share):
        settings.theme = theme
        settings.font_size = round(before[1] * share)

    yield choose
    settings.theme, settings.font_size = before


@pytest.mark.parametrize("share", [1.0, 1.5], ids=["100 %", "150 %"])
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1366, 768), (1280, 720)], ids=str)
def test_nothing_is_cut_at_the_right(
    viewer, open_quick_dock, tiles_image, appearance, size, theme, share, qtbot
):
    appearance(theme, share)
    viewer.window.resize(*size)
    viewer.add_image(tiles_image, name=LONG_NAME)
    segment = open_quick_dock(viewer)
    for section in (segment.more_section, segment.advanced, segment.batch_section):
        section.expand(animate=False)
    qtbot.wait(300)  # until the window is laid out: before, nothing is cut
    assert cut(segment) == []
    viewer.add_labels(squares(), name=f"{LONG_NAME} superpixels")
    correct = open_correction(viewer)
    correct.classes.add(LONG_NAME)
    for i in range(correct.tabs.count()):
        correct.tabs.setCurrentIndex(i)
        qtbot.wait(150)
        assert cut(correct) == []
    window = viewer.window._qt_window
    assert (window.width(), window.height()) == size
    for dock in (segment, correct):
        frame = dock.parent()
        assert frame.geometry().right() < window.width()
