"""From an array of any kind to what the optimiser needs: checked, cropped, scaled."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from scipy import ndimage
from skimage.color import rgb2lab
from skimage.measure import label
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from napari_superpixels.params import SuperpixelParams

MIN_PIXELS_PER_SEGMENT = 16
# Of an image at the working resolution that a small mask makes finer.
_MOST_MASKED_PIXELS = 500_000
# Share of a channel's pixels, on either side, that may be outliers.
_TAIL = 0.001
_ENOUGH_FOR_LIMITS = 1000
# Pixels that become CIELAB at a time.
_LAB_STRIP_PX = 2**16
_Label = TypeVar("_Label", bound=np.integer)
# Side of the blocks of pixels that make one: the same for all axes, or one for each.
Factor = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the values of an image become colours of mean 0 and variance 1.

    Attributes
    ----------
    is_lab : bool
        Whether three channels become CIELAB first.
    limits : tuple of (float, float), one a channel
        Values beyond them count as these.
    white : (float, float)
        Values that are black and white for CIELAB.
    mean, std : tuple of float, one a channel
        Of the colours.
    """

    is_lab: bool
    limits: tuple[tuple[float, float], ...]
    white: tuple[float, float]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image or volume that is ready to be segmented.

    Attributes
    ----------
    features : ndarray of float32, shape (C, h, w) or (C, d, h, w)
        Colours inside the window, mean 0 and variance 1 (see `prepare_image`); 0 outside the mask.
    mask : ndarray of bool, shape (h, w) or (d, h, w)
        True for pixels that count.
    shape : tuple of int
        Of the whole image, without channels.
    window : tuple of slice
        Bounding box of the mask in the whole image.
    spacing : tuple of float
        Size of a pixel along each axis, their geometric mean being 1; empty means 1 each.
    """

    features: NDArray[np.float32]
    mask: NDArray[np.bool_]
    shape: tuple[int, ...]
    window: tuple[slice, ...]
    spacing: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing", self.spacing or (1.0,) * self.mask.ndim)

    def embed(self, labels: NDArray[np.integer]) -> NDArray[np.int32]:
        """Put labels of the window back into the whole image.

        Parameters
        ----------
        labels : ndarray of int, shape (h, w)
            Labels of the window.

        Returns
        -------
        ndarray of int32, shape (H, W)
            The same labels, 0 outside.
        """
        whole = np.zeros(self.shape, np.int32)
        whole[self.window] = labels
        return whole

    def balanced(self) -> PreparedImage:
        """Scale the features to a total variance of 3, that of CIELAB, for any number of channels.

        Colour then weighs alike against position and border length in grey, RGB and multi-channel
        images.

        Returns
        -------
        PreparedImage
            The same image; features scaled by sqrt(3 / C).
        """
        scale = np.float32(math.sqrt(3 / len(self.features)))
        return replace(self, features=self.features * scale)

    @property
    def covered(self) -> float:
        """Share of the window's pixels that the mask holds, in (0, 1]."""
        return float(self.mask.mean())

    @property
    def n_regions(self) -> int:
        """Number of regions of the mask; 4-connected, or 6-connected in a volume."""
        return int(label(self.mask, connectivity=1).max())


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
        raise ValueError(
            f"the image has 3 axes {array.shape}: say which holds the channels, for example "
            "channel_axis=-1 for RGB; or that it is a volume, by the size of its voxels, for "
            "example spacing=(1, 1, 1); or pass one 2D plane of a stack"
        )
    wanted = n_axes + (channel_axis is not None)
    if array.ndim != wanted:
        given = "" if channel_axis is None else "with channel_axis "
        remedy = (
            "pass one 2D plane of a stack"
            if n_axes == 2
            else "the three numbers of spacing are for a volume, give two or none for a 2D image"
        )
        raise ValueError(
            f"{given}the image must have {wanted} axes, got {array.ndim} {array.shape}: {remedy}"
        )
    if channel_axis is None:
        return array[None]
    if isinstance(channel_axis, bool) or not hasattr(channel_axis, "__index__"):
        raise ValueError(f"channel_axis must be an integer or None, got {channel_axis!r}")
    if not -wanted <= channel_axis < wanted:
        raise ValueError(f"channel_axis must be {-wanted} to {wanted - 1}, got {channel_axis}")
    return np.moveaxis(array, channel_axis, 0)


