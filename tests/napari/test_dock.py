"""The dock as a user works it: real viewer, real clicks."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_superpixels import SuperpixelParams
from napari_superpixels._napari.input.axes import Role
from napari_superpixels._napari.segment.appearance import Show
from napari_superpixels._napari.segment.dock import SegmentWidget
from napari_superpixels._napari.segment.output_layer import was_edited
from napari_superpixels.io.formats import METADATA_KEY


def results(viewer):
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def test_click_segment(viewer, dock, tiles_image, qtbot, assert_superpixels):
    viewer.add_image(tiles_image, name="tiles")
    assert dock.source_label.text() == "RGB, 48 × 64 pixels"
    qtbot.mouseClick(dock.segment_button, Qt.MouseButton.LeftButton)
    assert dock.progress.isVisibleTo(dock)
    assert not dock.segment_button.isVisibleTo(dock)
    assert dock.stop_button.isVisibleTo(dock)
    assert dock.cancel_button.isEnabled()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    (layer,) = results(viewer)
    assert layer.name == "tiles superpixels"
    assert layer.editable
    assert viewer.layers.selection.active is layer
    assert_superpixels(layer.data, 12)
    assert layer.data.dtype == np.uint16
    for text in (f"{layer.data.max()} superpixels", "of 12 asked", " s on cpu"):
        assert text in dock.result_label.text()
    assert not dock.progress.isVisibleTo(dock)
    assert dock.segment_button.isEnabled()


def test_output_layer_has_features_provenance_and_colours(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, name="tiles", scale=(0.5, 0.25), units=("um", "um"))
    run_to_end(dock)
    (layer,) = results(viewer)
    features = layer.features
    assert list(features["index"]) == list(range(1, layer.data.max() + 1))
    assert features["area_px"].sum() == layer.data.size
    assert features["area"].sum() == pytest.approx(layer.data.size * 0.125)
    first = tiles_image[layer.data == 1]
    assert features["mean red"][0] == pytest.approx(first[:, 0].mean())
    provenance = layer.metadata[METADATA_KEY]
    assert SuperpixelParams.from_dict(provenance["parameters"]) == dock.form.params()
    assert provenance["n_obtained"] == layer.data.max()
    assert provenance["source_layer"] == "tiles"
    dock.show_choice.show_box.value = Show.FILLED
    across = layer.data[:, :-1] != layer.data[:, 1:]
    left = layer.colormap.map(layer.data[:, :-1][across])
    right = layer.colormap.map(layer.data[:, 1:][across])
    assert (np.abs(left - right).max(axis=1) > 0.1).all()
    np.testing.assert_allclose(layer.scale, (0.5, 0.25))


def test_the_result_can_be_painted_and_undone(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image)
    run_to_end(dock)
    (layer,) = results(viewer)
    delivered = layer.data.copy()
    layer.undo()  # nothing of the preview can be undone into the result
    np.testing.assert_array_equal(layer.data, delivered)
    layer.data_setitem((np.array([0, 1]), np.array([0, 0])), 9)
    assert was_edited(layer)
    layer.undo()
    np.testing.assert_array_equal(layer.data, delivered)
    assert not was_edited(layer)


def test_follows_the_active_image(viewer, dock, tiles_image):
    assert dock.status_label.text() == "Open or select an image layer to segment."
    assert not dock.segment_button.isEnabled()
    first = viewer.add_image(tiles_image, name="first")
    second = viewer.add_image(tiles_image[..., 0], name="second")
    assert dock.image.layer_box.value == "second"
    viewer.layers.selection.active = first
    assert dock.image.layer_box.value == "first"
    first.name = "renamed"
    assert dock.image.layer_box.value == "renamed"
    labels = viewer.add_labels(np.zeros((4, 4), int))
    assert dock.image.layer_box.value == "renamed"
    viewer.layers.remove(first)
    assert dock.image.layer_box.value == "second"
    assert second == dock.image.layer
    viewer.layers.remove(second)
    viewer.layers.remove(labels)
    assert not dock.segment_button.isEnabled()


def test_channels_in_words_and_by_choice(viewer, dock, rng, run_to_end):
    viewer.add_image(rng.random((3, 20, 24)), axis_labels=("channel", "y", "x"))
    shown = [box.currentText() for box in dock.image.axes_box.boxes]
    assert shown == ["channel (3)", "Y (20)", "X (24)"]
    run_to_end(dock)
    dock.image.axes_box.choose(0, Role.OTHER)
    assert "this plane only" in dock.source_label.text()
    run_to_end(dock)
    together, plane = results(viewer)
    assert together.data.shape == (20, 24)
    assert plane.data.shape == (1, 20, 24)
    assert "mean channel 2" in together.features


def test_a_slice_of_a_stack_lands_on_its_slice(viewer, dock, rng, run_to_end):
    viewer.add_image(rng.random((6, 20, 24)), scale=(3, 1, 1), translate=(10, 0, 0))
    viewer.dims.set_point(0, 10 + 3 * 4)
    run_to_end(dock)
    (layer,) = results(viewer)
    assert layer.data.shape == (1, 20, 24)
    np.testing.assert_allclose(layer.translate, (22, 0, 0))
    viewer.dims.set_point(0, 22)
    assert layer.get_value((22, 5, 5), world=True) > 0


def test_multiscale_level_is_offered(viewer, dock, rng, run_to_end):
    base = rng.random((64, 96))
    viewer.add_image([base, base[::2, ::2], base[::4, ::4]], multiscale=True)
    assert dock.image.level_box.value is not None
    dock.image.level_box.value = 0
    run_to_end(dock)
    assert results(viewer)[0].data.shape == (64, 96)


def test_second_run_makes_a_second_layer_by_choice(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, name="a")
    dock.keep_earlier.value = True
    run_to_end(dock)
    run_to_end(dock)
    assert [layer.name for layer in results(viewer)] == ["a superpixels", "a superpixels [1]"]


def test_exact_count_is_asked_for_and_told(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, rgb=True, name="tiles")
    dock.form.control("n_segments").value = 17
    dock.form.control("count").value = "exact"
    run_to_end(dock)
    assert viewer.layers[-1].data.max() == 17
    assert "17 superpixels</b> of 17 asked for" in dock.result_label.text()


def test_a_settled_run_says_so(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, rgb=True, name="tiles")
    dock.form.control("iterations").value = 400
    dock.form.control("settle_percent").value = 20.0
    run_to_end(dock)
    assert "(settled after " in dock.result_label.text()


def test_replace_takes_the_place_of_the_last_result(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, name="a")
    run_to_end(dock)
    (first,) = results(viewer)
    first.contour = 1
    viewer.add_points([[1, 1]])
    dock.form.control("seed").value = 5
    run_to_end(dock)
    (second,) = results(viewer)
    assert second is not first
    assert second.name == "a superpixels"
    assert second.contour == 1
    assert viewer.layers.index(second) == 1
    assert second.metadata[METADATA_KEY]["parameters"]["seed"] == 5


def test_replace_leaves_the_results_of_other_images_alone(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, name="a")
    run_to_end(dock)
    viewer.add_image(tiles_image[::-1], name="b")
    run_to_end(dock)
    assert [layer.name for layer in results(viewer)] == ["a superpixels", "b superpixels"]
    assert viewer.layers[-1].name == "b superpixels"


def test_replace_knows_the_image_by_more_than_its_name(viewer, dock, tiles_image, run_to_end):
    first = viewer.add_image(tiles_image, name="photo")
    run_to_end(dock)
    first.name = "renamed"
    viewer.layers.selection.active = first
    run_to_end(dock)
    assert len(viewer.layers) == 2
    viewer.layers.remove(first)
    viewer.add_image(tiles_image[::-1].copy(), name="photo")
    run_to_end(dock)
    assert len(viewer.layers) == 3


def test_replace_takes_the_newest_wherever_it_stands(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, name="a")
    dock.keep_earlier.value = True
    run_to_end(dock)
    run_to_end(dock)
    dock.keep_earlier.value = False
    first, second = results(viewer)
    viewer.layers.move(viewer.layers.index(second), 1)
    run_to_end(dock)
    assert first in viewer.layers
    assert second not in viewer.layers


@pytest.mark.parametrize("edit", ["pixels", "table"])
def test_an_edited_result_is_kept_out_of_sight(viewer, dock, tiles_image, run_to_end, edit):
    viewer.add_image(tiles_image, name="a")
    run_to_end(dock)
    (edited,) = results(viewer)
    if edit == "pixels":
        edited.data_setitem((np.array([0]), np.array([0])), 9)
    else:
        edited.features = edited.features.assign(note="mine")
    kept = edited.data.copy()
    run_to_end(dock)
    assert [layer.visible for layer in results(viewer)] == [False, True]
    np.testing.assert_array_equal(edited.data, kept)


def test_earlier_results_are_kept_by_choice_and_shown_again(viewer, dock, tiles_image, qtbot):
    viewer.add_image(tiles_image, name="a")
    dock.keep_earlier.value = True
    for _ in range(2):
        dock.segment_button.click()
        qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert [layer.visible for layer in results(viewer)] == [False, True]
    dock.form.control("iterations").value = 100_000
    dock.segment_button.click()
    assert [layer.visible for layer in results(viewer)] == [False, False, True]  # the preview
    dock.cancel_button.click()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert [layer.visible for layer in results(viewer)] == [False, True]


def test_edits_during_the_run_are_kept(viewer, dock, tiles_image, run_to_end, qtbot):
    viewer.add_image(tiles_image, name="a")
    run_to_end(dock)
    (first,) = results(viewer)
    dock.form.control("iterations").value = 60
    dock.segment_button.click()
    first.data_setitem((np.array([0]), np.array([0])), 9)
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert first in viewer.layers
    assert len(results(viewer)) == 2


def test_copy_as_python_repeats_the_run(viewer, dock, tiles_image, run_to_end):
    assert not dock.copy_button.isEnabled()
    stack = np.stack([tiles_image[::-1], tiles_image])
    viewer.add_image(stack, name="it's a “stack”", rgb=True)
    viewer.dims.current_step = (1, 0, 0)
    dock.form.control("seed").value = 3
    run_to_end(dock)
    viewer.dims.current_step = (0, 0, 0)  # what counts is the run, not the sliders now
    dock.copy_button.click()
    code = QGuiApplication.clipboard().text()
    namespace = {"viewer": viewer}
    exec(code, namespace)
    np.testing.assert_array_equal(namespace["labels"], results(viewer)[0].data[0])


def test_copy_as_python_of_a_renamed_layer_and_a_stopped_run(viewer, dock, tiles_image, qtbot):
    layer = viewer.add_image(tiles_image, name="a")
    dock.form.set_params(dock.form.params().replace(iterations=100_000))
    dock.segment_button.click()
    qtbot.waitUntil(lambda: dock.progress.value() > 0, timeout=60_000)
    dock.stop_button.click()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    layer.name = "b"
    dock.copy_button.click()
    code = QGuiApplication.clipboard().text()
    assert code.startswith("# That run was stopped")
    assert "viewer.layers['b']" in code


def test_names_are_shown_as_they_are(viewer, dock, tiles_image, run_to_end):
    name = "it's <b>R&D</b>"
    viewer.add_image(tiles_image, name=name)
    run_to_end(dock)
    assert dock.result_label.textFormat() == Qt.TextFormat.RichText
    assert "it's &lt;b&gt;R&amp;D&lt;/b&gt; superpixels" in dock.result_label.text()
    dock.form.control("iterations").value = 100_000
    viewer.layers.selection.active = viewer.layers[name]
    dock.segment_button.click()
    assert dock.status_label.text() == f"Segmenting “{name}”…"
    assert dock.status_label.textFormat() == Qt.TextFormat.PlainText
    dock.cancel_button.click()


def test_the_result_is_named_as_it_is_called_now(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image, name="a")
    run_to_end(dock)
    viewer.layers["a superpixels"].name = "mine"
    assert "“mine”" in dock.result_label.text()
    assert "a superpixels" not in dock.result_label.text()
    viewer.layers.remove("mine")
    assert dock.result_label.text() == ""


def test_parameters_are_saved_and_loaded(dock, tmp_path, viewer):
    params = SuperpixelParams(n_segments=77, lam=1.234, seed=9, hidden_channels=(4, 5))
    dock.form.set_params(params)
    dock.save_parameters(tmp_path / "run")
    dock.form.reset()
    dock.load_parameters(tmp_path / "run.toml")
    assert dock.form.params() == params


def test_a_bad_parameter_file_changes_nothing(dock, tmp_path, viewer):
    before = dock.form.params()
    (tmp_path / "bad.toml").write_text("[superpixels]\nlam = 99.0\n")
    dock.load_parameters(tmp_path / "bad.toml")
    dock.save_parameters(tmp_path / "no" / "folder.toml")
    dock.load_parameters(tmp_path / "none.toml")
    bad, no, none = [record.message for record in notification_manager.records][-3:]
    bad_file = tmp_path / "bad.toml"
    assert bad == f"The parameters were not loaded: {bad_file}: lam must be 0 to 3, got 99.0"
    no_file = tmp_path / "no" / "folder.toml"
    assert no.startswith(f"The parameters were not saved. {no_file}: cannot")
    assert no.endswith("make the folder first.")
    assert none.startswith(f"The parameters were not loaded. {tmp_path / 'none.toml'}: cannot be")
    assert none.endswith("choose one that exists.")
    assert not any("[Errno" in message for message in (bad, no, none))
    assert dock.form.params() == before


def test_bad_values_disable_segment_with_the_reason(viewer, dock, tiles_image):
    viewer.add_image(tiles_image)
    assert dock.segment_button.isEnabled()
    dock.form.control("hidden_channels").value = "a, b"
    assert not dock.segment_button.isEnabled()
    assert "whole numbers with commas" in dock.status_label.text()
    dock.reset_button.click()
    assert dock.segment_button.isEnabled()
    assert "whole numbers" not in dock.status_label.text()


def test_too_large_for_memory_is_told_before_the_run(viewer, dock, plugin_settings):
    from napari.settings import get_plugin_settings

    get_plugin_settings("napari-superpixels").segmentation.memory_limit_gb = 0.5
    dock.form.preset.value = "paper"
    viewer.add_image(np.zeros((512, 512), np.uint8))
    assert not dock.segment_button.isEnabled()
    assert "memory limit of 0.5 GB" in dock.status_label.text()
    dock.form.preset.value = "fast"
    assert dock.segment_button.isEnabled()


def test_preferences_are_used(plugin, plugin_settings, make_napari_viewer, open_quick_dock):
    from napari.settings import get_plugin_settings

    page = get_plugin_settings("napari-superpixels").segmentation
    page.seed, page.device = 42, "cpu"
    dock = open_quick_dock(make_napari_viewer(), seed=0)
    dock.reset_button.click()
    assert dock.form.params().seed == 42
    assert dock.device.box.value == "cpu"


def test_device_is_resolved_in_words(dock, viewer, tiles_image):
    viewer.add_image(tiles_image)
    assert dock.device_label.text().startswith("Runs on cpu: ")
    assert "GB free; this run needs about" in dock.device_label.text()


@pytest.mark.parametrize("sample", ["photo", "histology", "nuclei", "raster", "time-series"])
def test_samples_open_and_can_be_segmented(viewer, dock, run_to_end, sample, assert_superpixels):
    (image,) = viewer.open_sample("napari-superpixels", sample)
    dock.form.control("downscale").value = 8
    dock.form.control("iterations").value = 2
    run_to_end(dock)
    (layer,) = results(viewer)
    assert layer.data.max() > 1
    assert_superpixels(
        layer.data.reshape(layer.data.shape[-2:]),
        12,
        np.isfinite(np.asarray(image.data).reshape(-1, *layer.data.shape[-2:]).sum(0))
        if sample == "raster"
        else None,
    )


def test_opened_with_a_raw_viewer_and_with_napari_s_proxy(
    plugin, make_napari_viewer_proxy, open_quick_dock, tiles_image, run_to_end
):
    viewer = make_napari_viewer_proxy()
    dock = open_quick_dock(viewer)
    viewer.add_image(tiles_image)
    run_to_end(dock)
    assert len(results(viewer)) == 1


def test_fits_a_laptop_and_every_control_is_reached_by_tab(viewer, dock, tiles_image, qtbot):
    viewer.add_image(tiles_image, name="a very long name of a layer, longer than any dock is wide")
    hint = dock.minimumSizeHint()
    assert hint.width() <= 380
    assert hint.height() <= 640  # 768 less title bar, menu, status bar and dock title
    dock.advanced.expand(animate=False)
    assert dock.minimumSizeHint().height() <= 640
    unreachable = [
        control.label
        for control in (dock.form.number, dock.form.size, *dock.form.main, *dock.form.advanced)
        if not any(
            child.focusPolicy() & Qt.FocusPolicy.TabFocus
            for child in [control.native, *control.native.findChildren(QWidget)]
        )
    ]
    assert unreachable == []


def test_no_control_is_cut_at_the_right(make_napari_viewer, open_quick_dock, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    dock = open_quick_dock(viewer)
    dock.advanced.expand(animate=False)
    dock.batch_section.expand(animate=False)
    content = dock.findChild(QScrollArea).widget()
    qtbot.waitUntil(lambda: content.height() > 800)

    def cut():
        shown = [w for w in content.findChildren(QWidget) if w.isVisibleTo(content)]
        return [type(w).__name__ for w in shown if w.geometry().right() > w.parentWidget().width()]

    qtbot.waitUntil(lambda: cut() == [], timeout=5000)


def test_cancel_leaves_nothing(viewer, dock, tiles_image, qtbot):
    viewer.add_image(tiles_image)
    dock.form.control("iterations").value = 100_000
    dock.segment_button.click()
    qtbot.waitUntil(lambda: "superpixels so far" in dock.status_label.text(), timeout=60_000)
    qtbot.mouseClick(dock.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert results(viewer) == []
    assert "Cancelled; nothing was added" in dock.result_label.text()
    assert dock.segment_button.isEnabled()


def test_stop_keeps_a_valid_result(viewer, dock, tiles_image, qtbot, assert_superpixels):
    viewer.add_image(tiles_image)
    dock.form.control("iterations").value = 100_000
    dock.segment_button.click()
    qtbot.waitUntil(lambda: "superpixels so far" in dock.status_label.text(), timeout=60_000)
    dock.stop_button.click()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    (layer,) = results(viewer)
    assert layer.editable
    assert_superpixels(layer.data, 12)
    assert "stopped after" in dock.result_label.text()


def test_live_preview_is_locked_and_becomes_the_result(
    viewer, dock, tiles_image, qtbot, monkeypatch
):
    from napari_superpixels._napari.segment import worker

    monkeypatch.setattr(worker, "PREVIEW_INTERVAL_S", 0.0)
    image = viewer.add_image(tiles_image, name="a")
    dock.form.control("iterations").value = 100_000
    dock.segment_button.click()
    qtbot.waitUntil(lambda: len(results(viewer)) == 1, timeout=60_000)
    (preview,) = results(viewer)
    assert preview.name == "a superpixels (preview)"
    assert not preview.editable
    assert viewer.layers.selection.active is image
    preview.opacity = 0.9
    dock.stop_button.click()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert results(viewer) == [preview]
    assert preview.name == "a superpixels"
    assert preview.editable
    assert preview.opacity == 0.9


def test_a_run_may_end_in_3d_with_the_pointer_over_the_canvas(viewer, dock, rng, run_to_end):
    viewer.add_image(rng.random((4, 20, 24)))
    viewer.dims.ndisplay = 3
    viewer.mouse_over_canvas = True
    run_to_end(dock)
    assert len(results(viewer)) == 1
    assert "superpixels</b> of 12 asked for" in dock.result_label.text()


def test_widget_type(dock):
    assert isinstance(dock, SegmentWidget)
