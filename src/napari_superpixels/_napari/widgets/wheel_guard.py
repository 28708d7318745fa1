"""Controls that the mouse wheel changes only where they have the keyboard's focus."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QScrollArea,
    QScrollBar,
    QWidget,
)

_KINDS = (QAbstractSpinBox, QComboBox, QAbstractSlider)


class WheelGuard(QObject):
    """Lets the wheel scroll a dock, and change no control that was not clicked before.

    Parameters
    ----------
    dock : QWidget
        Its spin boxes, combo boxes and sliders are guarded: those that it has, and those that are
        added later, as boxes for the axes of another image are.
    """

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        # What is in a scroll area tells nobody outside that it is laid out anew.
        contents = [area.widget() for area in dock.findChildren(QScrollArea)]
        for outer in (dock, *contents):
            if outer is not None:
                outer.installEventFilter(self)
        self._guard()

    def _guard(self) -> None:
        """Guard the controls that the dock has now."""
        for control in self._dock.findChildren(QWidget):
            if isinstance(control, _KINDS) and not isinstance(control, QScrollBar):
                # Qt's default takes the focus with the wheel.
                control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                control.installEventFilter(self)

    def eventFilter(self, control: QObject | None, event: QEvent | None) -> bool:
        """Pass the wheel on to what the control stands in, unless it has the focus."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._guard()
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if not isinstance(control, _KINDS) or control.hasFocus():
            return False
        event.ignore()
        return True
