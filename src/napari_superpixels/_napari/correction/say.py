"""How tools and panels talk to the user."""

from __future__ import annotations

from typing import Protocol


class Say(Protocol):
    """Tells the user a line."""

    def __call__(self, text: str, *, problem: bool = False) -> None:
        """Tell a line.

        Parameters
        ----------
        text : str
            The line.
        problem : bool, default False
            Whether it says why something was not done.
        """
