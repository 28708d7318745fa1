"""The label files of this package: labels, and how they were made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
import tifffile

from napari_superpixels.errors import ExportError
from napari_superpixels.io.atomic import atomic_write
from napari_superpixels.io.provenance import FURTHER_MAP, METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

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
        More label maps for the same TIFF, by name; see `read_labels`.
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
    with atomic_write(path, overwrite=overwrite) as partial:
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
            tiff.write(compact(extra), metadata={FURTHER_MAP: name}, **options)
