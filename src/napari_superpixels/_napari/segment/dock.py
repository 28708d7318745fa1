"""The dock: choose an image and parameters, Segment, watch, correct."""

from functools import partial
from html import escape
from pathlib import Path

import napari.viewer
import numpy as np
from napari.layers import Labels, Layer
from napari.utils.colormaps import CyclicLabelColormap
from napari.utils.notifications import show_error, show_info
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_superpixels._napari.batch.panel import BatchChoices
from napari_superpixels._napari.input.region import LabelMask
from napari_superpixels._napari.input.segmentation_input import SegmentationInput
from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.segment.appearance import MEAN_COLORS, apply_look, has_outlines
from napari_superpixels._napari.segment.controls.superpixel_size import extent_of
from napari_superpixels._napari.segment.earlier_results import EarlierResults
from napari_superpixels._napari.segment.live_levels import LiveLevels
from napari_superpixels._napari.segment.progress_text import Progress, of_result
from napari_superpixels._napari.segment.run import Run, warm_up
from napari_superpixels._napari.segment.run_plan import PlanText, facts_of, plan_for
from napari_superpixels._napari.segment.snippet import as_python, as_script, renamed
from napari_superpixels._napari.segment.state import Choices, RunState, resolve
from napari_superpixels._napari.segment.time_estimate import TimeEstimate
from napari_superpixels._napari.segment.view import SegmentView
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

_MOMENT_S, _LONG_S = 0.2, 300


