"""Labels of ours that napari's own reader opened as an image become labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_info, show_warning
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer

from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.readers.own_labels import is_own, read_own
from napari_superpixels._napari.widgets.status_bar import not_described
from napari_superpixels.errors import SuperpixelError
from napari_superpixels.errors.quantities import counted


class Recognition:
    """Looks at each image that comes into the viewer from a file, and at those that are there.

    napari asks nobody about the content of a file before it chooses a reader.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject
        Owner of its timer.
    """

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        self._viewer = viewer
        self._waiting: list[Any] = list(viewer.layers)
        # Later: whoever adds a layer goes on with it.
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._look)
        self._timer.start()
        viewer.layers.events.inserted.connect(self._on_inserted)

    def cleanup(self) -> None:
        """Let go of the viewer."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._waiting.clear()

    def _on_inserted(self, event: Any) -> None:
        self._waiting.append(event.value)
        self._timer.start()

    def _look(self) -> None:
        waiting, self._waiting = self._waiting, []
        for layer in waiting:
            if isinstance(layer, Image) and layer.source.path and layer in self._viewer.layers:
                path = Path(layer.source.path)
                if is_own(path):
                    self._replace(layer, path)

    def _replace(self, layer: Image, path: Path) -> None:
        try:
            data, options, kind = read_own(path)
        except SuperpixelError as error:
            show_warning(text_of(error))
            return
        levels = data if isinstance(data, list) else [data]
        given = layer.data[0] if layer.multiscale else layer.data
        if tuple(given.shape) != tuple(levels[0].shape):
            return  # one of a stack, say
        found = Layer.create(data, options, kind)
        assert isinstance(found, Labels)
        layers = self._viewer.layers
        with not_described(self._viewer):
            at = layers.index(layer)
            layers.remove(layer)
            layers.insert(at, found)
            layers.selection.active = found
        what = "superpixels"
        if isinstance(data, np.ndarray):
            what = counted(int(np.count_nonzero(np.unique(data))), "superpixel")
        show_info(f"{path.name} holds {what}, and was opened as labels.")
