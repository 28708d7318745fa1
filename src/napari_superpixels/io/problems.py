"""What readers raise on broken files, and how it is told."""

from __future__ import annotations

import logging
import struct
import zlib
from tokenize import TokenError
from typing import TYPE_CHECKING, TypeVar

from napari_superpixels.errors import FileError, SuperpixelError, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Readers raise nearly every kind of error on broken files; a user needs to know which file.
READ_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    MemoryError,
    TokenError,
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    LookupError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


def unless_damaged(path: Path, read: Callable[..., _T], *arguments: object) -> _T | None:
    """Read what a file says besides its pixels; these are worth reading without it.

    Parameters
    ----------
    path : Path
        The file, for the log.
    read : callable
        Reader of, say, the pixel size.
    *arguments : object
        Of the reader.

    Returns
    -------
    object or None
        What the reader returns; None, with a warning in the log, if it cannot be read.
    """
    try:
        return read(*arguments)
    except READ_ERRORS as error:
        _log.warning(
            "%s: some of its metadata cannot be read and are not used (%s)", path, reason_of(error)
        )
        return None


def check_level(path: Path, level: int, n_levels: int) -> None:
    """Raise `FileError` unless a pyramid has a level."""
    if not 0 <= level < n_levels:
        raise FileError(f"{path}: has the levels 0 to {n_levels - 1}, not {level}")


def unreadable(path: Path, error: Exception) -> SuperpixelError:
    """Say why an image file cannot be read, and what to do.

    Parameters
    ----------
    path : Path
    error : Exception
        What its reader raised.

    Returns
    -------
    SuperpixelError
        To raise; one of ours as it is.
    """
    if isinstance(error, SuperpixelError):
        return error
    if isinstance(error, PermissionError):
        return FileError(f"{path}: you may not read this file; ask its owner, or copy it")
    if not path.exists():
        return FileError(f"{path}: no such file")
    if path.is_file() and path.stat().st_size == 0:
        return FileError(
            f"{path}: cannot be read as an image: it is empty (0 bytes); copy or export it again"
        )
    return FileError(
        f"{path}: cannot be read as an image ({reason_of(error)}): it may be damaged, cut short, "
        "or of another kind than its name says; copy or export it again"
    )
