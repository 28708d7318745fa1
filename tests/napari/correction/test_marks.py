"""Outlines of edited, locked and found superpixels, as they look on the canvas."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels._napari.correction.editor import EDITED, HELD, MARK_COLORS


@pytest.fixture
def pixel(viewer, mouse, qtbot):
    """Colour on the canvas, RGB from 0 to 255, at a pixel of a layer."""

    def look(layer, at):
        qtbot.wait(100)
        picture = viewer.screenshot(canvas_only=True, flash=False)
        point, scale = mouse._point(layer, at), picture.shape[0] / mouse.canvas.height()
        return picture[round(point.y() * scale), round(point.x() * scale), :3]

    return look


def rgb(code):
    return np.array(MARK_COLORS[code][:3]) * 255


@pytest.mark.parametrize("first", ["edited", "classes"])
def test_outlines_keep_their_colours_above_the_classes(
    viewer, dock, layer, mouse, press, pixel, first
):
    def edit():
        press("J")
        if not dock.tool_buttons["Merge"].isChecked():
            press("J")
        mouse.drag(layer, (8, 8), (8, 24))
        press("K")
        mouse.click(layer, (40, 8))

    def classify():
        dock.classes.add("nucleus")
        mouse.drag(layer, (24, 8), (8, 8), (8, 24))

    for action in (edit, classify) if first == "edited" else (classify, edit):
        action()
    viewer.layers.selection.active = layer
    names = [item.name for item in viewer.layers]
    assert names == ["tiles", "labels", "labels classes", "labels marks"]
    assert dock.classes.semantic.layer.data[8, 8] == 1
    np.testing.assert_allclose(pixel(layer, (8, 31)), rgb(EDITED), atol=3)
    np.testing.assert_allclose(pixel(layer, (40, 15)), rgb(HELD), atol=3)


def test_suggestions_too_lie_under_the_outlines(viewer, dock, layer, mouse, press):
    mouse.drag(layer, (8, 40), (8, 56))
    for name, at in (("a", (8, 8)), ("b", (40, 56))):
        dock.classes.add(name)
        mouse.click(layer, at)
    dock.classes.suggest_button.click()
    names = [item.name for item in viewer.layers]
    assert names[-3:] == ["labels classes", "labels suggestions", "labels marks"]
