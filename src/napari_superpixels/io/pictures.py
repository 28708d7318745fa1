"""PNG, JPEG and whatever else Pillow reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_superpixels.io.problems import READ_ERRORS, unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_JPEG_SUFFIXES = (".jpg", ".jpeg")
_PALETTE_SUFFIXES = (".png", ".gif", ".bmp")
# Modes in which Pillow keeps a transparent colour apart, and those that have it as a channel.
_WITH_ALPHA = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}


def read_picture(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Read a picture.

    Parameters
    ----------
    path : Path

    Returns
    -------
    array : ndarray, shape (H, W) or (H, W, C)
        Grey values or colours.
    alpha : ndarray or None, shape (H, W)
        Transparency, 0 where there is no image; None where the file has none.
    """
    array = np.asarray(iio.imread(path, plugin="pillow", mode=_mode_with_alpha(path)))
    if array.ndim == 3 and array.shape[-1] == 4 and path.suffix.lower() in _JPEG_SUFFIXES:
        array = np.asarray(iio.imread(path, plugin="pillow", mode="RGB"))  # it was CMYK
    alpha = None
    if array.ndim == 3 and array.shape[-1] in (2, 4):
        array, alpha = array[..., :-1], array[..., -1]
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    return array, alpha


def is_too_large(error: BaseException) -> bool:
    """Tell whether Pillow refused a picture because of its size."""
    return isinstance(error.__cause__, Image.DecompressionBombError)


def read_palette_indices(path: str | Path) -> NDArray[np.uint8] | None:
    """Read a label map whose labels have colours, as many annotation tools store them.

    Parameters
    ----------
    path : str or Path
        Any file.

    Returns
    -------
    ndarray of uint8, shape (H, W), or None
        Indices into the palette; None if it is no picture with one.

    Raises
    ------
    FileError
        If a picture cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in _PALETTE_SUFFIXES or not path.is_file():
        return None
    try:
        with Image.open(path) as image:
            return np.asarray(image) if image.mode == "P" else None
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def _mode_with_alpha(path: Path) -> str | None:
    """How to read a picture that says which of its colours is transparent; None for as it is."""
    try:
        with Image.open(path) as image:
            return _WITH_ALPHA.get(image.mode) if "transparency" in image.info else None
    except Image.DecompressionBombError:
        return None  # whoever reads it says so
    except UnidentifiedImageError as error:
        raise ValueError("its content is no picture of a kind that is known") from error
