"""Transparent pixels of an RGBA image are outside; opacity is no channel."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.input.region import Where
from napari_superpixels.plan.run_plan import Tiles


@pytest.fixture
def rgba(tiles_image):
    """A photograph of which the left is transparent, and the right nearly so."""
    alpha = np.full(tiles_image.shape[:2], 255, np.uint8)
    alpha[:, :20] = 0
    alpha[:, 40:] = 1
    return np.dstack([tiles_image, alpha])


def labels_of(viewer):
    return next(layer for layer in viewer.layers if isinstance(layer, Labels)).data


def copied(dock, viewer):
    """What “Copy as Python” gives."""
    dock.copy_button.click()
    space = {"viewer": viewer}
    exec(QGuiApplication.clipboard().text(), space)
    return space["labels"]


def test_transparent_pixels_are_outside(viewer, dock, rgba, run_to_end):
    viewer.add_image(rgba, rgb=True, name="photo")
    assert dock.source_label.text() == "RGB, 48 × 64 pixels, transparent pixels left out"
    run_to_end(dock)
    labels = labels_of(viewer)
    np.testing.assert_array_equal(labels > 0, rgba[..., 3] > 0)
    means = [name for name in viewer.layers[-1].features if name.startswith("mean")]
    assert means == ["mean red", "mean green", "mean blue"]
    np.testing.assert_array_equal(copied(dock, viewer), labels)


def test_an_opaque_image_is_segmented_like_one_without_opacity(viewer, dock, rgba, run_to_end):
    rgba[..., 3] = 200
    viewer.add_image(rgba[..., :3], rgb=True)
    run_to_end(dock)
    expected = viewer.layers[-1].data
    viewer.layers.clear()
    viewer.add_image(rgba, rgb=True)
    run_to_end(dock)
    np.testing.assert_array_equal(viewer.layers[-1].data, expected)
    np.testing.assert_array_equal(copied(dock, viewer), expected)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Mode.SLICE, Mode.EACH, Mode.SERIES, Mode.VOLUME])
def test_a_stack_with_a_mask(viewer, dock, rgba, run_to_end, mode):
    stack = np.stack([rgba, rgba[:, ::-1], rgba])
    label = "t" if mode == Mode.SERIES else "z"
    image = viewer.add_image(da.from_array(stack, chunks=(1, -1, -1, -1)), rgb=True, name="stack")
    image.axis_labels = (label, "y", "x")
    mask = np.zeros(rgba.shape[:2], np.uint8)
    mask[4:40, 10:50] = 1
    viewer.add_labels(mask, name="mask")
    viewer.layers.selection.active = viewer.add_image(np.zeros((2, 2)))
    viewer.layers.selection.active = image
    dock.image.mode_box.value = mode
    dock.region.where_box.value = Where.LABELS
    run_to_end(dock)
    labels = viewer.layers["stack superpixels"].data
    inside = (stack[..., 3] > 0) & (mask > 0)
    where = slice(1, 2) if mode == Mode.SLICE else slice(None)
    np.testing.assert_array_equal(labels > 0, inside[where])
    np.testing.assert_array_equal(copied(dock, viewer).squeeze(), labels[:, 4:40, 10:50].squeeze())


def test_in_tiles(viewer, dock, rgba, run_to_end, tmp_path, monkeypatch):
    path = str(tmp_path / "out.zarr")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    viewer.add_image(da.from_array(rgba, chunks=(24, 24, 4)), rgb=True)
    dock.tiles.value = Tiles.ALWAYS
    run_to_end(dock)
    labels = labels_of(viewer)
    np.testing.assert_array_equal(labels > 0, rgba[..., 3] > 0)
    np.testing.assert_array_equal(copied(dock, viewer), labels)


def test_a_further_layer_with_transparency(viewer, dock, rgba, tiles_image, run_to_end):
    viewer.add_image(rgba, rgb=True, name="photo")
    viewer.add_image(tiles_image[..., 0], name="grey")
    dock.more.boxes["photo"].click()
    run_to_end(dock)
    labels = labels_of(viewer)
    np.testing.assert_array_equal(labels > 0, rgba[..., 3] > 0)
    np.testing.assert_array_equal(copied(dock, viewer), labels)
