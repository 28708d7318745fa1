"""The choice of how results are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from psygnal import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QSizePolicy, QWidget

from napari_superpixels._napari.segment.appearance import OUTLINE_COLORS, Look, Show
from napari_superpixels._napari.widgets.layout import button, row

if TYPE_CHECKING:
    from collections.abc import Sequence

_SWATCH_PX = 28


class ShowChoice:
    """A combo box for the way to show superpixels, and a button with the colour of their outlines.

    Attributes
    ----------
    native : QWidget
        Both.
    label, tooltip : str
        For their row.
    show_box : magicgui.widgets.ComboBox
        Outlines, filled, mean colour.
    color_button : QPushButton
        Has the colour of the outlines, and asks for another one.
    changed : psygnal.Signal
        Emitted when the user chose something.
    """

    changed = Signal()
    label = "Show"
    tooltip = (
        "How superpixels are shown, the next ones too: outlines of one colour over the image; "
        "filled, in which neighbours differ; or each in the mean colour of its pixels."
    )

    def __init__(self) -> None:
        self.show_box = ComboBox(
            name="show", choices=list(Show), value=Show.OUTLINES, tooltip=self.tooltip
        )
        self.show_box.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.color_button = button(
            "",
            "Colour of the outlines: at first, the one with most contrast to the image. Another "
            "one stays for the next results.",
            self._ask,
        )
        self.color_button.setAccessibleName("Colour of the outlines")
        self.color_button.setFixedSize(_SWATCH_PX, _SWATCH_PX - 4)
        self.native = QWidget()
        both = row(self.show_box.native, self.color_button)
        both.setContentsMargins(0, 0, 0, 0)
        self.native.setLayout(both)
        self._chosen: str | None = None
        self._shown = OUTLINE_COLORS[0]
        self._paint(self._shown)
        self.show_box.changed.connect(self._on_show)

    @property
    def look(self) -> Look:
        """What is chosen."""
        return Look(Show(self.show_box.value), self._chosen)

    def choose_color(self, color: str) -> None:
        """Choose the colour of outlines, as the user does.

        Parameters
        ----------
        color : str
            Such as ``"#ffff00"``.
        """
        self._chosen = color
        self._paint(color)
        self.changed.emit()

    def tell(self, color: Sequence[float]) -> None:
        """Show the colour that outlines have, where the user has chosen none.

        Parameters
        ----------
        color : sequence of float
            RGBA in 0...1.
        """
        if self._chosen is None:
            self._paint(QColor.fromRgbF(*map(float, color)).name())

    def _paint(self, color: str) -> None:
        self._shown = color
        self.color_button.setStyleSheet(f"background: {color}; border: 1px solid gray;")

    def _on_show(self) -> None:
        self.color_button.setVisible(self.look.show == Show.OUTLINES)
        self.changed.emit()

    def _ask(self) -> None:
        color = QColorDialog.getColor(QColor(self._shown), self.native, "Colour of the outlines")
        if color.isValid():
            self.choose_color(color.name())
