"""What a dock undoes when it goes: once, however it ends."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QWidget

from napari_superpixels._napari.widgets.docking import dock_together

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QShowEvent


class Lifetime:
    """Callbacks for the end of a dock, the last that was added first.

    napari gives a closed dock no closeEvent; Qt destroys every widget, though.

    Parameters
    ----------
    widget : QWidget
        The dock.
    """

    def __init__(self, widget: QWidget) -> None:
        self._ends = ExitStack()
        self._window: ReferenceType[QWidget] | None = None
        # Not a bound method: PyQt keeps those alive no longer than the widget.
        widget.destroyed.connect(partial(Lifetime.end, self))

    def at_end(self, callback: Callable[[], object]) -> None:
        """Call something when the dock goes.

        Parameters
        ----------
        callback : callable
            Without arguments. It must not touch the dock's own Qt side, which may be gone.
        """
        self._ends.callback(callback)

    def connect(self, event: Any, slot: Callable[..., object]) -> None:
        """Connect to an event of the viewer until the dock goes.

        Parameters
        ----------
        event : napari.utils.events.EventEmitter
            What to listen to.
        slot : callable
            Called for each event.
        """
        event.connect(slot)
        self._ends.callback(event.disconnect, slot)

    def remember_window(self, widget: QWidget) -> None:
        """Note the window that the dock is in, to know later whether the viewer outlives it."""
        self._window = ref(widget.window() or widget)

    @property
    def was_shown(self) -> bool:
        """Whether the dock has been in a window."""
        return self._window is not None

    @property
    def viewer_lives(self) -> bool:
        """Whether the window that the dock was in is still there."""
        window = None if self._window is None else self._window()
        return window is not None and isalive(window)

    def end(self, _widget: object = None) -> None:
        """Undo everything; a second call does nothing."""
        self._ends.close()


class Dock(QWidget):
    """A dock that ends when the user closes it, and shares its place with our others.

    Attributes
    ----------
    tab_title : str
        Name of its tab.
    """

    _lifetime: Lifetime
    tab_title = ""
    _is_arranged = False

    def showEvent(self, event: QShowEvent | None) -> None:
        """Remember the window, to know later whether the viewer outlives the dock."""
        is_first, self._is_arranged = not self._is_arranged, True
        self._lifetime.remember_window(self)
        super().showEvent(event)
        if is_first:  # napari goes on to arrange its docks after this
            later = QTimer(self)
            later.setSingleShot(True)
            later.timeout.connect(self._dock_together)
            later.start(0)

    def _dock_together(self) -> None:
        dock_together(self, Dock, self.tab_title)

    def changeEvent(self, event: QEvent | None) -> None:
        """Let go when napari takes the dock out of its window: that is how its x closes it."""
        super().changeEvent(event)
        if event is None or event.type() != QEvent.Type.ParentChange:
            return
        if self.parent() is not None:
            self._lifetime.remember_window(self)
        elif self._lifetime.was_shown:
            self._lifetime.end()
            self.deleteLater()  # napari itself only forgets it
