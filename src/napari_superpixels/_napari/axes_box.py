"""The control that shows what each axis of the image is, and lets the user change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from napari_superpixels._napari.axes import Axes, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

_PER_ROW = 2


class AxesBox:
    """A small combo box for each axis.

    Attributes
    ----------
    native : QWidget
        The control.
    label, tooltip : str
        For its row.
    boxes : list of QComboBox
        One an axis of the layer.
    changed : psygnal.Signal
        Emitted when the user changed a role.
    """

    changed = Signal()
    label = "Axes"
    tooltip = (
        "What each axis of the image is. Y and X are the rows and columns of a plane; all channels "
        "together decide the superpixels; Z and time make stacks, see “Mode”."
    )

    def __init__(self) -> None:
        self.native = QWidget()
        self._grid = QGridLayout(self.native)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._labels: list[QLabel] = []
        self.boxes: list[QComboBox] = []
        self._axes = Axes(())

    @property
    def axes(self) -> Axes:
        """What is chosen."""
        roles = tuple(Role(box.currentText()) for box in self.boxes)
        return Axes(roles, self._axes.rgb)

    def show_axes(self, axes: Axes, names: Sequence[str], sizes: Sequence[int]) -> None:
        """Show roles.

        Parameters
        ----------
        axes : Axes
            What is chosen.
        names : sequence of str
            One an axis, to tell them apart.
        sizes : sequence of int
            Their lengths.
        """
        self._axes = axes
        if len(self.boxes) != len(axes.roles):
            self._build(len(axes.roles))
        for i, (box, role) in enumerate(zip(self.boxes, axes.roles, strict=True)):
            box.blockSignals(True)
            box.setCurrentText(role)
            box.blockSignals(False)
            self._labels[i].setText(str(sizes[i]))
            text = f"{names[i]}, {sizes[i]} long"
            box.setToolTip(text[0].upper() + text[1:])

    def _build(self, n: int) -> None:
        for widget in (*self._labels, *self.boxes):
            self._grid.removeWidget(widget)
            widget.deleteLater()
        self._labels, self.boxes = [], []
        for i in range(n):
            label, box = QLabel(), QComboBox()
            box.addItems(list(Role))
            box.setMinimumContentsLength(4)
            box.currentTextChanged.connect(self._on_change)
            row, column = divmod(i, _PER_ROW)
            self._grid.addWidget(label, row, 2 * column)
            self._grid.addWidget(box, row, 2 * column + 1)
            self._grid.setColumnStretch(2 * column + 1, 1)
            self._labels.append(label)
            self.boxes.append(box)

    def _on_change(self, _text: str = "") -> None:
        self.changed.emit()
