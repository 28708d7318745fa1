"""“Export…”: asks for a file, writes it in a thread, and says what became of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget
from superqt.utils import FunctionWorker, create_worker

from napari_superpixels._napari.export.export_job import (
    ExportJob,
    export_job,
    is_always_a_plane,
    made_from,
    plane_note,
)
from napari_superpixels._napari.input.plane import InputError, View
from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.segment.controls.image_choice import ImageChoice
from napari_superpixels._napari.widgets.layout import button, file_name
from napari_superpixels.errors import ExportError, SuperpixelError
from napari_superpixels.io.formats import METADATA_KEY, format_of
from napari_superpixels.io.formats.registry import FORMATS, Format

_PROPOSED = ".tif"


class Exporter(QObject):
    """The button, the dialog and the worker.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer; its active Labels layer is exported, or else the last result.
    image : ImageChoice
        Labels from elsewhere take the values of the image that is chosen here.
    parent : QWidget
        The dock.

    Attributes
    ----------
    button : QPushButton
        The control.
    """

    told = Signal(str)
    failed = Signal(str)

    def __init__(self, viewer: Viewer, image: ImageChoice, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image = image
        self._dock = parent
        self._last: Labels | None = None
        self._worker: FunctionWorker[str] | None = None
        self.button = button(
            "Export…",
            "Write the selected Labels layer, or else the last result, for other software: "
            "polygons, ImageJ ROIs, tables, graph, GeoTIFF, OME-TIFF, OME-Zarr, picture.",
            self.ask,
        )
        layers = viewer.layers
        self._connections: list[tuple[Any, Any]] = [
            (layers.selection.events.active, self._refresh),
            (layers.events.removed, self._refresh),
        ]
        for emitter, callback in self._connections:
            emitter.connect(callback)
        self._refresh()

    @property
    def running(self) -> bool:
        """Whether a file is being written."""
        return self._worker is not None

    @property
    def target(self) -> Labels | None:
        """The layer that would be exported."""
        active = self._viewer.layers.selection.active
        if isinstance(active, Labels):
            return active
        return self._last if self._last in self._viewer.layers else None

    @property
    def last(self) -> Labels | None:
        """The last result, if it is still there."""
        return self._last if self._last in self._viewer.layers else None

    def remember(self, layer: Labels) -> None:
        """Take note of a new result.

        Parameters
        ----------
        layer : napari.layers.Labels
        """
        self._last = layer
        self._refresh()

    def cleanup(self) -> None:
        """Let go of the viewer."""
        for emitter, callback in self._connections:
            emitter.disconnect(callback)
        self._connections.clear()

    def ask(self) -> None:
        """Ask for a file and write it."""
        layer = self.target
        if layer is None:
            return
        filters = {_filter(known): known for known in FORMATS}
        proposed = next(text for text, known in filters.items() if _PROPOSED in known.suffixes)
        try:
            note = plane_note(layer, View.of(self._viewer))
        except InputError as error:
            note = f"one plane: {error}"
        own = file_name(f"{layer.name}{_PROPOSED}")
        if note and not is_always_a_plane(layer):
            note = f"polygons, ROIs, picture: {note}"
        title = f"Export “{layer.name}”" + (f" ({note})" if note else "")
        name, chosen = QFileDialog.getSaveFileName(
            self._dock, title, own, ";;".join(filters), proposed
        )
        if not name:
            return
        path = Path(name)
        if path.name == own and chosen not in ("", proposed):
            path = path.with_name(own.removesuffix(_PROPOSED))  # another format, not another name
        if not _has_format(path):
            path = path.with_name(path.name + filters.get(chosen, FORMATS[0]).suffixes[0])
            # The dialog asked about another name.
            if path.exists() and not self._may_replace(path):
                return
        self.export_to(path, overwrite=True)

    def export_to(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the layer to a file, in a thread; say what went wrong if that fails.

        Parameters
        ----------
        path : Path
            File or folder; the format follows its suffix.
        overwrite : bool, default False
            Replace what is there.
        """
        layer = self.target
        if layer is None or self.running:
            return
        try:
            images = made_from(layer, self._viewer.layers) or self._chosen_image(layer)
            job = export_job(path, layer, images, View.of(self._viewer))
        except (SuperpixelError, InputError) as error:
            self.failed.emit(text_of(error))
            return
        self.told.emit(f"Exporting “{layer.name}”…")
        worker = create_worker(_write, job, overwrite, _ignore_errors=True)
        worker.returned.connect(self._on_written)
        worker.errored.connect(self._on_error)
        self._worker = worker
        self._refresh()
        worker.start()

    def _chosen_image(self, layer: Labels) -> list[tuple[Image, int | None]]:
        """The image of the dock, for labels that were not made here."""
        image = self._image.layer
        if image is None or "source_layers" in layer.metadata.get(METADATA_KEY, {}):
            return []
        return [(image, self._image.channel_axis)]

    def _may_replace(self, path: Path) -> bool:
        answer = QMessageBox.question(
            self._dock, "Replace the file?", f"{path.name} exists already. Replace it?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _on_written(self, message: str) -> None:
        self._end()
        self.told.emit(message)

    def _on_error(self, error: Exception) -> None:
        self._end()
        self.failed.emit(text_of(error))

    def _end(self) -> None:
        self._worker = None
        self._refresh()

    def _refresh(self, event: Any = None) -> None:
        if self._last not in self._viewer.layers:
            self._last = None
        self.button.setEnabled(self.target is not None and not self.running)


def _write(job: ExportJob, overwrite: bool) -> str:
    """Write in a thread that Python made: pyproj crashes in those that Qt made.

    See https://github.com/pyproj4/pyproj/issues/1509: with pyproj 3.7, the second export of
    polygons that lie on a map would take napari down.
    """
    with ThreadPoolExecutor(max_workers=1) as threads:
        return threads.submit(job.write, overwrite=overwrite).result()


def _filter(known: Format) -> str:
    return f"{known.about} ({' '.join('*' + suffix for suffix in known.suffixes)})"


def _has_format(path: Path) -> bool:
    try:
        format_of(path)
    except ExportError:
        return False
    return True
