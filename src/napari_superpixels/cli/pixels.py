"""Which pixels ``napari-superpixels segment`` leaves out: as the user, or the file itself, says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_superpixels.io.images import ImageFile


def nodata_of(image: ImageFile, arguments: argparse.Namespace) -> float:
    """Find the value that means “no data”.

    Parameters
    ----------
    image : ImageFile
        As it was opened.
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    float
        As given, or as the file says, or else NaN: NaNs and infinities are left out in any case.
    """
    nodata: float | None = getattr(arguments, "nodata", image.nodata)
    return math.nan if nodata is None else nodata


def mask_of(image: Path, alpha: Any, arguments: argparse.Namespace) -> NDArray[Any] | None:
    """Put the mask that is given and the transparency of the image together.

    Parameters
    ----------
    image : Path
        The image's file, for messages.
    alpha : ndarray, dask array or None
        Its `ImageFile.alpha`, or a part of it.
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    ndarray or None
        Not 0 where to segment; None for everywhere.

    Raises
    ------
    FileError
        If they cannot be read.
    ValueError
        If they differ in shape.
    """
    import numpy as np

    from napari_superpixels.core.prepare.checks import check_mask_shape, is_wanted
    from napari_superpixels.io.lazy_images import open_image, read_now

    opaque = None if alpha is None else read_now(alpha, image) != 0
    if "mask" not in arguments:
        return opaque
    mask = read_now(open_image(arguments.mask).array, arguments.mask)
    if opaque is None:
        return mask
    # A series may have one mask for all frames.
    check_mask_shape(mask.shape, opaque.shape[-mask.ndim :])
    return np.asarray(is_wanted(mask) & opaque)


def left_out(labels: Any) -> str:
    """Say how many pixels have no superpixel, to stand after what was made.

    Parameters
    ----------
    labels : ndarray or dask array
        Superpixels; 0 is outside.

    Returns
    -------
    str
        Empty if all have one.
    """
    n = int((labels == 0).sum())
    return f"; {counted(n, 'pixel')} left out (no data, transparent or masked)" if n else ""
