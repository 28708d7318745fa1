"""What a removed layer leaves on the graphics card is deleted where it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtOpenGLWidgets import QOpenGLWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget


class CanvasContext:
    """Makes the canvas's OpenGL context the current one whenever a layer is about to be removed.

    napari 0.9 deletes the programs and buffers of a removed layer at once, in whatever context is
    current: after a repaint of the window, that is the one in which Qt puts the window together.
    Mesa 22.3 then unbinds the program of the next layer that it draws, and the process ends with a
    segmentation fault, if the removed layer was not in the last picture: hidden, or on a slice that
    is not shown.

    Parameters
    ----------
    viewer : napari.Viewer
    dock : QWidget
        A widget of ours in its window.
    """

    def __init__(self, viewer: Viewer, dock: QWidget) -> None:
        self._dock = dock
        self._removing = viewer.layers.events.removing
        self._removing.connect(self._on_removing)

    def _on_removing(self, event: Any = None) -> None:
        window = self._dock
        # Not `window()`, which of a floating dock is the dock.
        while (outer := window.parentWidget()) is not None:
            window = outer
        for canvas in window.findChildren(QOpenGLWidget):
            canvas.makeCurrent()

    def cleanup(self) -> None:
        """Let go of the viewer."""
        self._removing.disconnect(self._on_removing)
