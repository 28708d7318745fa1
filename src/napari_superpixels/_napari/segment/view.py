"""What the segmentation dock looks like: its controls, their order, and how a state is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_superpixels._napari.batch.panel import Batch, BatchChoices
from napari_superpixels._napari.export.exporter import Exporter
from napari_superpixels._napari.segment.controls.device_choice import DeviceChoice
from napari_superpixels._napari.segment.controls.input_choice import InputChoice
from napari_superpixels._napari.segment.controls.parameter_form import ParameterForm
from napari_superpixels._napari.segment.run import Target
from napari_superpixels._napari.settings import Preferences
from napari_superpixels._napari.widgets.layout import (
    VerticalScroll,
    button,
    row,
    rows,
    section,
    text_label,
)
from napari_superpixels._napari.widgets.lifetime import Dock
from napari_superpixels.plan.run_plan import Tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

    from napari_superpixels._napari.segment.state import DockState

KEEP = "keep result so far"
DISCARD = "leave no trace"


class SegmentView(Dock):
    """The segmentation dock without its behaviour; `SegmentWidget` gives it that.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Its layers can be chosen.
    batch_choices : callable
        What the batch section runs with.
    """

    def __init__(self, viewer: Viewer, batch_choices: Callable[[], BatchChoices]) -> None:
        super().__init__()
        self.choice = InputChoice(viewer)
        self.image, self.region, self.more = (
            self.choice.image,
            self.choice.region,
            self.choice.more,
        )
        preferences = Preferences.read()
        self.form = ParameterForm(preferences.seed)
        self.device = DeviceChoice(preferences.device)
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
        self.exporter = Exporter(viewer, self.image, self)
        self.source_label = text_label()
        self.device_label = text_label()
        self.status_label = text_label()
        self.result_label = text_label(selectable=True, rich=True)
        further = rows(self.region.nodata_box, self.tiles, *self.form.advanced)
        self.advanced = advanced = section("Advanced", further)
        self.batch = Batch(batch_choices)
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
        self.segment_button = button("&Segment", "Find the superpixels of the chosen image.")
        self.cancel_button = button("&Cancel", "Stop within one iteration.")
        self.copy_button = button(
            "Copy as Python", "Copy the Python call that repeats the last run."
        )
        self.correct_button = button(
            "Correct by hand…",
            "Open the dock that merges, splits, locks and classifies superpixels.",
        )
        self.save_button = button("Save parameters…", "Write the parameters to a TOML file.")
        self.load_button = button("Load parameters…", "Read parameters from a TOML file.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(scroll, stretch=1)
        layout.addWidget(self.status_label)
        layout.addWidget(self.progress)
        layout.addLayout(row(self.segment_button, self.cancel_button))
        layout.addWidget(self.result_label)
        layout.addLayout(row(self.save_button, self.load_button))
        layout.addLayout(row(self.copy_button, self.exporter.button, self.correct_button))

    def show_state(self, state: DockState) -> None:
        """Show what can be done, and why not.

        Parameters
        ----------
        state : DockState
            From `resolve`.
        """
        self.source_label.setText(state.source)
        self.device_label.setText(state.device)
        self.segment_button.setEnabled(state.can_segment)
        self.cancel_button.setEnabled(state.can_cancel)
        self.copy_button.setEnabled(state.can_copy)
        if state.problem is not None:
            self.status_label.setText(state.problem)
