"""What the segmentation dock looks like: its controls, their order, and how a state is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox
from qtpy.QtGui import QAction  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMenu, QProgressBar, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_superpixels._napari.batch.panel import Batch, BatchChoices
from napari_superpixels._napari.export.exporter import Exporter
from napari_superpixels._napari.segment.controls.device_choice import DeviceChoice
from napari_superpixels._napari.segment.controls.input_choice import InputChoice
from napari_superpixels._napari.segment.controls.parameter_form import ParameterForm
from napari_superpixels._napari.segment.controls.show_choice import ShowChoice
from napari_superpixels._napari.settings import Preferences
from napari_superpixels._napari.widgets.layout import (
    VerticalScroll,
    button,
    primary,
    row,
    rows,
    section,
    set_row_visible,
    stacked,
    text_label,
)
from napari_superpixels._napari.widgets.lifetime import Dock
from napari_superpixels._napari.widgets.wheel_guard import WheelGuard
from napari_superpixels.plan.run_plan import Tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

    from napari_superpixels._napari.segment.state import DockState

_ARROW_PX = 28


class SegmentView(Dock):
    """The segmentation dock without its behaviour; `SegmentWidget` gives it that.

    What a first run needs is on the first screen; *More* holds what changes a result or where it is
    looked for, *Advanced* the rest of the parameters.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Its layers can be chosen.
    batch_choices : callable
        What the batch section runs with.
    """

    tab_title = "Segment"

    def __init__(self, viewer: Viewer, batch_choices: Callable[[], BatchChoices]) -> None:
        super().__init__()
        self.choice = InputChoice(viewer)
        self.image, self.region = self.choice.image, self.choice.region
        self.more = self.choice.more
        preferences = Preferences.read()
        self.form = ParameterForm(preferences.seed)
        self.device = DeviceChoice(preferences.device)
        self.show_choice = ShowChoice()
        self.keep_earlier = CheckBox(
            name="keep_earlier",
            label="Keep earlier results",
            tooltip="Otherwise the next result of the same image takes the place of the last one. "
            "A result that you edited always stays, hidden.",
        )
        self.keep_earlier.native.setText("")  # the label of its row says it
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
        self._make_buttons()
        self.more_section = section("More", self._more())
        self.more_section.toggled.connect(self.choice.show_all)
        self.advanced = section("Advanced", self._advanced())
        self.batch = Batch(batch_choices)
        self.batch_section = section("Batch: many files", self.batch)
        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self._lay_out()
        self._wheel_guard = WheelGuard(self)

    def _make_buttons(self) -> None:
        self.segment_button = primary(
            button("Segment", "Find the superpixels of the chosen image.")
        )
        self.stop_button = button(
            "Stop and keep", "Stop within one iteration, and make a result of what is there."
        )
        self.cancel_button = button("Cancel", "Stop within one iteration, and leave no trace.")
        self.copy_button = QToolButton()
        self.copy_button.setText("Copy as Python")
        self.copy_button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        # napari's style leaves the arrow no place beside the text.
        width = self.copy_button.fontMetrics().horizontalAdvance("Copy as Python")
        self.copy_button.setMinimumWidth(width + _ARROW_PX)
        self.copy_button.setToolTip("Copy the Python that repeats the last run, for the console.")
        self.copy_button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        menu = QMenu(self.copy_button)
        self.console_action = QAction("For napari's console", menu)
        self.script_action = QAction("As a script", menu)
        menu.addActions([self.console_action, self.script_action])
        self.copy_button.setMenu(menu)
        self.correct_button = button(
            "Correct by hand…",
            "Open the dock that merges, splits, locks and classifies superpixels.",
        )
        self.save_button = button("Save parameters…", "Write the parameters to a TOML file.")
        self.load_button = button("Load parameters…", "Read parameters from a TOML file.")
        self.reset_button = button("Reset", "Back to the balanced preset.", self.form.reset)

    def _more(self) -> QWidget:
        """What changes a result, and where it is looked for."""
        return stacked(
            self.choice.more_widget,
            rows(*self.form.main, self.device.box, self.keep_earlier),
            self.device_label,
        )

    def _advanced(self) -> QWidget:
        """Parameters of the network and of the steps after it; files of parameters."""
        buttons = QWidget()
        buttons.setLayout(row(self.save_button, self.load_button, self.reset_button))
        controls = rows(self.region.nodata_box, self.tiles, *self.form.advanced)
        return stacked(controls, buttons)

    def _lay_out(self) -> None:
        self._show_rows = rows(self.form.slider, self.show_choice)
        form = stacked(
            self.choice.widget,
            self.source_label,
            rows(self.form.number, self.form.size),
            self.segment_button,
            self.stop_button,
            self.cancel_button,
            self.status_label,
            self.progress,
            self.result_label,
            self._show_rows,
            self.more_section,
            self.advanced,
            self.batch_section,
        )
        layout = form.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(6, 6, 6, 6)
        outer.addWidget(VerticalScroll(form), stretch=1)
        outer.addLayout(row(self.copy_button, self.exporter.button, self.correct_button))

    def show_slider(self, shows: bool) -> None:
        """Show the slider for the number, or hide it where no result follows it.

        Parameters
        ----------
        shows : bool
            Whether one does.
        """
        set_row_visible(self._show_rows, self.form.slider, shows)

    def show_state(self, state: DockState) -> None:
        """Show what can be done, and why not.

        Parameters
        ----------
        state : DockState
            From `resolve`.
        """
        self.source_label.setText(state.source)
        self.device_label.setText(state.device)
        self.segment_button.setVisible(not state.is_running)
        self.segment_button.setEnabled(state.can_segment)
        for made in (self.stop_button, self.cancel_button):
            made.setVisible(state.is_running)
            made.setEnabled(state.can_cancel)
        self.copy_button.setEnabled(state.can_copy)
        self._show_rows.setVisible(state.can_show)
        if state.status is not None:
            self.status_label.setText(state.status)
