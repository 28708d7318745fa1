"""How labels were made, as files of several kinds keep it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tifffile

from napari_superpixels.io.problems import READ_ERRORS, unreadable
from napari_superpixels.io.readers.signatures import kind_of
from napari_superpixels.io.strict_json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

METADATA_KEY = "napari-superpixels"
# Name of the labels in an OME-Zarr, and where they are if an image is its root.
LABELS = "superpixels"
BESIDE_IMAGE = f"labels/{LABELS}"
# In the description of further maps beside labels of ours, which are no images of their own.
FURTHER_MAP = "napari-superpixels map"
_TITLE = "Superpixels of napari-superpixels:"
# Another file says itself how large its pixels are and where they lie, has no edits to undo, and is
# no result of tiles that a run could go on with.
_NOT_CARRIED = ("place", *("pixel_size", "unit", "translation", "flipped"), "correction", "run")


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Read how a label file of ours was made.

    Parameters
    ----------
    path : str or Path
        TIFF (of ours, GeoTIFF, for ImageJ, OME-TIFF), or OME-Zarr.

    Returns
    -------
    dict
        As given to `save_labels` or `export_labels`; empty where a file has none.

    Raises
    ------
    FileError
        If a TIFF is missing or cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return _of_folder(path)
    if kind_of(path) != "tiff":
        return {}
    try:
        with tifffile.TiffFile(path) as tiff:
            return of_tiff(tiff)
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def carried(provenance: Mapping[str, Any], *, frames: bool) -> dict[str, Any]:
    """Take from the provenance of labels what still holds for a copy of them in another format.

    Parameters
    ----------
    provenance : mapping
        From `read_provenance`, or of a layer.
    frames : bool
        Whether the copy holds frames that were segmented one by one.

    Returns
    -------
    dict
        Without what the new file says itself.
    """
    known = {name: value for name, value in provenance.items() if name not in _NOT_CARRIED}
    series = {"series": known.pop("series", "unknown")}
    return known | series if frames else known


def as_description(provenance: Mapping[str, Any]) -> str:
    """Write provenance as a text that a TIFF of another kind than ours can hold.

    Parameters
    ----------
    provenance : mapping
        Plain values.

    Returns
    -------
    str
        One line, with a word before the JSON: tifffile takes JSON alone for its own.
    """
    return f"{_TITLE} {dumps(provenance)}"


def holds_own_labels(path: str | Path) -> bool:
    """Tell whether a TIFF says that this package wrote it.

    Parameters
    ----------
    path : str or Path
        Any file.

    Returns
    -------
    bool
        False for what is no TIFF, or cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_file() or kind_of(path) != "tiff":
            return False
        with tifffile.TiffFile(path) as tiff:
            return _said_by(tiff) is not None
    except READ_ERRORS:
        return False


def of_tiff(tiff: tifffile.TiffFile) -> dict[str, Any]:
    """Take provenance from an open TIFF; empty where it has none."""
    return _said_by(tiff) or {}


def _said_by(tiff: tifffile.TiffFile) -> dict[str, Any] | None:
    """What a TIFF of ours says of itself; None for others."""
    found: Any = None
    if tiff.shaped_metadata:
        found = tiff.shaped_metadata[0].get(METADATA_KEY)
    else:
        text = tiff.pages.first.description
        if tiff.is_imagej:
            text = str((tiff.imagej_metadata or {}).get("Info", ""))
        elif tiff.is_ome:
            image = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
            text = str((image[0] if isinstance(image, list) else image).get("Description", ""))
        if text.startswith(_TITLE):
            try:
                found = json.loads(text.removeprefix(_TITLE))
            except ValueError:  # other software has cut it; the labels are there all the same
                return {}
    return found if isinstance(found, dict) else None


def of_zarr(node: Any) -> dict[str, Any]:
    """Take provenance from an open Zarr array or group; empty where it has none."""
    if METADATA_KEY not in node.attrs and hasattr(node, "get"):
        beside = node.get(BESIDE_IMAGE)
        node = node if beside is None else beside
    found: Any = node.attrs.get(METADATA_KEY, {})
    return found if isinstance(found, dict) else {}


def _of_folder(path: Path) -> dict[str, Any]:
    import zarr

    try:
        return of_zarr(zarr.open(str(path), mode="r"))
    except READ_ERRORS:
        return {}  # no Zarr; whoever reads its pixels says so
