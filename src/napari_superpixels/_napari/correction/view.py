"""What the correction dock looks like: its controls, their order, and how a state is shown."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_superpixels._napari.correction.panels.class_panel import ClassPanel
from napari_superpixels._napari.correction.panels.global_panel import DetailPanel, TidyPanel
from napari_superpixels._napari.correction.panels.network_panel import NetworkPanel
from napari_superpixels._napari.correction.reference_choice import ReferenceChoice
from napari_superpixels._napari.correction.target import can_be_copied, problem_with
from napari_superpixels._napari.correction.tools import TOOLS
from napari_superpixels._napari.export.exporter import Exporter
from napari_superpixels._napari.widgets.layout import VerticalScroll, button, row, rows, text_label
from napari_superpixels._napari.widgets.lifetime import Dock
from napari_superpixels._napari.widgets.wheel_guard import WheelGuard
from napari_superpixels.editing.attributes import Lock
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_superpixels._napari.correction.editor import LayerEditor

PLANE, VOLUME = "this plane", "volume (3D)"
_NO_TOOL = (
    "<b>No tool is on</b>: the mouse moves the image. To edit, click a tool or press its key."
)
_TOOLS_A_ROW = 4
_PROBLEM = "⚠ "


@dataclass(frozen=True, slots=True)
class CorrectionState:
    """What the correction dock shows.

    Attributes
    ----------
    text : str
        What is corrected, or why nothing is; rich text.
    can_correct, can_copy : bool
        Whether the layer can be corrected; whether a copy of it could be.
    has_depth, is_volume : bool
        Whether the layer has more axes than two; whether bodies are corrected, not areas.
    """

    text: str
    can_correct: bool
    can_copy: bool
    has_depth: bool
    is_volume: bool


def resolve(layer: Labels | None, editor: LayerEditor | None, work: str) -> CorrectionState:
    """Work out what the dock shows.

    Parameters
    ----------
    layer : napari.layers.Labels or None
        Chosen layer.
    editor : LayerEditor or None
        Its editor; None if it cannot be corrected.
    work : str
        `PLANE` or `VOLUME`.

    Returns
    -------
    CorrectionState
    """
    problem = problem_with(layer)
    has_depth = layer is not None and layer.ndim >= 3
    text = escape(problem, quote=False)
    if editor is not None:
        facts = editor.session.facts()
        edited, held = facts.count(Lock.EDITED), facts.count(Lock.HELD)
        name = escape(editor.layer.name, quote=False)
        text = f"<b>{counted(len(facts.lock), 'superpixel')}</b> in “{name}”"
        if edited or held:
            text += f"; {edited} edited, {held} locked"
    return CorrectionState(
        text=text,
        can_correct=editor is not None,
        can_copy=bool(problem) and can_be_copied(layer),
        has_depth=has_depth,
        is_volume=has_depth and work == VOLUME,
    )


class CorrectionView(Dock):
    """The correction dock without its behaviour; `CorrectionWidget` gives it that.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Its images can be chosen; its status bar tells what the dock tells.
    """

    tab_title = "Correct"

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.reference = ReferenceChoice(viewer)
        self.image, self.image_label = self.reference.choice, self.reference.label
        self.layer_label = text_label(rich=True)
        self.message = text_label(selectable=True)
        self.copy_button = button(
            "Make an editable copy",
            "Add a layer in memory with the same labels, which can be corrected.",
        )
        self.work_box = ComboBox(
            label="Work in",
            choices=[PLANE, VOLUME],
            value=PLANE,
            tooltip="Whether superpixels are areas in the plane shown (frames of a time series) "
            "or bodies that go on in the next plane (a z-stack that was labelled in 3D).",
        )
        self.snap_box = CheckBox(
            text="Cut snaps to image edges",
            value=False,
            tooltip="The cut tool's line may be left for image edges near it.",
        )
        self.outline_box = CheckBox(
            text="Show superpixels as outlines",
            value=False,
            tooltip="Outlines instead of colours, so that the image and the classes show.",
        )
        self.plane_box = CheckBox(
            text="Split and cut only this plane",
            value=True,
            tooltip="In a volume: split and cut only the plane shown, or through all planes.",
        )
        self.tool_label = text_label(rich=True)
        self.tool_buttons: dict[str, QPushButton] = {}
        tools = QWidget()
        grid = QGridLayout(tools)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for i, tool in enumerate(TOOLS):
            made = QPushButton(f"{tool.name} ({tool.key})")
            made.setToolTip(tool.tooltip)
            made.setCheckable(True)
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys stay with the canvas
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self.tool_buttons[tool.name] = made
            grid.addWidget(made, i // _TOOLS_A_ROW, i % _TOOLS_A_ROW)

        self.classes = ClassPanel(viewer, self.say)
        self.detail = DetailPanel(viewer, self.say)
        self.tidy = TidyPanel(self.say)
        self.network = NetworkPanel(self.say)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for name, panel in (
            ("Classes", self.classes),
            ("Detail", self.detail),
            ("Clean up", self.tidy),
            ("Network", self.network),
        ):
            self.tabs.addTab(panel, name)

        self.save_button = button(
            "Save…",
            "Write labels, fragments, classes, locks and the edit log to one TIFF.",
        )
        self.open_button = button(
            "Open…", "Read labels that were saved here, and go on correcting them."
        )
        self.exporter = Exporter(viewer, self.image, self)
        self._work_rows = rows(self.work_box)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(4)
        for widget in (
            self.layer_label,
            self.copy_button,
            self.reference.rows,
            self.reference.label,
            self._work_rows,
            tools,
            self.tool_label,
            self.outline_box.native,
            self.snap_box.native,
            self.plane_box.native,
        ):
            column.addWidget(widget)
        column.addWidget(self.tabs, stretch=1)
        for label in content.findChildren(QLabel):
            if label.wordWrap():
                # By itself a label asks for the height that it would have if it were narrow.
                label.setMinimumHeight(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(VerticalScroll(content), stretch=1)
        layout.addWidget(self.message)
        layout.addLayout(row(self.save_button, self.open_button, self.exporter.button))
        self._wheel_guard = WheelGuard(self)

    def show_state(self, state: CorrectionState) -> None:
        """Show what can be corrected, and why not.

        Parameters
        ----------
        state : CorrectionState
            From `resolve`.
        """
        self.layer_label.setText(state.text)
        self.copy_button.setVisible(state.can_copy)
        self._work_rows.setVisible(state.has_depth)
        self.plane_box.native.setVisible(state.is_volume)
        self.tool_label.setVisible(state.can_correct)
        for widget in (*self.tool_buttons.values(), self.tabs, self.save_button):
            widget.setEnabled(state.can_correct)

    def show_tool(self, name: str) -> None:
        """Show which tool is on, and what the mouse does.

        Parameters
        ----------
        name : str
            Of the tool; empty for none.
        """
        for key, made in self.tool_buttons.items():
            made.setChecked(key == name)
        hint = next((tool.hint for tool in TOOLS if tool.name == name), "")
        self.tool_label.setText(f"<b>{name}</b>{hint.removeprefix(name)}" if name else _NO_TOOL)
        self.unsay()
        if hint:
            self._viewer.status = hint

    def say(self, text: str, *, problem: bool = False, now: bool = False) -> None:
        """Tell the user a line, in the dock and in the status bar.

        Parameters
        ----------
        text : str
            The line.
        problem : bool, default False
            Whether it says why something was not done.
        now : bool, default False
            Whether it must be seen before what follows, which takes a while.
        """
        self.message.setText(_PROBLEM + text if problem else text)
        if now:
            self.message.repaint()
        self._viewer.status = text

    def unsay(self) -> None:
        """Take back what was said last: what it speaks of has another name, or is gone."""
        said = self.message.text().removeprefix(_PROBLEM)
        self.message.clear()
        if said and self._viewer.status == said:
            self._viewer.status = ""
