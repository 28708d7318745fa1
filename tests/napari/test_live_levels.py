"""After a run, number, λ and border smoothness change its layer without another run."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.colormaps import direct_colormap
from qtpy.QtGui import QGuiApplication

from napari_superpixels import SuperpixelParams, iter_superpixels
from napari_superpixels._napari.input.region import Where
from napari_superpixels._napari.segment.appearance import Show
from napari_superpixels.events import drain
from napari_superpixels.io.formats import METADATA_KEY


@pytest.fixture
def after_a_run(viewer, dock, tiles_image, run_to_end):
    """The image's layer and the result's, in the viewer."""
    image = viewer.add_image(tiles_image, name="tiles")
    run_to_end(dock)
    return image, viewer.layers["tiles superpixels"]


@pytest.fixture
def wait_for_n(dock, qtbot):
    """Wait until the dock tells of a number asked for."""

    def wait(n):
        qtbot.waitUntil(lambda: f"of {n} asked" in dock.result_label.text(), timeout=20_000)

    return wait


def turn(dock, name, value):
    dock.form.control(name).value = value


def test_another_number_is_shown_in_the_same_layer(
    viewer, dock, after_a_run, wait_for_n, tiles_image
):
    _, layer = after_a_run
    layer.name = "mine"
    layer.metadata["of another plugin"] = 1
    run = drain(iter_superpixels(tiles_image, dock.form.params(), channel_axis=-1))
    assert "change it" in dock.result_label.text()
    turn(dock, "n_segments", 5)
    wait_for_n(5)
    assert [each for each in viewer.layers if isinstance(each, Labels)] == [layer]
    np.testing.assert_array_equal(layer.data, run.at(5).labels)
    assert layer.name == "mine"
    assert len(layer.features) == layer.data.max()
    assert layer.features["area_px"].sum() == layer.data.size
    assert layer.editable
    assert "without another run" in dock.result_label.text()
    made = layer.metadata[METADATA_KEY]
    assert (made["parameters"]["n_segments"], made["run_parameters"]["n_segments"]) == (5, 12)
    assert layer.metadata["of another plugin"] == 1
    turn(dock, "n_segments", 12)  # and back
    wait_for_n(12)
    np.testing.assert_array_equal(layer.data, run.labels)
    assert "run_parameters" not in layer.metadata[METADATA_KEY]


def test_lambda_smoothness_and_count_follow_too(dock, after_a_run, qtbot):
    _, layer = after_a_run

    def wait_for(**parameters):
        def shown():
            made = layer.metadata[METADATA_KEY]["parameters"]
            return all(made[name] == value for name, value in parameters.items())

        qtbot.waitUntil(shown, timeout=20_000)

    n = int(layer.data.max())
    turn(dock, "lam", 0.0)
    wait_for(lam=0.0)
    assert layer.data.max() < n
    turn(dock, "count", "exact")
    wait_for(count="exact")
    assert layer.data.max() == 12
    turn(dock, "refine_smoothness", 5.0)
    wait_for(refine_smoothness=5.0)


def test_the_last_of_many_values_is_shown(dock, after_a_run, wait_for_n, tiles_image):
    _, layer = after_a_run
    run = drain(iter_superpixels(tiles_image, dock.form.params(), channel_axis=-1))
    for n in (3, 4, 5, 6, 7, 8, 9):
        turn(dock, "n_segments", n)
    wait_for_n(9)
    np.testing.assert_array_equal(layer.data, run.at(9).labels)


def test_another_run_is_needed_for_other_parameters(dock, after_a_run, qtbot):
    _, layer = after_a_run
    before = layer.data.copy()
    turn(dock, "iterations", 9)
    turn(dock, "n_segments", 5)
    qtbot.wait(300)
    np.testing.assert_array_equal(layer.data, before)
    turn(dock, "iterations", 8)  # those of the run again
    qtbot.waitUntil(lambda: layer.data.max() <= 5, timeout=20_000)


def test_more_superpixels_than_pieces_are_refused_in_words(dock, after_a_run, qtbot):
    _, layer = after_a_run
    before = layer.data.copy()
    turn(dock, "n_segments", 60_000)
    qtbot.waitUntil(lambda: "need another run" in dock.status_label.text(), timeout=20_000)
    assert dock.segment_button.isEnabled()
    np.testing.assert_array_equal(layer.data, before)


@pytest.mark.parametrize("how", ["paint", "classify", "remove", "other image"])
def test_what_somebody_did_is_never_overwritten(viewer, dock, after_a_run, qtbot, how):
    image, layer = after_a_run
    if how == "paint":
        layer.data_setitem((np.array([0, 1]), np.array([0, 0])), 9)
    elif how == "classify":
        layer.features["class"] = "cell"
    elif how == "remove":
        viewer.layers.remove(layer)
    else:
        other = viewer.add_image(image.data[::-1], name="other")
        viewer.layers.selection.active = other
    before = layer.data.copy()
    turn(dock, "n_segments", 5)
    qtbot.wait(300)
    np.testing.assert_array_equal(layer.data, before)
    if how == "paint":
        layer.undo()
        turn(dock, "n_segments", 6)
        qtbot.waitUntil(lambda: layer.data.max() <= 6, timeout=20_000)


def test_an_edit_while_it_is_computed_wins(dock, after_a_run, qtbot):
    _, layer = after_a_run
    turn(dock, "n_segments", 5)
    layer.data_setitem((np.array([0, 1]), np.array([0, 0])), 9)
    before = layer.data.copy()
    qtbot.wait(500)
    np.testing.assert_array_equal(layer.data, before)


def test_it_ends_with_the_next_run(viewer, dock, after_a_run, run_to_end, wait_for_n):
    _, first = after_a_run
    before = first.data.copy()
    turn(dock, "iterations", 9)
    run_to_end(dock)
    (second,) = [e for e in viewer.layers if isinstance(e, Labels) and e is not first]
    turn(dock, "n_segments", 5)
    wait_for_n(5)
    np.testing.assert_array_equal(first.data, before)
    assert second.data.max() <= 5


def test_back_and_forth_ends_where_the_controls_are(dock, after_a_run, qtbot):
    _, layer = after_a_run
    before = layer.data.copy()
    turn(dock, "n_segments", 5)
    turn(dock, "n_segments", 12)  # before the first is there
    qtbot.wait(500)
    np.testing.assert_array_equal(layer.data, before)
    turn(dock, "n_segments", 5)
    turn(dock, "iterations", 9)  # takes another run
    qtbot.wait(500)
    np.testing.assert_array_equal(layer.data, before)
    assert "change it" not in dock.result_label.text()


def test_what_the_user_set_on_the_layer_stays(dock, after_a_run, wait_for_n):
    _, layer = after_a_run
    dock.show_choice.show_box.value = Show.FILLED
    layer.mode, layer.selected_label, layer.contour, layer.opacity = "pick", 3, 2, 0.9
    colormap = layer.colormap
    turn(dock, "n_segments", 5)
    wait_for_n(5)
    assert (layer.mode, layer.selected_label, layer.contour, layer.opacity) == ("pick", 3, 2, 0.9)
    assert not np.array_equal(layer.colormap.colors, colormap.colors)  # ours follows
    own = direct_colormap({None: "black", 1: "red"})
    layer.colormap = own
    turn(dock, "n_segments", 8)
    wait_for_n(8)
    assert layer.colormap == own


def test_a_locked_layer_is_left_alone(dock, after_a_run, qtbot):
    _, layer = after_a_run
    layer.editable = False
    before = layer.data.copy()
    turn(dock, "n_segments", 5)
    qtbot.wait(300)
    np.testing.assert_array_equal(layer.data, before)


def test_other_pixels_take_another_run(viewer, dock, after_a_run, qtbot):
    image, layer = after_a_run
    before = layer.data.copy()
    image.data = image.data[::-1].copy()
    turn(dock, "n_segments", 5)
    qtbot.wait(300)
    np.testing.assert_array_equal(layer.data, before)


def test_a_mask_that_was_changed_takes_another_run_and_a_renamed_one_does_not(
    viewer, dock, tiles_image, run_to_end, wait_for_n, qtbot
):
    viewer.add_image(tiles_image, name="tiles")
    mask = np.zeros(tiles_image.shape[:2], np.uint8)
    mask[4:44, 4:60] = 1
    region = viewer.add_labels(mask, name="mask")
    viewer.layers.selection.active = viewer.layers["tiles"]
    dock.region.where_box.value = Where.LABELS
    dock.region.layer_box.value = region.name
    run_to_end(dock)
    layer = viewer.layers["tiles superpixels"]
    region.name = "cells"
    turn(dock, "n_segments", 5)
    wait_for_n(5)
    before = layer.data.copy()
    region.data_setitem(tuple(np.mgrid[20:30, 20:30].reshape(2, -1)), 0)
    turn(dock, "n_segments", 8)
    qtbot.wait(300)
    np.testing.assert_array_equal(layer.data, before)


def test_lambda_is_of_the_network_where_no_pieces_merge(dock, after_a_run, run_to_end, qtbot):
    turn(dock, "oversegmentation", 0)
    run_to_end(dock)
    before = dock.result_label.text()
    turn(dock, "lam", 0.5)
    qtbot.wait(300)
    assert "change it" in before
    assert "change it" not in dock.result_label.text()


def test_levels_are_let_go_of_with_their_layer(viewer, dock, after_a_run, qtbot):
    _, layer = after_a_run
    levels = weakref.ref(dock._live._delivery.result.levels)
    assert levels() is not None
    viewer.layers.remove(layer)
    dock.form.control("n_segments").value = 5
    qtbot.wait(50)
    gc.collect()
    assert levels() is None


def test_copy_as_python_gives_what_is_shown(viewer, dock, after_a_run, wait_for_n):
    _, layer = after_a_run
    turn(dock, "n_segments", 5)
    wait_for_n(5)
    dock.copy_button.click()
    scope = {"viewer": viewer}
    exec(QGuiApplication.clipboard().text(), scope)
    np.testing.assert_array_equal(scope["labels"], layer.data)
    assert scope["result"].params == SuperpixelParams.from_dict(
        layer.metadata[METADATA_KEY]["run_parameters"]
    )
