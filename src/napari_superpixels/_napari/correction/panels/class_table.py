"""The list of classes, as a table to choose, name and colour them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_superpixels._napari.correction.panels.class_list import ClassInfo

KEY, COLOR, NAME, SUPERPIXELS, OBJECTS, AREA = range(6)
# In two lines: the names of the classes need the width.
_HEADERS = ("", "", "Class", "Super-\npixels", "Objects", "Area")
# So many classes are seen without scrolling the list; the dock scrolls as a whole.
_FEWEST_ROWS, _MOST_ROWS = 3, 9
_PADDING_PX = 8
_SWATCH_PX = 16


class ClassTable(QTableWidget):
    """A row for each class; knows what is shown and not what it means.

    Attributes
    ----------
    row_chosen : psygnal.Signal
        Emitted when the user chooses another row.
    renamed : psygnal.Signal
        Emitted with the row and the text that the user has typed.
    color_asked : psygnal.Signal
        Emitted with the row whose colour the user wants to choose.
    """

    row_chosen = Signal()
    renamed = Signal(int, str)
    color_asked = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADERS))
        self._filling = False
        self.setHorizontalHeaderLabels(_HEADERS)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        # Not with any key: digits choose a class.
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setTabKeyNavigation(False)
        self.setToolTip(
            "Click on a class to choose it, or press its key; on its colour to change it; twice on "
            "its name (or F2) to rename it."
        )
        vertical, horizontal = self.verticalHeader(), self.horizontalHeader()
        assert vertical is not None
        assert horizontal is not None
        vertical.setVisible(False)
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        vertical.setMinimumSectionSize(0)
        vertical.setDefaultSectionSize(self.fontMetrics().height() + _PADDING_PX)
        horizontal.setMinimumSectionSize(0)
        horizontal.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        horizontal.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        self.itemSelectionChanged.connect(self._on_row)
        self.itemChanged.connect(self._on_changed)
        self.cellClicked.connect(self._on_click)

    def fill(
        self, classes: Sequence[ClassInfo], numbers: Sequence[tuple[str, str, str]], chosen: int
    ) -> None:
        """Show these classes.

        Parameters
        ----------
        classes : sequence of ClassInfo
            One a row.
        numbers : sequence of (str, str, str)
            Of each: superpixels, objects, area.
        chosen : int
            Number of the class that is chosen; 0 for none.
        """
        self._filling = True
        self.setRowCount(len(classes))
        for i, (info, texts) in enumerate(zip(classes, numbers, strict=True)):
            shown = {KEY: str(info.number) if info.number <= 9 else "", COLOR: "", NAME: info.name}
            shown |= dict(zip((SUPERPIXELS, OBJECTS, AREA), texts, strict=True))
            for column, text in shown.items():
                item = QTableWidgetItem(text)
                if column == COLOR:
                    item.setIcon(_swatch(QColor.fromRgbF(*info.color)))
                    item.setToolTip(f"Choose the colour of “{info.name}”")
                if column == NAME:
                    item.setToolTip(info.name)
                else:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                if column > NAME:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self.setItem(i, column, item)
        self._filling = False
        rows = [info.number for info in classes]
        if chosen in rows:
            self.choose(rows.index(chosen))
        self._fit()

    def choose(self, row: int) -> None:
        """Choose a row without a signal.

        Parameters
        ----------
        row : int
            -1 for none.
        """
        self._filling = True
        if row >= 0:
            self.selectRow(row)
        else:
            self.clearSelection()
            self.setCurrentCell(-1, -1)
        self._filling = False

    def sizeHint(self) -> QSize:
        """No taller than it must be, or the buttons below it are out of sight."""
        return QSize(super().sizeHint().width(), self.minimumHeight())

    def _fit(self) -> None:
        header, vertical = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert vertical is not None
        rows = min(max(self.rowCount(), _FEWEST_ROWS), _MOST_ROWS)
        frame = 2 * self.frameWidth()
        self.setMinimumHeight(
            header.sizeHint().height() + rows * vertical.defaultSectionSize() + frame
        )

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Leave letters and digits to the dock: they are keys of classes and tools."""
        assert event is not None
        row, key = self.currentRow(), event.key()
        if self.state() == QAbstractItemView.State.EditingState:
            super().keyPressEvent(event)  # Enter comes here too, after the name's editor
        elif event.text().isalnum():
            event.ignore()
        elif row >= 0 and key == Qt.Key.Key_F2:
            self.editItem(self.item(row, NAME))
        elif row >= 0 and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.color_asked.emit(row)
        else:
            super().keyPressEvent(event)

    def _on_row(self) -> None:
        if not self._filling:
            self.row_chosen.emit()

    def _on_changed(self, item: QTableWidgetItem) -> None:
        if not self._filling and item.column() == NAME:
            self.renamed.emit(item.row(), item.text().strip())

    def _on_click(self, row: int, column: int) -> None:
        if column == COLOR:
            self.color_asked.emit(row)


def _swatch(color: QColor) -> QIcon:
    """A square of a colour, which a chosen row does not tint."""
    square = QPixmap(_SWATCH_PX, _SWATCH_PX)
    square.fill(color)
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(square, mode)
    return icon
