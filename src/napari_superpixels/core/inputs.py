"""From an array of any kind to what the optimiser needs: checked, cropped, scaled."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
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
_Label = TypeVar("_Label", bound=np.integer)


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
    """An image that is ready to be segmented.

    Attributes
    ----------
    features : ndarray of float32, shape (C, h, w)
        Colours inside the window, mean 0 and variance 1 (see `prepare_image`); 0 outside the mask.
    mask : ndarray of bool, shape (h, w)
        True for pixels that count.
    shape : (int, int)
        Height and width of the whole image.
    window : (slice, slice)
        Bounding box of the mask in the whole image.
    """

    features: NDArray[np.float32]
    mask: NDArray[np.bool_]
    shape: tuple[int, int]
    window: tuple[slice, slice]

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
        """Number of 4-connected regions of the mask."""
        return int(label(self.mask, connectivity=1).max())


def as_channels(image: ArrayLike, channel_axis: int | None) -> NDArray[np.generic]:
    """Check an image's kind and shape and put its channels first.

    Parameters
    ----------
    image : array_like
        Real numbers of any dtype from bool to float64; 2D, or 3D with a channel axis.
    channel_axis : int or None
        Axis that holds channels; None for a single-channel image.

    Returns
    -------
    ndarray, shape (C, H, W)
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
    if channel_axis is None:
        if array.ndim == 3:
            raise ValueError(
                f"the image has 3 axes {array.shape}: say which holds the channels, for example "
                "channel_axis=-1 for RGB, or pass one 2D plane of a stack"
            )
        if array.ndim != 2:
            raise ValueError(
                f"the image must have 2 axes, got {array.ndim} {array.shape}: pass one 2D plane of "
                "a stack"
            )
        return array[None]
    if array.ndim != 3:
        raise ValueError(
            f"with channel_axis the image must have 3 axes, got {array.ndim} {array.shape}: pass "
            "one 2D plane of a stack"
        )
    if isinstance(channel_axis, bool) or not hasattr(channel_axis, "__index__"):
        raise ValueError(f"channel_axis must be an integer or None, got {channel_axis!r}")
    if not -3 <= channel_axis < 3:
        raise ValueError(f"channel_axis must be -3 to 2, got {channel_axis}")
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
        rows, cols = np.nonzero(~valid)
        raise ValueError(
            f"{len(rows)} of {valid.size} pixels are NaN or infinite (the first at row {rows[0]}, "
            f"column {cols[0]}; all within rows {rows.min()}-{rows.max()}, columns "
            f"{cols.min()}-{cols.max()}): pass a mask that leaves them out, or nodata=nan"
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
    return len(channels) == 3 and channel_axis in (-1, 2)


def prepare_image(
    image: ArrayLike,
    *,
    channel_axis: int | None = None,
    mask: ArrayLike | None = None,
    nodata: float | None = None,
    color_space: str = "auto",
    outliers: str = "clip",
    scaling: Scaling | None = None,
) -> PreparedImage:
    """Check, crop to the mask, convert colours and scale.

    With ``color_space="lab"`` the three channels become CIELAB; with ``"channels"`` they stay as
    they are; ``"auto"`` takes ``lab`` for three channels on the last axis. Then each channel gets
    mean 0 and variance 1; a constant one becomes 0.

    Parameters
    ----------
    image : array_like
        2D, or 3D with `channel_axis`. What a numpy masked array masks is left out.
    channel_axis : int, optional
        Axis that holds channels.
    mask : array_like of bool, shape (H, W), optional
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

    Returns
    -------
    PreparedImage
        Ready for `optimize`.

    Raises
    ------
    ValueError
        With the cause and a remedy: wrong kind or shape, NaNs without a mask, an empty mask.
    """
    channels = as_channels(image, channel_axis)
    masks = [] if mask is None else [mask]
    if isinstance(image, np.ma.MaskedArray):
        hidden = as_channels(np.ma.getmaskarray(image), channel_axis).astype(bool)
        masks.append(~np.logical_or.reduce(hidden, axis=0))
    valid = _valid_pixels(channels, masks, nodata)
    rows, cols = np.flatnonzero(valid.any(axis=1)), np.flatnonzero(valid.any(axis=0))
    window = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
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
    return PreparedImage(features, inside, valid.shape, window)


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
    unit = ((rgb - low) / (high - low if high > low else 1.0)).clip(0, 1)
    return np.asarray(rgb2lab(unit, channel_axis=0), dtype=np.float64)


def _scaled(
    values: NDArray[np.float64], counted: NDArray[np.bool_], scaling: Scaling
) -> NDArray[np.float32]:
    mean, std = (np.array(v)[:, None, None] for v in (scaling.mean, scaling.std))
    return np.where(counted, (values - mean) / std, 0).astype(np.float32)


def _normalise(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give each channel mean 0 and variance 1 over `counted`; 0 elsewhere."""
    n = np.maximum(counted.sum((1, 2), keepdims=True), 1)
    # Divided by the largest magnitude first: squares of extreme floats would overflow.
    peak = np.abs(np.where(counted, values, 0)).max((1, 2), keepdims=True)
    values = values / np.where(peak > 0, peak, 1)
    mean = np.where(counted, values, 0).sum((1, 2), keepdims=True) / n
    centred = np.where(counted, values - mean, 0)
    variance = (centred**2).sum((1, 2), keepdims=True) / n
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


def shrink(prepared: PreparedImage, factor: int) -> PreparedImage:
    """Average blocks of pixels.

    Parameters
    ----------
    prepared : PreparedImage
        The image.
    factor : int
        Side of the blocks, >= 1; those at the lower and right border may be smaller.

    Returns
    -------
    PreparedImage
        Means over the pixels of the mask; a block is inside where it holds one of them.
    """
    if factor == 1:
        return prepared
    share = F.avg_pool2d(
        torch.from_numpy(prepared.mask)[None].to(torch.float32), factor, ceil_mode=True
    )
    planes = F.avg_pool2d(torch.from_numpy(prepared.features)[None], factor, ceil_mode=True)[0]
    inside = (share[0] > 0).numpy()
    rows, cols = inside.shape
    return PreparedImage(
        (planes / share.clamp_min(1e-9)).numpy(),
        inside,
        (rows, cols),
        (slice(0, rows), slice(0, cols)),
    )


def enlarge(labels: NDArray[_Label], mask: NDArray[np.bool_], factor: int) -> NDArray[_Label]:
    """Repeat the pixels of a reduced label map, the reverse of `shrink`.

    Parameters
    ----------
    labels : ndarray of int, shape (h / factor, w / factor), rounded up
        Labels of blocks of pixels.
    mask : ndarray of bool, shape (h, w)
        True for pixels that count.
    factor : int
        Side of the blocks, >= 1.

    Returns
    -------
    ndarray of int, shape (h, w)
        Labels of the same dtype, 0 outside the mask.
    """
    height, width = mask.shape
    large = labels.repeat(factor, 0)[:height].repeat(factor, 1)[:, :width]
    return np.where(mask, large, labels.dtype.type(0))


def to_tensors(
    prepared: PreparedImage, downscale: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Build the network's input at the working resolution.

    Parameters
    ----------
    prepared : PreparedImage
        The image.
    downscale : int
        Side of the blocks of pixels that are averaged, >= 1.
    device : torch.device
        Where to put the tensors.

    Returns
    -------
    network_input : Tensor of float32, shape (1, C + 2, h, w)
        Image and coordinates (row, column), each channel with mean 0 and variance 1.
    image : Tensor of float32, shape (C, h, w)
        The image part.
    weight : Tensor of float32, shape (h, w), or None
        1 where a block holds a pixel of the mask; None if all do.
    """
    small = shrink(prepared, downscale)
    counted = np.broadcast_to(small.mask, small.features.shape)
    image = torch.from_numpy(_normalise(small.features.astype(np.float64), counted))
    height, width = small.mask.shape
    coordinates = torch.stack(
        torch.meshgrid(_standardised(height), _standardised(width), indexing="ij")
    )
    network_input = torch.cat([image, coordinates])[None].to(device)
    weight = None if small.mask.all() else torch.from_numpy(small.mask).to(device, torch.float32)
    return network_input, network_input[0, :-2], weight


def _standardised(n: int) -> Tensor:
    """Positions 0...n-1 with mean 0 and variance 1; a single position is 0."""
    position = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
    std = math.sqrt((n * n - 1) / 12)
    return position / (std or 1.0)
