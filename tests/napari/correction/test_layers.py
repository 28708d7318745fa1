"""Layers that the correction dock meets: kinds, places, axes, other data, removal."""

from __future__ import annotations

import weakref
from copy import deepcopy

import dask.array as da
import numpy as np
import pytest
import zarr
from docs.tour import CTRL, IMAGES, Hand, land_cover_tour, nuclei_tour, tour
from qtpy.QtCore import Qt
from scipy import ndimage

from napari_superpixels._napari.correction.dock import CorrectionWidget
from napari_superpixels._napari.correction.editor import EDITED
from napari_superpixels._napari.correction.overlays import is_overlay
from napari_superpixels._napari.correction.view import PLANE, VOLUME
from napari_superpixels.editing.actions.operations import merge
from napari_superpixels.io.formats import METADATA_KEY
from tests.fixtures.correction import assert_consistent, is_gone, reacts, squares


def test_layers_that_cannot_be_edited_are_told_and_copied(viewer, open_correction, mouse):
    dock = open_correction()
    assert dock.layer_label.text() == "Select a Labels layer to correct."
    assert not dock.copy_button.isVisible()
    data = squares()
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
    dock.tool_buttons["Merge"].click()
    viewer.reset_view()
    mouse.drag(copy, (8, 8), (8, 24))
    assert copy.data[8, 8] == copy.data[8, 24]


def test_a_layer_is_left_alone_until_it_is_unlocked(viewer, open_correction):
    dock = open_correction()
    layer = viewer.add_labels(squares())
    layer.editable = False
    assert dock.editor is None
    assert "is locked" in dock.layer_label.text()
    layer.editable = True
    assert dock.editor is not None


def test_zarr_labels_are_corrected_in_place(viewer, open_correction, mouse, settled):
    store = zarr.array(squares(), chunks=(16, 16))
    layer = viewer.add_labels(store)
    dock = open_correction()
    mouse.drag(layer, (8, 8), (8, 24))
    assert store[8, 8] == store[8, 24]
    layer.undo()
    settled(dock)
    np.testing.assert_array_equal(store[:], squares())
    assert_consistent(dock)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_integer_types(viewer, open_correction, mouse, dtype):
    layer = viewer.add_labels(squares(dtype=dtype))
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
    layer = viewer.add_labels(squares(), **place)
    dock = open_correction()
    assert not dock.image_label.isVisible()
    mouse.drag(layer, (8, 8), (8, 24))
    assert layer.data[8, 8] == layer.data[8, 24]
    assert layer.data[8, 8] != layer.data[8, 40]
    np.testing.assert_allclose(dock.editor.marks.layer.affine, layer.affine)
    assert_consistent(dock)


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
    viewer.add_labels(squares((16, 32)), translate=(16, 32))
    dock = open_correction()
    np.testing.assert_array_equal(
        np.moveaxis(dock.editor.session.image.values(), 0, -1), tiles_image[16:32, 32:64]
    )


def test_a_slice_of_a_time_series(viewer, open_correction, mouse):
    stack = np.stack([squares()] * 4)
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
    assert_consistent(dock)


def test_a_volume(viewer, open_correction, mouse, press):
    volume = squares((6, 48, 64), 16)
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


def test_new_data_begin_anew(viewer, dock, layer, mouse):
    mouse.drag(layer, (8, 8), (8, 24))
    layer.data = squares(size=8)
    assert "<b>48 superpixels" in dock.layer_label.text()
    assert dock.editor.session.log == []
    dock.tool_buttons["Merge"].click()
    mouse.drag(layer, (4, 4), (4, 12))
    assert layer.data[4, 4] == layer.data[4, 12]


def test_the_dock_follows_the_active_labels(viewer, dock, layer, mouse):
    other = viewer.add_labels(squares(), name="other")
    assert dock.editor.layer == other
    assert not reacts(layer)
    viewer.layers.selection.active = viewer.layers["tiles"]
    assert dock.editor.layer == other
    viewer.layers.selection.active = layer
    assert not any(made.isChecked() for made in dock.tool_buttons.values())
    dock.tool_buttons["Merge"].click()
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
    layer = viewer.add_labels(squares(), name="labels")
    _, dock = viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")
    dock.editor.run(merge, positions=[(8, 8), (8, 24)])
    gone = weakref.ref(dock)
    del _, dock, layer  # napari's dock widget holds ours
    viewer.close()
    qtbot.waitUntil(lambda: is_gone(gone), timeout=30_000)


def test_a_dock_closed_by_its_x_is_freed_and_the_layer_is_napari_s(viewer, layer, qtbot):
    _, dock = viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")
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
    assert {f"{name}.png" for name in stops} <= {path.name for path in IMAGES[tour].iterdir()}


@pytest.mark.slow
def test_the_tour_from_a_fluorescence_image_to_a_table_and_rois_of_its_nuclei(viewer, tmp_path):
    stops = [stop.name for stop in nuclei_tour(viewer, Hand(viewer), tmp_path)]
    pictures = {path.name for path in IMAGES[nuclei_tour].iterdir()}
    assert {f"{name}.png" for name in stops} == pictures
    table = (tmp_path / "nuclei.csv").read_text().splitlines()
    assert 50 < len(table) < 80
    assert all("nucleus" in row for row in table[1:])


