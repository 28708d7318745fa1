"""One run: its worker, its preview layer, and how its result reaches the viewer."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import label_colormap
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from vispy.scene.visuals import Line

from napari_superpixels._napari.messages import not_added, text_of
from napari_superpixels._napari.segment.appearance import apply_look
from napari_superpixels._napari.segment.cancelling import CancellableWorker, CancelSwitch
from napari_superpixels._napari.segment.output_layer import (
    as_layer_data,
    finish_layer,
    new_layer,
)
from napari_superpixels._napari.segment.progress_text import Progress, of_any
from napari_superpixels._napari.segment.time_left import TimeLeft
from napari_superpixels._napari.segment.worker import Delivery, Request, segment
from napari_superpixels._napari.widgets.status_bar import not_described

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_superpixels._napari.segment.appearance import Look
    from napari_superpixels._napari.segment.earlier_results import EarlierResults
    from napari_superpixels._napari.segment.worker import AnyStep

_log = logging.getLogger(__name__)


class Run(QObject):
    """Runs one request in a thread; touches layers in the main thread only.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    request : Request
        What to do.
    look : Look
        How superpixels are shown.
    earlier : EarlierResults
        Results of the same pixels, which make room.
    parent : QObject
        Owner.
    """

    progressed = Signal(object, object)  # Progress, seconds left or None
    delivered = Signal(object, object)  # Delivery, layer
    failed = Signal(str)
    cancelled = Signal()
    ended = Signal()  # after any of the three, when the thread is done

    def __init__(
        self, viewer: Viewer, request: Request, look: Look, earlier: EarlierResults, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._request = request
        self._look = look
        self._earlier = earlier
        self._preview: Labels | None = None
        self._lines_of_preview = (0, 0.0)  # contour and opacity, which the user may change
        self._switch = CancelSwitch()
        self._time_left = TimeLeft()
        self._worker: CancellableWorker | None = None
        self._complaint: Exception | None = None

    def start(self) -> None:
        """Hide earlier results, add the preview layer, empty, and start the thread."""
        self._earlier.hide()
        if self._request.preferences.preview and self._request.tiled_output is None:
            # Now, not with the first preview: it takes longest, and the thread has the cores then.
            self._change_layers(self._add_preview)
            if self._complaint is not None:
                self._give_up()
                return
        worker = CancellableWorker(segment, self._request, self._switch)
        worker.yielded.connect(self._on_progress)
        worker.returned.connect(self._on_returned)
        worker.errored.connect(self._on_error)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        worker.start()

    def cancel(self, *, keep: bool) -> None:
        """Stop within one iteration.

        Parameters
        ----------
        keep : bool
            Whether to deliver what is there.
        """
        self._switch.cancel(keep=keep)

    @property
    def kept_tiles(self) -> Path | None:
        """Folder of the tiles that are done, if the run in tiles left one."""
        if self._request.tiled_output is None:
            return None
        from napari_superpixels.tiling.checkpoint import checkpoint_path

        folder = checkpoint_path(self._request.tiled_output)
        return folder if folder.exists() else None

    @property
    def stopping(self) -> bool:
        """Whether the end was asked for."""
        return self._switch.cancelled

    def abandon(self, *, viewer_lives: bool) -> None:
        """Stop and deliver nothing: the dock is going away.

        Parameters
        ----------
        viewer_lives : bool
            Whether there is a viewer left to remove the preview from.
        """
        self._switch.cancel(keep=False)
        if viewer_lives:
            self._remove(self._preview)
            self._earlier.show_again()

    def _on_progress(self, step: AnyStep) -> None:
        progress = of_any(step, self._request.source.mode)
        left = self._time_left.after(progress.done, progress.total, time.monotonic())
        preview = self._preview
        if progress.labels is not None and preview is not None and preview in self._viewer.layers:
            self._show_preview(preview, progress)
        self.progressed.emit(progress, left)

    def _show_preview(self, preview: Labels, progress: Progress) -> None:
        source = self._request.source
        assert progress.labels is not None
        if progress.frame is None:
            preview.data = as_layer_data(source, progress.labels)
            preview.editable = False  # napari unlocks a layer that gets new data
            return
        stack = source.placement.inside(np.asarray(preview.data))
        stack[np.unravel_index(progress.frame, source.shape[:-2])] = progress.labels
        preview.refresh()

    def _add_preview(self) -> None:
        source = self._request.source
        empty = np.zeros(source.shape, np.int32)
        highest = self._request.params.n_segments * source.n_frames
        active = self._viewer.layers.selection.active
        name = f"{source.layer_name} superpixels (preview)"
        self._preview = new_layer(source, empty, name, highest)
        apply_look(self._preview, self._look, label_colormap(), is_flat=self._is_flat)
        self._lines_of_preview = self._preview.contour, self._preview.opacity
        self._viewer.add_layer(self._preview)
        self._preview.editable = False
        # The user goes on working with the layer that was active.
        if active in self._viewer.layers:
            self._viewer.layers.selection.active = active

    @property
    def _is_flat(self) -> bool:
        return bool(self._viewer.dims.ndisplay == 2)

    def _leave_nothing(self) -> None:
        self._remove(self._preview)
        self._earlier.show_again()

    def _give_up(self) -> None:
        """End before the start: somebody who listens to new layers has failed."""
        self._leave_nothing()
        error, self._complaint = self._complaint, None
        assert error is not None
        _log.error("adding the preview layer failed", exc_info=error)
        self.failed.emit(not_added(error))
        self.ended.emit()

    def _change_layers(self, change: Callable[..., object], *arguments: object) -> None:
        """Change layers, to whose events other plugins listen too: if one fails, go on."""
        try:
            with not_described(self._viewer):
                change(*arguments)
        except Exception as error:  # noqa: BLE001
            self._complaint = self._complaint or error

    def _remove(self, layer: Labels | None) -> None:
        if layer is not None and layer in self._viewer.layers:
            self._change_layers(self._viewer.layers.remove, layer)

    def _on_returned(self, delivery: Delivery | None) -> None:
        layers = self._viewer.layers
        if delivery is None:
            self._leave_nothing()
            self.cancelled.emit()
            return
        source = self._request.source
        name = f"{source.layer_name} superpixels"
        layer = self._preview
        if layer is None or layer not in layers:
            layer = new_layer(source, delivery.labels, name)
            self._change_layers(self._viewer.add_layer, layer)
        replaced = self._earlier.take()
        if replaced is not None:
            name = replaced.name
            at = layers.index(layer), layers.index(replaced)
            self._change_layers(layers.move, *at)
            self._remove(replaced)
        # Renamed, selected and described in the status bar before it has features.
        self._change_layers(setattr, layer, "name", name)
        self._change_layers(setattr, layers.selection, "active", layer)
        self._viewer.update_status_from_cursor()
        self._change_layers(finish_layer, layer, delivery, name)
        self._change_layers(self._show, layer, delivery, replaced)
        if self._complaint is not None and not isinstance(delivery.labels, list):
            # Whatever else is missing: the labels are there, and can be edited.
            self._change_layers(setattr, layer, "data", as_layer_data(source, delivery.labels))
            self._change_layers(setattr, layer, "editable", True)
        # Whoever listens to new layers may let Qt run on, and the dock may be gone by now.
        if isalive(self):
            self.delivered.emit(delivery, layer)

    def _show(self, layer: Labels, delivery: Delivery, replaced: Labels | None) -> None:
        """Show a result as chosen; or as the user has changed the one that it replaces."""
        lines = layer.contour, layer.opacity
        apply_look(layer, self._look, delivery.colormap, is_flat=self._is_flat)
        if layer == self._preview and lines != self._lines_of_preview:
            layer.contour, layer.opacity = lines
        if replaced is not None and replaced.colormap.name == layer.colormap.name:
            layer.contour, layer.opacity = replaced.contour, replaced.opacity

    def _on_error(self, error: Exception) -> None:
        self._leave_nothing()
        name, text = f"“{self._request.source.layer_name}”", text_of(error)
        self.failed.emit(text if name in text else f"{name}: {text}")

    def _on_finished(self, _nothing: None = None) -> None:
        self._worker = None
        self.ended.emit()
        if self._complaint is not None:
            raise self._complaint  # napari shows whose it is


def warm_up() -> None:
    """Do now what the first Labels layer of a session would do while the user waits for it.

    Its outline is a vispy line, and vispy computes its dash patterns with the first of them: a
    third of the time that napari takes to add the layer.
    """
    Line(method="agg")
