"""The control that shows what each axis of the image is, and lets the user change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QSizePolicy, QWidget

from napari_superpixels._napari.input.axes import Axes, Role
from napari_superpixels._napari.widgets.layout import text_label

if TYPE_CHECKING:
    from collections.abc import Sequence

_PER_ROW = 2
_QUESTION = "Nothing says what the axes are. Is this right?"


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
    label = ""  # it takes the whole width, and holds its own
    tooltip = (
        "What each axis of the image is. Y and X are the rows and columns of a plane; all channels "
        "together decide the superpixels; Z and time make stacks, see “Mode”."
    )

    def __init__(self) -> None:
        self.native = QWidget()
        self.native.setToolTip(self.tooltip)
        self._grid = QGridLayout(self.native)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._question = text_label()
        self._question.setText(_QUESTION)
        self._grid.addWidget(self._question, 0, 0, 1, _PER_ROW + 1)
        self._grid.addWidget(QLabel("Axes"), 1, 0)
        self.boxes: list[QComboBox] = []
        self._axes = Axes(())

    @property
    def axes(self) -> Axes:
        """What is chosen."""
        return Axes(tuple(Role(box.currentData()) for box in self.boxes), self._axes.rgb)

    def choose(self, axis: int, role: Role) -> None:
        """Choose a role, as the user does.

        Parameters
        ----------
        axis : int
            Axis of the layer.
        role : Role
            What it is.
        """
        self.boxes[axis].setCurrentIndex(list(Role).index(role))

    def ask(self, asks: bool) -> None:
        """Show or hide the question above the boxes.

        Parameters
        ----------
        asks : bool
            Whether nothing but the shape says what the axes are.
        """
        self._question.setVisible(asks)

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
        for axis, (box, role) in enumerate(zip(self.boxes, axes.roles, strict=True)):
            box.blockSignals(True)
            for i, choice in enumerate(Role):
                box.setItemText(i, f"{choice} ({sizes[axis]})")
            box.setCurrentIndex(list(Role).index(role))
            box.blockSignals(False)
            text = f"{names[axis]}, {sizes[axis]} long. {self.tooltip}"
            box.setToolTip(text[0].upper() + text[1:])

    def _build(self, n: int) -> None:
        for box in self.boxes:
            self._grid.removeWidget(box)
            box.deleteLater()
        self.boxes = []
        for axis in range(n):
            box = QComboBox()
            for role in Role:
                box.addItem(str(role), role)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            box.currentIndexChanged.connect(self._on_change)
            row, column = divmod(axis, _PER_ROW)
            self._grid.addWidget(box, row + 1, column + 1)
            self._grid.setColumnStretch(column + 1, 1)
            self.boxes.append(box)

    def _on_change(self, _index: int = 0) -> None:
        self.changed.emit()
