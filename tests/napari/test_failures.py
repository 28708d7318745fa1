"""What goes wrong in real life; afterwards the dock is usable and nothing is leaked."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
from napari.layers import Labels
from qtpy.QtCore import QEvent, QThreadPool
from qtpy.QtWidgets import QApplication

from napari_superpixels.core.network import optimize as optimize_module


def results(viewer):
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def live_tensors() -> int:
    gc.collect()
    return sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects())


def start_long_run(dock, qtbot):
    dock.form.control("iterations").value = 100_000
    dock.segment_button.click()
    qtbot.waitUntil(lambda: "superpixels so far" in dock.status_label.text(), timeout=60_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("broken kernel"), "PyTorch could not go on. RuntimeError: broken kernel"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory. The estimate"),
        (ValueError("odd"), "odd"),
    ],
)
def test_errors_in_the_worker_are_shown_and_the_next_run_works(
    viewer, dock, tiles_image, run_to_end, monkeypatch, error, message, qtbot
):
    shown = []
    monkeypatch.setattr(
        "napari_superpixels._napari.segment.dock.show_error", lambda text: shown.append(text)
    )
    viewer.add_image(tiles_image)

    def failing(*args):
        raise error

    before = live_tensors()
    with monkeypatch.context() as patch:
        patch.setattr(optimize_module._Run, "_iterate", failing)
        run_to_end(dock)
    assert message in shown[0]
    assert message in dock.result_label.text()
    assert results(viewer) == []
    error.__traceback__ = None  # the fixture's own reference
    assert live_tensors() == before
    run_to_end(dock)
    assert len(results(viewer)) == 1


def test_nothing_is_left_after_a_run(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image)
    run_to_end(dock)
    before = live_tensors()
    run_to_end(dock)
    assert live_tensors() == before


def test_layer_deleted_during_the_run(viewer, dock, tiles_image, qtbot):
    image = viewer.add_image(tiles_image, name="gone")
    start_long_run(dock, qtbot)
    viewer.layers.remove(image)
    dock.stop_button.click()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert [layer.name for layer in results(viewer)] == ["gone superpixels"]


def test_layer_renamed_and_changed_during_the_run(viewer, dock, tiles_image, qtbot):
    image = viewer.add_image(tiles_image, name="old", scale=(2, 2))
    start_long_run(dock, qtbot)
    image.name = "new"
    image.data = np.zeros((5, 5, 3), np.uint8)
    image.scale = (9, 9)
    dock.stop_button.click()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    (layer,) = results(viewer)
    assert layer.data.shape == (48, 64)
    np.testing.assert_allclose(layer.scale, (2, 2))


def test_preview_deleted_during_the_run(viewer, dock, tiles_image, qtbot, monkeypatch):
    from napari_superpixels._napari.segment import worker

    monkeypatch.setattr(worker, "PREVIEW_INTERVAL_S", 0.0)
    viewer.add_image(tiles_image)
    start_long_run(dock, qtbot)
    qtbot.waitUntil(lambda: len(results(viewer)) == 1, timeout=60_000)
    viewer.layers.remove(results(viewer)[0])
    dock.stop_button.click()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    (layer,) = results(viewer)
    assert layer.editable


class Faulty:
    """Another plugin, whose callback fails."""

    def __init__(self, event):
        self._event = event
        event.connect(self.on_event)

    def on_event(self, event):
        raise LookupError("a fault of mine")

    def mend(self):
        self._event.disconnect(self.on_event)


@pytest.mark.parametrize("name", ["inserted", "removed", "inserting"])
def test_another_plugin_fails_while_the_preview_is_added(
    viewer, dock, tiles_image, run_to_end, monkeypatch, name
):
    shown = []
    monkeypatch.setattr("napari_superpixels._napari.segment.dock.show_error", shown.append)
    viewer.add_image(tiles_image)
    others = [Faulty(viewer.layers.events.inserted), Faulty(getattr(viewer.layers.events, name))]
    dock.segment_button.click()
    assert not dock.running
    assert "a fault of mine" in shown[0]
    assert "Another plugin failed" in dock.result_label.text()
    assert results(viewer) == []
    for other in others:
        other.mend()
    run_to_end(dock)
    assert [layer.editable for layer in results(viewer)] == [True]


@pytest.mark.parametrize("name", ["name", "data", "features", "set_data", "editable"])
def test_another_plugin_fails_while_the_result_is_shown(
    viewer, dock, tiles_image, qtbot, monkeypatch, name
):
    viewer.add_image(tiles_image)
    dock.segment_button.click()
    (preview,) = results(viewer)
    other = Faulty(preview.events[name])
    with qtbot.captureExceptions() as told:
        qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    other.mend()
    assert "a fault of mine" in str(told[-1][1])
    (layer,) = results(viewer)
    assert layer.editable
    assert np.asarray(layer.data).max() > 1
    assert dock.segment_button.isEnabled()


@pytest.mark.parametrize("ending", ["cancel", "error"])
def test_another_plugin_fails_while_the_preview_is_removed(
    viewer, dock, tiles_image, qtbot, monkeypatch, ending
):
    shown = []
    monkeypatch.setattr("napari_superpixels._napari.segment.dock.show_error", shown.append)
    viewer.add_image(tiles_image)
    if ending == "error":
        failing = ValueError("odd")
        monkeypatch.setattr(
            optimize_module._Run, "_iterate", lambda *_: (_ for _ in ()).throw(failing)
        )
    dock.segment_button.click()
    other = Faulty(viewer.layers.events.removed)
    with qtbot.captureExceptions() as told:
        if ending == "cancel":
            dock.cancel_button.click()
        qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    other.mend()
    assert "a fault of mine" in str(told[-1][1])
    assert ("odd" if ending == "error" else "Cancelled") in dock.result_label.text()
    assert results(viewer) == []


def test_the_cross_of_the_dock_ends_the_run(viewer, dock, tiles_image, qtbot):
    viewer.add_image(tiles_image)
    start_long_run(dock, qtbot)
    del dock
    viewer.window.remove_dock_widget(
        next(w for w in viewer.window.dock_widgets.values() if hasattr(w, "segment_button"))
    )
    qtbot.waitUntil(_no_worker_runs, timeout=30_000)
    assert results(viewer) == []


def test_a_3d_view_of_labels_with_features(viewer, dock, tiles_image, rng, run_to_end):
    """napari 0.9 fails to describe them in its status bar before the mouse has moved."""
    labels = np.ones((4, 48, 64), np.uint8)
    features = {"index": [1], "size": [3.0]}
    viewer.add_image(tiles_image, name="tiles")
    viewer.add_labels(labels, features=features, name="labels")
    viewer.dims.ndisplay = 3
    viewer.cursor.position = (1, 5, 5)
    viewer.mouse_over_canvas = True
    dock.segment_button.click()
    assert dock.running
    assert viewer.mouse_over_canvas
    assert viewer.layers.selection.active.name == "labels"


def test_cancel_at_the_first_step(viewer, dock, tiles_image, qtbot):
    viewer.add_image(tiles_image)
    dock.segment_button.click()
    dock.cancel_button.click()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert results(viewer) == []
    assert dock.segment_button.isEnabled()


def test_a_layer_without_a_pixel_is_named(viewer, dock, run_to_end, monkeypatch):
    monkeypatch.setattr("napari_superpixels._napari.segment.dock.show_error", lambda text: None)
    viewer.add_image(np.full((30, 40), np.nan), name="empty", contrast_limits=(0, 1))
    run_to_end(dock)
    assert "“empty”: all pixels are NaN or infinite" in dock.result_label.text()


def test_two_quick_clicks_start_one_run(viewer, dock, tiles_image, qtbot):
    viewer.add_image(tiles_image)
    dock.segment_button.click()
    dock.segment_button.click()
    dock.segment()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert len(results(viewer)) == 1


def test_viewer_closed_during_the_run(
    plugin, make_napari_viewer, open_quick_dock, tiles_image, qtbot
):
    viewer = make_napari_viewer()
    # Named, or napari looks for a name in this frame's variables and keeps them alive.
    viewer.add_image(tiles_image, name="a")
    dock = open_quick_dock(viewer)
    before = live_tensors()
    start_long_run(dock, qtbot)
    gone = weakref.ref(dock)
    del dock
    viewer.close()
    qtbot.waitUntil(lambda: _is_gone(gone), timeout=30_000)
    qtbot.waitUntil(_no_worker_runs, timeout=30_000)
    assert live_tensors() == before


def test_dock_closed_during_the_run(viewer, dock, tiles_image, qtbot):
    viewer.add_image(tiles_image)
    before = live_tensors()
    start_long_run(dock, qtbot)
    viewer.window.remove_dock_widget(dock)
    dock.deleteLater()
    _process_deletions()
    qtbot.waitUntil(_no_worker_runs, timeout=30_000)
    assert live_tensors() == before
    assert results(viewer) == []


def _process_deletions() -> None:
    QApplication.processEvents()
    # deleteLater() waits for the outermost event loop, which a test never returns to.
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _no_worker_runs() -> bool:
    _process_deletions()
    return QThreadPool.globalInstance().activeThreadCount() == 0


def _is_gone(reference: weakref.ref) -> bool:
    _process_deletions()
    gc.collect()
    return reference() is None


def test_widget_is_freed_with_its_viewer(
    plugin, make_napari_viewer, open_quick_dock, run_to_end, tiles_image, qtbot
):
    viewer = make_napari_viewer()
    viewer.add_image(tiles_image, name="a")
    dock = open_quick_dock(viewer)
    run_to_end(dock)
    gone = weakref.ref(dock)
    del dock
    viewer.close()
    qtbot.waitUntil(lambda: _is_gone(gone), timeout=30_000)


def test_pytorch_that_does_not_load_is_told(viewer, monkeypatch, qtbot, tiles_image):
    from napari_superpixels._napari.demo import open_dock
    from napari_superpixels._napari.segment.controls import device_choice as devices

    def failing():
        raise OSError("[WinError 1114] A dynamic link library (DLL) initialization routine failed")

    monkeypatch.setattr(devices, "_find_devices", failing)
    monkeypatch.setattr(devices.sys, "platform", "win32")
    dock = open_dock(viewer)
    viewer.add_image(tiles_image)
    qtbot.waitUntil(lambda: "could not be loaded" in dock.status_label.text(), timeout=30_000)
    assert "WinError 1114" in dock.status_label.text()
    assert "napari-superpixels napari" in dock.status_label.text()
    assert not dock.segment_button.isEnabled()


def test_a_demo_that_cannot_run_says_why(viewer, monkeypatch, tmp_path, capsys):
    from napari_superpixels._napari import demo
    from napari_superpixels._napari.segment.controls import device_choice as devices

    def failing():
        raise OSError("no such library")

    monkeypatch.setattr(devices, "_find_devices", failing)
    monkeypatch.setattr(demo.napari, "Viewer", lambda: viewer)
    assert demo.run_demo("fast", tmp_path / "out") == 1
    assert "PyTorch could not be loaded: no such library" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
