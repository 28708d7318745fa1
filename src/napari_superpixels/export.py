"""Label maps to files, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
import tifffile

from napari_superpixels.errors import SuperpixelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

METADATA_KEY = "napari-superpixels"
LABEL_SUFFIXES = (".tif", ".tiff", ".png", ".npy")


class ExportError(SuperpixelError):
    """A file cannot be written; the message names it and the reason."""


def save_labels(
    path: str | Path,
    labels: NDArray[np.integer],
    provenance: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a label map; the format follows the suffix.

    The file is written under a temporary name beside its place and then renamed: nobody ever sees
    half a file under the final name.

    Parameters
    ----------
    path : str or Path
        ``.tif``, ``.tiff``, ``.png`` (16 bit) or ``.npy``.
    labels : ndarray of int, shape (H, W)
        Labels of at most 65535 (stored as uint16), or more (TIFF and NPY only, as uint32).
    provenance : mapping, optional
        Plain values; a TIFF keeps them as JSON in its description, see `read_provenance`.
    overwrite : bool, default False
        Replace an existing file.

    Raises
    ------
    ExportError
        If the suffix is unknown, the file exists, or it cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in LABEL_SUFFIXES:
        raise ExportError(f"{path}: write labels as one of {', '.join(LABEL_SUFFIXES)}")
    if path.exists() and not overwrite:
        raise ExportError(f"{path}: exists already; use --force (overwrite=True) to replace it")
    compact = labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)
    if suffix == ".png" and compact.dtype != np.uint16:
        raise ExportError(f"{path}: PNG holds at most 65535 labels; write a TIFF")
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{suffix}")
    try:
        if suffix == ".npy":
            np.save(partial, compact)
        elif suffix == ".png":
            iio.imwrite(partial, compact)
        else:
            metadata = {METADATA_KEY: dict(provenance or {})}
            tifffile.imwrite(partial, compact, compression="zlib", metadata=metadata)
        partial.replace(path)
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        partial.unlink(missing_ok=True)


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Read how a label TIFF of ours was made.

    Parameters
    ----------
    path : str or Path
        TIFF written by `save_labels`.

    Returns
    -------
    dict
        As given to `save_labels`; empty if the file has none.
    """
    with tifffile.TiffFile(path) as tiff:
        found: dict[str, Any] = (tiff.shaped_metadata or ({},))[0].get(METADATA_KEY, {})
    return found
