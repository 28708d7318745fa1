"""How much the length of a border costs, where that is left to the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from napari_superpixels.core.prepare.prepared_image import PreparedImage

# That of an image without noise: what photographs are best at (benchmarks/smoothness.py).
_LEAST, _MOST = 0.15, 1.0
# Noise of a standard deviation s changes the cost of a pixel's move by about 2 s.
_PER_NOISE = 2.0
# Median of the absolute values of a normal distribution, in its standard deviations.
_MEDIAN = 0.6745
# Zero on edges along the axes and on slopes.
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def auto_smoothness(image: PreparedImage) -> float:
    """Return the weight of the border's length that suits an image.

    Parameters
    ----------
    image : PreparedImage
        With balanced colours.

    Returns
    -------
    float
        Twice the level of noise, at least 0.15 and at most 1: borders in noise are ragged where a
        pixel gains more by it than its border costs.
    """
    return min(max(_LEAST, _PER_NOISE * noise_level(image)), _MOST)


def noise_level(image: PreparedImage) -> float:
    """Estimate the standard deviation of white noise.

    The median of the absolute response to a mask that cancels edges and slopes (J. Immerkaer, "Fast
    noise variance estimation", CVIU 1996, here with the median of D. L. Donoho and I. M. Johnstone,
    "Ideal spatial adaptation by wavelet shrinkage", Biometrika 1994).

    Parameters
    ----------
    image : PreparedImage
        Of a volume, each plane is looked at by itself.

    Returns
    -------
    float
        Root mean square over the channels, in the units of the features; 0 where the mask has no
        3 x 3 pixels.
    """
    thin = (1,) * (image.mask.ndim - 2)
    inside = ndimage.binary_erosion(image.mask, np.ones((*thin, 3, 3), bool))
    if not inside.any():
        return 0.0
    # One channel at a time: a spectral image has hundreds.
    medians = [
        np.median(np.abs(ndimage.correlate(channel, _MASK.reshape(*thin, 3, 3))[inside]))
        for channel in image.features
    ]
    return float(np.sqrt(np.mean(np.square(medians))) / (_MEDIAN * np.linalg.norm(_MASK)))
