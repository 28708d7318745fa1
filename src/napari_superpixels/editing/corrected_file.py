"""Corrected labels in one TIFF, with all that is known of them; no napari needed to read it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.editing.numbering import number
from napari_superpixels.editing.schema import Facts
from napari_superpixels.editing.storage import Corrected, pack, unpack
from napari_superpixels.errors import ExportError, FileError, reason_of
from napari_superpixels.io.formats import save_labels
from napari_superpixels.io.labels import read_labels
from napari_superpixels.io.strict_values import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_superpixels.editing.session import Session
    from napari_superpixels.io.labels import LabelFile

_FACTS = "correction"
_BEFORE, _FRAGMENTS = "before correction", "fragments"
# Labels that a file cannot hold are numbered in it; these are their names.
_BEFORE_IDS = "ids before correction"
_MAX = 2**32 - 1


def write_corrected(
    path: Path, session: Session, known: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Write labels, fragments, classes, locks and log to one TIFF.

    Parameters
    ----------
    path : Path
        TIFF; its first image is the labels, for any software.
    session : Session
        Corrections.
    known : mapping
        What else to keep: plain values.
    overwrite : bool, default False
        Replace an existing file.

    Raises
    ------
    ExportError
        If it cannot be written; no half file is left.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise ExportError(f"{path}: corrected labels are written as .tif; choose such a name")
    low, high = int(session.labels.min()), int(session.labels.max())
    if low < 0 or high > _MAX:
        raise ExportError(
            f"{path}: a file holds labels from 0 to {_MAX}, these go from {low} to {high}: number "
            "them anew first (Clean up, “Number 1 to K”)"
        )
    corrected = pack(session)
    facts, before = dict(corrected.facts), corrected.before
    if not 0 <= before.min() <= before.max() <= _MAX:
        ids, before, _ = number(before)
        facts[_BEFORE_IDS] = ids.tolist()
    further = {_BEFORE: before, _FRAGMENTS: corrected.fragments}
    provenance = dict(known) | {_FACTS: facts}
    save_labels(path, corrected.labels, provenance, further=further, overwrite=overwrite)


def read_corrected(path: Path) -> tuple[Session, dict[str, Any]]:
    """Read a corrected label TIFF.

    Parameters
    ----------
    path : Path
        TIFF that `write_corrected` wrote.

    Returns
    -------
    session : Session
        Without an image.
    known : dict
        What else the file says.

    Raises
    ------
    FileError
        If the file cannot be read, or holds no corrected labels.
    """
    found = read_labels(path, with_further=True)
    if not _is_corrected(found):
        raise FileError(
            f"{path}: holds no corrections, as the correction dock did not save it; its labels "
            "open in napari like any image"
        )
    known = dict(found.metadata.provenance)
    facts = known.pop(_FACTS)
    before = start_of(found)
    with refused(path):
        maps = Corrected(found.labels, before, found.further[_FRAGMENTS], facts)
        return unpack(maps), known


def start_of(found: LabelFile) -> NDArray[np.integer]:
    """Take the labels that corrections began with.

    Parameters
    ----------
    found : LabelFile
        With its further maps.

    Returns
    -------
    ndarray of int
        Of a file that `write_corrected` wrote, the labels before correction; of others, the labels.

    Raises
    ------
    FileError
        If what the file says of its corrections is not what `write_corrected` writes.
    """
    if not _is_corrected(found):
        return found.labels
    facts, before = found.metadata.provenance[_FACTS], found.further[_BEFORE]
    with refused(found.metadata.path):
        check(Facts, facts)
        ids = facts.get(_BEFORE_IDS)
        return before if ids is None else np.array(ids, np.int64)[before]


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Tell what a file of corrections says that cannot be.

    Parameters
    ----------
    path : Path
        Named in the message.

    Raises
    ------
    FileError
        For what a check, or whoever uses what the file says, raises.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise FileError(
            f"{path}: its corrections cannot be used ({reason_of(error)}): it may be damaged, or "
            "changed by other software; its labels open in napari like any image"
        ) from error


def _is_corrected(found: LabelFile) -> bool:
    known = found.metadata.provenance
    return _FACTS in known and _FRAGMENTS in found.further and _BEFORE in found.further
