"""Corrected labels in one TIFF, with all that is known of them; no napari needed to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tifffile

from napari_superpixels.editing.storage import Corrected, pack, unpack
from napari_superpixels.export import read_further, read_provenance, save_labels
from napari_superpixels.files import READ_ERRORS, FileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_superpixels.editing.session import Session

_FACTS = "correction"
_BEFORE, _FRAGMENTS = "before correction", "fragments"


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
    corrected = pack(session)
    further = {_BEFORE: corrected.before, _FRAGMENTS: corrected.fragments}
    provenance = dict(known) | {_FACTS: corrected.facts}
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
    try:
        known = read_provenance(path)
        further = read_further(path)
        labels = tifffile.imread(path, series=0)
    except READ_ERRORS as error:
        if not path.exists():
            raise FileError(f"{path}: no such file") from error
        raise FileError(f"{path}: cannot be read as labels ({error})") from error
    if _FACTS not in known or _FRAGMENTS not in further or _BEFORE not in further:
        raise FileError(
            f"{path}: was not saved by the correction dock; drag the file into napari instead"
        )
    facts = known.pop(_FACTS)
    corrected = Corrected(labels, further[_BEFORE], further[_FRAGMENTS], facts)
    return unpack(corrected), known
