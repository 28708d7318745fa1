"""Errors of the system and of other libraries, in words."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def cannot_read(path: Path, error: OSError) -> str:
    """Say why a file cannot be read, and what to do.

    Parameters
    ----------
    path : Path
    error : OSError
        What the system says.

    Returns
    -------
    str
        The message.
    """
    remedies = {
        errno.ENOENT: "choose one that exists",
        errno.EISDIR: "choose a file",
        errno.EACCES: "ask its owner, or copy it",
        errno.EPERM: "ask its owner, or copy it",
    }
    remedy = remedies.get(error.errno or 0, "check the disk, or choose another one")
    return f"{path}: cannot be read ({error.strerror or error}); {remedy}"


def reason_of(error: BaseException) -> str:
    """Spell out an error of some library in one line, to stand in a message of ours.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        Its text, or its kind where it has none.
    """
    return " ".join(str(error).split()) or type(error).__name__
