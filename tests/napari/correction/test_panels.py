"""Panels of the correction dock: detail, clean up, network, classes; files; the tour."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.layers import Labels

from napari_superpixels._napari.correction.panels.class_table import NAME, SUPERPIXELS
from napari_superpixels.editing.session import Session
from napari_superpixels.io.formats import METADATA_KEY
from tests.fixtures.correction import assert_consistent, reacts, squares


def test_detail_slider_is_lossless_until_applied(viewer, dock, layer):
    before = layer.data.copy()
    dock.detail.slider.setValue(4)
    assert dock.detail.slider.value() == 4
    level = dock.detail.preview.layer.data
    assert len(np.unique(level)) == 4
    dock.detail.slider.setValue(12)
    assert len(np.unique(dock.detail.preview.layer.data)) == 12
    np.testing.assert_array_equal(layer.data, before)
    dock.detail.slider.setValue(5)
    dock.detail.apply_button.click()
    assert len(np.unique(layer.data)) == 5
    assert dock.detail.preview.layer is None
    assert_consistent(dock)
    layer.undo()
    dock.editor.sync()
    np.testing.assert_array_equal(layer.data, before)
    dock.detail.slider.setValue(5)
    dock.detail.back_button.click()
    assert dock.detail.preview.layer is None
    assert dock.detail.slider.value() == 12


def test_exact_count_and_clean_up(viewer, dock, layer):
    for wanted in (5, 40):
        dock.detail.count.value = wanted
        dock.detail.count_button.click()
        assert len(np.unique(layer.data)) == wanted
    layer.data_setitem((np.array([0]), np.array([0])), 999)
    dock.tidy.check_button.click()
    assert "join 1 that are too small" in dock.tidy.label.text()
    dock.tidy.clean_button.click()
    np.testing.assert_array_equal(np.unique(layer.data), np.arange(1, 41))
    assert_consistent(dock)
    for _ in range(4):
        layer.undo()
    dock.editor.sync()
    np.testing.assert_array_equal(layer.data, squares())


@pytest.mark.slow
def test_the_network_splits_and_recomputes(viewer, dock, layer, mouse, press, qtbot):
    press("R")
    dock.network.parts.value = 4
    mouse.drag(layer, (8, 8), (8, 24))
    assert dock.network.running
    mouse.click(layer, (40, 40))
    assert "network is running" in dock.message.text()
    qtbot.waitUntil(lambda: not dock.network.running, timeout=60_000)
    assert dock.message.text() == "Split in 4 superpixels."
    assert len(np.unique(layer.data[:16, :32])) == 4
    np.testing.assert_array_equal(layer.data[16:], squares()[16:])
    edited = layer.data[:16, :32].copy()
    dock.network.count.value = 6
    dock.network.recompute_button.click()
    qtbot.waitUntil(lambda: not dock.network.running, timeout=60_000)
    np.testing.assert_array_equal(layer.data[:16, :32], edited)
    assert len(np.unique(layer.data)) == 10
    assert_consistent(dock)
    before = layer.data.copy()
    dock.network.recompute_button.click()
    dock.network.cancel_button.click()
    qtbot.waitUntil(lambda: not dock.network.running, timeout=60_000)
    assert "Cancelled" in dock.message.text()
    np.testing.assert_array_equal(layer.data, before)
    for _ in range(2):
        layer.undo()
    dock.editor.sync()
    np.testing.assert_array_equal(layer.data, squares())


def test_a_result_for_labels_that_have_changed_is_dropped(viewer, dock, layer, qtbot):
    dock.network.recompute_button.click()
    layer.fill((8, 8), 500)
    after = layer.data.copy()
    qtbot.waitUntil(lambda: not dock.network.running, timeout=60_000)
    assert "changed while the network ran" in dock.message.text()
    np.testing.assert_array_equal(layer.data, after)


def test_save_and_open_keep_everything(viewer, dock, layer, mouse, press, tmp_path):
    before = layer.data.copy()
    mouse.drag(layer, (8, 8), (8, 40))
    dock.classes.add("vessel")
    mouse.click(layer, (24, 8))
    press("K")
    mouse.click(layer, (40, 8))
    path = tmp_path / "corrected.tif"
    dock.save(path)
    assert dock.message.text() == f"Saved {path}."
    saved = layer.data.copy()
    viewer.layers.remove(layer)
    assert dock.editor is None
    dock.open(path)
    again = viewer.layers.selection.active
    assert again.data.dtype == saved.dtype
    np.testing.assert_array_equal(again.data, saved)
    assert "3 edited" not in dock.layer_label.text()
    assert "1 edited, 1 locked" in dock.layer_label.text()
    assert dock.classes.table.item(0, NAME).text() == "vessel"
    assert dock.classes.table.item(0, SUPERPIXELS).text() == "1"
    session = dock.editor.session
    assert [e["operation"] for e in session.log] == ["merge", "assign", "lock", "reopened"]
    np.testing.assert_array_equal(session.start, before)
    press("D")
    mouse.click(again, (8, 8))
    for i in (1, 2, 3):
        assert len(np.unique(again.data[before == i])) == 1
    assert len(np.unique(again.data[:16, :48])) == 3
    json.dumps(session.log)
    dock.open(tmp_path / "nothing.tif")


def test_the_session_goes_on_after_the_dock_was_closed(viewer, dock, layer, mouse, open_correction):
    mouse.drag(layer, (8, 8), (8, 24))
    viewer.window.remove_dock_widget(dock)
    assert [item.name for item in viewer.layers] == ["tiles", "labels"]
    assert layer.mouse_pan
    assert not reacts(layer)
    layer.undo()
    assert isinstance(layer.metadata[METADATA_KEY]["correction"], Session)
    again = open_correction()
    assert "<b>12 superpixels" in again.layer_label.text()
    layer.redo()
    again.editor.sync()
    again.choose_tool("Detach")
    mouse.click(layer, (8, 8))
    assert layer.data[8, 8] != layer.data[8, 24]


def test_a_duplicate_has_corrections_of_its_own(viewer, dock, layer, mouse):
    mouse.drag(layer, (8, 8), (8, 24))
    dock.classes.add("mine")
    copy = Labels.create(*layer.as_layer_data_tuple())
    copy.data = copy.data.copy()
    viewer.add_layer(copy)
    assert dock.editor.layer == copy
    dock.choose_tool("Detach")
    mouse.click(copy, (8, 8))
    assert copy.data[8, 8] != copy.data[8, 24]
    assert layer.data[8, 8] == layer.data[8, 24]
    dock.classes.add("its own")
    viewer.layers.selection.active = layer
    assert len(dock.editor.session.log) == 1
    assert [info.name for info in dock.classes.classes] == ["mine"]
    dock.choose_tool("Detach")
    mouse.click(layer, (8, 8))
    assert layer.data[8, 8] != layer.data[8, 24]


def test_other_data_while_suggestions_are_shown(viewer, dock, layer, mouse, press):
    for name, at in (("a", (8, 8)), ("b", (40, 60))):
        dock.classes.add(name)
        mouse.click(layer, at)
    dock.classes.suggest()
    layer.data = np.ones((20, 30), np.int32)
    assert "begins anew" in dock.message.text()
    assert "<b>1 superpixel</b>" in dock.layer_label.text()
    assert [item.name for item in viewer.layers] == ["tiles", "labels"]


@pytest.mark.slow
@pytest.mark.parametrize("shown", ["suggestions", "level"])
def test_the_layer_is_removed_while_something_is_shown(viewer, dock, layer, mouse, shown):
    if shown == "level":
        dock.detail.slider.setValue(5)
    else:
        for name, at in (("a", (8, 8)), ("b", (40, 60))):
            dock.classes.add(name)
            mouse.click(layer, at)
        dock.classes.suggest()
    viewer.layers.remove(layer)
    assert dock.editor is None
    assert not any(item.name.endswith(shown) for item in viewer.layers)


def test_classes_layers_are_used_again(viewer, dock, layer, mouse, press):
    other = viewer.add_labels(squares(), name="other")
    viewer.layers.selection.active = layer
    dock.classes.add("tumour")
    mouse.click(layer, (8, 8))
    for active in (other, layer, other, layer):
        viewer.layers.selection.active = active
    dock.classes.choose(1)
    mouse.click(layer, (8, 24))
    names = [item.name for item in viewer.layers if item.name.endswith("classes")]
    assert names == ["labels classes"]
    assert (viewer.layers["labels classes"].data == 1).sum() == 2 * 16 * 16
    viewer.layers.remove("labels classes")
    mouse.click(layer, (8, 40))
    assert (viewer.layers["labels classes"].data == 1).sum() == 3 * 16 * 16


def test_saving_refuses_what_loses_facts(viewer, open_correction, mouse, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_superpixels._napari.correction.dock.show_error", shown.append)
    layer = viewer.add_labels(squares(dtype=np.int64) + 2**40)
    dock = open_correction()
    for name in ("labels.npy", "labels.png", "labels"):
        dock.save(tmp_path / name)
        assert "written as .tif" in shown.pop()
    dock.save(tmp_path / "a.tif")
    assert "number them anew first" in shown.pop()
    dock.tidy.clean()
    assert layer.data.max() == 12
    dock.save(tmp_path / "a.tif")
    assert not shown
    assert dock.message.text().startswith("Saved")
    dock.open(tmp_path / "a.tif")
    assert dock.editor.session.start.min() == 2**40 + 1
    assert not list(tmp_path.glob(".*"))
