"""The dock: choose an image and parameters, Segment, watch, correct."""

from html import escape
from pathlib import Path

import napari.viewer
import numpy as np
from magicgui.widgets import ComboBox
from napari.layers import Labels
from napari.utils.notifications import show_error, show_info
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QFileDialog,
    QMessageBox,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_superpixels._napari.batch.panel import Batch, BatchChoices
from napari_superpixels._napari.export.exporter import Exporter
from napari_superpixels._napari.input.segmentation_input import SegmentationInput
from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.segment.controls.device_choice import DeviceChoice
from napari_superpixels._napari.segment.controls.input_choice import InputChoice
from napari_superpixels._napari.segment.controls.parameter_form import ParameterForm
from napari_superpixels._napari.segment.output_layer import was_edited
from napari_superpixels._napari.segment.progress_text import Progress, of_result
from napari_superpixels._napari.segment.run import Run, Target, last_result, warm_up
from napari_superpixels._napari.segment.run_plan import PlanText, plan_for
from napari_superpixels._napari.segment.snippet import as_python, renamed
from napari_superpixels._napari.segment.time_estimate import TileEstimate
from napari_superpixels._napari.segment.worker import Delivery, Request
from napari_superpixels._napari.settings import Preferences, PreferencesWatch
from napari_superpixels._napari.widgets.canvas_context import CanvasContext
from napari_superpixels._napari.widgets.layout import (
    VerticalScroll,
    button,
    file_name,
    row,
    rows,
    section,
    text_label,
)
from napari_superpixels._napari.widgets.lifetime import Lifetime
from napari_superpixels.errors import cannot_read
from napari_superpixels.errors.quantities import duration
from napari_superpixels.io.atomic import not_written
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.params import SuperpixelParams
from napari_superpixels.params.options import Resources
from napari_superpixels.plan.run_plan import Tiles

KEEP = "keep result so far"
DISCARD = "leave no trace"


