"""Errors that nobody expected."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path
from typing import Self

from napari_superpixels.errors.base import SuperpixelError
from napari_superpixels.errors.reason import reason_of

_PACKAGE = "napari-superpixels"


@dataclass(eq=False)
class Unexpected(SuperpixelError):
    """A fault of this program, or something that a library should not raise.

    Attributes
    ----------
    kind : str
        Of what was raised.
    reason : str
        Its text.
    where : str
        The last line of this package that it passed.
    """

    kind: str
    reason: str
    where: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Describe what was raised.

        Parameters
        ----------
        error : BaseException

        Returns
        -------
        Unexpected
        """
        here = Path(__file__).parents[1]
        lines = [
            f"{file.relative_to(here).as_posix()}:{frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
            if here in (file := Path(frame.filename)).parents
        ]
        return cls(type(error).__name__, reason_of(error), lines[-1] if lines else "?")

    def problem(self) -> str:
        """What was raised, and where to report it."""
        urls = dict(url.split(", ", 1) for url in metadata(_PACKAGE).get_all("Project-URL") or ())
        return (
            f"unexpected {self.kind} ({self.reason}) at {self.where}. The file may be damaged; all "
            f"the same this is a fault of {_PACKAGE}: please report it, with this message and if "
            f"you may with the file, at {urls.get('Issues', 'its home page')}"
        )
