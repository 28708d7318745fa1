"""The correction dock as a user works it: real viewer, real mouse, real keys."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr
from docs.tour import CTRL, SHIFT, Hand, tour
from napari.layers import Labels
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication
from scipy import ndimage

from napari_superpixels._napari.correction.dock import PLANE, VOLUME, CorrectionWidget
from napari_superpixels._napari.correction.editor import EDITED, HELD
from napari_superpixels._napari.correction.overlays import is_overlay
from napari_superpixels.editing.actions.operations import merge
from napari_superpixels.editing.session import Session
from napari_superpixels.io.formats import METADATA_KEY


def tiles(shape=(48, 64), size=16, dtype=np.int32):
    """Square superpixels 1...K."""
    counts = [-(-n // size) for n in shape]
    grid = np.meshgrid(*[np.arange(n) // size for n in shape], indexing="ij")
    return (np.ravel_multi_index(grid, counts) + 1).astype(dtype)


@pytest.fixture
def viewer(plugin, make_napari_viewer):
    made = make_napari_viewer(show=True)
    made.window.resize(1200, 720)
    return made


@pytest.fixture
def mouse(viewer):
    return Hand(viewer)


@pytest.fixture
def press(mouse):
    """Press a key on the canvas."""
    return mouse.key


@pytest.fixture
def open_correction(viewer, qtbot):
    def open_it():
        _, widget = viewer.window.add_plugin_dock_widget(
            "napari-superpixels", "Superpixel correction"
        )
        assert isinstance(widget, CorrectionWidget)
        qtbot.wait(200)  # until the window is laid out
        viewer.reset_view()
        return widget

    return open_it


@pytest.fixture
def layer(viewer, tiles_image):
    viewer.add_image(tiles_image, name="tiles")
    return viewer.add_labels(tiles(), name="labels", metadata={"mine": 1})


@pytest.fixture
def dock(layer, open_correction):
    return open_correction()


@pytest.fixture
def settled(qtbot):
    """Wait until the dock has noticed what napari did."""

    def wait(dock):
        qtbot.waitUntil(
            lambda: np.array_equal(dock.editor.session.labels, np.asarray(dock.editor.layer.data))
        )

    return wait


def is_gone(reference):
    QApplication.processEvents()
    # deleteLater() waits for the outermost event loop, which a test never returns to.
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    return reference() is None


def reacts(layer):
    """Whether the dock listens to the mouse on a layer."""
    return any("Controller" in repr(callback) for callback in layer.mouse_drag_callbacks)


def assert_true(dock):
    """The table, the counts and the selected label are those of the data."""
    layer = dock.editor.layer
    data = np.asarray(layer.data)
    ids, areas = np.unique(data[data != 0], return_counts=True)
    assert list(layer.features["index"]) == ids.tolist()
    assert list(layer.features["area_px"]) == areas.tolist()
    if "mean red" in layer.features:
        image = np.asarray(dock.image.layer.data)
        for k, i in enumerate(ids):
            assert layer.features["mean red"][k] == pytest.approx(image[data == i][:, 0].mean())
    assert f"<b>{len(ids)} superpixel{'s' * (len(ids) != 1)}</b>" in dock.layer_label.text()
    assert layer.selected_label in (0, *ids) or layer.selected_label == 1


def test_merge_by_a_stroke_is_one_step_of_undo(viewer, dock, layer, mouse, press, settled):
    before = layer.data.copy()
    assert dock.tool_buttons["Merge"].isChecked()
    mouse.drag(layer, (8, 8), (8, 20), (8, 40), (24, 40))
    joined = np.isin(before, [1, 2, 3, 7])
    assert len(np.unique(layer.data[joined])) == 1
    assert layer.data[0, 0] not in before
    assert dock.message.text() == "Merged 4 superpixels."
    assert layer.selected_label == layer.data[0, 0]
    assert_true(dock)
    press("Z", CTRL)
    settled(dock)
    np.testing.assert_array_equal(layer.data, before)
    assert_true(dock)
    press("Z", CTRL | SHIFT)
    settled(dock)
    assert len(np.unique(layer.data[joined])) == 1
    assert_true(dock)
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
    assert_true(dock)


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
    texts = [[dock.classes.table.item(r, c).text() for c in range(4)] for r in range(2)]
    assert texts == [["1", "nucleus", "2", "512 px"], ["2", "rest", "1", "256 px"]]
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
    assert_true(dock)
    layer.fill((40, 8), 77)
    settled(dock)
    assert_true(dock)
    for _ in range(2):
        layer.undo()
    settled(dock)
    np.testing.assert_array_equal(layer.data, merged)
    assert_true(dock)
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


def test_layers_that_cannot_be_edited_are_told_and_copied(viewer, open_correction, mouse):
    dock = open_correction()
    assert dock.layer_label.text() == "Select a Labels layer to correct."
    assert not dock.copy_button.isVisible()
    data = tiles()
    viewer.add_labels([data, data[::2, ::2]], name="pyramid", multiscale=True)
    assert "multiscale" in dock.layer_label.text()
    read_only = data.copy()
    read_only.flags.writeable = False
    viewer.add_labels(read_only, name="frozen")
    assert "cannot be written" in dock.layer_label.text()
    about = {"napari-superpixels": {"place": {"crs": "EPSG:32633"}, "seed": 3}}
    notes = {"index": np.unique(data[data > 0]), "note": "mine"}
    viewer.add_labels(
        da.from_array(data),
        name="lazy",
        scale=(2, 3),
        units=("um", "um"),
        metadata=about,
        features=notes,
    )
    assert "editable copy" in dock.layer_label.text()
    assert not any(b.isEnabled() for b in dock.tool_buttons.values())
    dock.copy_button.click()
    copy = viewer.layers.selection.active
    assert copy.name == "lazy (editable)"
    np.testing.assert_allclose(copy.scale, (2, 3))
    # An export of the copy lies where one of the layer would lie.
    assert copy.metadata["napari-superpixels"]["place"] == {"crs": "EPSG:32633"}
    assert set(copy.features["note"]) == {"mine"}
    viewer.reset_view()
    mouse.drag(copy, (8, 8), (8, 24))
    assert copy.data[8, 8] == copy.data[8, 24]


def test_a_layer_is_left_alone_until_it_is_unlocked(viewer, open_correction):
    dock = open_correction()
    layer = viewer.add_labels(tiles())
    layer.editable = False
    assert dock.editor is None
    assert "is locked" in dock.layer_label.text()
    layer.editable = True
    assert dock.editor is not None


def test_zarr_labels_are_corrected_in_place(viewer, open_correction, mouse, settled):
    store = zarr.array(tiles(), chunks=(16, 16))
    layer = viewer.add_labels(store)
    dock = open_correction()
    mouse.drag(layer, (8, 8), (8, 24))
    assert store[8, 8] == store[8, 24]
    layer.undo()
    settled(dock)
    np.testing.assert_array_equal(store[:], tiles())
    assert_true(dock)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_integer_types(viewer, open_correction, mouse, dtype):
    layer = viewer.add_labels(tiles(dtype=dtype))
    open_correction()
    mouse.drag(layer, (8, 8), (8, 24))
    assert layer.data.dtype == dtype
    assert layer.data[8, 8] == layer.data[8, 24]


def test_a_full_integer_type_is_refused_with_the_remedy(viewer, open_correction, mouse):
    labels = (np.arange(15 * 17).reshape(15, 17) + 1).astype(np.uint8)
    layer = viewer.add_labels(labels.copy())
    dock = open_correction()
    mouse.drag(layer, (2, 2), (2, 4))
    assert "Convert data type" in dock.message.text()
    np.testing.assert_array_equal(layer.data, labels)


def test_any_place_and_rotation(viewer, open_correction, mouse, tiles_image):
    place = {"scale": (0.5, 2), "translate": (100, -30), "rotate": 30}
    viewer.add_image(tiles_image, **place)
    layer = viewer.add_labels(tiles(), **place)
    dock = open_correction()
    assert not dock.image_label.isVisible()
    mouse.drag(layer, (8, 8), (8, 24))
    assert layer.data[8, 8] == layer.data[8, 24]
    assert layer.data[8, 8] != layer.data[8, 40]
    np.testing.assert_allclose(dock.editor.marks.layer.affine, layer.affine)
    assert_true(dock)


def test_an_image_on_other_pixels_is_told_and_not_used(viewer, dock, layer, tiles_image, mouse):
    assert "mean red" in layer.features
    viewer.add_image(tiles_image, name="shifted", translate=(0.5, 0))
    assert dock.image.layer_box.value == "tiles"  # selecting another layer changes nothing
    dock.image.layer_box.value = "shifted"
    assert "do not lie on those" in dock.image_label.text()
    assert "mean red" not in layer.features
    viewer.layers.selection.active = layer
    mouse.drag(layer, (8, 8), (8, 24))  # what needs no image works
    assert layer.data[8, 8] == layer.data[8, 24]
    dock.image.layer_box.value = "tiles"
    assert dock.image_label.text() == ""
    assert "mean red" in layer.features


def test_a_larger_image_is_cut_to_the_labels(viewer, open_correction, tiles_image, mouse):
    viewer.add_image(tiles_image)
    viewer.add_labels(tiles((16, 32)), translate=(16, 32))
    dock = open_correction()
    np.testing.assert_array_equal(
        np.moveaxis(dock.editor.session.image.values(), 0, -1), tiles_image[16:32, 32:64]
    )


def test_a_slice_of_a_time_series(viewer, open_correction, mouse):
    stack = np.stack([tiles()] * 4)
    layer = viewer.add_labels(stack.copy(), axis_labels=("time", "y", "x"))
    dock = open_correction()
    assert dock.work_box.value == PLANE
    viewer.dims.set_point(0, 2)
    mouse.drag(layer, (2, 8, 8), (2, 8, 24))
    assert layer.data[2, 8, 8] == layer.data[2, 8, 24]
    np.testing.assert_array_equal(np.delete(layer.data, 2, 0), np.delete(stack, 2, 0))
    viewer.dims.set_point(0, 3)
    mouse.drag(layer, (3, 8, 8), (3, 8, 24))
    layer.undo()
    dock.editor.sync()
    np.testing.assert_array_equal(layer.data[3], stack[3])
    assert layer.data[2, 8, 8] == layer.data[2, 8, 24]
    assert_true(dock)


def test_a_volume(viewer, open_correction, mouse, press):
    volume = tiles((6, 48, 64), 16)
    layer = viewer.add_labels(volume.copy(), scale=(2, 1, 1), axis_labels=("z", "y", "x"))
    dock = open_correction()
    assert dock.work_box.value == VOLUME
    viewer.dims.set_point(0, 4)
    mouse.drag(layer, (2, 8, 8), (2, 8, 24))
    assert len(np.unique(layer.data[:, :16, :32])) == 1
    assert layer.features["area"].max() == 6 * 16 * 32 * 2
    press("S")
    mouse.click(layer, (2, 8, 4))
    mouse.click(layer, (2, 8, 28))  # only this plane
    assert layer.data[2, 8, 28] not in (layer.data[2, 8, 4], layer.data[1, 8, 28])
    assert layer.data[1, 8, 28] == layer.data[2, 8, 4]
    for i in np.unique(layer.data):
        assert ndimage.label(layer.data == i)[1] == 1
    layer.undo()
    dock.plane_box.value = False
    mouse.click(layer, (2, 8, 4))
    mouse.click(layer, (2, 8, 28))
    assert (layer.data[:, 8, 28] == layer.data[2, 8, 28]).all()
    assert layer.data[2, 8, 28] != layer.data[2, 8, 4]
    press("D")
    mouse.click(layer, (2, 24, 8))
    assert "nothing to detach" in dock.message.text()


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
    assert_true(dock)
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
    assert_true(dock)
    for _ in range(4):
        layer.undo()
    dock.editor.sync()
    np.testing.assert_array_equal(layer.data, tiles())


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
    np.testing.assert_array_equal(layer.data[16:], tiles()[16:])
    edited = layer.data[:16, :32].copy()
    dock.network.count.value = 6
    dock.network.recompute_button.click()
    qtbot.waitUntil(lambda: not dock.network.running, timeout=60_000)
    np.testing.assert_array_equal(layer.data[:16, :32], edited)
    assert len(np.unique(layer.data)) == 10
    assert_true(dock)
    before = layer.data.copy()
    dock.network.recompute_button.click()
    dock.network.cancel_button.click()
    qtbot.waitUntil(lambda: not dock.network.running, timeout=60_000)
    assert "Cancelled" in dock.message.text()
    np.testing.assert_array_equal(layer.data, before)
    for _ in range(2):
        layer.undo()
    dock.editor.sync()
    np.testing.assert_array_equal(layer.data, tiles())


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
    assert dock.classes.table.item(0, 1).text() == "vessel"
    assert dock.classes.table.item(0, 2).text() == "1"
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


def test_new_data_begin_anew(viewer, dock, layer, mouse):
    mouse.drag(layer, (8, 8), (8, 24))
    layer.data = tiles(size=8)
    assert "<b>48 superpixels" in dock.layer_label.text()
    assert dock.editor.session.log == []
    mouse.drag(layer, (4, 4), (4, 12))
    assert layer.data[4, 4] == layer.data[4, 12]


def test_the_dock_follows_the_active_labels(viewer, dock, layer, mouse):
    other = viewer.add_labels(tiles(), name="other")
    assert dock.editor.layer == other
    assert not reacts(layer)
    viewer.layers.selection.active = viewer.layers["tiles"]
    assert dock.editor.layer == other
    viewer.layers.selection.active = layer
    mouse.drag(layer, (8, 8), (8, 24))
    assert is_overlay(dock.editor.marks.layer)
    viewer.layers.selection.active = dock.editor.marks.layer
    assert dock.editor.layer == layer
    viewer.layers.remove(dock.editor.marks.layer)
    viewer.layers.selection.active = layer
    mouse.drag(layer, (24, 8), (24, 24))
    assert layer.data[24, 8] == layer.data[24, 24]
    assert dock.editor.marks.layer.data[8, 8] == EDITED  # all marks are back


def test_the_dock_is_freed_with_its_viewer(plugin, make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    # Named, or napari looks for a name in this frame's variables and keeps them alive.
    layer = viewer.add_labels(tiles(), name="labels")
    _, dock = viewer.window.add_plugin_dock_widget("napari-superpixels", "Superpixel correction")
    dock.editor.run(merge, positions=[(8, 8), (8, 24)])
    gone = weakref.ref(dock)
    del _, dock, layer  # napari's dock widget holds ours
    viewer.close()
    qtbot.waitUntil(lambda: is_gone(gone), timeout=30_000)


def test_a_dock_closed_by_its_x_is_freed_and_the_layer_is_napari_s(viewer, layer, qtbot):
    _, dock = viewer.window.add_plugin_dock_widget("napari-superpixels", "Superpixel correction")
    gone = weakref.ref(dock)
    viewer.window.remove_dock_widget(dock)
    assert not reacts(layer)
    del _, dock
    qtbot.waitUntil(lambda: is_gone(gone), timeout=30_000)
    layer.mode = "paint"
    viewer.layers.selection.active = viewer.layers["tiles"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file")
def test_the_tour(viewer, tmp_path):
    """Every step of the guide, with what it promises, is checked by the tour itself."""
    stops = [stop.name for stop in tour(viewer, Hand(viewer), tmp_path, n_segments=80)]
    assert stops[0] == "start"
    assert stops[-1] == "reopened"
    pictures = Path(tour.__code__.co_filename).parent / "images" / "correction"
    assert {f"{name}.png" for name in stops} <= {path.name for path in pictures.iterdir()}


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


def test_the_segmentation_dock_opens_the_correction(
    viewer, open_quick_dock, tiles_image, run_to_end
):
    viewer.add_image(tiles_image, name="tiles")
    segment = open_quick_dock(viewer)
    run_to_end(segment)
    segment.correct_button.click()
    (dock,) = viewer.window._qt_window.findChildren(CorrectionWidget)
    assert dock.editor.layer.name == "tiles superpixels"
    segment.target.value = "replace the last result"
    run_to_end(segment)  # takes the place of the layer that is being corrected
    assert dock.editor.layer == viewer.layers["tiles superpixels"]
    assert dock.editor.session.log == []


def test_clicks_in_a_3d_view(viewer, open_correction, mouse, press, qtbot):
    volume = np.zeros((24, 48, 64), np.int32)
    volume[4:20, 4:44, 4:60] = tiles((16, 40, 56), 28)
    layer = viewer.add_labels(volume.copy(), scale=(2, 1, 1))
    dock = open_correction()
    assert dock.work_box.value == VOLUME
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    qtbot.wait(200)
    press("K")
    canvas = mouse.canvas
    middle = canvas.rect().center()
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=middle)
    assert dock.message.text() == "Locked 1 superpixel."
    changed = layer.data != volume
    assert changed.any()
    assert len(np.unique(layer.data[changed])) == 1
    assert ndimage.label(changed)[1] == 1
    corner = canvas.rect().bottomRight()
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=corner)
    assert "outside the labels" in dock.message.text()
    viewer.dims.ndisplay = 2
    viewer.dims.set_point(0, 20)
    marks = dock.editor.marks.layer
    assert marks.visible
    np.testing.assert_array_equal(marks.data == 3, changed)
    with pytest.warns(UserWarning, match="Contours"):  # napari's own, once, for any outlines
        viewer.dims.ndisplay = 3
    assert not marks.visible


def test_undo_is_noticed_after_a_slider_that_the_labels_lack(
    viewer, open_correction, mouse, press, settled
):
    viewer.add_image(np.random.default_rng(0).random((5, 48, 64)))
    layer = viewer.add_labels(tiles())
    dock = open_correction()
    before = layer.data.copy()
    mouse.drag(layer, (8, 8), (8, 24))
    viewer.dims.set_point(0, 3)
    press("Z", CTRL)
    settled(dock)
    np.testing.assert_array_equal(layer.data, before)
    assert_true(dock)
    mouse.drag(layer, (8, 8), (24, 8))
    assert (layer.data == layer.data[8, 8]).sum() == 2 * 16 * 16  # two, not three


def test_undo_of_a_hidden_layer_is_noticed_before_the_next_edit(viewer, dock, layer, mouse):
    mouse.drag(layer, (8, 8), (8, 24))
    layer.visible = False
    layer.undo()
    mouse.drag(layer, (8, 8), (24, 8))
    assert (layer.data == layer.data[8, 8]).sum() == 2 * 16 * 16
    assert_true(dock)


def test_an_edit_that_went_unnoticed_is_taken_in(viewer, dock, layer, mouse):
    mouse.drag(layer, (8, 8), (8, 24))
    layer.data[layer.data == layer.data[8, 8]] = 77  # without a word to anybody
    mouse.drag(layer, (8, 8), (24, 8))
    assert (layer.data == layer.data[8, 8]).sum() == 3 * 16 * 16
    assert_true(dock)


def test_converting_the_data_type_keeps_what_is_known(viewer, open_correction, mouse, press):
    layer = viewer.add_labels(tiles(dtype=np.uint8))
    dock = open_correction()
    dock.classes.add("tumour")
    press("1")
    mouse.click(layer, (8, 8))
    press("K")
    mouse.click(layer, (40, 8))
    log = list(dock.editor.session.log)
    layer.data = layer.data.astype(np.int32)  # what napari's menu does
    session = dock.editor.session
    assert session.labels.dtype == np.int32
    assert session.attributes[int(layer.data[8, 8])].category == 1
    assert "1 locked" in dock.layer_label.text()
    assert session.log == log
    press("J")
    mouse.drag(layer, (8, 24), (8, 40))
    assert layer.data.dtype == np.int32
    assert_true(dock)


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


def test_classes_layers_are_used_again(viewer, dock, layer, mouse, press):
    other = viewer.add_labels(tiles(), name="other")
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


def test_each_layer_uses_the_image_that_the_dock_names(viewer, dock, layer, tiles_image, mouse):
    viewer.add_image(255 - tiles_image, name="negative")
    other = viewer.add_labels(tiles(), name="other")
    viewer.layers.selection.active = layer
    dock.image.layer_box.value = "negative"
    viewer.layers.selection.active = other
    dock.image.layer_box.value = "tiles"
    viewer.layers.selection.active = layer
    assert dock.image.layer_box.value == dock.editor.session.image.name
    dock.image.layer.data = tiles_image * 0 + 9  # replaced in place
    mouse.drag(layer, (8, 8), (8, 24))
    assert set(layer.features["mean red"]) == {9}


def test_a_level_is_applied_as_it_was_shown(viewer, open_correction, mouse, press):
    layer = viewer.add_labels(np.stack([tiles()] * 3), axis_labels=("time", "y", "x"))
    dock = open_correction()
    viewer.dims.set_point(0, 0)
    press("K")
    mouse.drag(layer, (0, 8, 8), (0, 8, 60))
    viewer.dims.set_point(0, 2)
    dock.detail.slider.setValue(7)
    assert dock.detail.label.text().startswith("Level with 7 of 12")
    dock.detail.apply()
    assert len(np.unique(layer.data[2])) == 7


def test_plane_labels_in_a_3d_view(viewer, open_correction, mouse):
    viewer.add_image(np.random.default_rng(0).random((8, 48, 64)))
    layer = viewer.add_labels(tiles())
    dock = open_correction()
    viewer.dims.ndisplay = 3
    viewer.layers.selection.active = layer
    mouse.click(layer, (8, 8))
    assert "no depth" in dock.message.text()
    assert dock.message.text().startswith("⚠")


def test_escape_ends_a_stroke_of_any_tool(viewer, dock, layer, mouse, press):
    dock.classes.add("tumour")
    before = layer.data.copy()
    mouse.press(layer, (8, 8))
    mouse.move(layer, (8, 24))
    press("Escape")
    mouse.move(layer, (8, 40))
    mouse.release()
    np.testing.assert_array_equal(layer.data, before)


def test_saving_refuses_what_loses_facts(viewer, open_correction, mouse, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_superpixels._napari.correction.dock.show_error", shown.append)
    layer = viewer.add_labels(tiles(dtype=np.int64) + 2**40)
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


def test_negative_labels_are_numbered_anew(viewer, open_correction, mouse):
    layer = viewer.add_labels(-tiles())
    dock = open_correction()
    mouse.drag(layer, (8, 8), (8, 24))
    assert "Number 1 to K" in dock.message.text()
    dock.tidy.clean()
    assert sorted(np.unique(layer.data)) == list(range(1, 13))
    mouse.drag(layer, (8, 8), (8, 24))
    assert dock.message.text() == "Merged 2 superpixels."


def test_uint64_labels_that_are_too_large(viewer, open_correction):
    viewer.add_labels(tiles().astype(np.uint64) + 2**63)
    dock = open_correction()
    assert "convert its data type to int64" in dock.layer_label.text()