class SegmentWidget(QWidget):
    """Dock widget "Superpixel segmentation".

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    # The annotation stays a real type: napari injects the viewer by it.
    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._lifetime = Lifetime(self)
        warm_up()
        self._viewer = napari_viewer
        self._run: Run | None = None
        self._done: Delivery | None = None
        self._canvas = CanvasContext(napari_viewer, self)
        self.choice = InputChoice(napari_viewer)
        self.image, self.region, self.more = (
            self.choice.image,
            self.choice.region,
            self.choice.more,
        )
        self.form = ParameterForm(Preferences.read().seed)
        self.device = DeviceChoice(Preferences.read().device)
        self.target = ComboBox(
            name="target",
            label="Result",
            choices=list(Target),
            value=Target.NEW,
            tooltip="Whether the result becomes another layer, or takes the place of the last "
            "one of the same image and plane. A layer that you edited is never replaced without "
            "asking.",
        )
        self.on_cancel = ComboBox(
            name="on_cancel",
            label="On cancel",
            choices=[KEEP, DISCARD],
            value=KEEP,
            tooltip="Cancel stops within one iteration and either turns what is there into a "
            "valid result, or removes the preview.",
        )
        self.tiles = ComboBox(
            name="tiles",
            label="Tiles",
            choices=list(Tiles),
            value=Tiles.AUTO,
            tooltip="Whether a plane is segmented tile by tile, into an OME-Zarr: if memory, or "
            "the limit in the preferences, does not do for one piece; always; or never.",
        )
        self.estimate = TileEstimate(self)
        self.exporter = Exporter(napari_viewer, self.image, self)
        self.exporter.told.connect(self._on_told)
        self.exporter.failed.connect(self._on_not_exported)
        self._build()
        self.choice.changed.connect(self._refresh)
        self.form.changed.connect(self._refresh)
        self.device.changed.connect(self._refresh)
        self.tiles.changed.connect(self._refresh)
        self.estimate.found.connect(self._refresh)
        self._preferences = PreferencesWatch()
        self._preferences.changed.connect(self._refresh)
        for part in (
            *(self.estimate, self.batch, self.exporter, self._preferences),
            *(self._canvas, self.choice),
        ):
            self._lifetime.at_end(part.cleanup)
        self._lifetime.at_end(self._abandon)
        self._refresh()

    def _build(self) -> None:
        self.source_label = text_label()
        self.device_label = text_label()
        self.status_label = text_label()
        self.result_label = text_label(selectable=True, rich=True)
        further = rows(self.region.nodata_box, self.tiles, *self.form.advanced)
        self.advanced = advanced = section("Advanced", further)
        self.batch = Batch(self._batch_choices)
        self.batch_section = batch = section("Batch: many files", self.batch)
        self.reset_button = button("Reset", "Back to the balanced preset.", self.form.reset)

        form = QWidget()
        column = QVBoxLayout(form)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(4)
        for widget in (
            self.choice.widget,
            self.source_label,
            rows(*self.form.main),
            rows(self.device.box),
            self.device_label,
            rows(self.target, self.on_cancel),
            advanced,
            self.reset_button,
            batch,
        ):
            column.addWidget(widget)
        column.addStretch()
        scroll = VerticalScroll(form)

        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self.segment_button = button(
            "&Segment", "Find the superpixels of the chosen image.", self.segment
        )
        self.cancel_button = button("&Cancel", "Stop within one iteration.", self.cancel)
        self.copy_button = button(
            "Copy as Python", "Copy the Python call that repeats the last run.", self._copy
        )
        self.correct_button = button(
            "Correct by hand…",
            "Open the dock that merges, splits, locks and classifies superpixels.",
            self._correct,
        )
        self.save_button = button(
            "Save parameters…", "Write the parameters to a TOML file.", self._save
        )
        self.load_button = button(
            "Load parameters…", "Read parameters from a TOML file.", self._load
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(scroll, stretch=1)
        layout.addWidget(self.status_label)
        layout.addWidget(self.progress)
        layout.addLayout(row(self.segment_button, self.cancel_button))
        layout.addWidget(self.result_label)
        layout.addLayout(row(self.save_button, self.load_button))
        layout.addLayout(row(self.copy_button, self.exporter.button, self.correct_button))

    # ---- what the dock says ------------------------------------------------------------------

    def _refresh(self) -> None:
        """Show what would be segmented, and whether and why not."""
        source, params, problem = self._choices()
        self.source_label.setText(source.description if source else "")
        device = self.device.description
        if source and params and not self.device.problem:
            plan = self._plan(source, params)
            device += f"; {plan.text}"
            if plan.in_tiles and not plan.problem:
                device += self.estimate.text(source, params, self._resources())
            problem = problem or plan.problem
        self.device_label.setText(device)
        running = self._run is not None
        self.segment_button.setEnabled(not running and not problem)
        self.cancel_button.setEnabled(self._run is not None and not self._run.stopping)
        self.copy_button.setEnabled(self._done is not None)
        if not running:
            self.status_label.setText(problem)

    def _choices(self) -> tuple[SegmentationInput | None, SuperpixelParams | None, str]:
        source = params = None
        problem = self.device.problem
        try:
            source = self.choice.source()
            params = self.form.params()
        except ValueError as error:
            problem = text_of(error)
        return source, params, problem

    def _plan(self, source: SegmentationInput, params: SuperpixelParams) -> PlanText:
        return plan_for(source, params, self._resources(), Tiles(self.tiles.value))

    def _resources(self) -> Resources:
        return Resources(self.device.resolved, Preferences.read().memory_limit_gb)

    def _batch_choices(self) -> BatchChoices:
        if self.device.problem:
            raise ValueError(self.device.problem)
        limit = Preferences.read().memory_limit_gb
        return BatchChoices(
            self.form.params(),
            self.device.resolved,
            self.region.nodata(),
            ",".join(map(str, self.image.channels() or ())),
            limit,
        )

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    # ---- running -----------------------------------------------------------------------------

    def segment(self) -> None:
        """Start a run with the current choices."""
        source, params, problem = self._choices()
        if self._run is not None or problem or source is None or params is None:
            self._refresh()
            return
        plan = self._plan(source, params)
        if plan.problem:
            self._refresh()
            return
        replace: Labels | None = None
        if self.target.value == Target.REPLACE:
            replace = last_result(self._viewer, source)
            if replace is not None and was_edited(replace):
                answer = self._ask_about_edits(replace)
                if answer == QMessageBox.StandardButton.Cancel:
                    return
                if answer == QMessageBox.StandardButton.No:
                    replace = None
        output = None
        if plan.in_tiles:
            output = self._ask_for_zarr(source, replace)
            if output is None:
                return
        request = Request(
            source,
            params,
            self.device.resolved,
            Preferences.read(),
            str(self.form.preset.value),
            output,
        )
        run = Run(self._viewer, request, replace, self)
        run.progressed.connect(self._on_progress)
        run.delivered.connect(self._on_delivered)
        run.failed.connect(self._on_failed)
        run.cancelled.connect(self._on_cancelled)
        run.ended.connect(self._on_ended)
        self._run = run
        self._lifetime.remember_window(self)
        self.result_label.setText("")
        self.status_label.setText(f"Segmenting “{source.layer_name}”…")
        self.progress.setRange(0, 0)
        self.progress.setVisible(True)
        self._refresh()
        run.start()

    def cancel(self) -> None:
        """Stop the run; keep or discard as chosen."""
        if self._run is not None:
            self._run.cancel(keep=self.on_cancel.value == KEEP)
            self.cancel_button.setEnabled(False)
            self.status_label.setText("Stopping…")

    def _ask_for_zarr(self, source: SegmentationInput, replace: Labels | None) -> Path | None:
        """Ask where a run in tiles writes; the folder must be free, or hold a Zarr."""
        name, _ = QFileDialog.getSaveFileName(
            self,
            "Segment in tiles: where to write the labels",
            file_name(f"{source.layer_name} superpixels.zarr"),
            "OME-Zarr (*.zarr)",
        )
        if not name:
            return None
        path = Path(name)
        path = path if path.suffix.lower() == ".zarr" else path.with_name(f"{path.name}.zarr")
        reader = self._reader_of(path)
        if reader not in (None, replace):
            QMessageBox.information(
                self,
                "The labels are in use",
                f"“{reader.name}” is read from {path.name}, and would change with it: choose "
                "another name, or remove that layer first.",
            )
            return None
        if path.exists():
            answer = QMessageBox.question(
                self, "Replace the labels?", f"{path.name} exists already. Replace it?"
            )
            if answer != QMessageBox.StandardButton.Yes:
                return None
        return path

    def _reader_of(self, path: Path) -> Labels | None:
        """The result, too large for memory, that is read from a file."""
        for layer in self._viewer.layers:
            if not isinstance(layer, Labels) or isinstance(layer.data, np.ndarray):
                continue
            known = layer.metadata.get(METADATA_KEY, {}).get("file")
            if known is not None and Path(known).resolve() == path.resolve():
                return layer
        return None

    def _ask_about_edits(self, layer: Labels) -> QMessageBox.StandardButton:
        box = QMessageBox(
            QMessageBox.Icon.Question,
            "Replace an edited layer?",
            f"You edited “{layer.name}” since it was made. Replacing it loses your edits.\n\n"
            "Replace it all the same? “No” puts the result into a new layer.",
            QMessageBox.StandardButton.Yes
            | QMessageBox.StandardButton.No
            | QMessageBox.StandardButton.Cancel,
            self,
        )
        box.setDefaultButton(QMessageBox.StandardButton.No)
        return QMessageBox.StandardButton(box.exec())

    def _on_progress(self, progress: Progress, seconds_left: float | None) -> None:
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)
        finished = progress.done == progress.total
        left = f", about {duration(seconds_left)} left" if seconds_left and not finished else ""
        if self.cancel_button.isEnabled():
            self.status_label.setText(progress.text + left)

    def _on_delivered(self, delivery: Delivery, layer: Labels) -> None:
        self._done = delivery
        self.exporter.remember(layer)
        self.result_label.setText(of_result(delivery, layer.name))

    def _on_told(self, message: str) -> None:
        self.result_label.setText(escape(message, quote=False))

    def _on_not_exported(self, message: str) -> None:
        self.result_label.setText(f"<b>Not exported.</b> {escape(message, quote=False)}")
        show_error(message)

    def _on_failed(self, message: str) -> None:
        self.result_label.setText(f"<b>Not segmented.</b> {escape(message, quote=False)}")
        show_error(message)

    def _on_cancelled(self) -> None:
        kept = None if self._run is None else self._run.kept_tiles
        # What could be kept would have been delivered.
        when = " before anything was finished" if self.on_cancel.value == KEEP and not kept else ""
        text = f"Cancelled{when}; nothing was added."
        if kept is not None:
            text += (
                f" The tiles that are done are kept in {kept}: segment to the same name again, and "
                "the run goes on."
            )
        self.result_label.setText(escape(text, quote=False))

    def _on_ended(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.deleteLater()
        self.progress.setVisible(False)
        self._refresh()

    def _correct(self) -> None:
        self._viewer.window.add_plugin_dock_widget(
            "napari-superpixels", "Superpixel correction", tabify=True
        )

    def _abandon(self) -> None:
        """Stop the run: the dock is going away."""
        run, self._run = self._run, None
        if run is not None:
            run.abandon(viewer_lives=self._lifetime.viewer_lives)

    # ---- parameters in and out ---------------------------------------------------------------

    def _copy(self) -> None:
        if self._done is not None:
            request = self._done.request
            names = {str(layer.unique_id): layer.name for layer in self._viewer.layers}
            code = as_python(
                renamed(request.source, names),
                request.params,
                request.preset,
                request.device,
                tiled=request.tiled_output is not None,
            )
            if self._done.stopped:
                code = f"# That run was stopped; this one goes on to its end.\n{code}"
            clipboard = QGuiApplication.clipboard()
            assert clipboard is not None
            clipboard.setText(code)
            show_info("The Python call is on the clipboard.")

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save parameters", "superpixels.toml", "Parameters (*.toml)"
        )
        if path:
            self.save_parameters(Path(path))

    def save_parameters(self, path: Path) -> None:
        """Write the parameters to a file; say what went wrong if that fails.

        Parameters
        ----------
        path : Path
            TOML file; the suffix is added where it lacks.
        """
        path = path if path.suffix else path.with_suffix(".toml")
        try:
            self.form.params().save(path)
        except OSError as error:
            show_error(f"The parameters were not saved. {not_written(path, error)}.")
        except ValueError as error:
            show_error(f"The parameters were not saved: {error}")

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Load parameters", "", "Parameters (*.toml);;All files (*)"
        )
        if path:
            self.load_parameters(Path(path))

    def load_parameters(self, path: Path) -> None:
        """Read the parameters from a file; keep the current ones if that fails.

        Parameters
        ----------
        path : Path
            TOML file written by `save_parameters`.
        """
        try:
            self.form.set_params(SuperpixelParams.load(path))
        except OSError as error:
            show_error(f"The parameters were not loaded. {cannot_read(path, error)}.")
        except (ValueError, TypeError) as error:
            show_error(f"The parameters were not loaded: {error}")
