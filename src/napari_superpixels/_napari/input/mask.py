"""Which pixels of a source count: those of its region that are not transparent."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels._napari.input.region import LabelMask
from napari_superpixels.io.problems import READ_ERRORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels._napari.input.region import Outlines
    from napari_superpixels._napari.input.segmentation_input import SegmentationInput


def mask_of(source: SegmentationInput) -> NDArray[np.bool_] | None:
    """Load the mask of a source.

    Parameters
    ----------
    source : SegmentationInput
        What is segmented.

    Returns
    -------
    ndarray of bool, shape (H, W), or the shape of the source, or None
        Pixels that count; None for all.
    """
    found = _of_region(source)
    mask = None if found is None else found.pixels()
    for alpha in _alphas(source):
        opaque = _opaque(alpha, source.n_stack)
        if not opaque.all():
            mask = opaque if mask is None else mask & opaque
    return mask


def lazy_mask_of(source: SegmentationInput) -> Any:
    """Combine the mask of a source, without loading what is lazy.

    Parameters
    ----------
    source : SegmentationInput
        What is segmented.

    Returns
    -------
    array_like or None
        Not 0 where pixels count; None for all.
    """
    found = _of_region(source)
    mask = found.data if isinstance(found, LabelMask) else found and found.pixels()
    for alpha in _alphas(source):
        if isinstance(alpha, np.ndarray) and alpha.all():
            continue
        mask = alpha if mask is None else (mask != 0) & (alpha != 0)
    return mask


def mask_as_python(source: SegmentationInput) -> str:
    """Write code that leaves the mask in ``mask``.

    Parameters
    ----------
    source : SegmentationInput
        What is segmented.

    Returns
    -------
    str
        Needs ``np`` and ``viewer``; empty where all pixels count.
    """
    found = _of_region(source)
    code = "" if found is None else found.as_python()
    for part in (source, *source.further):
        if part.alpha is not None:
            opaque = f"viewer.layers[{part.layer_name!r}].data{part.alpha_expression}"
            before = "mask & " if code else ""
            opaque = f"(np.asarray({opaque}) != 0)" if before else f"np.asarray({opaque}) != 0"
            code += f"mask = {before}{opaque}\n"
    return code


def is_of_slices(source: SegmentationInput) -> bool:
    """Tell whether each slice of a stack has a mask of its own.

    Parameters
    ----------
    source : SegmentationInput
        What is segmented.

    Returns
    -------
    bool
        False where one mask counts for all, or there is none.
    """
    found = _of_region(source)
    is_stack = isinstance(found, LabelMask) and np.ndim(found.data) > 2
    return is_stack or (source.n_stack > 0 and bool(_alphas(source)))


def _of_region(source: SegmentationInput) -> Outlines | LabelMask | None:
    return None if source.region is None else source.region.mask


def _opaque(alpha: Any, n_stack: int) -> NDArray[np.bool_]:
    """Load where an image is not transparent, slice by slice in a stack."""
    opaque = np.ones(alpha.shape, bool)
    for at in np.ndindex(alpha.shape[:n_stack]):
        # What cannot be read stays inside: the slice itself fails then, and is told by name.
        with suppress(*READ_ERRORS):
            opaque[at] = np.asarray(alpha[at]) != 0
    return opaque


def _alphas(source: SegmentationInput) -> list[Any]:
    return [part.alpha for part in (source, *source.further) if part.alpha is not None]
