"""“Export…”: asks for a file, writes it in a thread, and says what became of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox, QWidget
from superqt.utils import FunctionWorker, create_worker

from napari_superpixels._napari.export.export_job import (
    ExportJob,
    export_job,
    is_always_a_plane,
    made_from,
    plane_note,
)
from napari_superpixels._napari.export.known import ALL, Choice, Known, known_of
from napari_superpixels._napari.export.memory import ExportMemory, suffix_of
from napari_superpixels._napari.input.plane import InputError, View
from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.readers.recognise import Recognition
from napari_superpixels._napari.segment.controls.image_choice import ImageChoice
from napari_superpixels._napari.settings import prefer_own_reader
from napari_superpixels._napari.widgets.layout import button, file_name
from napari_superpixels.errors import ExportError, SuperpixelError
from napari_superpixels.io.formats import format_of
from napari_superpixels.io.formats.registry import FORMATS, Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Done:
    """An export that was made, to make it again of another layer.

    Attributes
    ----------
    layer_id : str
        Of the layer.
    choice : Choice
        Which objects.
    folder : Path
        Where the file lies.
    suffix : str
        Its format.
    """

    layer_id: str
    choice: Choice
    folder: Path
    suffix: str

    @property
    def text(self) -> str:
        """What was written, in a few words."""
        objects = "all" if self.choice.of_class is None else f"“{self.choice.of_class}”"
        return f"{'one object a class' if self.choice.dissolve else objects} as {self.suffix}"


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
        self._writing: list[Done] = []
        self._before: list[Done] = []  # of the layer that was exported last
        self.button = button(
            "Export…",
            "Write the selected Labels layer, or else the last result, for other software: "
            "polygons, ImageJ ROIs, tables, graph, GeoTIFF, OME-TIFF, OME-Zarr, picture. Where "
            "there are classes: all superpixels, those of one class, or one object a class. Of a "
            "layer of classes, the map of classes.",
            self.ask,
        )
        layers = viewer.layers
        self._connections: list[tuple[Any, Any]] = [
            (layers.selection.events.active, self._refresh),
            (layers.events.removed, self._refresh),
        ]
        for emitter, callback in self._connections:
            emitter.connect(callback)
        # Both docks have an exporter: what it writes shall come back as what it was.
        self._recognition = Recognition(viewer, self)
        prefer_own_reader()
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
        self._recognition.cleanup()
        for emitter, callback in self._connections:
            emitter.disconnect(callback)
        self._connections.clear()

    def choices(self) -> dict[str, Choice]:
        """Which objects of the layer can be exported, by what the menu says.

        Returns
        -------
        dict of str to Choice
            All superpixels; where superpixels have classes, also those of each class, and one
            object a class.
        """
        layer, found = self.target, {"All superpixels…": ALL}
        if layer is None:
            return found
        columns = known_of(layer, self._viewer.layers).columns
        used = {} if columns.is_class_map else columns.by_name
        named = set(columns.table["class"]) if "class" in columns.table else set()
        used = {name: known for name, known in used.items() if name in named}
        found |= {f"Only “{name}”…": Choice(of_class=name) for name in used}
        return found | ({"One object a class…": Choice(dissolve=True)} if used else {})

    def again(self, choices: Iterable[Choice]) -> list[Done]:
        """What was written of the layer before, as far as this one has the same objects.

        Parameters
        ----------
        choices : iterable of Choice
            What this layer has.

        Returns
        -------
        list of Done
            Empty for the layer that was exported last.
        """
        layer, known = self.target, list(choices)
        if layer is None or any(done.layer_id == str(layer.unique_id) for done in self._before):
            return []
        return [done for done in self._before if done.choice in known]

    def export_again(self, before: Sequence[Done]) -> None:
        """Write the same of this layer as of the one before, in its folder, named after the layer.

        Parameters
        ----------
        before : sequence of Done
            From `again`; where a file of that name exists, the user is asked.
        """
        layer = self.target
        if layer is None:
            return
        wanted = [(x.folder / _own_name(layer, x.choice, x.suffix), x.choice) for x in before]
        self._export([x for x in wanted if not x[0].exists() or self._may_replace(x[0])], True)

    def ask(self) -> None:
        """Ask which objects, where there are classes, and for a file; write it."""
        try:
            choices = self.choices()
        except SuperpixelError as error:
            self.failed.emit(text_of(error))
            return
        if len(choices) == 1:
            self.ask_for_file(ALL)
            return
        menu = QMenu(self.button)
        for text, choice in choices.items():
            # In a menu, “&” would underline the next letter.
            action = menu.addAction(text.replace("&", "&&"))
            assert action is not None
            action.triggered.connect(lambda _, choice=choice: self.ask_for_file(choice))
        again = self.again(choices.values())
        if again:
            text = f"Again: {', '.join(done.text for done in again)}"
            action = menu.addAction(text.replace("&", "&&"))
            assert action is not None
            action.triggered.connect(lambda _: self.export_again(again))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.button.mapToGlobal(self.button.rect().topLeft()))

    def ask_for_file(self, choice: Choice) -> None:
        """Ask for a file and write it.

        Parameters
        ----------
        choice : Choice
            Which objects.
        """
        layer = self.target
        if layer is None:
            return
        memory = ExportMemory.read()
        filters = {_filter(known): known for known in FORMATS}
        suffix = memory.suffix
        proposed = next(text for text, known in filters.items() if suffix in known.suffixes)
        try:
            note = plane_note(layer, View.of(self._viewer))
        except InputError as error:
            note = f"one plane: {error}"
        about = known_of(layer, self._viewer.layers)
        own = _own_name(layer, choice, suffix)
        if note and not is_always_a_plane(layer, about):
            note = f"polygons, ROIs, picture: {note}"
        title = f"Export “{layer.name}”" + (f" ({note})" if note else "")
        near = self._folder_of_image(layer, about)
        folder = memory.folder_for(near)
        name, chosen = QFileDialog.getSaveFileName(
            self._dock,
            title,
            own if folder is None else str(folder / own),
            ";;".join(filters),
            proposed,
        )
        if not name:
            return
        path = Path(name)
        if path.name == own and chosen not in ("", proposed):
            path = path.with_name(own.removesuffix(suffix))  # another format, not another name
        if not _has_format(path):
            path = path.with_name(path.name + filters.get(chosen, FORMATS[0]).suffixes[0])
            # The dialog asked about another name.
            if path.exists() and not self._may_replace(path):
                return
        memory.note(path, near)
        self.export_to(path, choice, overwrite=True)

    def export_to(self, path: Path, choice: Choice = ALL, *, overwrite: bool = False) -> None:
        """Write the layer to a file, in a thread; say what went wrong if that fails.

        Parameters
        ----------
        path : Path
            File or folder; the format follows its suffix.
        choice : Choice
            Which objects; all superpixels by default.
        overwrite : bool, default False
            Replace what is there.
        """
        self._export([(path, choice)], overwrite)

    def _export(self, files: Sequence[tuple[Path, Choice]], overwrite: bool) -> None:
        layer = self.target
        if layer is None or self.running or not files:
            return
        try:
            about = known_of(layer, self._viewer.layers)
            images, view = self._images(layer, about), View.of(self._viewer)
            jobs = [export_job(path, layer, images, view, about, choice) for path, choice in files]
        except (SuperpixelError, InputError) as error:
            self.failed.emit(text_of(error))
            return
        self._writing = [
            Done(str(layer.unique_id), choice, path.parent, suffix_of(path))
            for path, choice in files
        ]
        self.told.emit(f"Exporting “{layer.name}”…")
        worker = create_worker(_write, jobs, overwrite, _ignore_errors=True)
        worker.returned.connect(self._on_written)
        worker.errored.connect(self._on_error)
        self._worker = worker
        self._refresh()
        worker.start()

    def _images(self, layer: Labels, about: Known) -> list[tuple[Image, int | None]]:
        """The images that a layer was made from; of others, the image of the dock."""
        made = made_from(about.made_for or layer, self._viewer.layers)
        image = self._image.layer
        if made or image is None or "source_layers" in about.metadata:
            return made
        return [(image, self._image.channel_axis)]

    def _folder_of_image(self, layer: Labels, about: Known) -> Path | None:
        """Where the image lies, or else the labels; None where they have no file."""
        for found in (*(image for image, _ in self._images(layer, about)), layer):
            if found.source.path and Path(found.source.path).parent.is_dir():
                return Path(found.source.path).resolve().parent
        return None

    def _may_replace(self, path: Path) -> bool:
        answer = QMessageBox.question(
            self._dock, "Replace the file?", f"{path.name} exists already. Replace it?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _on_written(self, message: str) -> None:
        same = [done for done in self._before if done.layer_id == self._writing[0].layer_id]
        self._before = [done for done in same if done not in self._writing] + self._writing
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


def _write(jobs: Sequence[ExportJob], overwrite: bool) -> str:
    """Write in a thread that Python made: pyproj crashes in those that Qt made.

    See https://github.com/pyproj4/pyproj/issues/1509: with pyproj 3.7, the second export of
    polygons that lie on a map would take napari down.
    """
    with ThreadPoolExecutor(max_workers=1) as threads:
        return " ".join(threads.submit(job.write, overwrite=overwrite).result() for job in jobs)


def _own_name(layer: Labels, choice: Choice, suffix: str) -> str:
    """File name after the layer and what of it is exported."""
    made_of = "" if choice.of_class is None else f" {choice.of_class}"
    made_of = " classes" if choice.dissolve else made_of
    return file_name(f"{layer.name}{made_of}{suffix}")


def _filter(known: Format) -> str:
    return f"{known.about} ({' '.join('*' + suffix for suffix in known.suffixes)})"


def _has_format(path: Path) -> bool:
    try:
        format_of(path)
    except ExportError:
        return False
    return True
