"""The dock: choose an image and parameters, Segment, watch, correct."""

from html import escape
from pathlib import Path

import napari.viewer
import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_error, show_info
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_superpixels._napari.batch.panel import BatchChoices
from napari_superpixels._napari.input.segmentation_input import SegmentationInput
from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.segment.live_levels import LiveLevels
from napari_superpixels._napari.segment.output_layer import was_edited
from napari_superpixels._napari.segment.progress_text import Progress, of_result
from napari_superpixels._napari.segment.run import Run, Target, last_result, warm_up
from napari_superpixels._napari.segment.run_plan import PlanText, plan_for
from napari_superpixels._napari.segment.snippet import as_python, renamed
from napari_superpixels._napari.segment.state import Choices, RunState, resolve
from napari_superpixels._napari.segment.time_estimate import TileEstimate
from napari_superpixels._napari.segment.view import KEEP, SegmentView
from napari_superpixels._napari.segment.worker import Delivery, Request
from napari_superpixels._napari.settings import Preferences, PreferencesWatch
from napari_superpixels._napari.widgets.canvas_context import CanvasContext
from napari_superpixels._napari.widgets.layout import file_name, when_clicked
from napari_superpixels._napari.widgets.lifetime import Lifetime
from napari_superpixels.errors import cannot_read
from napari_superpixels.errors.quantities import duration
from napari_superpixels.io.atomic import not_written
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.params import SuperpixelParams
from napari_superpixels.params.options import Resources
from napari_superpixels.plan.run_plan import Tiles


class SegmentWidget(SegmentView):
    """Dock widget "Superpixel segmentation".

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    # The annotation stays a real type: napari injects the viewer by it.
    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer, self._batch_choices)
        self._lifetime = Lifetime(self)
        warm_up()
        self._viewer = napari_viewer
        self._run: Run | None = None
        self._done: Delivery | None = None
        self._result_text = ""  # of the last result, while nothing else is said in its place
        self._time = TileEstimate(self)
        self._live = LiveLevels(napari_viewer, self)
        self._connect()
        self._refresh()

    def _connect(self) -> None:
        self._preferences = preferences = PreferencesWatch()
        canvas = CanvasContext(self._viewer, self)
        for changes in (
            *(self.choice.changed, self.form.changed, self.device.changed, self.tiles.changed),
            *(self._time.found, preferences.changed),
        ):
            changes.connect(self._refresh)
        self.exporter.told.connect(self._on_told)
        self.exporter.failed.connect(self._on_not_exported)
        self._live.shown.connect(self._on_shown)
        self._live.failed.connect(self.status_label.setText)
        for made, slot in (
            (self.segment_button, self.segment),
            (self.cancel_button, self.cancel),
            (self.copy_button, self._copy),
            (self.correct_button, self._correct),
            (self.save_button, self._save),
            (self.load_button, self._load),
        ):
            when_clicked(made, slot)
        for part in (self._time, self.batch, self.exporter, preferences, canvas, self.choice):
            self._lifetime.at_end(part.cleanup)
        self._lifetime.at_end(self._live.release)
        self._lifetime.at_end(self._abandon)

    # ---- what the dock says ------------------------------------------------------------------

    def _refresh(self) -> None:
        """Show what would be segmented, and whether and why not."""
        choices = self._choices()
        plan = self._plan(choices)
        text = ""
        if plan is not None and plan.in_tiles and not plan.problem:
            assert choices.source is not None
            assert choices.params is not None
            text = self._time.text(choices.source, choices.params, self._resources())
        run = self._run
        state = RunState.NONE
        if run is not None:
            state = RunState.STOPPING if run.stopping else RunState.RUNNING
        self.show_state(resolve(choices, plan, text, state, has_result=self._done is not None))
        follows = False
        if run is None and choices.source is not None and choices.params is not None:
            follows = self._live.show(choices.params, choices.source)
        if self._result_text:
            hint = " Superpixels (N), count, λ and border smoothness change it." if follows else ""
            self.result_label.setText(self._result_text + hint)

    def _choices(self) -> Choices:
        source = params = None
        problem = self.device.problem
        try:
            source = self.choice.source()
            params = self.form.params()
        except ValueError as error:
            problem = text_of(error)
        return Choices(source, params, self.device.description, problem)

    def _plan(self, choices: Choices) -> PlanText | None:
        """Plan a run; None where something to plan it with is missing."""
        source, params = choices.source, choices.params
        if source is None or params is None or self.device.problem:
            return None
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
        choices = self._choices()
        source, params, plan = choices.source, choices.params, self._plan(choices)
        if source is None or params is None or plan is None or choices.problem or plan.problem:
            self._refresh()
            return
        if self._run is not None:
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
        self._say("")
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
        self._live.follow(delivery, layer)
        self.exporter.remember(layer)
        self._on_shown(delivery, layer)

    def _on_shown(self, delivery: Delivery, layer: Labels) -> None:
        self._done = delivery.without_levels()
        self._result_text = of_result(delivery, layer.name)
        self._refresh()

    def _say(self, text: str) -> None:
        """Say something in the place of the last result."""
        self._result_text = ""
        self.result_label.setText(text)

    def _on_told(self, message: str) -> None:
        self._say(escape(message, quote=False))

    def _on_not_exported(self, message: str) -> None:
        self._say(f"<b>Not exported.</b> {escape(message, quote=False)}")
        show_error(message)

    def _on_failed(self, message: str) -> None:
        self._say(f"<b>Not segmented.</b> {escape(message, quote=False)}")
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
        self._say(escape(text, quote=False))

    def _on_ended(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.deleteLater()
        self.progress.setVisible(False)
        self._refresh()

    def _correct(self) -> None:
        # Here, as most users of this dock never open that one.
        from napari_superpixels._napari.correction.dock import open_correction

        open_correction(self._viewer)

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
                run_params=getattr(self._done.result, "run_params", None),
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
