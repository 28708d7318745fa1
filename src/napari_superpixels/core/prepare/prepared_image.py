"""From an array of any kind to what is segmented: checked, cropped to the mask, scaled."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.measure import label

from napari_superpixels.core.prepare.checks import (
    as_channels,
    check_spacing,
    unmasked,
    valid_pixels,
)
from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.core.prepare.scaling import (
    Scaling,
    becomes_lab,
    clip,
    fit_reduction,
    normalise,
    scaled,
    to_lab,
    usual_limits,
    white_of,
)
from napari_superpixels.params.options import ColorOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image or volume that is ready to be segmented.

    Attributes
    ----------
    features : ndarray of float32, shape (C, h, w) or (C, d, h, w)
        Colours inside the window, mean 0 and variance 1, or their principal components (see
        `prepare_image`); 0 outside the mask.
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


def prepare_image(
    image: ArrayLike,
    *,
    channel_axis: int | None = None,
    mask: ArrayLike | None = None,
    nodata: float | None = None,
    spacing: Sequence[float] | None = None,
    colors: ColorOptions | None = None,
    scaling: Scaling | None = None,
) -> PreparedImage:
    """Check, crop to the mask, convert colours and scale.

    With ``color_space="lab"`` the three channels become CIELAB; with ``"channels"`` they stay as
    they are; ``"auto"`` takes ``lab`` for three channels on the last axis. Then each channel gets
    mean 0 and variance 1; a constant one becomes 0. More than `max_channels` of them, CIELAB apart,
    give way to so many principal components of a mean variance of 1.

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
    spacing : sequence of float, optional
        See `check_spacing`.
    colors : ColorOptions, optional
        How values become colours; see above, and `usual_limits` for outliers.
    scaling : Scaling, optional
        That of a larger image which this is a part of, from `fit_scaling`, instead of its own; it
        knows whether and how channels are reduced.

    Returns
    -------
    PreparedImage
        Ready for `optimize`.

    Raises
    ------
    ValueError
        With the cause and a remedy: wrong kind or shape, NaNs without a mask, an empty mask.
    """
    options = colors or ColorOptions()
    relative = check_spacing(spacing)
    channels = as_channels(image, channel_axis, n_axes=len(relative))
    shown = unmasked(image, channel_axis, len(relative))
    masks = [one for one in (mask, shown) if one is not None]
    valid = valid_pixels(channels, masks, nodata)
    window = ndimage.find_objects(valid.astype(np.uint8))[0]
    inside = valid[window]
    is_lab = becomes_lab(channels, channel_axis, options.color_space)
    if scaling is None and not is_lab and 0 < options.max_channels < len(channels):
        scaling = fit_reduction(
            channels,
            valid,
            nodata=nodata,
            outliers=options.outliers,
            max_channels=options.max_channels,
        )
    components = None if scaling is None else scaling.components
    n = len(channels) if components is None else len(components)
    features = np.zeros((n, *inside.shape), np.float32)
    # One channel at a time, where they are not one colour: hundreds in float64 take all memory.
    step = len(channels) if is_lab else 1
    for part in (slice(i, i + step) for i in range(0, len(channels), step)):
        known = None if scaling is None else scaling.of(part)
        values = channels[part, *window].astype(np.float64)
        dtype, outliers = channels.dtype, options.outliers
        part_colors = _colors(values, dtype, inside, nodata, outliers, known, is_lab=is_lab)
        if components is None:
            features[part] = part_colors
        else:
            for feature, weight in zip(features, components[:, part.start], strict=True):
                feature += weight * part_colors[0]
    return PreparedImage(features, inside, valid.shape, window, relative)


def _colors(
    values: NDArray[np.float64],
    dtype: np.dtype[np.generic],
    inside: NDArray[np.bool_],
    nodata: float | None,
    outliers: str,
    scaling: Scaling | None,
    *,
    is_lab: bool,
) -> NDArray[np.float32]:
    """Clip, convert and scale channels, of which nothing remains; 0 where they have no value."""
    counted = np.broadcast_to(inside, values.shape).copy()
    if nodata is not None:
        counted &= ~is_nodata(values, nodata)
    clip(values, scaling.limits if scaling else usual_limits(values, counted, dtype, outliers))
    if is_lab:
        white = scaling.white if scaling else white_of(values[:, inside], dtype)
        values = to_lab(np.where(counted, values, 0), *white)
        counted[:] = inside
    return scaled(values, counted, scaling) if scaling else normalise(values, counted)
