"""Blocks of pixels that become one, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch.nn import functional as F

from napari_superpixels.core.prepare.checks import check_spacing
from napari_superpixels.core.prepare.prepared_image import PreparedImage
from napari_superpixels.plan.resolution import Factor, sides_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Label = TypeVar("_Label", bound=np.integer)


def shrink(prepared: PreparedImage, factor: Factor) -> PreparedImage:
    """Average blocks of pixels.

    Parameters
    ----------
    prepared : PreparedImage
    factor : int or tuple of int, one an axis
        Side of the blocks, >= 1; those at the far borders may be smaller.

    Returns
    -------
    PreparedImage
        Means over the pixels of the mask; a block is inside where it holds one of them.
    """
    sides = sides_of(factor, prepared.mask.ndim)
    if set(sides) == {1}:
        return prepared
    average = F.avg_pool2d if len(sides) == 2 else F.avg_pool3d
    share = average(torch.from_numpy(prepared.mask)[None].to(torch.float32), sides, ceil_mode=True)
    planes = average(torch.from_numpy(prepared.features)[None], sides, ceil_mode=True)[0]
    inside = (share[0] > 0).numpy()
    return PreparedImage(
        (planes / share.clamp_min(1e-9)).numpy(),
        inside,
        inside.shape,
        tuple(slice(0, n) for n in inside.shape),
        check_spacing([s * side for s, side in zip(prepared.spacing, sides, strict=True)]),
    )


def enlarge(labels: NDArray[_Label], mask: NDArray[np.bool_], factor: Factor) -> NDArray[_Label]:
    """Repeat the pixels of a reduced label map, the reverse of `shrink`.

    Parameters
    ----------
    labels : ndarray of int, shape of `mask` / factor, rounded up
        Labels of blocks of pixels.
    mask : ndarray of bool, shape (h, w) or (d, h, w)
        True for pixels that count.
    factor : int or tuple of int, one an axis
        Side of the blocks, >= 1.

    Returns
    -------
    ndarray of int, shape of `mask`
        Labels of the same dtype, 0 outside the mask.
    """
    large = labels
    for axis, side in enumerate(sides_of(factor, mask.ndim)):
        large = large.repeat(side, axis)[(slice(None),) * axis + (slice(mask.shape[axis]),)]
    return np.where(mask, large, labels.dtype.type(0))
