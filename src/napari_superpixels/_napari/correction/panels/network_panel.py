"""Let the network segment again: some superpixels, or all that are not protected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from magicgui.widgets import SpinBox
from psygnal import Signal
from qtpy.QtWidgets import QProgressBar, QVBoxLayout
from scipy import ndimage

from napari_superpixels._napari.correction.panels.global_panel import WholePanel
from napari_superpixels._napari.correction.resegment import PartRequest, segment_part
from napari_superpixels._napari.segment.cancelling import CancellableWorker, CancelSwitch
from napari_superpixels._napari.settings import Preferences
from napari_superpixels._napari.widgets.layout import button, row, rows, text_label
from napari_superpixels.editing.actions.global_edits import take_over
from napari_superpixels.editing.actions.operations import distinct_regions
from napari_superpixels.editing.attributes import Lock
from napari_superpixels.editing.history.patch import encode_array
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.region import tight, union
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.params import DEFAULT_PRESET, SuperpixelParams, get_preset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_superpixels._napari.correction.editor import LayerEditor
    from napari_superpixels._napari.correction.notify import Say
    from napari_superpixels.editing.label_edit import LabelEdit
    from napari_superpixels.editing.region import Region
    from napari_superpixels.editing.scope import Scope
    from napari_superpixels.events import Step


class NetworkPanel(WholePanel):
    """Re-segment and recompute, in a worker.

    Parameters
    ----------
    say : callable
        Tells the user a line.

    Attributes
    ----------
    running_changed : psygnal.Signal
        Emitted with True when a run begins and False when it has ended.
    """

    running_changed = Signal(bool)

    def __init__(self, say: Say) -> None:
        super().__init__(say)
        self._worker: CancellableWorker | None = None
        self._switch = CancelSwitch()
        self._job: tuple[LayerEditor, Scope, Region, NDArray[np.integer], bool] | None = None
        self.parts = SpinBox(
            label="Parts",
            min=2,
            max=10_000,
            value=4,
            tooltip="Into how many superpixels the re-segment tool (R) splits those you click or "
            "drag over.",
        )
        self.count = SpinBox(
            label="Recompute to",
            min=1,
            max=65_535,
            value=100,
            tooltip="Superpixels for all pixels that are neither edited (blue) nor locked (red).",
        )
        self.recompute_button = button(
            "Recompute unlocked",
            "Run the network again on all superpixels that are neither edited (blue outline) nor "
            "locked (red outline). Those keep every pixel.",
            self.recompute,
        )
        self.cancel_button = button("Cancel", "Stop; nothing changes.", self.cancel)
        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self.label = text_label()
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addWidget(rows(self.parts, self.count))
        column.addLayout(row(self.recompute_button, self.cancel_button))
        column.addWidget(self.progress)
        column.addWidget(self.label)
        column.addStretch()

    @property
    def running(self) -> bool:
        """Whether the network is at work."""
        return self._worker is not None

    # ---- starting ----------------------------------------------------------------------------

    def split(self, positions: Sequence[tuple[int, ...]]) -> None:
        """Split the superpixels at some positions anew.

        Parameters
        ----------
        positions : sequence of positions
            Pixels of superpixels that touch.

        Raises
        ------
        EditError
            If that is not possible.
        """
        editor = self._editor
        if editor is None:
            return
        scope = self._plane(editor)
        region = union(distinct_regions(editor.session, scope, positions))
        if ndimage.label(region.mask)[1] > 1:
            raise EditError("These superpixels do not touch each other: drag over one group.")
        n_segments = int(self.parts.value)
        if region.area < n_segments:
            raise EditError(f"{region.area} pixels cannot become {n_segments} superpixels.")
        self._start(editor, scope, region, n_segments, recompute=False)

    def recompute(self) -> None:
        """Segment all pixels anew that are not protected."""
        editor = self._editor
        if editor is None:
            return
        editor.sync()
        try:
            scope = self._plane(editor)
            region, n_found = self._unprotected(editor, scope)
            n_segments = max(int(self.count.value), int(ndimage.label(region.mask)[1]))
            if region.area < n_segments:
                raise EditError(f"{region.area} pixels cannot become {n_segments} superpixels.")
            self._start(editor, scope, region, n_segments, recompute=True)
        except EditError as error:
            self._say(str(error), problem=True)
            return
        if n_segments > int(self.count.value):
            self._say(f"Recomputing {n_found}; {n_segments} separate areas need as many.")

    def abandon(self) -> None:
        """Stop the run, as the dock is going away."""
        self._job = None
        self._switch.cancel(keep=False)

    def cancel(self) -> None:
        """Stop the run; nothing changes."""
        self._switch.cancel(keep=False)
        self.cancel_button.setEnabled(False)

    def _plane(self, editor: LayerEditor) -> Scope:
        scope = editor.scope()
        if scope.ndim != 2:
            raise EditError("The network works in planes: set “Work in” to this plane.")
        if editor.session.image is None:
            raise EditError("The network needs an image: choose the one under the labels.")
        return scope

    def _unprotected(self, editor: LayerEditor, scope: Scope) -> tuple[Region, int]:
        view, attributes = scope.view(editor.session.labels), editor.session.attributes
        ids = np.unique(view)
        free = [i for i in ids.tolist() if i > 0 and attributes[i].lock is Lock.FREE]
        if not free:
            raise EditError("Every superpixel is edited or locked: unlock some first (K).")
        return tight(np.isin(view, free), (0, 0), 0), len(free)

    def _start(
        self, editor: LayerEditor, scope: Scope, region: Region, n_segments: int, *, recompute: bool
    ) -> None:
        if self._worker is not None:
            raise EditError("The network is at work already: wait for it, or cancel.")
        image = editor.session.image
        assert image is not None
        channels = image.channels[:, *scope.lift_box(region.box)]
        channels = channels.reshape(-1, *region.mask.shape)
        preferences = Preferences.read()
        request = PartRequest(
            channels=channels,
            mask=region.mask,
            params=_params(editor, n_segments, preferences.seed),
            device=preferences.device,
            memory_limit_gb=preferences.memory_limit_gb,
        )
        before = scope.view(editor.session.labels)[region.box].copy()
        self._job = (editor, scope, region, before, recompute)
        self._switch = CancelSwitch()
        worker = CancellableWorker(segment_part, request, self._switch)
        worker.yielded.connect(self._on_step)
        worker.returned.connect(self._on_returned)
        worker.errored.connect(self._on_error)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        self.progress.setRange(0, 0)
        self.progress.setVisible(True)
        self._on_changed()
        self.running_changed.emit(True)
        self._say("The network is at work…")
        worker.start()

    # ---- what the worker says ----------------------------------------------------------------

    def _on_step(self, step: Step) -> None:
        self.progress.setRange(0, step.n_iterations)
        self.progress.setValue(step.iteration)
        self.label.setText(f"Iteration {step.iteration} of {step.n_iterations}")

    def _on_returned(self, labels: NDArray[np.int32] | None) -> None:
        if self._job is None:
            return
        editor, scope, region, before, recompute = self._job
        if labels is None:
            self._say("Cancelled; nothing changed.")
            return
        if editor is not self._editor:
            self._say("Another layer is being corrected now; the result was dropped.")
            return
        editor.sync()
        now = scope.view(editor.session.labels)[region.box]
        if not np.array_equal(now[region.mask], before[region.mask]):
            self._say("The labels changed while the network ran; the result was dropped.")
            return
        try:
            change = editor.session.build(
                take_over,
                scope,
                start=list(region.start),
                parts=encode_array(labels),
                recompute=recompute,
            )
            editor.apply(change)
        except EditError as error:
            self._say(str(error), problem=True)
            return
        self._say(change.message)

    def _on_error(self, error: Exception) -> None:
        self._say(f"Not segmented. {error}")

    def _on_finished(self, _nothing: None = None) -> None:
        self._worker = self._job = None
        self.progress.setVisible(False)
        self.label.setText("")
        self._on_changed()
        self.running_changed.emit(False)

    def _on_changed(self, edit: LabelEdit | None = None) -> None:
        self.recompute_button.setEnabled(self._editor is not None and not self.running)
        self.cancel_button.setEnabled(self.running and not self._switch.cancelled)
        if self._editor is not None and edit is None and not self.running:
            free = self._editor.session.facts().count(Lock.FREE)
            self.count.value = min(max(free, 1), 65_535)


def _params(editor: LayerEditor, n_segments: int, seed: int) -> SuperpixelParams:
    """Parameters that the layer was made with, or the default ones, for another count."""
    made_with = editor.layer.metadata.get(METADATA_KEY, {}).get("parameters")
    if made_with is None:
        params = get_preset(DEFAULT_PRESET).replace(seed=seed)
    else:
        try:
            params = SuperpixelParams.from_dict(made_with)
        except (ValueError, TypeError) as error:  # of another version, or from elsewhere
            raise EditError(f"What the layer was made with cannot be used: {error}.") from error
    return params.replace(n_segments=n_segments, count="exact")
