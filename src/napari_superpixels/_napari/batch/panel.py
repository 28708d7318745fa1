"""The section for many files: they are segmented by the command, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, LineEdit
from qtpy.QtCore import QProcess, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QProgressBar, QVBoxLayout, QWidget

from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.widgets.layout import button, row, rows, text_label
from napari_superpixels.errors import from_plain
from napari_superpixels.errors.quantities import counted
from napari_superpixels.io.suffixes import SEGMENT_FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_superpixels.params import SuperpixelParams

_STACKS = {
    "one image a file": [],
    "frames alone": ["--series", "alone"],
    "frames in series": ["--series", "follow"],
    "3D supervoxels": ["--volume"],
}
_BETWEEN = "; "
# Before what the command says of itself.
_PREFIX = "napari-superpixels: "
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class BatchChoices:
    """What the rest of the dock says.

    Attributes
    ----------
    params : SuperpixelParams
    device : str
        Where to run.
    nodata : float or None
        Value of pixels to leave out.
    channels : str
        Channels that decide; empty for all.
    memory_limit_gb : float or None
        Above it, images are segmented in tiles.
    """

    params: SuperpixelParams
    device: str
    nodata: float | None
    channels: str
    memory_limit_gb: float | None


class Batch(QWidget):
    """Files, a folder, formats; a progress bar for all, and a list of what failed.

    The process is another one: napari stays responsive, and outlives whatever a file does to it.

    Parameters
    ----------
    choices : callable
        Returns `BatchChoices`; raises ValueError where the dock says nothing usable.

    Attributes
    ----------
    ended : Signal
        Emitted when the process is gone.
    """

    ended = Signal()

    def __init__(self, choices: Callable[[], BatchChoices]) -> None:
        super().__init__()
        self._choices = choices
        self._process: QProcess | None = None
        self._told: list[dict[str, Any]] = []
        self._complaints = ""
        self._chosen: list[str] = []
        self._stopped = False
        self._folder = tempfile.TemporaryDirectory(prefix="superpixels-batch-")
        self.files = LineEdit(
            name="files",
            label="Files",
            tooltip="Image files, folders, or patterns such as /data/*.tif, with “;” between them.",
        )
        self.output = LineEdit(
            name="output",
            label="Into the folder",
            tooltip="Each file becomes NAME_superpixels.tif and so on; those that are there "
            "already are skipped.",
        )
        self.formats = LineEdit(
            name="formats",
            label="Formats",
            value="tif",
            tooltip=f"One or more of {', '.join(SEGMENT_FORMATS)}, with spaces between them; zip "
            "is ImageJ ROIs.",
        )
        self.stacks = ComboBox(
            name="stacks",
            label="Stacks",
            choices=list(_STACKS),
            tooltip="What to do with files that hold several frames or planes: there are none of "
            "that kind; each frame on its own, or a series, in which superpixels keep their ids "
            "(files of one plane are segmented as ever); or one volume a file, whose voxels are "
            "cubes where the file does not say their size.",
        )
        self.choose_button = button("Files…", "Choose image files.", self._choose_files)
        self.folder_button = button("Folder…", "Choose where to write.", self._choose_folder)
        self.start_button = button(
            "Segment files", "Segment all files with the parameters above.", self.start
        )
        self.stop_button = button("Stop", "Stop; files that are done stay.", self.stop)
        self.about = text_label()
        self.about.setText(
            "Whole images, with the parameters, nodata value and channels that are chosen above."
        )
        self.progress = QProgressBar()
        self.message = text_label(selectable=True, rich=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.about)
        layout.addWidget(rows(self.files, self.output, self.formats, self.stacks))
        layout.addLayout(row(self.choose_button, self.folder_button))
        layout.addLayout(row(self.start_button, self.stop_button))
        layout.addWidget(self.progress)
        layout.addWidget(self.message)
        self._show()

    @property
    def running(self) -> bool:
        """Whether files are being segmented."""
        return self._process is not None

    def start(self) -> None:
        """Segment the files."""
        files = self._files()
        output = _from_home(str(self.output.value))
        kinds = re.split(r"[\s,;]+", str(self.formats.value))
        formats = [kind.lstrip(".") for kind in kinds if kind]
        unknown = [kind for kind in formats if kind not in SEGMENT_FORMATS]
        if unknown:
            self._say(f"“{unknown[0]}” is no format: take some of {', '.join(SEGMENT_FORMATS)}.")
            return
        try:
            choices = self._choices()
        except ValueError as error:
            self._say(str(error))
            return
        if not (files and output and formats):
            self._say("Choose files, a folder to write to, and at least one format.")
            return
        self._told, self._complaints, self._stopped = [], "", False
        process = QProcess(self)
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_errors)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_process_error)
        self._process = process
        self._say("Starting…")
        self._show()
        process.start(sys.executable, self._command(files, output, formats, choices))

    def _files(self) -> list[str]:
        text = str(self.files.value)
        if text == _BETWEEN.join(self._chosen):  # names may hold what stands between them
            return self._chosen
        if Path(text).exists():
            return [text]
        parts = [_from_home(part) for part in text.split(_BETWEEN.strip())]
        if len(parts) == 1 and not Path(parts[0]).exists():
            parts = [_from_home(part) for part in text.split(",")]
        return [part for part in parts if part]

    def _command(
        self, files: Sequence[str], output: str, formats: Sequence[str], choices: BatchChoices
    ) -> list[str]:
        params = Path(self._folder.name) / "parameters.toml"
        choices.params.save(params)
        command = ["-m", "napari_superpixels", "segment", *files, "-o", f"{output}{os.sep}"]
        command += ["--format", *formats, "--params", str(params), "--device", choices.device]
        command += _STACKS[str(self.stacks.value)]
        if choices.nodata is not None:
            command += [f"--nodata={choices.nodata}"]
        if choices.channels:
            command += [f"--channels={choices.channels}"]
        if choices.memory_limit_gb is not None:
            command += [f"--memory-limit-gb={choices.memory_limit_gb}"]
        # What was stopped in tiles goes on.
        return [*command, "--resume", "--json"]

    def stop(self) -> None:
        """Stop the process; of what it was writing, tiles stay, and another run goes on."""
        if self._process is None:
            return
        self._stopped = True
        if os.name == "posix":
            self._process.terminate()  # the command ends as by Ctrl+C
        else:
            self._process.kill()
        self._show()

    def cleanup(self) -> None:
        """Stop the process: the dock is going away."""
        process, self._process = self._process, None
        if process is not None:
            process.finished.disconnect(self._on_finished)
            process.kill()
            process.waitForFinished(3000)
        self._folder.cleanup()

    def _choose_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Images to segment")
        if names:
            self._chosen = list(names)
            self.files.value = _BETWEEN.join(names)

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder for the superpixels")
        if name:
            self.output.value = name

    def _on_output(self) -> None:
        assert self._process is not None
        while self._process.canReadLine():
            line = bytes(self._process.readLine().data()).decode("utf-8", "replace")
            # Libraries may print too.
            if line.startswith("{"):
                with suppress(ValueError):
                    self._told.append(json.loads(line))
        if self._told:
            last = self._told[-1]
            text = (
                f"{len(self._told)} of {last['total']}: {Path(last['file']).name} {last['state']}"
            )
            self._say(text)
        self._show()

    def _on_errors(self) -> None:
        assert self._process is not None
        raw = bytes(self._process.readAllStandardError().data())
        self._complaints += raw.decode("utf-8", "replace")

    def _on_process_error(self, error: QProcess.ProcessError) -> None:
        # Of the errors, only this one ends the process without `finished`.
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._complaints = f"The process could not be started: {self._process.errorString()}"
            self._on_finished(1)

    def _on_finished(
        self, code: int, status: QProcess.ExitStatus = QProcess.ExitStatus.NormalExit
    ) -> None:
        if self._process is not None:
            self._on_output()
            self._on_errors()
            self._process.deleteLater()
        self._process = None
        crashed = status == QProcess.ExitStatus.CrashExit
        left = self._told[-1]["total"] - len(self._told) if self._told else 0
        counts = {
            state: sum(told["state"] == state for told in self._told)
            for state in ("done", "skipped", "failed")
        }
        text = f"{counts['done']} segmented, {counts['skipped']} were done already, "
        text += f"{counts['failed']} failed."
        begin = ""
        if self._stopped:
            begin = "Stopped."
            text += " What was being written is done anew when you start again; tiles are kept."
        elif not self._told and (code or crashed):
            begin, text = "Nothing was segmented.", self._why(code, crashed=crashed)
        elif left:
            begin = "Broken off."
            text += (
                f" {counted(left, 'file')} not reached: {self._why(code, crashed=crashed)}. Press "
                "“Segment files” again to go on."
            )
        told_of = [_told_of(told) for told in self._told if told["error"] is not None]
        listed = [f"• {reason}" for reason in told_of[:_MOST_SHOWN]]
        if len(told_of) > _MOST_SHOWN:
            listed.append(f"… and {len(told_of) - _MOST_SHOWN} more.")
        self._say("\n".join([text, *listed]), begin)
        self._show()
        self.ended.emit()

    def _why(self, code: int, *, crashed: bool) -> str:
        """Why the process ended before its files were done."""
        if crashed:
            return (
                f"the process was ended by the system ({code}), perhaps because the memory ran out"
            )
        said = self._complaints.strip().splitlines() or [f"the process ended with the code {code}"]
        return said[-1].removeprefix(_PREFIX).rstrip(".")

    def _say(self, text: str, begin: str = "") -> None:
        """Show plain text, after a beginning in bold."""
        text = escape(text, quote=False).replace("\n", "<br>")
        self.message.setText(f"<b>{begin}</b> {text}" if begin else text)

    def _show(self) -> None:
        self.start_button.setEnabled(not self.running)
        self.stop_button.setEnabled(self.running and not self._stopped)
        self.progress.setVisible(self.running)
        # Busy until the first file is done, and tells how many there are.
        self.progress.setRange(0, self._told[-1]["total"] if self._told else 0)
        self.progress.setValue(len(self._told))


def _from_home(path: str) -> str:
    """Spell out “~”, as a shell does."""
    return os.path.expanduser(path.strip())  # noqa: PTH111  (a Path would end in no slash)


def _told_of(told: dict[str, Any]) -> str:
    """Say what was not done of a file, and why."""
    text = text_of(from_plain(told["error"]), batch=True)
    file = told["file"]
    return text if text.startswith(file) else f"{Path(file).name}: {text}"
