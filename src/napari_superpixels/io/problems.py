"""What readers raise on broken files, and how it is told."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from napari_superpixels.errors import FileError, reason_of

if TYPE_CHECKING:
    from pathlib import Path

# Readers raise many kinds of errors on broken files; a user needs to know which file.
READ_ERRORS = (
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


def unreadable(path: Path, error: Exception) -> FileError:
    """Say why an image file cannot be read, and what to do.

    Parameters
    ----------
    path : Path
    error : Exception
        What its reader raised.

    Returns
    -------
    FileError
        To raise.
    """
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
