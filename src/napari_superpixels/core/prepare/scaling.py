"""From the values of an image to colours of mean 0 and variance 1."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from skimage.color import rgb2lab

from napari_superpixels.core.prepare.checks import as_channels
from napari_superpixels.core.prepare.components import fit_components, sample_pixels
from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.errors import NotRGB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# Share of a channel's pixels, on either side, that may be outliers.
_TAIL = 0.001
_ENOUGH_FOR_LIMITS = 1000
# Pixels that become CIELAB at a time.
_LAB_STRIP_PX = 2**16


@dataclass(frozen=True, slots=True, eq=False)
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
    components : ndarray of float32, shape (k, C), or None
        Weights of the colours in principal components that take their place.
    """

    is_lab: bool
    limits: tuple[tuple[float, float], ...]
    white: tuple[float, float]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    components: NDArray[np.float32] | None = None

    def of(self, part: slice) -> Scaling:
        """Scaling of some channels, without components."""
        return Scaling(self.is_lab, self.limits[part], self.white, self.mean[part], self.std[part])


def fit_scaling(
    image: ArrayLike,
    *,
    channel_axis: int | None = None,
    nodata: float | None = None,
    color_space: str = "auto",
    outliers: str = "clip",
    max_channels: int = 0,
) -> Scaling:
    """Find the scaling of an image from some of its pixels.

    Parameters
    ----------
    image : array_like
        As for `prepare_image`; all pixels count.
    channel_axis : int, optional
        Axis that holds channels.
    nodata : float, optional
        Such a value does not count in its channel.
    color_space, outliers, max_channels
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
    is_lab = becomes_lab(channels, channel_axis, color_space)
    if is_lab:
        max_channels = 0
    return _fitted(channels, nodata, outliers, is_lab=is_lab, max_channels=max_channels)


def fit_reduction(
    channels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    *,
    nodata: float | None,
    outliers: str,
    max_channels: int,
) -> Scaling:
    """Find the scaling of many channels and their principal components, from a sample of pixels.

    Parameters
    ----------
    channels : ndarray, shape (C, ...)
        Values, finite where valid.
    valid : ndarray of bool, shape (...)
        Pixels that count; at least one.
    nodata : float or None
        Such a value does not count in its channel.
    outliers, max_channels
        As for `prepare_image`.

    Returns
    -------
    Scaling
        With `components`.
    """
    sample = sample_pixels(channels, valid)[:, None]
    return _fitted(sample, nodata, outliers, is_lab=False, max_channels=max_channels)


def _fitted(
    channels: NDArray[np.generic],
    nodata: float | None,
    outliers: str,
    *,
    is_lab: bool,
    max_channels: int,
) -> Scaling:
    values = channels.astype(np.float64)
    counted = np.ones(values.shape, bool) if nodata is None else ~is_nodata(values, nodata)
    limits = usual_limits(values, counted, channels.dtype, outliers)
    clip(values, limits)
    white = white_of(values, channels.dtype) if is_lab else (0.0, 1.0)
    if is_lab:
        values = to_lab(values, *white)
        counted[:] = True
    peak, _, mean, std = _moments(values, counted)
    mean, std = peak * mean, np.where(std > 0, peak * std, 1)
    scaling = Scaling(
        is_lab, limits, white, tuple(mean.ravel().tolist()), tuple(std.ravel().tolist())
    )
    if not 0 < max_channels < len(values):
        return scaling
    colors = scaled(values, counted, scaling).reshape(len(values), -1)
    return replace(scaling, components=fit_components(colors, max_channels))


def clip(values: NDArray[np.float64], limits: Sequence[tuple[float, float]]) -> None:
    """Replace values beyond their channel's limits, in place."""
    for channel, (low, high) in zip(values, limits, strict=True):
        channel.clip(low, high, out=channel)


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
        # Where nearly all pixels are one value, the others are what there is to see.
        spread = high - low if high > low else math.inf
        limits.append((float(low - spread), float(high + spread)))
    return tuple(limits)


def becomes_lab(channels: NDArray[np.generic], channel_axis: int | None, color_space: str) -> bool:
    if color_space == "auto":
        return _is_rgb(channels, channel_axis)
    if color_space == "lab" and len(channels) != 3:
        raise NotRGB(len(channels))
    return color_space == "lab"


def _is_rgb(channels: NDArray[np.generic], channel_axis: int | None) -> bool:
    return len(channels) == 3 and channel_axis in (-1, channels.ndim - 1)


def white_of(values: NDArray[np.float64], dtype: np.dtype[np.generic]) -> tuple[float, float]:
    """Black and white: 8-bit values have a fixed meaning, others the range that the camera used."""
    if dtype == np.uint8:
        return 0.0, 255.0
    return min(0.0, float(values.min())), float(values.max())


def to_lab(rgb: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Rows by rows: the conversion makes several copies of what it is given."""
    lab = np.empty_like(rgb)
    step = max(1, _LAB_STRIP_PX // max(1, rgb[0, :1].size))
    for start in range(0, rgb.shape[1], step):
        strip = rgb[:, start : start + step]
        unit = ((strip - low) / (high - low if high > low else 1.0)).clip(0, 1)
        lab[:, start : start + step] = rgb2lab(unit, channel_axis=0)
    return lab


def scaled(
    values: NDArray[np.float64], counted: NDArray[np.bool_], scaling: Scaling
) -> NDArray[np.float32]:
    ones = (1,) * (values.ndim - 1)
    mean, std = (np.array(v).reshape(-1, *ones) for v in (scaling.mean, scaling.std))
    return np.where(counted, (values - mean) / std, 0).astype(np.float32)


def normalise(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give each channel mean 0 and variance 1 over `counted`; 0 elsewhere."""
    _, centred, _, std = _moments(values, counted)
    return np.asarray(centred / np.where(std > 0, std, 1), dtype=np.float32)


def _moments(
    values: NDArray[np.float64], counted: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each channel: largest magnitude; in units of it, deviations, mean, standard deviation.

    Deviations are 0 where pixels do not count, the standard deviation is where nothing varies.
    """
    axes = tuple(range(1, values.ndim))
    n = np.maximum(counted.sum(axes, keepdims=True), 1)
    # Divided by the largest magnitude first: squares of extreme floats would overflow.
    peak = np.abs(np.where(counted, values, 0)).max(axes, keepdims=True)
    peak = np.where(peak > 0, peak, 1)
    values = values / peak
    mean = np.where(counted, values, 0).sum(axes, keepdims=True) / n
    centred = np.where(counted, values - mean, 0)
    variance = (centred**2).sum(axes, keepdims=True) / n
    # Rounding leaves a constant channel with a variance of about 1e-32, which is no signal.
    return peak, centred, mean, np.sqrt(np.where(variance > 1e-24, variance, 0))
