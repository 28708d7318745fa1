"""Pieces of the dock's layout."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

if TYPE_CHECKING:
    from collections.abc import Callable

_LABEL_WIDTH_PX = 140
_CONTROL_WIDTH_PX = 110


class Control(Protocol):
    """What stands in a row: a magicgui widget, say."""

    @property
    def label(self) -> str: ...

    @property
    def tooltip(self) -> str | None: ...

    @property
    def native(self) -> QWidget: ...


def file_name(name: str) -> str:
    """Make a name that every file system takes.

    Parameters
    ----------
    name : str
        Any, such as that of a layer.

    Returns
    -------
    str
        With “_” in place of what stands between folders, and the like.
    """
    return re.sub(r'[\\/:*?"<>|]', "_", name)


def text_label(*, selectable: bool = False, rich: bool = False) -> QLabel:
    """Make a label for running text.

    Parameters
    ----------
    selectable : bool, default False
        Whether the text can be copied.
    rich : bool, default False
        Whether it is HTML, in which names of layers and files must be escaped.

    Returns
    -------
    QLabel
        Wraps its words.
    """
    label = QLabel()
    label.setWordWrap(True)
    # A long message grows in height, never in width.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def button(text: str, tooltip: str, action: Callable[[], None] | None = None) -> QPushButton:
    """Make a button.

    Parameters
    ----------
    text, tooltip : str
        What it says.
    action : callable, optional
        What it does; see `when_clicked`.

    Returns
    -------
    QPushButton
        The button.
    """
    made = QPushButton(text)
    made.setToolTip(tooltip)
    if action is not None:
        when_clicked(made, action)
    return made


def primary(made: QPushButton) -> QPushButton:
    """Make a button stand out as what to press next.

    Parameters
    ----------
    made : QPushButton

    Returns
    -------
    QPushButton
        The same, in a colour that both of napari's themes leave free; grey while disabled.
    """
    made.setStyleSheet(
        "QPushButton:enabled { background: #1565c0; color: white; font-weight: bold; }"
        "QPushButton { padding: 5px; }"
        "QPushButton:enabled:hover { background: #1e78d8; }"
        "QPushButton:enabled:focus { border: 2px solid #90caf9; }"
    )
    return made


def when_clicked(made: QAbstractButton, action: Callable[[], None]) -> None:
    """Say what a button does.

    Parameters
    ----------
    made : QAbstractButton
    action : callable
        Without the bool that Qt's signal carries.
    """
    made.clicked.connect(lambda _checked=False: action())


class VerticalScroll(QScrollArea):
    """Scrolls up and down only: always as wide as its content needs.

    Parameters
    ----------
    content : QWidget
        What is scrolled.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        """Width of the content, the scroll bar, and the border that napari's style draws."""
        content, bar = self.widget(), self.verticalScrollBar()
        assert content is not None
        assert bar is not None
        width = content.minimumSizeHint().width() + bar.sizeHint().width() + 2 * self.frameWidth()
        return QSize(width, 120)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Tell the dock when the content needs another width, as opened sections do."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


def rows(*controls: Control) -> QWidget:
    """Put controls below each other, each with its label at the left.

    Parameters
    ----------
    *controls : Control
        With label and tooltip; without a label, it takes the whole width.

    Returns
    -------
    QWidget
        Has a QFormLayout.
    """
    widget = QWidget()
    layout = QFormLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for control in controls:
        if not control.label:
            layout.addRow(control.native)
            continue
        label = QLabel(control.label)
        label.setToolTip(control.tooltip)
        label.setMinimumWidth(_LABEL_WIDTH_PX)
        # Long layer names must not widen the dock.
        control.native.setMinimumWidth(_CONTROL_WIDTH_PX)
        control.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout.addRow(label, control.native)
    return widget


def stacked(*widgets: QWidget) -> QWidget:
    """Put widgets below each other.

    Parameters
    ----------
    *widgets : QWidget
        From top to bottom.

    Returns
    -------
    QWidget
        Has a QVBoxLayout without margins.
    """
    made = QWidget()
    column = QVBoxLayout(made)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    for widget in widgets:
        column.addWidget(widget)
    return made


def section(title: str, content: QWidget) -> QCollapsible:
    """Make a part of the dock that opens with a click.

    Parameters
    ----------
    title : str
        What is always shown.
    content : QWidget
        What is shown when it is open.

    Returns
    -------
    QCollapsible
        Closed.
    """
    made = QCollapsible(title, collapsedIcon="▶")
    # Animations make the dock's height jump while tests and users click on.
    made.setDuration(0)
    made.addWidget(content)
    # What is folded away is no stop of the Tab key.
    made.content().hide()
    made.toggled.connect(made.content().setVisible)
    # As wide as the rows outside: margins would cut the controls at the right.
    for widget in (made, made.content()):
        layout = widget.layout()
        assert layout is not None
        layout.setContentsMargins(0, 0, 0, 0)
    return made


def set_row_visible(widget: QWidget, control: Control, visible: bool) -> None:
    """Show or hide a row that `rows` made.

    Parameters
    ----------
    widget : QWidget
        From `rows`.
    control : Control
        One of its controls.
    visible : bool
        Whether to show its row.
    """
    layout = widget.layout()
    assert isinstance(layout, QFormLayout)
    layout.setRowVisible(control.native, visible)


def row(*widgets: QWidget) -> QHBoxLayout:
    """Put widgets beside each other.

    Parameters
    ----------
    *widgets : QWidget
        From left to right.

    Returns
    -------
    QHBoxLayout
        The row.
    """
    layout = QHBoxLayout()
    for widget in widgets:
        layout.addWidget(widget)
    return layout
