"""A file or folder appears under its final name when it is whole, or not at all."""

from __future__ import annotations

import errno
import shutil
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


# Final names that `atomic_write` and `exchange` gave, while somebody wants to know.
_written: list[Path] | None = None


@contextmanager
def noting_written() -> Iterator[list[Path]]:
    """Note what gets its final name, to tell of it if the rest is interrupted.

    Yields
    ------
    list of Path
        Files and folders, in their order; it grows until the block ends.
    """
    global _written
    before, _written = _written, []
    try:
        yield _written
    finally:
        _written = before


def is_taken(path: Path) -> bool:
    """Tell whether a name is in use, be it by a link that leads nowhere.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
        True if something would be replaced.
    """
    return path.exists() or path.is_symlink()


@contextmanager
def atomic_write(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary place beside `path`; what is there takes its name once the block ends well.

    Parameters
    ----------
    path : Path
        Final name of a file or folder. A link stays, and what it names is replaced.
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
    if is_taken(path) and not overwrite:
        raise FileExists(str(path))
    try:
        final = path.resolve() if path.is_symlink() else path
        with _temporary_folder(".partial-", final.parent) as folder:
            partial = folder / final.name
            yield partial
            # Not in that folder: two interrupts must not remove what was there before.
            aside = final.with_name(f"{folder.name}-replaced")
            exchange(partial, final, aside)
            _remove(aside)
    except SuperpixelError as error:
        error.within(path)
        raise
    except OSError as error:
        raise not_written(path, error) from error
    except (RuntimeError, ValueError) as error:  # GDAL's errors, and those of other libraries
        raise ExportError(
            f"{path}: cannot be written ({error}); check the disk, or choose another folder"
        ) from error


@contextmanager
def _temporary_folder(prefix: str, where: Path) -> Iterator[Path]:
    """A folder that is removed; that this cannot be done hides no other error, nor Ctrl+C."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _remove(folder)


def _remove(path: Path) -> None:
    """Delete a file or folder, if there is one; whole, also at Ctrl+C."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def exchange(new: Path, path: Path, aside: Path) -> None:
    """Give a file or folder its final name, and put away what has it.

    Ctrl+C in between leaves one of them under the name.

    Parameters
    ----------
    new : Path
        File or folder.
    path : Path
        Its name from now on.
    aside : Path
        On the same disk, where to put what has that name, if a folder takes its place.
    """
    try:
        if path.exists() and new.is_dir():
            path.rename(aside)  # a folder takes no other's place, nor that of a file
            new.rename(path)
        else:
            new.replace(path)
    except BaseException:
        if aside.exists() and not path.exists():
            aside.rename(path)
        raise
    if _written is not None:
        _written.append(path)
