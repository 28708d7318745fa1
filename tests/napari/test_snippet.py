"""“Copy as Python”: the code adds the same layer, in the console and as a script."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest
from qtpy.QtGui import QGuiApplication

import napari
from napari_superpixels._napari.input.axes import Mode, Role
from napari_superpixels._napari.input.region import Where


def copied(action):
    action.trigger()
    return QGuiApplication.clipboard().text()


def assert_same_layer(made, layer):
    np.testing.assert_array_equal(np.asarray(made.data), np.asarray(layer.data))
    rng = np.random.default_rng(0)
    for corner in rng.random((4, layer.ndim)):
        np.testing.assert_allclose(made.data_to_world(corner), layer.data_to_world(corner))
    assert made.axis_labels == layer.axis_labels
    assert made.units == layer.units
    assert made.name.startswith(layer.name)


@pytest.mark.parametrize("kind", ["plane", "sliced", "turned", "region", "each", "volume"])
def test_the_console_adds_the_same_layer(viewer, dock, rng, run_to_end, kind):
    image = rng.random((3, 4, 40, 60))
    spatial = {"scale": (1, 2, 0.5, 0.25), "translate": (0, 1, 2, 3)}
    units = ("pixel", "um", "um", "um")
    if kind == "plane":
        viewer.add_image(image[0, 0], scale=(0.5, 0.25), rotate=20, units=units[2:])
    else:
        viewer.add_image(image, **spatial, units=units, axis_labels=("t", "z", "y", "x"))
    if kind == "turned":
        viewer.dims.order = (0, 1, 3, 2)
    if kind == "region":
        dock.region.where_box.value = Where.SHAPES
        viewer.add_shapes([[2, 3], [2, 9], [10, 9], [10, 3]], translate=(5, 5), units=("um", "um"))
        viewer.layers.selection.active = viewer.layers[0]
    if kind == "each":
        dock.image.mode_box.value = Mode.EACH
    if kind == "volume":
        dock.image.mode_box.value = Mode.VOLUME
    run_to_end(dock)
    layer = viewer.layers[-1]
    code = copied(dock.console_action)
    assert "device='auto'" in code
    exec(code, {"viewer": viewer})
    assert_same_layer(viewer.layers[-1], layer)


def test_a_script_opens_the_file_itself(
    viewer, dock, npe2pm, tmp_path, rng, run_to_end, make_napari_viewer, monkeypatch
):
    npe2pm.register(PluginManifest.from_distribution("napari"))
    path = tmp_path / "it's a stack.tif"
    tifffile.imwrite(path, rng.random((5, 40, 60)).astype(np.float32))
    viewer.open(path, plugin="napari")
    dock.image.axes_box.choose(0, Role.CHANNEL)
    run_to_end(dock)
    code = copied(dock.script_action)
    another = make_napari_viewer()
    shown = []
    monkeypatch.setattr(napari, "Viewer", lambda: another)
    monkeypatch.setattr(napari, "run", lambda: shown.append(True))
    exec(code, {})
    assert shown == [True]
    assert_same_layer(another.layers[-1], viewer.layers[-1])


def test_a_script_says_what_it_needs(
    viewer, dock, rng, run_to_end, make_napari_viewer, monkeypatch
):
    viewer.add_image(rng.random((40, 60)), name="mine")
    run_to_end(dock)
    code = copied(dock.script_action)
    another = make_napari_viewer()
    monkeypatch.setattr(napari, "Viewer", lambda: another)
    with pytest.raises(SystemExit, match="Add the pixels of “mine” here"):
        exec(code, {})