def _valid_pixels(
    channels: NDArray[np.generic], masks: Sequence[ArrayLike], nodata: float | None
) -> NDArray[np.bool_]:
    finite = np.isfinite(channels)
    dead = [i for i, channel in enumerate(finite) if not channel.any()]
    if len(dead) == len(channels):
        raise ValueError("all pixels are NaN or infinite: there is nothing to segment")
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
    if nodata is not None and np.isfinite(nodata):
        valid &= ~(channels == nodata).all(axis=0)
    for mask in masks:
        wanted = np.asarray(mask)
        if wanted.shape != valid.shape:
            raise ValueError(f"the mask {wanted.shape} and the image {valid.shape} differ in shape")
        # NaN in a mask of floats is no "yes".
        valid &= (wanted != 0) & (wanted == wanted)
    if not valid.any():
        raise ValueError("no pixel is left to segment: mask and valid pixels do not overlap")
    return valid


def _is_rgb(channels: NDArray[np.generic], channel_axis: int | None) -> bool:
    return len(channels) == 3 and channel_axis in (-1, channels.ndim - 1)


def prepare_image(
    image: ArrayLike,
    *,
    channel_axis: int | None = None,
    mask: ArrayLike | None = None,
    nodata: float | None = None,
    color_space: str = "auto",
    outliers: str = "clip",
    scaling: Scaling | None = None,
    spacing: Sequence[float] | None = None,
) -> PreparedImage:
    """Check, crop to the mask, convert colours and scale.

    With ``color_space="lab"`` the three channels become CIELAB; with ``"channels"`` they stay as
    they are; ``"auto"`` takes ``lab`` for three channels on the last axis. Then each channel gets
    mean 0 and variance 1; a constant one becomes 0.

    Parameters
    ----------
    image : array_like
        2D, or a volume if `spacing` says so; one axis more with `channel_axis`. What a numpy masked
        array masks is left out.
    channel_axis : int, optional
        Axis that holds channels.
    mask : array_like of bool, shape (H, W) or (D, H, W), optional
        True for pixels to segment. Non-finite pixels are left out as well.
    nodata : float, optional
        Pixels with this value in every channel, and non-finite ones, are left out; where only
        some channels have it, those take their mean.
    color_space : {"auto", "lab", "channels"}
        See above.
    outliers : {"clip", "keep"}
        Whether values far beyond nearly all others in their channel count as the farthest usual
        ones, see `usual_limits`.
    scaling : Scaling, optional
        That of a larger image which this is a part of, from `fit_scaling`, instead of its own.
    spacing : sequence of float, optional
        See `check_spacing`.

    Returns
    -------
    PreparedImage
        Ready for `optimize`.

    Raises
    ------
    ValueError
        With the cause and a remedy: wrong kind or shape, NaNs without a mask, an empty mask.
    """
    relative = check_spacing(spacing)
    channels = as_channels(image, channel_axis, n_axes=len(relative))
    masks = [] if mask is None else [mask]
    if isinstance(image, np.ma.MaskedArray):
        hidden = as_channels(np.ma.getmaskarray(image), channel_axis, n_axes=len(relative)) != 0
        masks.append(~np.logical_or.reduce(hidden, axis=0))
    valid = _valid_pixels(channels, masks, nodata)
    window = ndimage.find_objects(valid.astype(np.uint8))[0]
    inside = valid[window]
    values = channels[:, *window].astype(np.float64)
    counted = np.broadcast_to(inside, values.shape).copy()
    if nodata is not None:
        counted &= values != nodata
    is_lab = _becomes_lab(channels, channel_axis, color_space)
    if scaling is not None:
        limits = scaling.limits
    else:
        limits = usual_limits(values, counted, channels.dtype, outliers)
    for channel, (low, high) in zip(values, limits, strict=True):
        channel.clip(low, high, out=channel)
    if is_lab:
        white = scaling.white if scaling else _white(values[:, inside], channels.dtype)
        values = _to_lab(np.where(counted, values, 0), *white)
        counted[:] = inside
    features = _scaled(values, counted, scaling) if scaling else _normalise(values, counted)
    return PreparedImage(features, inside, valid.shape, window, relative)


