"""Errors that name a cause and a remedy.

None of them subclasses RuntimeError: a generator worker of superqt swallows
RuntimeErrors, so one raised in a worker would never reach the user.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class SuperpixelError(Exception):
    """Segmentation could not go on; the message says why and what to do."""


class SuperpixelMemoryError(SuperpixelError, MemoryError):
    """The run needs, or needed, more memory than there is."""


class NothingToSegmentError(SuperpixelError, ValueError):
    """All pixels are nodata, NaN, infinite or outside the mask."""


class DeviceUnavailableError(SuperpixelError, ValueError):
    """The device asked for does not exist here, or this PyTorch cannot use it."""


def cannot_read(path: Path, error: OSError) -> str:
    """Say why a file cannot be read, and what to do.

    Parameters
    ----------
    path : Path
        Its name.
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
