"""Regions, nodata, further layers and levels, worked in the dock and segmented."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication

from napari_superpixels._napari.input import segmentation_input as source_module
from napari_superpixels._napari.input.region import Where
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.params import get_preset

FAST = get_preset("fast").replace(n_segments=8, iterations=4)


@pytest.fixture
def dock(dock):
    """With the `fast` preset, a few iterations of it."""
    dock.form.set_params(FAST)
    return dock


def result(viewer):
    return next(layer for layer in reversed(viewer.layers) if METADATA_KEY in layer.metadata)


def row_is_shown(dock, control):
    layouts = dock.choice.widget.layout(), dock.choice.more_widget.layout()
    (layout,) = (one for one in layouts if one.getWidgetPosition(control.native)[0] >= 0)
    return layout.isRowVisible(control.native)


def copied(dock, viewer):
    """What “Copy as Python” gives."""
    dock.copy_button.click()
    namespace = {"viewer": viewer}
    exec(QGuiApplication.clipboard().text(), namespace)
    return namespace["labels"]


def test_the_simple_case_stays_simple(viewer, dock, tiles_image):
    viewer.add_image(tiles_image)
    image, region = dock.image, dock.region
    for control in (image.level_box, region.layer_box, dock.more):
        assert not row_is_shown(dock, control)
    region.where_box.value = Where.VISIBLE
    assert not row_is_shown(dock, region.layer_box)
    region.where_box.value = Where.SHAPES
    assert row_is_shown(dock, region.layer_box)
    assert "There is no Shapes layer: add one" in dock.status_label.text()
    assert not dock.segment_button.isEnabled()


def test_visible_region(viewer, dock, tiles_image, run_to_end, assert_superpixels, qtbot):
    viewer.add_image(tiles_image, name="tiles", scale=(2, 2))
    dock.region.where_box.value = Where.VISIBLE
    rows, columns = viewer.canvas.size
    # 20 rows around row 16 of the image, and all its columns.
    viewer.scene.camera.zoom = rows / 40
    viewer.scene.camera.center = (0, 32, 64)
    qtbot.waitUntil(lambda: "visible region of 21 × " in dock.source_label.text())
    run_to_end(dock)
    layer = result(viewer)
    assert layer.data.shape == (48, 64)
    seen = int(np.floor(columns / rows * 10))
    left, right = max(0, 32 - seen), min(64, 32 + seen + 1)
    inside = np.zeros((48, 64), bool)
    inside[6:27, left:right] = True
    assert_superpixels(layer.data, 8, inside)
    known = layer.metadata[METADATA_KEY]["region"]
    assert known["where"] == "visible region"
    assert (known["rows"], known["columns"]) == ([6, 27], [left, right])
    viewer.scene.camera.zoom *= 3  # what counts is the run, not the view now
    np.testing.assert_array_equal(copied(dock, viewer), layer.data[6:27, left:right])


@pytest.mark.parametrize("where", [Where.VISIBLE, Where.SHAPES])
def test_copied_regions_of_a_turned_image_are_exact(viewer, dock, rng, run_to_end, where):
    viewer.add_image(rng.random((90, 120)), name="turned", rotate=33.3, scale=(0.7, 0.7))
    if where == Where.SHAPES:
        corners = rng.uniform((0, 10), (80, 90), (7, 2))
        viewer.add_shapes([corners], shape_type="polygon", name="here")
        viewer.layers.selection.active = viewer.layers["turned"]
    viewer.scene.camera.zoom = viewer.canvas.size[0] / 40.1
    viewer.scene.camera.center = (0, 41.7, 10.3)
    dock.region.where_box.value = where
    run_to_end(dock)
    layer = result(viewer)
    assert 200 < np.count_nonzero(layer.data) < layer.data.size
    known = layer.metadata[METADATA_KEY]["region"]
    box = slice(*known["rows"]), slice(*known["columns"])
    np.testing.assert_array_equal(copied(dock, viewer), layer.data[box])


def test_a_renamed_mask_can_be_copied(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, name="tiles")
    mask = viewer.add_labels(np.pad(np.ones((20, 30), int), 14)[:48, :64], name="mask")
    viewer.layers.selection.active = viewer.layers["tiles"]
    dock.region.where_box.value = Where.LABELS
    run_to_end(dock)
    labels = result(viewer).data
    mask.name, viewer.layers["tiles"].name = "other", "mask"
    np.testing.assert_array_equal(copied(dock, viewer), labels[14:34, 14:44])


def test_inside_shapes(viewer, dock, tiles_image, run_to_end, assert_superpixels, qtbot):
    viewer.add_image(tiles_image, name="tiles", scale=(2, 2))
    dock.region.where_box.value = Where.SHAPES
    shapes = viewer.add_shapes(name="here", ndim=2)
    assert dock.region.layer_box.value == "here"
    assert "no rectangle, ellipse or polygon" in dock.status_label.text()
    shapes.add_rectangles([[10, 10], [50, 60]])
    shapes.add_ellipses([[60, 20], [20, 20]])
    qtbot.waitUntil(lambda: "2 shapes of “here”" in dock.source_label.text())
    run_to_end(dock)
    labels = result(viewer).data
    inside = labels > 0
    assert inside[5:26, 5:31].all()
    assert inside[30, 10]
    assert not inside[27:, 21:].any()
    assert_superpixels(labels, 8, inside)
    np.testing.assert_array_equal(copied(dock, viewer), labels[inside.any(1)][:, inside.any(0)])


def test_a_result_of_a_large_image_is_a_layer_of_the_region(
    viewer, dock, tiles_image, run_to_end, monkeypatch
):
    monkeypatch.setattr(source_module, "LARGEST_FULL_GRID", 100)
    viewer.add_image(tiles_image, rgb=True, scale=(2, 2), translate=(5, 5))
    viewer.add_shapes([[[15, 25], [15, 45], [35, 45], [35, 25]]])
    dock.region.where_box.value = Where.SHAPES
    run_to_end(dock)
    layer = result(viewer)
    assert layer.data.shape == (11, 11)
    np.testing.assert_allclose(layer.translate, (15, 25))
    assert layer.data.all()


def test_a_mask_and_its_edge(viewer, dock, tiles_image, run_to_end, assert_superpixels, qtbot):
    viewer.add_image(tiles_image, name="tiles")
    painted = np.zeros((48, 64), np.uint8)
    mask = viewer.add_labels(painted, name="mask")
    dock.region.where_box.value = Where.LABELS
    assert "“mask” is 0 in the whole plane: paint" in dock.status_label.text()
    assert not dock.segment_button.isEnabled()
    mask.selected_label = 7
    mask.paint((20, 20), 1)
    mask.data_setitem(tuple(np.mgrid[4:24, 10:30].reshape(2, -1)), 7)
    mask.data_setitem(tuple(np.mgrid[30:40, 40:60].reshape(2, -1)), 2)
    qtbot.waitUntil(lambda: dock.segment_button.isEnabled())
    assert dock.source_label.text() == "RGB, inside “mask” in 36 × 50 pixels, of 48 × 64 pixels"
    run_to_end(dock)
    labels = result(viewer).data
    assert_superpixels(labels, 8, mask.data > 0)
    assert not set(np.unique(labels[:24])) & set(np.unique(labels[30:])) - {0}
    np.testing.assert_array_equal(copied(dock, viewer), labels[4:40, 10:60])
    mask.scale = (2, 2)
    qtbot.waitUntil(lambda: "has other pixels than “tiles”" in dock.status_label.text())


def test_the_chosen_region_layer_is_removed_or_renamed(viewer, dock, tiles_image):
    viewer.add_image(tiles_image)
    first = viewer.add_labels(np.ones((48, 64), int), name="first")
    second = viewer.add_labels(np.ones((48, 64), int), name="second")
    dock.region.where_box.value = Where.LABELS
    dock.region.layer_box.value = "first"
    first.name = "renamed"
    assert dock.region.layer_box.value == "renamed"
    assert "inside “renamed”" in dock.source_label.text()
    viewer.layers.remove(first)
    assert dock.region.layer_box.value == "second"
    viewer.layers.remove(second)
    assert "There is no Labels layer" in dock.status_label.text()


def test_nodata_of_the_metadata_and_of_the_user(viewer, dock, tiles_image, run_to_end):
    image = tiles_image.copy()
    image[:10] = 0
    image[20:30, 20:30] = 255
    viewer.add_image(image, rgb=True, metadata={METADATA_KEY: {"nodata": 0}})
    assert dock.source_label.text() == "RGB, 48 × 64 pixels, nodata 0 of its metadata left out"
    run_to_end(dock)
    np.testing.assert_array_equal(result(viewer).data > 0, image.any(-1))
    np.testing.assert_array_equal(copied(dock, viewer), result(viewer).data)
    dock.region.nodata_box.value = "255"
    assert dock.source_label.text() == "RGB, 48 × 64 pixels, nodata 255 left out"
    run_to_end(dock)
    np.testing.assert_array_equal(result(viewer).data > 0, (image != 255).any(-1))
    dock.region.nodata_box.value = "none"
    assert dock.source_label.text() == "RGB, 48 × 64 pixels"
    dock.region.nodata_box.value = "zero"
    assert "must be a number, “none” or empty, got “zero”" in dock.status_label.text()


def test_channels_split_into_layers(viewer, dock, tiles_image, run_to_end, assert_superpixels):
    spatial = {"scale": (0.5, 0.5), "units": ("um", "um")}
    for i, name in enumerate("abc"):
        viewer.add_image(tiles_image[..., i], name=name, **spatial)
    viewer.add_image(tiles_image[:40, :, 0], name="other", **spatial)
    viewer.layers.selection.active = viewer.layers["a"]
    assert row_is_shown(dock, dock.more)
    assert dock.more.native.text() == "none"
    assert not dock.more.boxes["other"].isEnabled()
    assert "“other” has 40 × 64 pixels" in dock.more.boxes["other"].toolTip()
    for name in "bc":
        dock.more.boxes[name].click()
    assert dock.more.native.text() == "b, c"
    assert dock.source_label.text().endswith("3 channels of 3 layers")
    run_to_end(dock)
    layer = result(viewer)
    assert_superpixels(layer.data, 8)
    assert {"mean a", "mean b", "mean c"} <= set(layer.features)
    known = layer.metadata[METADATA_KEY]["source_layers"]
    assert [part["name"] for part in known] == ["a", "b", "c"]
    np.testing.assert_array_equal(copied(dock, viewer), layer.data)
    viewer.layers["b"].translate = (1, 0)
    dock.segment()  # looks anew
    assert not dock.running
    assert "The pixels of “b” do not lie on those of “a”" in dock.status_label.text()
    dock.more.boxes["b"].click()
    assert dock.segment_button.isEnabled()
    viewer.layers.remove("c")
    assert "channels of" not in dock.source_label.text()


def test_levels(viewer, dock, rng, run_to_end, qtbot):
    base = da.from_array(rng.random((256, 384)), chunks=32)
    layer = viewer.add_image([base, base[::2, ::2], base[::4, ::4]], multiscale=True)
    assert row_is_shown(dock, dock.image.level_box)
    dock.image.level_box.value = 1
    assert dock.source_label.text() == "128 × 192 pixels, level 1 of 3"
    viewer.add_shapes([[[0, 0], [0, 99], [59, 99], [59, 0]]])
    dock.region.where_box.value = Where.SHAPES
    assert dock.source_label.text().startswith("1 shape of “Shapes” in 30 × 50 pixels")
    run_to_end(dock)
    labels = result(viewer)
    np.testing.assert_allclose(labels.scale, (2, 2))
    assert (labels.data > 0).sum() == 1500
    dock.image.level_box.value = "shown"
    assert f"level {layer.data_level} of 3" in dock.source_label.text()
    for level in (2, 0):  # as napari does after a zoom
        layer.data_level = level
        assert f"level {level} of 3" in dock.source_label.text()


def test_a_region_fits_where_the_whole_does_not(viewer, dock, plugin_settings):
    from napari.settings import get_plugin_settings

    get_plugin_settings("napari-superpixels").segmentation.memory_limit_gb = 1
    lazy = da.zeros((60_000, 60_000), np.uint8, chunks=1000)
    viewer.add_image([lazy, lazy[::32, ::32]], multiscale=True, contrast_limits=(0, 1))
    dock.image.level_box.value = 0
    assert "memory limit of 1 GB" in dock.status_label.text()
    viewer.add_shapes([[[0, 0], [0, 99], [59, 99], [59, 0]]])
    dock.region.where_box.value = Where.SHAPES
    assert dock.segment_button.isEnabled()


def test_dock_in_a_proxy_viewer(plugin, make_napari_viewer_proxy, open_quick_dock, tiles_image):
    viewer = make_napari_viewer_proxy()
    dock = open_quick_dock(viewer)
    viewer.add_image(tiles_image[..., 0], name="a")
    viewer.add_image(tiles_image[..., 1], name="b")
    viewer.add_shapes([[[0, 0], [0, 9], [5, 9], [5, 0]]])
    dock.region.where_box.value = Where.SHAPES
    dock.more.boxes["a"].click()
    expected = "1 shape of “Shapes” in 6 × 10 pixels, of 48 × 64 pixels, 2 channels of 2 layers"
    assert dock.source_label.text() == expected
    dock.region.where_box.value = Where.VISIBLE
    assert dock.source_label.text().startswith("visible region of ")


def test_shapes_without_the_units_of_the_image(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, scale=(0.5, 0.5), units=("um", "um"))
    viewer.add_shapes([[2, 3], [2, 13], [12, 13], [12, 3]])  # as napari's button makes them
    viewer.layers.selection.active = viewer.layers[0]
    dock.region.where_box.value = Where.SHAPES
    run_to_end(dock)
    rows, columns = np.nonzero(result(viewer).data)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 24, 6, 26)
