"""A viewer with the correction dock."""

from __future__ import annotations

import numpy as np
import pytest
from docs.tour import Hand

from napari_superpixels._napari.correction.dock import CorrectionWidget
from tests.fixtures.correction import squares


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
    def open_it(tool="Merge"):
        """Open the dock, and click on a tool if there is something to correct."""
        _, widget = viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")
        assert isinstance(widget, CorrectionWidget)
        qtbot.wait(200)  # until the window is laid out
        viewer.reset_view()
        if tool and widget.editor is not None:
            widget.tool_buttons[tool].click()
        return widget

    return open_it


@pytest.fixture
def layer(viewer, tiles_image):
    viewer.add_image(tiles_image, name="tiles")
    return viewer.add_labels(squares(), name="labels", metadata={"mine": 1})


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