def fit_scaling(
    image: ArrayLike,
    *,
    channel_axis: int | None = None,
    color_space: str = "auto",
    outliers: str = "clip",
) -> Scaling:
    """Find the scaling of an image from some of its pixels.

    Parameters
    ----------
    image : array_like
        As for `prepare_image`; all values count.
    channel_axis : int, optional
        Axis that holds channels.
    color_space, outliers : str
        As for `prepare_image`.

    Returns
    -------
    Scaling
        For `prepare_image`.

    Raises
    ------
    ValueError
        If the image is unusable.
    """
    channels = as_channels(image, channel_axis)
    values = channels.astype(np.float64)
    is_lab = _becomes_lab(channels, channel_axis, color_space)
    limits = usual_limits(values, np.ones(values.shape, bool), channels.dtype, outliers)
    for channel, (low, high) in zip(values, limits, strict=True):
        channel.clip(low, high, out=channel)
    white = _white(values, channels.dtype) if is_lab else (0.0, 1.0)
    if is_lab:
        values = _to_lab(values, *white)
    std = values.std(axis=(1, 2))
    std[std <= 1e-12 * np.abs(values).max(axis=(1, 2))] = 1
    return Scaling(
        is_lab, limits, white, tuple(values.mean(axis=(1, 2)).tolist()), tuple(std.tolist())
    )


def usual_limits(
    values: NDArray[np.float64],
    counted: NDArray[np.bool_],
    dtype: np.dtype[np.generic],
    outliers: str = "clip",
) -> tuple[tuple[float, float], ...]:
    """Find the values beyond which a pixel is an outlier of its channel.

    They lie as far outside the range of nearly all pixels (the middle 99.8 %) as this range is
    wide: noise and highlights stay within, hot pixels do not.

    Parameters
    ----------
    values : ndarray of float64, shape (C, h, w)
        Finite where they count.
    counted : ndarray of bool, shape (C, h, w)
        Which count.
    dtype : numpy dtype
        Of the image; bool and 8 bits have no room for outliers.
    outliers : {"clip", "keep"}
        With ``"keep"`` there are none.

    Returns
    -------
    tuple of (float, float), one a channel
        Lowest and highest usual value.
    """
    if outliers == "keep" or dtype.itemsize == 1:
        return ((-math.inf, math.inf),) * len(values)
    limits = []
    for channel, counts in zip(values, counted, strict=True):
        usual = channel[counts]
        # Extremes of a few hundred pixels say nothing about the usual range.
        if len(usual) < _ENOUGH_FOR_LIMITS:
            limits.append((-math.inf, math.inf))
            continue
        low, high = np.quantile(usual, (_TAIL, 1 - _TAIL))
        spread = high - low
        limits.append((float(low - spread), float(high + spread)))
    return tuple(limits)


def _becomes_lab(channels: NDArray[np.generic], channel_axis: int | None, color_space: str) -> bool:
    if color_space == "auto":
        return _is_rgb(channels, channel_axis)
    if color_space == "lab" and len(channels) != 3:
        raise ValueError(
            f"color_space='lab' needs 3 channels (RGB), the image has {len(channels)}: use "
            "color_space='channels'"
        )
    return color_space == "lab"


def _white(values: NDArray[np.float64], dtype: np.dtype[np.generic]) -> tuple[float, float]:
    """Black and white: 8-bit values have a fixed meaning, others the range that the camera used."""
    if dtype == np.uint8:
        return 0.0, 255.0
    return min(0.0, float(values.min())), float(values.max())


