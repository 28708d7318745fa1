"""Label maps and ground truths from files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.io
from PIL import Image
from scipy.io.matlab import MatReadError

from napari_superpixels.errors import FileError
from napari_superpixels.io.images import READ_ERRORS, read_image, unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PALETTE_SUFFIXES = {".png", ".gif", ".bmp"}


def read_palette_indices(path: str | Path) -> NDArray[np.uint8] | None:
    """Read a label map whose labels have colours, as many annotation tools store them.

    Parameters
    ----------
    path : str or Path
        Any file.

    Returns
    -------
    ndarray of uint8, shape (H, W), or None
        Indices into the palette; None if it is no PNG, GIF or BMP with a palette.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in _PALETTE_SUFFIXES or not path.is_file():
        return None
    try:
        with Image.open(path) as image:
            return np.asarray(image) if image.mode == "P" else None
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def read_labels(path: str | Path) -> NDArray[np.integer]:
    """Read a 2D label map.

    Parameters
    ----------
    path : str or Path
        TIFF, NPY or PNG.

    Returns
    -------
    ndarray of int, shape (H, W)
        Labels.

    Raises
    ------
    FileError
        If the file cannot be read or holds no 2D map of integers.
    """
    indices = read_palette_indices(path)
    array: NDArray[np.integer] = read_image(path).array if indices is None else indices
    if array.ndim != 2 or array.dtype.kind not in "biu":
        raise FileError(
            f"{path}: a label map has two axes and whole numbers, this one has shape "
            f"{array.shape} and dtype {array.dtype}"
        )
    return array


def read_ground_truths(path: str | Path) -> list[NDArray[np.integer]]:
    """Read one ground truth, or all annotators' from a BSDS500 ``.mat`` file.

    Parameters
    ----------
    path : str or Path
        Label map, or ``.mat`` with ``groundTruth{k}.Segmentation``.

    Returns
    -------
    list of ndarray of int, shape (H, W)
        One for each annotator.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() != ".mat":
        return [read_labels(path)]
    try:
        cells = scipy.io.loadmat(path)["groundTruth"]
        return [cells[0, k]["Segmentation"][0, 0].astype(np.int64) for k in range(cells.shape[1])]
    except (MatReadError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FileError(f"{path}: cannot be read as a BSDS500 ground truth ({error})") from error
