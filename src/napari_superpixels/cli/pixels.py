"""Which pixels ``napari-superpixels segment`` leaves out: as the user, or the file itself, says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.io.images import ImageFile


def mask_of(image: ImageFile, alpha: Any, mask_file: Path | None) -> NDArray[np.bool_] | None:
    """Put the mask that is given and the transparency of the image together.

    Parameters
    ----------
    image : ImageFile
        Names the file in messages, and says where on the map it lies.
    alpha : array_like or None
        How opaque it is, or a part of it.
    mask_file : Path or None
        The mask that is given.

    Returns
    -------
    ndarray of bool, or None
        False is left out; None where nothing is.

    Raises
    ------
    FileError
        If the mask, or the transparency, cannot be read, or the mask lies elsewhere on the map.
    MaskMismatch
        If the mask has other pixels than the image.
    """
    from napari_superpixels.core.prepare.checks import check_mask_shape
    from napari_superpixels.io.images import check_same_grid, open_image, read_now

    opaque = None if alpha is None else read_now(alpha, image.path) != 0
    if mask_file is None:
        return opaque
    with open_image(mask_file) as found:
        check_same_grid(found.metadata, image.metadata)
        mask: NDArray[np.bool_] = read_now(found.as_mask(), mask_file)
    if opaque is None:
        return mask
    # A series may have one mask for all frames.
    check_mask_shape(mask.shape, opaque.shape[-mask.ndim :])
    both: NDArray[np.bool_] = mask & opaque
    return both


def labels_on(image: ImageFile, path: Path) -> NDArray[np.integer]:
    """Read labels that lie on an image.

    Parameters
    ----------
    image : ImageFile
        Says where on the map it lies.
    path : Path
        Label file.

    Returns
    -------
    ndarray of int
        Of any shape yet.

    Raises
    ------
    FileError
        If they cannot be read, or lie elsewhere on the map.
    """
    from napari_superpixels.io.images import check_same_grid
    from napari_superpixels.io.labels import read_labels

    found = read_labels(path)
    check_same_grid(found.metadata, image.metadata)
    return found.labels


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