def _to_lab(rgb: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Rows by rows: the conversion makes several copies of what it is given."""
    lab = np.empty_like(rgb)
    step = max(1, _LAB_STRIP_PX // max(1, rgb[0, :1].size))
    for start in range(0, rgb.shape[1], step):
        strip = rgb[:, start : start + step]
        unit = ((strip - low) / (high - low if high > low else 1.0)).clip(0, 1)
        lab[:, start : start + step] = rgb2lab(unit, channel_axis=0)
    return lab


def _scaled(
    values: NDArray[np.float64], counted: NDArray[np.bool_], scaling: Scaling
) -> NDArray[np.float32]:
    ones = (1,) * (values.ndim - 1)
    mean, std = (np.array(v).reshape(-1, *ones) for v in (scaling.mean, scaling.std))
    return np.where(counted, (values - mean) / std, 0).astype(np.float32)


def _normalise(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give each channel mean 0 and variance 1 over `counted`; 0 elsewhere."""
    axes = tuple(range(1, values.ndim))
    n = np.maximum(counted.sum(axes, keepdims=True), 1)
    # Divided by the largest magnitude first: squares of extreme floats would overflow.
    peak = np.abs(np.where(counted, values, 0)).max(axes, keepdims=True)
    values = values / np.where(peak > 0, peak, 1)
    mean = np.where(counted, values, 0).sum(axes, keepdims=True) / n
    centred = np.where(counted, values - mean, 0)
    variance = (centred**2).sum(axes, keepdims=True) / n
    # Rounding leaves a constant channel with a variance of about 1e-32, which is no signal.
    std = np.sqrt(np.where(variance > 1e-24, variance, 1))
    return np.asarray(centred / std, dtype=np.float32)


def working_downscale(
    shape: tuple[int, int], params: SuperpixelParams, covered: float = 1.0
) -> int:
    """Return the factor by which the network sees the image reduced.

    Parameters
    ----------
    shape : (int, int)
        Height and width.
    params : SuperpixelParams
        ``downscale`` is the largest factor; it shrinks until each label map has
        `MIN_PIXELS_PER_SEGMENT` pixels to be optimised on.
    covered : float, default 1.0
        Share of the pixels that the mask holds, in (0, 1].

    Returns
    -------
    int
        >= 1.
    """
    return _fitting_factor(shape, params.downscale, params.n_label_maps, covered)


def finishing_downscale(
    shape: tuple[int, int], params: SuperpixelParams, covered: float = 1.0
) -> int:
    """Return the factor by which the image is reduced while superpixels merge.

    Parameters
    ----------
    shape : (int, int)
        Height and width.
    params : SuperpixelParams
        Half the working resolution's factor at most; it shrinks until each superpixel has
        `MIN_PIXELS_PER_SEGMENT` pixels.
    covered : float, default 1.0
        Share of the pixels that the mask holds, in (0, 1].

    Returns
    -------
    int
        >= 1.
    """
    return _fitting_factor(shape, max(1, params.downscale // 2), params.n_segments, covered)


def _fitting_factor(shape: tuple[int, int], factor: int, n: int, covered: float) -> int:
    wanted = MIN_PIXELS_PER_SEGMENT * n

    def blocks(side: int) -> int:
        return math.ceil(shape[0] / side) * math.ceil(shape[1] / side)

    # Pixels outside the mask take memory too, so a small mask cannot have any resolution.
    while factor > 1 and (
        blocks(factor) < wanted
        or (blocks(factor) * covered < wanted and blocks(factor - 1) <= _MOST_MASKED_PIXELS)
    ):
        factor -= 1
    return factor


def shrink(prepared: PreparedImage, factor: Factor) -> PreparedImage:
    """Average blocks of pixels.

    Parameters
    ----------
    prepared : PreparedImage
        The image.
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


def sides_of(factor: Factor, n_axes: int) -> tuple[int, ...]:
    """Return the side of the blocks along each axis.

    Parameters
    ----------
    factor : int or tuple of int
        One for all, or one an axis.
    n_axes : int
        Number of axes.

    Returns
    -------
    tuple of int
        `n_axes` of them.
    """
    return (factor,) * n_axes if isinstance(factor, int) else factor


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


def to_tensors(
    prepared: PreparedImage, downscale: Factor, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Build the network's input at the working resolution.

    Parameters
    ----------
    prepared : PreparedImage
        The image.
    downscale : int or tuple of int, one an axis
        Side of the blocks of pixels that are averaged, >= 1.
    device : torch.device
        Where to put the tensors.

    Returns
    -------
    network_input : Tensor of float32, shape (1, C + 2, h, w) or (1, C + 3, d, h, w)
        Image and coordinates (row and column, in a volume plane first), each channel with mean 0
        and variance 1.
    image : Tensor of float32, shape (C, h, w) or (C, d, h, w)
        The image part.
    weight : Tensor of float32, shape (h, w) or (d, h, w), or None
        1 where a block holds a pixel of the mask; None if all do.
    """
    small = shrink(prepared, downscale)
    counted = np.broadcast_to(small.mask, small.features.shape)
    image = torch.from_numpy(_normalise(small.features.astype(np.float64), counted))
    coordinates = torch.stack(
        torch.meshgrid([_standardised(n) for n in small.mask.shape], indexing="ij")
    )
    network_input = torch.cat([image, coordinates])[None].to(device)
    weight = None if small.mask.all() else torch.from_numpy(small.mask).to(device, torch.float32)
    return network_input, network_input[0, : len(image)], weight


def _standardised(n: int) -> Tensor:
    """Positions 0...n-1 with mean 0 and variance 1; a single position is 0."""
    position = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
    std = math.sqrt((n * n - 1) / 12)
    return position / (std or 1.0)
