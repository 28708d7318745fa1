"""Principal components: many channels that say much the same become few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.plan.memory import PCA_SAMPLE_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What varies by less, or has a smaller share of the variance, is rounding and no signal.
_NEGLIGIBLE = 1e-6


def sample_pixels(channels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.generic]:
    """Draw pixels at random, the same ones each time.

    Parameters
    ----------
    channels : ndarray, shape (C, ...)
        Values.
    valid : ndarray of bool, shape (...)
        Pixels that count; at least one.

    Returns
    -------
    ndarray, shape (C, n)
        All valid pixels, or `PCA_SAMPLE_PX` of them.
    """
    pixels = np.flatnonzero(valid)
    if len(pixels) > PCA_SAMPLE_PX:
        chosen = np.random.default_rng(0).choice(len(pixels), PCA_SAMPLE_PX, replace=False)
        pixels = pixels[np.sort(chosen)]
    # One index for all axes would first copy an image whose channels come last as a whole.
    index: tuple[Any, ...] = np.unravel_index(pixels, valid.shape)
    return np.asarray(channels[:, *index])


def fit_components(sample: NDArray[np.float32], n_components: int) -> NDArray[np.float32]:
    """Find the principal components of scaled channels.

    Parameters
    ----------
    sample : ndarray of float32, shape (C, n)
        Values of pixels, each channel with mean 0 and variance 1.
    n_components : int
        How many, 1 to C.

    Returns
    -------
    ndarray of float32, shape (k, C)
        Weights of the channels, the component of largest variance first; k is `n_components`, or
        less where fewer vary. Scaled together to a mean variance of 1, as if they were channels.
    """
    step = -(-sample.shape[1] // PCA_SAMPLE_PX)
    points = sample[:, ::step].T.astype(np.float64)
    if np.ptp(points, axis=0).max() < _NEGLIGIBLE:  # nothing varies
        return np.zeros((1, len(sample)), np.float32)
    from sklearn.decomposition import PCA  # takes a second to load, and few images need it

    found = PCA(svd_solver="covariance_eigh").fit(points)
    variance = found.explained_variance_[:n_components]
    k = int((variance > _NEGLIGIBLE * variance.sum()).sum())
    return np.asarray(found.components_[:k] / np.sqrt(variance[:k].mean()), np.float32)
