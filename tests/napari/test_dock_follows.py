"""The dock follows what changes outside of it: preferences, and where layers lie."""

from __future__ import annotations

import numpy as np
from napari.settings import get_plugin_settings


def test_a_raised_memory_limit_counts_at_once(viewer, dock):
    page = get_plugin_settings("napari-superpixels").segmentation
    page.memory_limit_gb = 0.5
    dock.form.preset.value = "paper"
    viewer.add_image(np.zeros((512, 512), np.uint8))
    assert not dock.segment_button.isEnabled()
    page.memory_limit_gb = 0
    assert dock.segment_button.isEnabled()
    assert "memory limit" not in dock.status_label.text()
    page.memory_limit_gb = 0.5
    assert not dock.segment_button.isEnabled()


def test_a_further_layer_that_is_put_right_counts_at_once(viewer, dock, tiles_image):
    other = viewer.add_image(tiles_image[..., 0], name="other")
    first = viewer.add_image(tiles_image[..., 1], name="first")
    dock.more.boxes["other"].click()
    for name, wrong in {
        "scale": (2, 1),
        "translate": (0, 3),
        "rotate": 30,
        "shear": [0.5],
        "affine": np.diag([1.0, 3.0, 1.0]),
    }.items():
        for layer in (other, first):
            right = getattr(layer, name)
            setattr(layer, name, wrong)
            assert not dock.segment_button.isEnabled(), name
            assert "do not lie on those of “first”" in dock.status_label.text()
            setattr(layer, name, right)
            assert dock.segment_button.isEnabled(), name
    right = other.data
    other.data = right[:-1]
    assert "do not lie on those" in dock.status_label.text()
    other.data = right
    assert dock.segment_button.isEnabled()
    # A layer that is gone is listened to no more.
    viewer.layers.remove(other)
    assert dock.segment_button.isEnabled()


def test_the_closed_dock_listens_no_more(viewer, dock, tiles_image, qtbot):
    layer = viewer.add_image(tiles_image[..., 0])
    page = get_plugin_settings("napari-superpixels").segmentation
    told = []
    dock.more.changed.connect(lambda: told.append("layer"))
    preferences = dock._preferences
    preferences.changed.connect(lambda: told.append("page"))
    viewer.window.remove_dock_widget(dock)
    dock.deleteLater()
    qtbot.waitUntil(lambda: not preferences._event.callbacks or not told)
    with qtbot.waitSignal(dock.destroyed, raising=False, timeout=1000):
        pass
    told.clear()
    layer.scale = (3, 3)
    page.memory_limit_gb = 7
    assert told == []


def test_the_status_bar_names_the_result(viewer, dock, tiles_image, qtbot):
    viewer.add_image(tiles_image, name="tiles")
    dock.segment_button.click()
    viewer.layers.selection.active = viewer.layers["tiles superpixels (preview)"]
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (5, 5)
    viewer.update_status_from_cursor()
    assert viewer.status["layer_name"] == "tiles superpixels (preview)"
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert viewer.status["layer_name"] == "tiles superpixels"
