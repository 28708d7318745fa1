r"""The objective, one pure function per equation of the paper.

Source: T. Suzuki, "Superpixel Segmentation via Convolutional Neural Networks with Regularized
Information Maximization", ICASSP 2020 (arXiv 2002.06765).

All functions take the *logarithm* of the probabilities, ``log_p`` of shape (N, H, W) with
``log_p.exp().sum(0) == 1``: entropies of confident pixels then have finite gradients. In a volume
all shapes have one axis more, D before H. ``weight`` of shape (H, W) is 1 for pixels that count and
0 for those outside a mask; ``None`` counts all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def _pixel_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return values.mean()
    return (values * weight).sum() / weight.sum()


def pixel_entropy(log_p: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over pixels of the entropy of the label distribution; first term of eq. (2).

    Parameters
    ----------
    log_p : Tensor, shape (N, H, W)
        Log-probabilities.
    weight : Tensor, shape (H, W), optional
        1 inside the mask, 0 outside.

    Returns
    -------
    Tensor
        Scalar in [0, log N], in nats.
    """
    return _pixel_mean(-(log_p.exp() * log_p).sum(0), weight)


def marginal_negentropy(log_p: Tensor, weight: Tensor | None = None) -> Tensor:
    """Negative entropy of the mean label distribution; second term of eq. (2) without lambda.

    Parameters
    ----------
    log_p : Tensor, shape (N, H, W)
        Log-probabilities.
    weight : Tensor, shape (H, W), optional
        1 inside the mask, 0 outside.

    Returns
    -------
    Tensor
        Scalar in [-log N, 0], in nats: lowest when all N superpixels are equally large.
    """
    p = log_p.exp()
    axes = tuple(range(1, p.ndim))
    p_mean = p.mean(axes) if weight is None else (p * weight).sum(axes) / weight.sum()
    # A channel that is empty to the last bit contributes 0 and must not give log(0).
    p_mean = p_mean.clamp_min(torch.finfo(p.dtype).tiny)
    return (p_mean * p_mean.log()).sum()


def clustering_loss(log_p: Tensor, lam: float, weight: Tensor | None = None) -> Tensor:
    """Regularised information maximisation, eq. (2).

    Parameters
    ----------
    log_p : Tensor, shape (N, H, W)
        Log-probabilities.
    lam : float
        Weight of the balance term, in [0, 3]; larger keeps more superpixels.
    weight : Tensor, shape (H, W), optional
        1 inside the mask, 0 outside.

    Returns
    -------
    Tensor
        Scalar.
    """
    return pixel_entropy(log_p, weight) + lam * marginal_negentropy(log_p, weight)


def edge_weights(image: Tensor, sigma: float, dim: int, weight: Tensor | None = None) -> Tensor:
    r"""Contrast weights :math:`\exp(-\|\partial I\|_2^2 / \sigma)` of eq. (3) along one axis.

    Parameters
    ----------
    image : Tensor, shape (C, H, W)
        Normalised image.
    sigma : float
        Contrast scale, squared units of the normalised image; > 0.
    dim : {1, 2, 3}
        Axis of the image along which neighbours are compared; in 2D 1 for rows, 2 for columns.
    weight : Tensor, shape (H, W), optional
        1 inside the mask, 0 outside.

    Returns
    -------
    Tensor, shape (H - 1, W) or (H, W - 1)
        Weights in [0, 1]; 0 for pairs of which one pixel lies outside the mask.
    """
    pair = torch.exp(-image.diff(dim=dim).square().sum(0) / sigma)
    if weight is None:
        return pair
    n = weight.shape[dim - 1]
    return pair * weight.narrow(dim - 1, 1, n - 1) * weight.narrow(dim - 1, 0, n - 1)


def smoothness_loss(
    log_p: Tensor,
    image: Tensor,
    sigma: float,
    weight: Tensor | None = None,
    spacing: Sequence[float] | None = None,
) -> Tensor:
    r"""Edge-aware spatial smoothness, eq. (3).

    Mean over pixels of
    :math:`\|\partial_x P\|_1 e^{-\|\partial_x I\|_2^2/\sigma}` plus the same in y, with forward
    differences. The last row and column have no forward neighbour and contribute 0, as do pairs
    of which one pixel lies outside the mask.

    Parameters
    ----------
    log_p : Tensor, shape (N, H, W)
        Log-probabilities.
    image : Tensor, shape (C, H, W)
        Normalised image.
    sigma : float
        Contrast scale, squared units of the normalised image; > 0 (the paper uses 8).
    weight : Tensor, shape (H, W), optional
        1 inside the mask, 0 outside.
    spacing : sequence of float, optional
        Size of a pixel along each axis, geometric mean 1. What it divides, the step along an axis,
        is then weighted by the border's length (area in a volume) between the two pixels.

    Returns
    -------
    Tensor
        Scalar, >= 0.
    """
    p = log_p.exp()
    total = p.new_zeros(())
    for dim in range(1, p.ndim):
        pair = edge_weights(image, sigma, dim, weight)
        step = (p.diff(dim=dim).abs().sum(0) * pair).sum()
        total = total + (step if spacing is None else step / spacing[dim - 1])
    n_pixels = p[0].numel() if weight is None else weight.sum()
    return total / n_pixels


def reconstruction_loss(
    reconstruction: Tensor, image: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Mean squared error between the image and its reconstruction, eq. (4).

    Parameters
    ----------
    reconstruction, image : Tensor, shape (C, H, W)
        Network output and normalised image.
    weight : Tensor, shape (H, W), optional
        1 inside the mask, 0 outside.

    Returns
    -------
    Tensor
        Scalar, >= 0; mean over pixels and channels.
    """
    return _pixel_mean((reconstruction - image).square().mean(0), weight)


def total_loss(
    clustering: Tensor, smoothness: Tensor, reconstruction: Tensor, alpha: float, beta: float
) -> Tensor:
    """Objective of the paper, eq. (1): clustering + alpha * smoothness + beta * reconstruction.

    Parameters
    ----------
    clustering, smoothness, reconstruction : Tensor
        Scalars from eqs. (2), (3) and (4).
    alpha, beta : float
        Weights, >= 0 (the paper uses 2 and 10; beta = 0 is the variant without reconstruction).

    Returns
    -------
    Tensor
        Scalar.
    """
    return clustering + alpha * smoothness + beta * reconstruction