@pytest.mark.slow
def test_the_tour_from_a_raster_to_land_cover(viewer, tmp_path):
    stops = [stop.name for stop in land_cover_tour(viewer, Hand(viewer), tmp_path)]
    pictures = {path.name for path in IMAGES[land_cover_tour].iterdir()}
    assert {f"{name}.png" for name in stops} == pictures


def test_the_segmentation_dock_opens_the_correction(
    viewer, open_quick_dock, tiles_image, run_to_end
):
    viewer.add_image(tiles_image, name="tiles")
    segment = open_quick_dock(viewer)
    run_to_end(segment)
    segment.correct_button.click()
    (dock,) = viewer.window._qt_window.findChildren(CorrectionWidget)
    assert dock.editor.layer.name == "tiles superpixels"
    run_to_end(segment)  # takes the place of the layer that is being corrected
    assert dock.editor.layer == viewer.layers["tiles superpixels"]
    assert dock.editor.session.log == []


def test_clicks_in_a_3d_view(viewer, open_correction, mouse, press, qtbot):
    volume = np.zeros((24, 48, 64), np.int32)
    volume[4:20, 4:44, 4:60] = squares((16, 40, 56), 28)
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
    layer = viewer.add_labels(squares())
    dock = open_correction()
    before = layer.data.copy()
    mouse.drag(layer, (8, 8), (8, 24))
    viewer.dims.set_point(0, 3)
    press("Z", CTRL)
    settled(dock)
    np.testing.assert_array_equal(layer.data, before)
    assert_consistent(dock)
    mouse.drag(layer, (8, 8), (24, 8))
    assert (layer.data == layer.data[8, 8]).sum() == 2 * 16 * 16  # two, not three


def test_edits_of_a_hidden_layer_that_was_never_drawn(viewer, open_correction):
    """napari has drawn nothing of it, and fails to follow an edit."""
    stack = np.stack([squares(), squares(size=8)])
    layer = viewer.add_labels(stack.copy(), name="stack", visible=False)
    dock = open_correction()
    viewer.dims.set_current_step(0, 1)
    dock.detail.count.value = 7
    dock.detail.set_count()
    assert len(np.unique(layer.data[1])) == 7
    np.testing.assert_array_equal(layer.data[0], squares())
    assert not layer.visible
    assert_consistent(dock)
    layer.undo()
    np.testing.assert_array_equal(layer.data, stack)


def test_a_session_is_copied_without_its_dock(dock):
    """A copy of the metadata, as other plugins make them, must not reach into the dock."""
    assert dock.editor.session.choose_id is not None
    copied = deepcopy(dock.editor.layer.metadata)
    assert copied[METADATA_KEY]["correction"].choose_id is None


def test_undo_of_a_hidden_layer_is_noticed_before_the_next_edit(viewer, dock, layer, mouse):
    mouse.drag(layer, (8, 8), (8, 24))
    layer.visible = False
    layer.undo()
    mouse.drag(layer, (8, 8), (24, 8))
    assert (layer.data == layer.data[8, 8]).sum() == 2 * 16 * 16
    assert_consistent(dock)


def test_an_edit_that_went_unnoticed_is_taken_in(viewer, dock, layer, mouse):
    mouse.drag(layer, (8, 8), (8, 24))
    layer.data[layer.data == layer.data[8, 8]] = 77  # without a word to anybody
    mouse.drag(layer, (8, 8), (24, 8))
    assert (layer.data == layer.data[8, 8]).sum() == 3 * 16 * 16
    assert_consistent(dock)


def test_converting_the_data_type_keeps_what_is_known(viewer, open_correction, mouse, press):
    layer = viewer.add_labels(squares(dtype=np.uint8))
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
    assert_consistent(dock)


def test_each_layer_uses_the_image_that_the_dock_names(viewer, dock, layer, tiles_image, mouse):
    viewer.add_image(255 - tiles_image, name="negative")
    other = viewer.add_labels(squares(), name="other")
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
    layer = viewer.add_labels(np.stack([squares()] * 3), axis_labels=("time", "y", "x"))
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
    layer = viewer.add_labels(squares())
    dock = open_correction()
    viewer.dims.ndisplay = 3
    viewer.layers.selection.active = layer
    mouse.click(layer, (8, 8))
    assert "no depth" in dock.message.text()
    assert dock.message.text().startswith("⚠")


def test_negative_labels_are_numbered_anew(viewer, open_correction, mouse):
    layer = viewer.add_labels(-squares())
    dock = open_correction()
    mouse.drag(layer, (8, 8), (8, 24))
    assert "Number 1 to K" in dock.message.text()
    dock.tidy.clean()
    assert sorted(np.unique(layer.data)) == list(range(1, 13))
    mouse.drag(layer, (8, 8), (8, 24))
    assert dock.message.text() == "Merged 2 superpixels."


def test_uint64_labels_that_are_too_large(viewer, open_correction):
    viewer.add_labels(squares().astype(np.uint64) + 2**63)
    dock = open_correction()
    assert "convert its data type to int64" in dock.layer_label.text()