class SegmentWidget(SegmentView):
    """Dock widget "Segment".

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
        self._keeps = False  # whether what was there when the run was stopped is wanted
        self._done: Delivery | None = None
        self._result_text = ""  # of the last result, while nothing else is said in its place
        self._colormap: CyclicLabelColormap | None = None  # of the last result, filled
        self._filled: Labels | None = None  # in place of outlines, while the viewer shows 3D
        self._time = TimeEstimate(self)
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
        self.show_choice.changed.connect(self._on_look)
        ndisplay = self._viewer.dims.events.ndisplay
        self._lifetime.connect(ndisplay, self._on_ndisplay)
        self._lifetime.connect(self._viewer.layers.selection.events.active, self._on_active)
        for event in (self._viewer.layers.events.removed, self._viewer.layers.events.renamed):
            self._lifetime.connect(event, self._on_layers)
        self.exporter.told.connect(self._on_told)
        self.exporter.failed.connect(self._on_not_exported)
        self._live.shown.connect(self._on_shown)
        self._live.failed.connect(self.status_label.setText)
        for made, slot in (
            (self.segment_button, self.segment),
            (self.stop_button, self.stop_and_keep),
            (self.cancel_button, self.cancel),
            (self.copy_button, partial(self._copy, is_script=False)),
            (self.correct_button, self._correct),
            (self.save_button, self._save),
            (self.load_button, self._load),
        ):
            when_clicked(made, slot)
        self.script_action.triggered.connect(lambda _checked=False: self._copy(is_script=True))
        self.console_action.triggered.connect(lambda _checked=False: self._copy(is_script=False))
        for part in (self._time, self.batch, self.exporter, preferences, canvas, self.choice):
            self._lifetime.at_end(part.cleanup)
        self._lifetime.at_end(self._live.release)
        self._lifetime.at_end(self._abandon)

    # ---- what the dock says ------------------------------------------------------------------

    def _refresh(self) -> None:
        """Show what would be segmented, and whether and why not."""
        choices = self._choices()
        plan = self._plan(choices)
        run = self._run
        state = RunState.NONE
        if run is not None:
            state = RunState.STOPPING if run.stopping else RunState.RUNNING
        expected = ""
        if run is None and plan is not None and not plan.problem:
            expected = self._expected(choices, plan)
        self.show_state(
            resolve(
                choices,
                plan,
                expected,
                state,
                has_result=self._done is not None,
                can_show=self._shown_layer() is not None,
            )
        )
        follows = False
        if run is None and choices.source is not None and choices.params is not None:
            follows = self._live.show(choices.params, choices.source)
        self.show_slider(follows)
        if self._result_text:
            hint = " Number, size and border smoothness change it at once." if follows else ""
            self.result_label.setText(self._result_text + hint)

    def _choices(self) -> Choices:
        source = params = None
        problem = self.device.problem
        try:
            source = self.choice.source()
            self.form.fit(extent_of(source))
            params = self.form.params()
        except ValueError as error:
            problem = text_of(error)
        return Choices(source, params, self.device.description, problem)

    def _expected(self, choices: Choices, plan: PlanText) -> str:
        """Say how long a run takes, where that is known."""
        assert choices.source is not None
        assert choices.params is not None
        seconds = self._time.seconds(
            choices.source, choices.params, self._resources(), in_tiles=plan.in_tiles
        )
        if plan.in_tiles:
            time = "finding out how long…" if seconds is None else f"about {duration(seconds)}"
            return f"{plan.text[0].upper()}{plan.text[1:]}; {time}"
        if seconds is None:
            return ""
        if seconds < _MOMENT_S:
            return "Takes a moment."
        text = f"Takes about {duration(seconds)}."
        if seconds > _LONG_S and facts_of(choices.source).can_be_tiled and not choices.source.start:
            text += (
                " In tiles (Advanced: Tiles, “always”) all cores are used, and what is done is "
                "kept if you stop."
            )
        return text

    def _plan(self, choices: Choices) -> PlanText | None:
        """Plan a run; None where something to plan it with is missing."""
        source, params = choices.source, choices.params
        if source is None or params is None or self.device.problem:
            return None
        # What starts from labels is done in one piece.
        tiles = Tiles(self.tiles.value) if source.start is None else Tiles.NEVER
        return plan_for(source, params, self._resources(), tiles)

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
        earlier = EarlierResults(self._viewer, source, keep=bool(self.keep_earlier.value))
        output = None
        if plan.in_tiles:
            output = self._ask_for_zarr(source, earlier.replaced)
            if output is None:
                return
        request = Request(
            source,
            params,
            self.device.resolved,
            Preferences.read(),
            str(self.form.preset.value),
            str(self.device.box.value),
            output,
        )
        self._time.stop()
        look = self.show_choice.look.for_image(self.image.layer)
        run = Run(self._viewer, request, look, earlier, self)
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

    def stop_and_keep(self) -> None:
        """Stop the run, and make a result of what is there."""
        self._stop(keep=True)

    def cancel(self) -> None:
        """Stop the run, and leave no trace of it."""
        self._stop(keep=False)

    def _stop(self, *, keep: bool) -> None:
        if self._run is not None:
            self._keeps = keep
            self._run.cancel(keep=keep)
            self._refresh()
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

    def _on_progress(self, progress: Progress, seconds_left: float | None) -> None:
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)
        finished = progress.done == progress.total
        left = f", about {duration(seconds_left)} left" if seconds_left and not finished else ""
        if self.cancel_button.isEnabled():
            self.status_label.setText(progress.text + left)

    def _on_delivered(self, delivery: Delivery, layer: Labels) -> None:
        self._time.learn(delivery)
        self._live.follow(delivery, layer)
        self.exporter.remember(layer)
        self._on_shown(delivery, layer)

    def _on_shown(self, delivery: Delivery, layer: Labels) -> None:
        self._done = delivery.without_levels()
        self._colormap = delivery.colormap
        if layer.colormap.name == MEAN_COLORS:
            self._on_look()  # the means are those of other superpixels
        self._tell_outline(layer)
        self._result_text = of_result(delivery, layer.name)
        self._refresh()

    def _on_layers(self, _event: object = None) -> None:
        """Name the last result as it is called now; say no more of it once it is gone."""
        if self._result_text and self._done is not None:
            layer = self.exporter.last
            self._result_text = "" if layer is None else of_result(self._done, layer.name)
            self.result_label.setText("")
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
        when = " before anything was finished" if self._keeps and not kept else ""
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

    # ---- how superpixels are shown -----------------------------------------------------------

    def _shown_layer(self) -> Labels | None:
        """The layer of ours that *Show* is about: the active one, or else the last result."""
        layer = self.exporter.target
        return layer if layer is not None and METADATA_KEY in layer.metadata else None

    def _on_look(self, _event: object = None) -> None:
        layer = self._shown_layer()
        if layer is None:
            return
        filled = self._colormap if layer == self.exporter.last else None
        is_flat = self._viewer.dims.ndisplay == 2
        look = self.show_choice.look.for_image(self.image.layer)
        apply_look(layer, look, filled, is_flat=is_flat)
        self._tell_outline(layer)

    def _on_ndisplay(self, _event: object = None) -> None:
        """Fill outlines while the viewer shows 3D, where napari has none."""
        layer = self._shown_layer()
        is_flat = self._viewer.dims.ndisplay == 2
        if layer is not None and (layer == self._filled if is_flat else has_outlines(layer)):
            self._filled = None if is_flat else layer
            self._on_look()

    def _tell_outline(self, layer: Labels) -> None:
        if has_outlines(layer):
            self.show_choice.tell(layer.colormap.color_dict[None])

    def _on_active(self, _event: object = None) -> None:
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

    def _copy(self, *, is_script: bool) -> None:
        if self._done is not None:
            request = self._done.request
            names = {str(layer.unique_id): layer.name for layer in self._viewer.layers}
            code = as_python(
                renamed(request.source, names),
                request.params,
                request.preset,
                request.asked_device,
                tiled=request.tiled_output is not None,
                run_params=getattr(self._done.result, "run_params", None),
            )
            if self._done.stopped:
                code = f"# That run was stopped; this one goes on to its end.\n{code}"
            if is_script:
                code = as_script(code, self._layers_of(request.source))
            clipboard = QGuiApplication.clipboard()
            assert clipboard is not None
            clipboard.setText(code)
            what = "A script" if is_script else "Python for napari's console"
            show_info(f"{what} is on the clipboard.")

    def _layers_of(self, source: SegmentationInput) -> list[Layer]:
        """Layers that a run has read, as far as they are still there."""
        known = [source.layer_id, *(other.layer_id for other in source.further)]
        region = source.region
        if region is not None and isinstance(region.mask, LabelMask):
            known.append(region.mask.layer_id)
        if source.start is not None:
            known.append(source.start.labels.layer_id)
        return [layer for layer in self._viewer.layers if str(layer.unique_id) in known]

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
