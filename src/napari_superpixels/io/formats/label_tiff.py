"""The label file that this package writes and reads: labels, and how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
import tifffile
import zarr

from napari_superpixels.errors import ExportError, FileError
from napari_superpixels.io.atomic import written_whole
from napari_superpixels.io.images import OWN_MAP, READ_ERRORS, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

METADATA_KEY = "napari-superpixels"
_NAME = OWN_MAP
# Name of the labels in an OME-Zarr, and where they are if an image is its root.
LABELS = "superpixels"
_BESIDE_IMAGE = f"labels/{LABELS}"
_TITLE = "Superpixels of napari-superpixels:"
# Another file says itself how large its pixels are and where they lie, has no edits to undo, and is
# no result of tiles that a run could go on with.
_NOT_CARRIED = ("place", "pixel_size", "unit", "correction", "run")
LABEL_SUFFIXES = (".tif", ".tiff", ".png", ".npy")


def save_labels(
    path: str | Path,
    labels: NDArray[np.integer],
    provenance: Mapping[str, Any] | None = None,
    *,
    further: Mapping[str, NDArray[np.integer]] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a label map; the format follows the suffix.

    The file is written in a temporary folder beside its place and then renamed: nobody ever sees
    half a file under the final name. Other formats, for other software: `export_labels`.

    Parameters
    ----------
    path : str or Path
        ``.tif``, ``.tiff``, ``.png`` (16 bit) or ``.npy``.
    labels : ndarray of int, shape (H, W), or more axes
        Labels of at most 65535 (stored as uint16), or of less than 2^32 (TIFF and NPY only, as
        uint32).
    provenance : mapping, optional
        Plain values; a TIFF keeps them as JSON in its description, see `read_provenance`.
    further : mapping of str to ndarray of int, optional
        More label maps for the same TIFF, by name; see `read_further`.
    overwrite : bool, default False
        Replace an existing file.

    Raises
    ------
    ExportError
        If the suffix is unknown, the file exists, the labels do not fit, or it cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in LABEL_SUFFIXES:
        raise ExportError(f"{path}: write labels as one of {', '.join(LABEL_SUFFIXES)}")
    with written_whole(path, overwrite=overwrite) as partial:
        stored = compact(labels)
        if suffix == ".npy":
            np.save(partial, stored)
        elif suffix == ".png":
            if stored.dtype != np.uint16:
                raise ExportError("PNG holds at most 65535 labels; write a TIFF")
            iio.imwrite(partial, stored)
        else:
            _write_tiff(partial, stored, dict(provenance or {}), further or {})


def compact(labels: NDArray[np.integer] | NDArray[np.bool_]) -> NDArray[np.unsignedinteger]:
    """Store labels as uint16, or as uint32 where one is above 65535.

    Parameters
    ----------
    labels : ndarray of int
        Labels of at least 0 and less than 2^32.

    Returns
    -------
    ndarray of uint16 or uint32
        The same labels.

    Raises
    ------
    ExportError
        If they do not fit.
    """
    if labels.size and (labels.min() < 0 or labels.max() >= 2**32):
        raise ExportError(
            "labels must lie between 0 and 4294967295 for a file; number them anew first"
        )
    return labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)


def _write_tiff(
    path: Path,
    labels: NDArray[np.unsignedinteger],
    provenance: dict[str, Any],
    further: Mapping[str, NDArray[np.integer]],
) -> None:
    with tifffile.TiffWriter(path) as tiff:
        # Grey values also where three planes would look like the colours of a pixel.
        options: dict[str, Any] = {"compression": "zlib", "photometric": "minisblack"}
        tiff.write(labels, metadata={METADATA_KEY: provenance}, **options)
        for name, extra in further.items():
            tiff.write(compact(extra), metadata={_NAME: name}, **options)


def read_further(path: str | Path) -> dict[str, NDArray[np.unsignedinteger]]:
    """Read the label maps that `save_labels` put beside the first one.

    Parameters
    ----------
    path : str or Path
        TIFF.

    Returns
    -------
    dict of str to ndarray
        As given to `save_labels`; empty if the file has none.
    """
    with tifffile.TiffFile(path) as tiff:
        described = zip(tiff.series, tiff.shaped_metadata or (), strict=False)
        return {about[_NAME]: series.asarray() for series, about in described if _NAME in about}


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Read how a label file of ours was made.

    Parameters
    ----------
    path : str or Path
        TIFF or OME-Zarr written by `save_labels`, `export_labels` or a run in tiles, or any image.

    Returns
    -------
    dict
        As given to `save_labels`; empty if the file has none.

    Raises
    ------
    FileError
        If it is a TIFF that cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return _of_zarr(path)
    if path.suffix.lower() not in (".tif", ".tiff"):
        return {}
    try:
        with tifffile.TiffFile(path) as tiff:
            return _of_tiff(tiff)
    except READ_ERRORS as error:
        if not path.exists():
            raise FileError(f"{path}: no such file") from error
        raise unreadable(path, error) from error


def carried(provenance: Mapping[str, Any], *, frames: bool) -> dict[str, Any]:
    """Take from the provenance of labels what still holds for a copy of them in another format.

    Parameters
    ----------
    provenance : mapping
        Plain values.
    frames : bool
        Whether the copy holds frames that were segmented one by one.

    Returns
    -------
    dict
        Plain values, from which `origin.holds_frames` knows the frames.
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
        ASCII, which `read_provenance` finds again.
    """
    # With a word before it: tifffile takes JSON alone for its own.
    return f"{_TITLE} {json.dumps(dict(provenance), default=str)}"


def _of_tiff(tiff: tifffile.TiffFile) -> dict[str, Any]:
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
    return found if isinstance(found, dict) else {}


def _of_zarr(path: Path) -> dict[str, Any]:
    try:
        node = zarr.open(str(path), mode="r")
        if METADATA_KEY not in node.attrs and isinstance(node, zarr.Group):
            beside = node.get(_BESIDE_IMAGE)
            node = node if beside is None else beside
        found: Any = node.attrs.get(METADATA_KEY, {})
    except READ_ERRORS:
        return {}  # no Zarr; whoever reads its pixels says so
    return found if isinstance(found, dict) else {}
