"""A real viewer with the dock opened through the manifest."""

from __future__ import annotations

import gc

import pytest
from npe2 import PluginManifest

from napari_superpixels._napari.correction.panels.class_list import TEMPLATE
from napari_superpixels._napari.demo import open_dock

QUICK = {
    "n_segments": 12,
    "iterations": 8,
    "downscale": 2,
    "hidden_channels": (8, 8),
    "refine_iterations": 3,
}


@pytest.fixture(scope="session", autouse=True)
def _quick_garbage_collection():
    """Set aside what stays loaded: napari's fixture collects garbage several times a viewer."""
    import torch  # noqa: F401

    import napari_superpixels.tiling.run  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def _first_viewers():
    """Viewers that were made before what they have loaded was set aside too."""
    return []


@pytest.fixture(autouse=True)
def _set_aside_after_the_first_viewers(_first_viewers):
    yield
    _first_viewers.append(1)
    if len(_first_viewers) == 3:
        gc.collect()
        gc.freeze()


@pytest.fixture
def plugin(npe2pm, plugin_settings):
    """The plugin, registered with npe2 as an installation does; settings in a temporary folder."""
    manifest = PluginManifest.from_distribution("napari-superpixels")
    npe2pm.register(manifest)
    return manifest


@pytest.fixture
def viewer(plugin, make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def shown_viewer(plugin, make_napari_viewer, qtbot):
    """A viewer on a laptop's screen, with the focus."""
    made = make_napari_viewer(show=True)
    made.window.resize(1366, 740)
    made.window._qt_window.activateWindow()
    qtbot.waitUntil(made.window._qt_window.isActiveWindow)
    return made


@pytest.fixture
def open_quick_dock(qtbot):
    """Open the dock in a viewer, with parameters that run in a blink, and wait for the devices."""

    def open_in(viewer, **changes):
        dock = open_dock(viewer)
        qtbot.waitUntil(lambda: not dock.device.problem, timeout=60_000)
        dock.form.set_params(dock.form.params().replace(**(QUICK | changes)))
        return dock

    return open_in


@pytest.fixture
def dock(viewer, open_quick_dock):
    return open_quick_dock(viewer)


@pytest.fixture
def run_to_end(qtbot):
    """Click Segment and wait until the run has ended."""

    def run(dock):
        assert dock.segment_button.isEnabled(), dock.status_label.text()
        dock.segment_button.click()
        qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
        gc.collect()

    return run


@pytest.fixture(autouse=True)
def _no_threads_left(qtbot):
    """A test must not end while a worker still runs: Qt would be torn down under it."""
    yield
    from qtpy.QtCore import QThreadPool

    pool = QThreadPool.globalInstance()
    qtbot.waitUntil(lambda: pool.activeThreadCount() == 0, timeout=60_000)


@pytest.fixture(autouse=True)
def _no_classes_of_another_test():
    """The next image begins with the last list of classes, and the next test with none."""
    TEMPLATE.clear()
