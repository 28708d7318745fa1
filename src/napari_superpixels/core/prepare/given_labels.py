"""Labels that a user gives beside an image: checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.errors import LabelsMismatch, NotLabels
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def check_labels(labels: ArrayLike, shape: Sequence[int], role: str) -> NDArray[np.integer]:
    """Check labels that are to lie on an image.

    Parameters
    ----------
    labels : array_like
        Whole numbers of at least 0, of any real dtype.
    shape : sequence of int
        Of the image, without channels.
    role : str
        Argument that they are given as, for messages.

    Returns
    -------
    ndarray of int, of that shape
        The labels.

    Raises
    ------
    NotLabels
        If one is negative, has a fraction or is NaN, or they are no real numbers.
    LabelsMismatch
        If their shape is another one.
    """
    try:
        array = np.asarray(labels)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError is what PyTorch raises
        raise NotLabels(role, f"a {type(labels).__name__} ({error})") from None
    if array.dtype.kind not in "biuf":
        raise NotLabels(role, f"values of the type {array.dtype}")
    if array.shape != tuple(shape):
        raise LabelsMismatch(role, array.shape, tuple(shape))
    wrong = array < 0 if array.dtype.kind == "i" else np.zeros(0, bool)
    if array.dtype.kind == "f":
        wrong = ~(np.isfinite(array) & (array >= 0) & (array == np.round(array)))
    if wrong.any():
        raise NotLabels(role, f"{array[wrong][0]} in {counted(int(wrong.sum()), 'pixel')}")
    return array if array.dtype.kind in "iu" else array.astype(np.int64)
