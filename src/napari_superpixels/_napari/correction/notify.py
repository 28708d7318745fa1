"""How tools and panels talk to the user."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Iterator


class Say(Protocol):
    """Tells the user a line."""

    def __call__(self, text: str, *, problem: bool = False, now: bool = False) -> None:
        """Tell a line.

        Parameters
        ----------
        text : str
            The line.
        problem : bool, default False
            Whether it says why something was not done.
        now : bool, default False
            Whether it must be seen before what follows, which takes a while.
        """


@contextmanager
def waiting(say: Say, text: str) -> Iterator[None]:
    """Say what is being done, and show the pointer that asks to wait, until the block ends.

    Parameters
    ----------
    say : Say
        Tells the user.
    text : str
        What takes a while on large maps.
    """
    say(text, now=True)
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        yield
    finally:
        QApplication.restoreOverrideCursor()
