"""Classes: list, semantic layer, next one without a class, suggestions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_superpixels._napari.correction.notify import Say, waiting
from napari_superpixels._napari.correction.overlays import OverlayLayer
from napari_superpixels._napari.correction.panels.class_list import ClassInfo, ClassList
from napari_superpixels._napari.widgets.layout import button, row, text_label
from napari_superpixels.editing.actions.global_edits import assign_many
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.numbering import number
from napari_superpixels.editing.suggest import suggest_classes
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_superpixels._napari.correction.editor import LayerEditor
    from napari_superpixels.editing.label_edit import LabelEdit

_COLUMNS = ("Key", "Class", "Superpixels", "Area")
_NAME_COLUMN = 1
# Stripes of the hatching: at least so wide, and about so many over the image.
_STRIPE_PX, _STRIPES = 3, 150


class ClassPanel(QWidget):
    """Class list and what belongs to it.

    Parameters
    ----------
    viewer : napari.Viewer
    say : callable
        Tells the user a line.

    Attributes
    ----------
    chosen : psygnal.Signal
        Emitted with the number of the class that was chosen.
    """

    chosen = Signal(int)

    def __init__(self, viewer: Viewer, say: Say) -> None:
        super().__init__()
        self._viewer = viewer
        self._say = say
        self._editor: LayerEditor | None = None
        self.classes: ClassList | None = None
        self.semantic: OverlayLayer | None = None
        self.suggestions: OverlayLayer | None = None
        self._suggested: tuple[list[int], list[int]] = ([], [])
        self._filling = False
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setToolTip(
            "Click on a class to choose it, twice on its name to rename it, twice on its key to "
            "choose its colour. Keys 1 to 9 choose too, while the class tool is on."
        )
        vertical, horizontal = self.table.verticalHeader(), self.table.horizontalHeader()
        assert vertical is not None
        assert horizontal is not None
        vertical.setVisible(False)
        horizontal.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        horizontal.setSectionResizeMode(_NAME_COLUMN, QHeaderView.ResizeMode.Stretch)
        self.table.setMinimumHeight(96)
        self.table.itemSelectionChanged.connect(self._on_row)
        self.table.itemChanged.connect(self._on_renamed)
        self.table.cellDoubleClicked.connect(self._on_double_click)
        self.add_button = button("Add class", "Add a class to the list.", self.add)
        self.remove_button = button(
            "Remove", "Remove the chosen class, if no superpixel has it.", self.remove
        )
        self.next_button = button(
            "Next without (N)",
            "Go to the next superpixel without a class, the largest first.",
            self.go_to_next,
        )
        self.suggest_button = button(
            "Suggest",
            "Learn from the classes that you assigned, and suggest classes for the rest. They are "
            "shown hatched until you accept them.",
            self.suggest,
        )
        self.accept_button = button(
            "Accept", "Assign all suggested classes, as one step of undo.", self.accept
        )
        self.discard_button = button("Discard", "Forget the suggestions.", self.discard)
        self.label = text_label()
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addWidget(self.table, stretch=1)
        column.addLayout(row(self.add_button, self.remove_button, self.next_button))
        column.addLayout(row(self.suggest_button, self.accept_button, self.discard_button))
        column.addWidget(self.label)
        self._refresh()

    def attach(self, editor: LayerEditor | None) -> None:
        """Work on another layer.

        Parameters
        ----------
        editor : LayerEditor or None
            Its editor.
        """
        if self._editor is not None:
            self._editor.changed.disconnect(self._on_changed)
            self.discard()
        self._editor = editor
        self.classes = None if editor is None else ClassList(editor.layer)
        self.semantic = self.suggestions = None
        if editor is not None:
            self.semantic = OverlayLayer(
                self._viewer,
                editor.layer,
                "classes",
                opacity=0.6,
                content=lambda: self._categories(editor.session.labels),
            )
            self.suggestions = OverlayLayer(self._viewer, editor.layer, "suggestions", opacity=0.6)
            editor.changed.connect(self._on_changed)
            self._recolor()
            if editor.session.facts().category.any() or self.semantic.layer is not None:
                self.semantic.show(self._categories(editor.session.labels))
        self._refresh()

    # ---- the list ----------------------------------------------------------------------------

    @property
    def category(self) -> int:
        """Number of the chosen class; 0 for none."""
        chosen = self.table.currentRow()
        classes = [] if self.classes is None else list(self.classes)
        return classes[chosen].number if 0 <= chosen < len(classes) else 0

    def choose(self, category: int) -> None:
        """Choose a class, as its key does.

        Parameters
        ----------
        category : int
            Its number; 0 takes classes away.
        """
        numbers = [c.number for c in self.classes or ()]
        if category and category not in numbers:
            self._say(f"There is no class {category} yet: add one in the list.")
            return
        if category:
            self.table.selectRow(numbers.index(category))
        else:
            self.table.clearSelection()
            self.table.setCurrentCell(-1, -1)
        self.chosen.emit(category)

    def add(self, name: str = "") -> None:
        """Add a class and choose it.

        Parameters
        ----------
        name : str, optional
        """
        if self.classes is None:
            return
        try:
            added = self.classes.add(name)
        except EditError as error:
            self._say(str(error), problem=True)
            return
        self._recolor()
        self._refresh()
        self.choose(added.number)

    def remove(self) -> None:
        """Remove the chosen class, if no superpixel has it."""
        category = self.category
        if self.classes is None or self._editor is None or not category:
            return
        # Ids that undo can bring back count too: their class must keep its name.
        used = any(r.category == category for r in self._editor.session.attributes.by_id.values())
        if used:
            self._say(
                "Superpixels have, or had, this class, and undo must be able to bring it back: "
                "rename it instead."
            )
            return
        self.classes.remove(category)
        self._recolor()
        self._refresh()

    def _recolor(self) -> None:
        if self.classes is None or self._editor is None:
            return
        colors = {c.number: (*c.color, 1.0) for c in self.classes}
        for layer in (self.semantic, self.suggestions):
            if layer is not None:
                layer.set_colors(colors)
        self._editor.class_names = self.classes.names
        self._editor.refresh_table()

    def _on_row(self) -> None:
        if not self._filling:
            self.chosen.emit(self.category)

    def _on_renamed(self, item: QTableWidgetItem) -> None:
        if self._filling or self.classes is None or item.column() != _NAME_COLUMN:
            return
        info = list(self.classes)[item.row()]
        self.classes.change(info.number, name=item.text().strip() or info.name)
        self._recolor()
        self._refresh()

    def _on_double_click(self, row_number: int, column: int) -> None:
        if self.classes is None or column == _NAME_COLUMN:
            return
        info = list(self.classes)[row_number]
        color = QColorDialog.getColor(QColor.fromRgbF(*info.color), self)
        if color.isValid():
            rgb = (color.redF(), color.greenF(), color.blueF())
            self.classes.change(info.number, color=rgb)
            self._recolor()
            self._refresh()

    def _refresh(self) -> None:
        """Fill the table: class, superpixels, area."""
        chosen = self.category
        counts, areas = self._totals()
        classes: list[ClassInfo] = [] if self.classes is None else list(self.classes)
        self._filling = True
        self.table.setRowCount(len(classes))
        for i, info in enumerate(classes):
            key = QTableWidgetItem(str(info.number) if info.number <= 9 else "")
            key.setBackground(QColor.fromRgbF(*info.color))
            key.setForeground(QColor("black" if sum(info.color) > 1.2 else "white"))
            texts = (info.name, str(counts.get(info.number, 0)), areas.get(info.number, "0"))
            items = [key, *(QTableWidgetItem(text) for text in texts)]
            for column, item in enumerate(items):
                if column != _NAME_COLUMN:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                if column > _NAME_COLUMN:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight)
                self.table.setItem(i, column, item)
        numbers = [c.number for c in classes]
        if chosen in numbers:
            self.table.selectRow(numbers.index(chosen))
        self._filling = False
        open_ = counts.get(0, 0)
        waiting = len(self._suggested[0])
        self.label.setText(
            (
                f"{counted(open_, 'superpixel')} without a class."
                if classes
                else "Add a class to begin."
            )
            + (f" {counted(waiting, 'suggestion')} to accept or discard." if waiting else "")
        )
        for widget in (self.add_button, self.next_button):
            widget.setEnabled(self._editor is not None)
        self.remove_button.setEnabled(bool(classes))
        self.suggest_button.setEnabled(len(classes) > 1)
        self.accept_button.setEnabled(waiting > 0)
        self.discard_button.setEnabled(waiting > 0)

    def _totals(self) -> tuple[dict[int, int], dict[int, str]]:
        if self._editor is None:
            return {}, {}
        session = self._editor.session
        categories = session.facts().category
        counts = np.bincount(categories, minlength=1)
        pixels = np.bincount(categories, session.statistics.area, 1)
        present = np.flatnonzero(counts).tolist()
        size, unit = self._editor.pixel_size()
        return (
            {c: int(counts[c]) for c in present},
            {c: f"{_short(float(pixels[c]) * size)} {unit}" for c in present},
        )

    # ---- the semantic layer ------------------------------------------------------------------

    def _categories(self, labels: NDArray[np.integer]) -> NDArray[np.uint8]:
        assert self._editor is not None
        attributes = self._editor.session.attributes
        known, rows, _ = number(labels)
        return np.array([attributes[i].category for i in known.tolist()], np.uint8)[rows]

    def _on_changed(self, edit: LabelEdit) -> None:
        if self._editor is None or self.semantic is None:
            return
        self.semantic.write(edit.indices, self._categories(edit.new))
        if self._suggested[0]:
            alive = self._editor.session.statistics
            keep = [k for k, i in enumerate(self._suggested[0]) if i in alive]
            self._suggested = (
                [self._suggested[0][k] for k in keep],
                [self._suggested[1][k] for k in keep],
            )
            self._show_suggestions(edit)
        self._refresh()

    # ---- next and suggestions ----------------------------------------------------------------

    def go_to_next(self) -> None:
        """Show the largest superpixel without a class, and select it."""
        if self._editor is None:
            return
        found = self._editor.largest_without_class()
        if found is None:
            self._say("Every superpixel that is not locked has a class.")
            return
        self._editor.go_to(found)
        self._say(f"Superpixel {found} has no class yet.")

    def suggest(self) -> None:
        """Suggest classes for the rest."""
        if self._editor is None or self.suggestions is None:
            return
        self._editor.sync()
        try:
            with waiting(self._say, "Learning from the classes…"):
                ids, categories, confidence = suggest_classes(self._editor.session)
        except EditError as error:
            self._say(str(error), problem=True)
            return
        self._suggested = (ids.tolist(), categories.tolist())
        self._show_suggestions()
        self._refresh()
        self._say(
            f"{len(ids)} suggestions, on average {confidence.mean():.0%} of the trees agree. "
            "Accept them, or correct some first: what you assign stays."
        )

    def accept(self) -> None:
        """Assign all suggestions."""
        ids, categories = self._suggested
        if self._editor is None or not ids:
            return
        try:
            change = self._editor.run(assign_many, ids=ids, categories=categories)
        except EditError as error:
            self._say(str(error), problem=True)
            return
        self.discard()
        self._say(change.message)

    def discard(self) -> None:
        """Forget the suggestions."""
        self._suggested = ([], [])
        if self.suggestions is not None:
            self.suggestions.remove()
        self._refresh()

    def _show_suggestions(self, edit: LabelEdit | None = None) -> None:
        assert self._editor is not None
        assert self.suggestions is not None
        labels = self._editor.session.labels if edit is None else edit.new
        if labels.size == 0:
            return
        wanted = dict(zip(*self._suggested, strict=True))
        known, rows, _ = number(labels)
        values = np.array([wanted.get(i, 0) for i in known.tolist()], np.uint8)[rows]
        # Hatched: what is only suggested must not look like what was assigned.
        width = max(_STRIPE_PX, max(self._editor.session.labels.shape[-2:]) // _STRIPES)
        if edit is None:
            across, down = (np.arange(n) for n in labels.shape[-2:])
            self.suggestions.show(values * ((across[:, None] + down) // width % 2))
        else:
            stripe = (edit.indices[-2] + edit.indices[-1]) // width % 2
            self.suggestions.write(edit.indices, values * stripe)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
