"""One run: its worker, its preview layer, and how its result reaches the viewer."""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from vispy.scene.visuals import Line

from napari_superpixels._napari.messages import not_added, text_of
from napari_superpixels._napari.segment.cancelling import CancellableWorker, CancelSwitch
from napari_superpixels._napari.segment.output_layer import (
    as_layer_data,
    checksum_of,
    finish_layer,
    new_layer,
)
from napari_superpixels._napari.segment.progress_text import Progress, of_any
from napari_superpixels._napari.segment.time_left import TimeLeft
from napari_superpixels._napari.segment.worker import Delivery, Request, segment
from napari_superpixels._napari.widgets.status_bar import not_described
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput
    from napari_superpixels._napari.segment.worker import AnyStep

_log = logging.getLogger(__name__)


class Target(StrEnum):
    """Where a result goes."""

    NEW = "new layer"
    REPLACE = "replace the last result"


class Run(QObject):
    """Runs one request in a thread; touches layers in the main thread only.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    request : Request
        What to do.
    replace : napari.layers.Labels or None
        Layer of ours that the result takes the place of.
    parent : QObject
        Owner.
    """

    progressed = Signal(object, object)  # Progress, seconds left or None
    delivered = Signal(object, object)  # Delivery, layer
    failed = Signal(str)
    cancelled = Signal()
    ended = Signal()  # after any of the three, when the thread is done

    def __init__(
        self, viewer: Viewer, request: Request, replace: Labels | None, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._request = request
        self._replace = replace
        self._replace_checksum = None if replace is None else checksum_of(replace)
        self._preview: Labels | None = None
        self._switch = CancelSwitch()
        self._time_left = TimeLeft()
        self._worker: CancellableWorker | None = None
        self._complaint: Exception | None = None

    def start(self) -> None:
        """Add the preview layer, empty, and start the thread."""
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
        self._viewer.add_layer(self._preview)
        self._preview.editable = False
        # The user goes on working with the layer that was active.
        if active in self._viewer.layers:
            self._viewer.layers.selection.active = active

    def _give_up(self) -> None:
        """End before the start: somebody who listens to new layers has failed."""
        self._remove(self._preview)
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
            self._remove(self._preview)
            self.cancelled.emit()
            return
        source = self._request.source
        name = f"{source.layer_name} superpixels"
        layer = self._preview
        if layer is None or layer not in layers:
            layer = new_layer(source, delivery.labels, name)
            self._change_layers(self._viewer.add_layer, layer)
        replaced = self._replace if self._replace in layers else None
        # A layer that was edited while the run went on is the user's.
        if replaced is not None and checksum_of(replaced) == self._replace_checksum:
            name = replaced.name
            layer.opacity, layer.contour = replaced.opacity, replaced.contour
            at = layers.index(layer), layers.index(replaced)
            self._change_layers(layers.move, *at)
            self._remove(replaced)
        # Renamed, selected and described in the status bar before it has features.
        self._change_layers(setattr, layer, "name", name)
        self._change_layers(setattr, layers.selection, "active", layer)
        self._viewer.update_status_from_cursor()
        self._change_layers(finish_layer, layer, delivery, name)
        if self._complaint is not None and not isinstance(delivery.labels, list):
            # Whatever else is missing: the labels are there, and can be edited.
            self._change_layers(setattr, layer, "data", as_layer_data(source, delivery.labels))
            self._change_layers(setattr, layer, "editable", True)
        self.delivered.emit(delivery, layer)

    def _on_error(self, error: Exception) -> None:
        self._remove(self._preview)
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


def last_result(viewer: Viewer, source: SegmentationInput) -> Labels | None:
    """Find the newest result layer of the same plane of the same image.

    Parameters
    ----------
    viewer : napari.Viewer
    source : SegmentationInput
        What is to be segmented again.

    Returns
    -------
    napari.layers.Labels or None
        The layer that the latest such run delivered.
    """
    same = [
        layer
        for layer in viewer.layers
        if (made := layer.metadata.get(METADATA_KEY, {})).get("source_id") == source.layer_id
        and made.get("source_expression") == source.plane_expression
    ]
    return max(
        same, key=lambda layer: str(layer.metadata[METADATA_KEY].get("created")), default=None
    )
