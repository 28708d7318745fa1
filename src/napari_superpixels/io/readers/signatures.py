"""What a file is, by its first bytes: names are often wrong, or not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["tiff", "npy", "zip", "hdf5", "jpeg"]
_SIGNATURES: dict[bytes, Kind] = {
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",  # above 4 GB
    b"MM\0+": "tiff",
    b"\x93NUM": "npy",
    b"PK\x03\x04": "zip",
    b"\x89HDF": "hdf5",
    b"\xff\xd8\xff": "jpeg",
}


def kind_of(path: Path) -> Kind | None:
    """Tell what a file is.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    str or None
        None for any other kind, for folders, and for what cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        return None
    return _SIGNATURES.get(head) or _SIGNATURES.get(head[:3])
