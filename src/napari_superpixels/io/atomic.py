"""A file or folder appears under its final name when it is whole, or not at all."""

from __future__ import annotations

import errno
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_superpixels.errors import ExportError, FileExists, SuperpixelError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator


_REMEDIES = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
}
_REMEDIES_OF_NAMES = {
    errno.ENOENT: "make the folder first",
    errno.ENOTDIR: "choose another folder: a part of this name is a file",
}


def with_remedy(error: OSError) -> str:
    """Spell out what the system says, and what to do about a full disk or missing rights.

    Parameters
    ----------
    error : OSError
        Of a file that was to be written.

    Returns
    -------
    str
        A part of a sentence.
    """
    remedy = _REMEDIES.get(error.errno or 0)
    return reason_of(error) if remedy is None else f"{error.strerror}; {remedy}"


def not_written(path: Path, error: OSError, what: str = "cannot be written") -> ExportError:
    """Say why a file or folder cannot be written, and what to do.

    Parameters
    ----------
    path : Path
    error : OSError
        What the system says.
    what : str, default "cannot be written"
        What is not possible.

    Returns
    -------
    ExportError
        To raise.
    """
    reason = error.strerror or str(error)
    known = _REMEDIES | _REMEDIES_OF_NAMES
    remedy = known.get(error.errno or 0, "check the disk, or choose another folder")
    return ExportError(f"{path}: {what} ({reason}); {remedy}")


@contextmanager
def atomic_write(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary place beside `path`; what is there takes its name once the block ends well.

    Parameters
    ----------
    path : Path
        Final name of a file or folder.
    overwrite : bool
        Replace what has that name.

    Yields
    ------
    Path
        Where to write: the same name in a temporary folder, which is removed in any case.

    Raises
    ------
    ExportError
        If there is something already, or it cannot be written; one raised in the block gets the
        file's name put before it.
    """
    if path.exists() and not overwrite:
        raise FileExists(str(path))
    try:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
            partial = Path(folder) / path.name
            yield partial
            _rename(partial, path, aside=Path(folder) / "replaced")
    except SuperpixelError as error:
        error.within(path)
        raise
    except OSError as error:
        raise not_written(path, error) from error
    except (RuntimeError, ValueError) as error:  # GDAL's errors, and those of other libraries
        raise ExportError(
            f"{path}: cannot be written ({error}); check the disk, or choose another folder"
        ) from error


def _rename(partial: Path, path: Path, aside: Path) -> None:
    if not (path.exists() and partial.is_dir()):
        partial.replace(path)
        return
    path.rename(aside)  # a folder takes no other's place, nor that of a file
    try:
        partial.rename(path)
    except OSError:
        aside.rename(path)
        raise
