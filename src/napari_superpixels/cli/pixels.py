"""Which pixels ``napari-superpixels segment`` leaves out: as the user, or the file itself, says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def mask_of(image: Path, alpha: Any, mask_file: Path | None) -> NDArray[Any] | None:
    """Put the mask that is given and the transparency of the image together.

    Parameters
    ----------
    image : Path
        The image, for messages.
    alpha : array_like or None
        How opaque the image is, see `ImageFile`.
    mask_file : Path or None
        The mask that is given.

    Returns
    -------
    ndarray or None
        0 is left out; None where nothing is.

    Raises
    ------
    FileError
        If the mask, or the transparency, cannot be read.
    MaskMismatch
        If the mask has other pixels than the image.
    """
    import numpy as np

    from napari_superpixels.core.prepare.checks import check_mask_shape, is_wanted
    from napari_superpixels.io.images import open_image, read_now

    opaque = None if alpha is None else read_now(alpha, image) != 0
    if mask_file is None:
        return opaque
    with open_image(mask_file) as found:
        mask = found.read()
    if opaque is None:
        return mask
    # A series may have one mask for all frames.
    check_mask_shape(mask.shape, opaque.shape[-mask.ndim :])
    return np.asarray(is_wanted(mask) & opaque)


def left_out(labels: Any) -> str:
    """Say how many pixels have no superpixel, to stand after what was made.

    Parameters
    ----------
    labels : array_like of int
        Superpixels.

    Returns
    -------
    str
        Empty if all pixels have one.
    """
    n = int((labels == 0).sum())
    return f"; {counted(n, 'pixel')} left out (no data, transparent or masked)" if n else ""
