"""Detail, exact count and clean-up of all superpixels in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from magicgui.widgets import CheckBox, SpinBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSlider, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_superpixels._napari.correction.notify import Say, waiting
from napari_superpixels._napari.correction.overlays import OverlayLayer
from napari_superpixels._napari.widgets.layout import button, row, rows, text_label
from napari_superpixels.editing.actions.global_edits import (
    Levels,
    clean_up,
    levels,
    set_count,
    survey,
)
from napari_superpixels.editing.label_edit import EditError

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_superpixels._napari.correction.editor import LayerEditor
    from napari_superpixels.editing.label_edit import LabelEdit
    from napari_superpixels.editing.scope import Scope

_PREVIEW_COLOR = (1.0, 0.9, 0.1, 1.0)


class WholePanel(QWidget):
    """What is done to all superpixels at once: subclasses follow the layer under correction.

    Parameters
    ----------
    say : callable
        Tells the user a line.
    """

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say
        self._editor: LayerEditor | None = None

    def attach(self, editor: LayerEditor | None) -> None:
        """Work on another layer.

        Parameters
        ----------
        editor : LayerEditor or None
            Its editor.
        """
        if self._editor is not None:
            self._editor.changed.disconnect(self._on_changed)
        self._editor = editor
        if editor is not None:
            editor.changed.connect(self._on_changed)
        self._on_changed()

    def _on_changed(self, edit: LabelEdit | None = None) -> None:
        """React to a change of the labels."""
        raise NotImplementedError


class DetailPanel(WholePanel):
    """Slider through nested levels of detail, and exact count.

    Parameters
    ----------
    viewer : napari.Viewer
    say : callable
        Tells the user a line.
    """

    def __init__(self, viewer: Viewer, say: Say) -> None:
        super().__init__(say)
        self._viewer = viewer
        self._levels: Levels | None = None
        self._scope: Scope | None = None
        self.preview: OverlayLayer | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(
            "Coarser to the left: the most alike neighbours merge (colour, texture, contrast of "
            "their border, size). Only a preview, until you apply it."
        )
        self.slider.valueChanged.connect(self._on_slider)
        self.label = text_label()
        self.apply_button = button(
            "Apply level", "Merge to the level shown, as one step of undo.", self.apply
        )
        self.back_button = button("Back", "Show the superpixels as they are.", self.back)
        self.count = SpinBox(
            name="count",
            label="Exact count",
            min=1,
            max=10**7,
            value=100,
            tooltip="Superpixels wanted in the plane or volume worked in. Merges the most alike, "
            "or splits the least homogeneous; locked ones stay and count.",
        )
        self.count_button = button(
            "Set count", "Bring the superpixels to exactly this number.", self.set_count
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addWidget(self.slider)
        column.addWidget(self.label)
        column.addLayout(row(self.apply_button, self.back_button))
        column.addWidget(rows(self.count))
        column.addWidget(self.count_button)
        column.addStretch()

    def attach(self, editor: LayerEditor | None) -> None:
        """Work on another layer.

        Parameters
        ----------
        editor : LayerEditor or None
            Its editor.
        """
        self.back()
        self.preview = None
        if editor is not None:
            self.preview = OverlayLayer(self._viewer, editor.layer, "level", contour=1)
        super().attach(editor)

    def find_levels(self) -> Levels | None:
        """Merge step by step to the coarsest level, once for the labels as they are."""
        editor = self._editor
        if editor is None:
            return None
        editor.sync()
        try:
            scope = editor.scope()
        except EditError as error:
            self._say(str(error), problem=True)
            return None
        if self._levels is None or scope != self._scope:
            with waiting(self._say, "Looking for levels of detail…"):
                self._levels, self._scope = levels(editor.session, scope), scope
            self._say("Move the slider; “Apply level” makes it an edit.")
            with signals_blocked(self.slider):
                self.slider.setRange(max(self._levels.coarsest, 1), max(self._levels.finest, 1))
        return self._levels

    def show_level(self, n_segments: int) -> None:
        """Outline the level with so many superpixels.

        Parameters
        ----------
        n_segments : int
            Number of superpixels.
        """
        found = self.find_levels()
        if found is None or self.preview is None or self._editor is None:
            return
        assert self._scope is not None
        n_segments = min(n_segments, found.finest)
        level = found.at(n_segments)
        # Colours that alternate are enough: only outlines are drawn.
        self.preview.set_colors(dict.fromkeys(range(1, 256), _PREVIEW_COLOR))
        shown = np.zeros(self._editor.session.labels.shape, np.uint8)
        self._scope.view(shown)[...] = np.where(level > 0, level % 255 + 1, 0)
        self.preview.show(shown)
        self.label.setText(f"Level with {n_segments} of {found.finest} superpixels (preview).")
        self.apply_button.setEnabled(n_segments < found.finest)

    def apply(self) -> None:
        """Merge to the level shown."""
        if self._editor is not None and self._levels is not None:
            n_segments = self.slider.value() + self._levels.n_held
            self.back()
            self._set(n_segments)

    def back(self) -> None:
        """Remove the preview."""
        if self.preview is not None:
            self.preview.remove()
        self._levels = None
        self._on_changed()

    def set_count(self) -> None:
        """Bring the superpixels to the number in the box."""
        self._set(int(self.count.value))

    def _set(self, n_segments: int) -> None:
        if self._editor is None:
            return
        try:
            with waiting(self._say, "Merging or splitting…"):
                change = self._editor.run(set_count, n_segments=n_segments)
            self._say(change.message)
        except EditError as error:
            self._say(str(error), problem=True)

    def _on_slider(self, value: int) -> None:
        self.show_level(value)

    def _on_changed(self, edit: LabelEdit | None = None) -> None:
        # Levels of other labels mean nothing.
        if edit is not None and self.preview is not None:
            self.preview.remove()
        self._levels = None
        n = 0 if self._editor is None else len(self._editor.session.statistics.ids)
        self.slider.blockSignals(True)
        self.slider.setRange(1, max(n, 1))
        self.slider.setValue(n)
        self.slider.blockSignals(False)
        self.label.setText("Move the slider to see coarser levels.")
        for widget in (self.slider, self.count_button):
            widget.setEnabled(self._editor is not None)
        self.apply_button.setEnabled(False)


class TidyPanel(WholePanel):
    """Clean up: connected, large enough, without holes, in sequence.

    Parameters
    ----------
    say : callable
        Tells the user a line.
    """

    def __init__(self, say: Say) -> None:
        super().__init__(say)
        self.connect_box = CheckBox(
            text="Connected",
            value=True,
            tooltip="Each connected piece becomes a superpixel of its own.",
        )
        self.size_box = SpinBox(
            label="Minimum size (px)",
            min=0,
            max=10**6,
            value=10,
            tooltip="Smaller pieces join the neighbour that they resemble most; 0 keeps all.",
        )
        self.holes_box = CheckBox(
            text="Fill holes",
            value=False,
            tooltip="Unlabelled spots inside one superpixel become part of it.",
        )
        self.sequence_box = CheckBox(
            text="Number 1 to K",
            value=True,
            tooltip="Ids without gaps, in the whole layer.",
        )
        self.check_button = button(
            "Check", "Say what cleaning up would do; change nothing.", self.check
        )
        self.clean_button = button("Clean up", "Do it, as one step of undo.", self.clean)
        self.label = text_label()
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addWidget(rows(self.size_box))
        for box in (self.connect_box, self.holes_box, self.sequence_box):
            column.addWidget(box.native)
        column.addLayout(row(self.check_button, self.clean_button))
        column.addWidget(self.label)
        column.addStretch()

    def check(self) -> None:
        """Say what is untidy."""
        if self._editor is None:
            return
        self._editor.sync()
        try:
            with waiting(self._say, "Checking…"):
                found = survey(
                    self._editor.session,
                    self._editor.scope(),
                    min_size_px=int(self.size_box.value),
                )
        except EditError as error:
            self._say(str(error), problem=True)
            return
        plan = found.plan(
            connect=bool(self.connect_box.value),
            fill_holes=bool(self.holes_box.value),
            sequential=bool(self.sequence_box.value),
        )
        self.label.setText(plan)
        self._say(plan)

    def clean(self) -> None:
        """Clean up."""
        if self._editor is None:
            return
        try:
            with waiting(self._say, "Cleaning up…"):
                change = self._editor.run(
                    clean_up,
                    connect=bool(self.connect_box.value),
                    min_size_px=int(self.size_box.value),
                    fill_holes=bool(self.holes_box.value),
                    sequential=bool(self.sequence_box.value),
                )
        except EditError as error:
            self._say(str(error), problem=True)
            return
        self.label.setText(change.message)
        self._say(change.message)

    def _on_changed(self, edit: LabelEdit | None = None) -> None:
        self.label.setText("")
        for widget in (self.check_button, self.clean_button):
            widget.setEnabled(self._editor is not None)
