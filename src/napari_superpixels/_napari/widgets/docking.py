"""Our docks share one place in the window, as tabs with short names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDockWidget, QMainWindow

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


def dock_together(widget: QWidget, kind: type[QWidget], title: str) -> None:
    """Put a dock as a tab in front of the others of its kind, and name its tab.

    Parameters
    ----------
    widget : QWidget
        What is docked; nothing is done where it is not.
    kind : type of QWidget
        Class of the widgets in the other docks.
    title : str
        For the tab: napari's own name, which holds the plugin's, is cut off there.
    """
    own, window = dock_of(widget), widget.window()
    if own is None or not isinstance(window, QMainWindow):
        return
    own.setWindowTitle(title)
    docks = {dock_of(other) for other in window.findChildren(kind)} - {own, None}
    for other in docks:
        assert other is not None
        same_area = window.dockWidgetArea(other) == window.dockWidgetArea(own)
        if same_area and not (other.isFloating() or own.isFloating()) and other.isVisible():
            if own not in window.tabifiedDockWidgets(other):
                window.tabifyDockWidget(other, own)
            own.raise_()
            return


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Find the dock that a widget is in; None where it is in none."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent
