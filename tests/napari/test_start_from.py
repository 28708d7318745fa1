"""The dock starts from labels of any origin."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.input.region import Where
from napari_superpixels._napari.input.start import StartKind
from napari_superpixels.io.formats import METADATA_KEY


@pytest.fixture
def scene():
    """A bright disc, and labels of it that are too large."""
    rows, columns = np.ogrid[:60, :80]
    distance = np.hypot(rows - 30, columns - 40)
    image = np.where(distance < 15, 200, 50) + np.random.default_rng(0).normal(0, 3, (60, 80))
    return image, (distance < 17).astype(int) * 7, distance < 15


def choose(dock, kind, name="given"):
    dock.choice.start.kind_box.value = kind
    dock.choice.start.layer_box.value = name


def test_refine_moves_borders_and_keeps_ids(viewer, dock, scene, run_to_end):
    image, labels, disc = scene
    viewer.add_image(image, name="cells", scale=(2, 2))
    viewer.add_labels(labels, name="given", scale=(2, 2))
    viewer.layers.selection.active = viewer.layers["cells"]
    choose(dock, StartKind.REFINE)
    assert "starting from “given”" in dock.source_label.text()
    run_to_end(dock)
    made = viewer.layers["cells superpixels"]
    assert set(np.unique(made.data)) == {0, 7}
    before = ((labels == 7) ^ disc).sum()
    assert ((made.data == 7) ^ disc).sum() < before / 4
    np.testing.assert_array_equal(viewer.layers["given"].data, labels)


def test_no_superpixel_crosses_an_object_and_each_knows_its_own(viewer, dock, scene, run_to_end):
    image, labels, _ = scene
    viewer.add_image(image, name="cells")
    viewer.add_labels(labels[10:50, 15:65], name="given", translate=(10, 15))
    viewer.layers.selection.active = viewer.layers["cells"]
    choose(dock, StartKind.OBJECTS)
    run_to_end(dock)
    made = viewer.layers["cells superpixels"]
    for number, own in zip(made.features["index"], made.features["object"], strict=True):
        assert set(labels[made.data == number]) == {own}
    assert made.metadata[METADATA_KEY]["objects"]["walls"] == "hard"


def test_scribbles_stay_apart(viewer, dock, rng, run_to_end):
    viewer.add_image(rng.random((60, 80)), name="cells")
    scribbles = np.zeros((60, 80), int)
    scribbles[30, 5:35], scribbles[30, 45:75] = 1, 2
    viewer.add_labels(scribbles, name="given")
    viewer.layers.selection.active = viewer.layers["cells"]
    choose(dock, StartKind.INITIAL)
    run_to_end(dock)
    made = viewer.layers["cells superpixels"].data
    assert not set(made[scribbles == 1]) & set(made[scribbles == 2])


@pytest.mark.parametrize("mode", [Mode.EACH, Mode.VOLUME])
def test_stacks_start_from_labels_of_their_shape(viewer, dock, rng, run_to_end, mode):
    objects = np.zeros((3, 40, 50), int)
    objects[:, 10:30, 10:40] = np.array([1, 2, 3])[:, None, None] if mode == Mode.EACH else 1
    viewer.add_image(rng.random((3, 40, 50)), name="stack", axis_labels=("z", "y", "x"))
    viewer.add_labels(objects, name="given")
    viewer.layers.selection.active = viewer.layers["stack"]
    dock.image.mode_box.value = mode
    choose(dock, StartKind.OBJECTS)
    run_to_end(dock)
    made = viewer.layers["stack superpixels"].data
    for number in np.unique(made):
        assert len(np.unique(objects[made == number])) == 1


@pytest.mark.parametrize("kind", [StartKind.REFINE, StartKind.OBJECTS])
def test_copy_as_python_and_a_region(viewer, dock, scene, run_to_end, kind):
    image, labels, _ = scene
    viewer.add_image(image, name="cells")
    viewer.add_labels(labels, name="given")
    viewer.add_shapes([[5, 5], [5, 70], [50, 70], [50, 5]])
    viewer.layers.selection.active = viewer.layers["cells"]
    dock.region.where_box.value = Where.SHAPES
    choose(dock, kind)
    run_to_end(dock)
    result = viewer.layers["cells superpixels"]
    made = result.data
    assert result.metadata[METADATA_KEY]["start"] == {"kind": str(kind), "layer": "given"}
    viewer.layers["given"].name = "renamed"
    dock.copy_button.click()
    exec(QGuiApplication.clipboard().text(), {"viewer": viewer})
    np.testing.assert_array_equal(viewer.layers[-1].data, made)


def test_what_does_not_fit_is_told(viewer, dock, rng):
    viewer.add_image(rng.random((3, 40, 50)), name="stack", axis_labels=("z", "y", "x"))
    dock.choice.start.kind_box.value = StartKind.OBJECTS
    assert "There is no Labels layer to start from" in dock.status_label.text()
    given = viewer.add_labels(np.zeros((40, 50), int), name="given")
    viewer.layers.selection.active = viewer.layers["stack"]
    assert "is 0 in the whole plane" in dock.status_label.text()
    given.data = np.ones((40, 50), int)
    assert dock.segment_button.isEnabled()
    given.scale = (2, 2)
    assert "has other pixels" in dock.status_label.text()
    given.scale = (1, 1)
    dock.image.mode_box.value = Mode.EACH
    dock.choice.start.kind_box.value = StartKind.REFINE
    assert "refined in one slice or in 3D" in dock.status_label.text()
    viewer.layers.remove(given)
    assert "There is no Labels layer" in dock.status_label.text()
    dock.choice.start.kind_box.value = StartKind.IMAGE
    assert dock.segment_button.isEnabled()


def test_image_layers_that_are_selected_together_are_channels(viewer, dock, rng, run_to_end):
    a, b = (viewer.add_image(rng.random((40, 50)), name=name) for name in "ab")
    viewer.add_image(rng.random((20, 50)), name="smaller")
    assert len(dock.choice.source().channel_names) == 1
    viewer.layers.selection = set(viewer.layers)
    viewer.layers.selection.active = a
    viewer.layers.selection = {a, b}
    assert set(dock.choice.source().channel_names) == {"a", "b"}
    viewer.layers.selection = {b}
    assert len(dock.choice.source().channel_names) == 1
