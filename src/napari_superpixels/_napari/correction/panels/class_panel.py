"""Classes: list, semantic layer, next one without a class, suggestions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QLineEdit, QVBoxLayout, QWidget

from napari_superpixels._napari.correction.notify import Say, waiting
from napari_superpixels._napari.correction.overlays import OverlayLayer
from napari_superpixels._napari.correction.panels.area_text import area_text
from napari_superpixels._napari.correction.panels.class_list import ClassInfo, ClassList
from napari_superpixels._napari.correction.panels.class_table import ClassTable
from napari_superpixels._napari.widgets.layout import button, row, text_label
from napari_superpixels.editing.actions.global_edits import assign_many, merge_touching
from napari_superpixels.editing.contacts import Contacts
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.numbering import number
from napari_superpixels.editing.suggest import suggest_classes
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_superpixels._napari.correction.editor import LayerEditor
    from napari_superpixels.editing.label_edit import LabelEdit

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
        self._contacts: Contacts | None = None
        self.table = ClassTable()
        self.table.row_chosen.connect(self._on_row)
        self.table.renamed.connect(self._on_renamed)
        self.table.color_asked.connect(self.choose_color)
        self.name_field = QLineEdit()
        self.name_field.setPlaceholderText("Name of a new class")
        self.name_field.setToolTip("Type a name and press Enter; without one it is “class 1”, ….")
        self.name_field.returnPressed.connect(self._on_name)
        self.add_button = button(
            "Add class", "Add a class of this name to the list.", self._on_name
        )
        self.remove_button = button(
            "Remove", "Remove the chosen class, if no superpixel has it.", self.remove
        )
        self.next_button = button(
            "Next without (N)",
            "Go to the next superpixel without a class, the largest first.",
            self.go_to_next,
        )
        self.merge_button = button(
            "Merge touching of this class",
            "Superpixels of the chosen class that touch each other become one, in the plane or "
            "volume worked in; locked ones stay as they are. One step of undo.",
            self.merge_touching,
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
        column.addLayout(row(self.name_field, self.add_button, self.remove_button))
        column.addLayout(row(self.next_button, self.suggest_button))
        column.addWidget(self.merge_button)
        column.addWidget(self.label)
        column.addLayout(row(self.accept_button, self.discard_button))
        self.refresh()

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
        self.semantic = self.suggestions = self._contacts = None
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
        self.refresh()

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
        self.table.choose(numbers.index(category) if category else -1)
        self.chosen.emit(category)

    def add(self, name: str = "") -> None:
        """Add a class and choose it; choose the one that has this name already.

        Parameters
        ----------
        name : str, optional
        """
        if self.classes is None:
            return
        known = self._named(name)
        if known:
            self.choose(known)
            self._say(f"There is a class “{name}” already; it is chosen now.")
            return
        try:
            added = self.classes.add(name)
        except EditError as error:
            self._say(str(error), problem=True)
            return
        self._recolor()
        self.refresh()
        self.choose(added.number)

    def _on_name(self) -> None:
        self.add(self.name_field.text().strip())
        self.name_field.clear()

    def _named(self, name: str) -> int:
        """Number of the class of a name; 0 if there is none."""
        return next((c.number for c in self.classes or () if name and c.name == name), 0)

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
        name = self.classes.names[category]
        self.classes.remove(category)
        self._recolor()
        self.choose(0)
        self.refresh()
        self._say(f"Class “{name}” is removed.")

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
        self.chosen.emit(self.category)

    def _on_renamed(self, row_number: int, name: str) -> None:
        if self.classes is None:
            return
        info = list(self.classes)[row_number]
        if name in ("", info.name):
            self.refresh()
            return
        if self._named(name):
            self.refresh()
            self._say(f"There is a class “{name}” already: choose another name.", problem=True)
            return
        self.classes.change(info.number, name=name)
        self._recolor()
        self.refresh()
        self._say(f"Class “{info.name}” is “{name}” now.")

    def choose_color(self, row_number: int) -> None:
        """Let the user choose the colour of a class.

        Parameters
        ----------
        row_number : int
            Row of the list.
        """
        if self.classes is None:
            return
        info = list(self.classes)[row_number]
        color = QColorDialog.getColor(
            QColor.fromRgbF(*info.color), self, f"Colour of “{info.name}”"
        )
        if color.isValid():
            rgb = (color.redF(), color.greenF(), color.blueF())
            self.classes.change(info.number, color=rgb)
            self._recolor()
            self.refresh()

    def refresh(self) -> None:
        """Show the classes, with superpixels, objects and area of each, as they are now."""
        counts, numbers = self._totals()
        classes: list[ClassInfo] = [] if self.classes is None else list(self.classes)
        shown = [numbers.get(info.number, ("0", "0", "0")) for info in classes]
        self.table.fill(classes, shown, self.category)
        open_, waiting = counts.get(0, 0), len(self._suggested[0])
        self.label.setText(
            (
                f"{counted(open_, 'superpixel')} without a class."
                if classes
                else "Add a class to begin."
            )
            + (f" {counted(waiting, 'suggestion')} to accept or discard." if waiting else "")
        )
        for widget in (self.add_button, self.name_field, self.next_button):
            widget.setEnabled(self._editor is not None)
        for widget in (self.remove_button, self.merge_button):
            widget.setEnabled(bool(classes))
        self.suggest_button.setEnabled(len(classes) > 1)
        for made in (self.accept_button, self.discard_button):
            made.setVisible(waiting > 0)

    def _totals(self) -> tuple[dict[int, int], dict[int, tuple[str, str, str]]]:
        """Superpixels of each class, 0 for none; and what the list says of it."""
        editor = self._editor
        if editor is None:
            return {}, {}
        session = editor.session
        categories = session.facts().category
        counts = np.bincount(categories, minlength=1)
        pixels = np.bincount(categories, session.statistics.area, 1)
        objects = self._objects(categories)
        return {c: int(counts[c]) for c in np.flatnonzero(counts).tolist()}, {
            c: (
                f"{counts[c]:,}",
                f"{objects[c]:,}",
                area_text(editor.layer, int(pixels[c]), editor.n_axes),
            )
            for c in np.flatnonzero(counts).tolist()
            if c
        }

    def _objects(self, categories: NDArray[np.int64]) -> NDArray[np.int64]:
        """Objects of each class; borders are looked for once there are classes."""
        assert self._editor is not None
        session, layer = self._editor.session, self._editor.layer
        if not categories.any():
            return np.zeros(1, np.int64)
        axes = tuple(range(layer.ndim - self._editor.n_axes, layer.ndim))
        if self._contacts is None or self._contacts.axes != axes:
            self._contacts = Contacts(session.labels, axes)
        return self._contacts.objects(session.statistics.ids, categories)

    # ---- the semantic layer ------------------------------------------------------------------

    def _categories(self, labels: NDArray[np.integer]) -> NDArray[np.uint8]:
        assert self._editor is not None
        attributes = self._editor.session.attributes
        known, rows, _ = number(labels)
        return np.array([attributes[i].category for i in known.tolist()], np.uint8)[rows]

    def _on_changed(self, edit: LabelEdit) -> None:
        if self._editor is None or self.semantic is None:
            return
        if self._contacts is not None:
            self._contacts.update(self._editor.session.labels, edit)
        self.semantic.write(edit.indices, self._categories(edit.new))
        if self._suggested[0]:
            alive = self._editor.session.statistics
            keep = [k for k, i in enumerate(self._suggested[0]) if i in alive]
            self._suggested = (
                [self._suggested[0][k] for k in keep],
                [self._suggested[1][k] for k in keep],
            )
            self._show_suggestions(edit)
        self.refresh()

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

    def merge_touching(self) -> None:
        """Merge superpixels of the chosen class that touch each other."""
        if self._editor is None:
            return
        if not self.category:
            self._say("Choose a class in the list first: its superpixels are merged.", problem=True)
            return
        try:
            with waiting(self._say, "Merging…"):
                change = self._editor.run(merge_touching, category=self.category)
        except EditError as error:
            self._say(str(error), problem=True)
            return
        self._say(change.message)

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
        self.refresh()
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
        self.refresh()

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
