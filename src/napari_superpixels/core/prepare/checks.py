"""What an image may be: its kind and shape, the size of its pixels, and which of them count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.errors import (
    AmbiguousAxes,
    InvalidParameter,
    MaskMismatch,
    NothingToSegmentError,
    UnknownChannelAxis,
    WrongAxes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def check_spacing(spacing: Sequence[float] | None) -> tuple[float, ...]:
    """Check the size of a pixel or voxel, and scale it to a geometric mean of 1.

    Parameters
    ----------
    spacing : sequence of float, or None
        Two numbers for an image, three for a volume, > 0, in any unit; None for square pixels.

    Returns
    -------
    tuple of float
        Relative size along each axis; exactly 1 where all are equal.

    Raises
    ------
    ValueError
        If they are not two or three positive numbers.
    """
    if spacing is None:
        return (1.0, 1.0)
    try:
        sides = np.asarray(spacing, np.float64)
    except (TypeError, ValueError):
        sides = np.empty(0)
    if sides.shape not in ((2,), (3,)) or not (np.isfinite(sides).all() and (sides > 0).all()):
        raise ValueError(
            "spacing must be two positive numbers (height and width of a pixel) or, for a volume, "
            f"three (depth, height and width of a voxel), got {spacing!r}"
        )
    relative = sides / sides[0]
    return tuple((relative / relative.prod() ** (1 / len(relative))).tolist())


def as_channels(
    image: ArrayLike, channel_axis: int | None, *, n_axes: int = 2
) -> NDArray[np.generic]:
    """Check an image's kind and shape and put its channels first.

    Parameters
    ----------
    image : array_like
        Real numbers of any dtype from bool to float64, with `n_axes` axes or one more for channels.
    channel_axis : int or None
        Axis that holds channels; None for a single-channel image.
    n_axes : {2, 3}
        2 for an image, 3 for a volume.

    Returns
    -------
    ndarray, shape (C, H, W) or (C, D, H, W)
        Original values.

    Raises
    ------
    ValueError
        If the dtype is not a real one, the array is empty, or the shape does not fit.
    """
    array = np.asarray(image)
    if array.dtype.kind == "c":
        raise ValueError(
            "the image holds complex numbers: pass its magnitude (numpy.abs) or its real and "
            "imaginary parts as two channels"
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"the image has dtype {array.dtype}, which is not numeric: convert it first, for "
            "example with image.astype(float)"
        )
    if array.size == 0:
        raise ValueError(f"the image is empty (shape {array.shape})")
    if channel_axis is None and n_axes == 2 and array.ndim == 3:
        raise AmbiguousAxes(array.shape)
    wanted = n_axes + (channel_axis is not None)
    if array.ndim != wanted:
        raise WrongAxes(array.shape, n_axes, channel_axis is not None)
    if channel_axis is None:
        return array[None]
    if isinstance(channel_axis, bool) or not hasattr(channel_axis, "__index__"):
        raise InvalidParameter("channel_axis", "an integer or None", channel_axis)
    if not -wanted <= channel_axis < wanted:
        raise InvalidParameter("channel_axis", f"{-wanted} to {wanted - 1}", channel_axis)
    return np.moveaxis(array, channel_axis, 0)


def check_chosen(channels: Sequence[int], channel_axis: int | None, shape: Sequence[int]) -> None:
    """Check that an image has the channels that are chosen.

    Parameters
    ----------
    channels : sequence of int
        Numbers along the channel axis, from 0.
    channel_axis : int or None
        Axis that holds channels.
    shape : sequence of int
        Of the image, with channels.

    Raises
    ------
    ValueError
        If it has no channel axis, or not these channels, or one is chosen twice.
    """
    if channel_axis is None:
        raise UnknownChannelAxis(tuple(shape))
    n = shape[check_axis(channel_axis, len(shape))]
    wrong = [i for i in channels if not 0 <= i < n]
    if wrong or not channels:
        given = ", ".join(map(str, wrong)) or "none"
        raise ValueError(f"the image has the channels 0 to {n - 1}; {given} cannot be chosen")
    twice = [i for k, i in enumerate(channels) if i in channels[:k]]
    if twice:
        raise ValueError(f"channel {twice[0]} is chosen twice")


def check_axis(axis: int, ndim: int) -> int:
    """Check that an array has an axis.

    Parameters
    ----------
    axis : int
        Its number; a negative one counts from the end.
    ndim : int
        How many there are.

    Returns
    -------
    int
        Its number from 0.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    if not -ndim <= axis < ndim:
        raise InvalidParameter("channel_axis", f"one of the axes, 0 to {ndim - 1}", axis)
    return axis % ndim


def check_mask_shape(mask: Sequence[int], image: Sequence[int]) -> None:
    """Check that a mask has the pixels of an image.

    Parameters
    ----------
    mask : sequence of int
        Shape of the mask.
    image : sequence of int
        Shape of the image, without its channel axis.

    Raises
    ------
    ValueError
        If they differ.
    """
    if tuple(mask) != tuple(image):
        raise MaskMismatch(tuple(mask), tuple(image))


def is_wanted(mask: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Find the pixels that a mask asks for.

    Parameters
    ----------
    mask : ndarray
        Of any real dtype.

    Returns
    -------
    ndarray of bool
        Not 0; NaN in a mask of floats is no "yes".
    """
    return np.asarray((mask != 0) & (mask == mask))


def unmasked(image: ArrayLike, channel_axis: int | None, n_axes: int) -> NDArray[np.bool_] | None:
    """Find the pixels that a masked array does not hide, in any channel.

    Parameters
    ----------
    image : array_like
        See `as_channels`.
    channel_axis : int or None
    n_axes : {2, 3}

    Returns
    -------
    ndarray of bool or None
        None if it is no masked array.
    """
    if not isinstance(image, np.ma.MaskedArray):
        return None
    hidden = as_channels(np.ma.getmaskarray(image), channel_axis, n_axes=n_axes)
    return np.asarray(~np.logical_or.reduce(hidden != 0, axis=0))


def valid_pixels(
    channels: NDArray[np.generic], masks: Sequence[ArrayLike], nodata: float | None
) -> NDArray[np.bool_]:
    finite = np.isfinite(channels)
    dead = [i for i, channel in enumerate(finite) if not channel.any()]
    if len(dead) == len(channels):
        raise NothingToSegmentError("all pixels are NaN or infinite: there is nothing to segment")
    if dead:
        raise ValueError(
            f"channel {', '.join(map(str, dead))} is NaN or infinite everywhere: leave it out"
        )
    valid: NDArray[np.bool_] = finite.all(axis=0)
    if not masks and nodata is None and not valid.all():
        places = dict(zip(("column", "row", "plane"), np.nonzero(~valid)[::-1], strict=False))
        first = ", ".join(f"{name} {at[0]}" for name, at in reversed(places.items()))
        within = ", ".join(f"{k}s {at.min()}-{at.max()}" for k, at in reversed(places.items()))
        raise ValueError(
            f"{np.count_nonzero(~valid)} of {valid.size} pixels are NaN or infinite (the first at "
            f"{first}; all within {within}): pass a mask that leaves them out, or nodata=nan"
        )
    if nodata is not None:
        valid &= ~is_nodata(channels, nodata).all(axis=0)
    for mask in masks:
        wanted = np.asarray(mask)
        check_mask_shape(wanted.shape, valid.shape)
        valid &= is_wanted(wanted)
    if not valid.any():
        raise NothingToSegmentError(
            "no pixel is left to segment: all are nodata, NaN, infinite or outside the mask"
        )
    return valid
