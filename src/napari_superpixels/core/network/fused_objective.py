r"""Eqs. (2) and (3) with their gradient in little memory and time.

The plain formulas of `losses` keep about ten N x H x W tensors alive until the backward pass.
Here the gradient is written during the forward pass, in place of the probabilities and a strip of
rows at a time: one tensor of that size besides the network's output, a second one in the backward
pass, and strips small enough for the processor's cache. Values and gradients equal those of the
plain formulas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from napari_superpixels.core.network.layers import channel_groups, chunk_size, instance_statistics
from napari_superpixels.core.network.model import log_probabilities
from napari_superpixels.core.network.objective import clustering_loss, edge_weights, smoothness_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_superpixels.params import SuperpixelParams


class LabelLoss(NamedTuple):
    """Loss of the label maps.

    Attributes
    ----------
    objective : Tensor
        Scalar, clustering + alpha * smoothness; differentiable.
    clustering, smoothness : Tensor
        Scalars, eqs. (2) and (3); for reporting, without a gradient.
    """

    objective: Tensor
    clustering: Tensor
    smoothness: Tensor


class Edges(NamedTuple):
    """What eq. (3) needs of the image; the same in every iteration.

    Attributes
    ----------
    rows : Tensor, shape (H - 1, W)
        Weight of the step between a pixel and the one below; 0 across the border of the mask.
    cols : Tensor, shape (H, W - 1)
        Weight of the step between a pixel and the one to the right; 0 across the mask's border.
    """

    rows: Tensor
    cols: Tensor


def image_edges(
    image: Tensor,
    sigma: float,
    weight: Tensor | None = None,
    spacing: Sequence[float] = (1.0, 1.0),
) -> Edges:
    """Compute the contrast weights of eq. (3) once for a run.

    Parameters
    ----------
    image : Tensor, shape (C, H, W)
        Normalised image.
    sigma : float
        Contrast scale, squared units of the normalised image; > 0.
    weight : Tensor, shape (H, W), optional
        1 inside the mask, 0 outside.
    spacing : (float, float), default (1.0, 1.0)
        Relative height and width of a pixel, see `losses.smoothness_loss`.

    Returns
    -------
    Edges
        Contrast weights in [0, 1], divided by the spacing.
    """
    return Edges(
        rows=edge_weights(image, sigma, 1, weight) / spacing[0],
        cols=edge_weights(image, sigma, 2, weight) / spacing[1],
    )


def label_loss(
    maps: Tensor, edges: Edges, lam: float, alpha: float, weight: Tensor | None = None
) -> LabelLoss:
    """Compute eq. (2) + alpha * eq. (3) of instance-normalised, softmaxed maps.

    Equal to ``clustering_loss(log_p, lam) + alpha * smoothness_loss(log_p, ...)`` of `losses` with
    ``log_p = log_softmax(instance_norm(maps))``.

    Parameters
    ----------
    maps : Tensor, shape (N, H, W)
        The network's label maps, not yet normalised; H * W > 1.
    edges : Edges
        From `image_edges`.
    lam, alpha : float
        Weights of eqs. (2) and (1).
    weight : Tensor, shape (H, W), optional
        1 inside the mask, 0 outside.

    Returns
    -------
    LabelLoss
        Differentiable objective and its terms.
    """
    return LabelLoss(*_LabelLoss.apply(maps, edges, lam, alpha, weight))  # type: ignore[no-untyped-call]


def volume_label_loss(
    maps: Tensor,
    image: Tensor,
    params: SuperpixelParams,
    weight: Tensor | None,
    spacing: Sequence[float],
) -> LabelLoss:
    """Compute the same for a volume, by the plain formulas: its grid is small.

    Parameters
    ----------
    maps : Tensor, shape (N, D, H, W)
        The network's label maps, not yet normalised.
    image : Tensor, shape (C, D, H, W)
        Normalised image.
    params : SuperpixelParams
        Its lambda, alpha and sigma count.
    weight : Tensor, shape (D, H, W), or None
        1 inside the mask, 0 outside.
    spacing : (float, float, float)
        Relative size of a voxel along each axis.

    Returns
    -------
    LabelLoss
        Differentiable objective and its terms.
    """
    log_p = log_probabilities(maps)
    clustering = clustering_loss(log_p, params.lam, weight)
    smoothness = smoothness_loss(log_p, image, params.sigma, weight, spacing)
    objective = clustering + params.alpha * smoothness
    return LabelLoss(objective, clustering.detach(), smoothness.detach())


class _LabelLoss(Function):
    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        edges: Edges,
        lam: float,
        alpha: float,
        weight: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, height, width = maps.shape
        strip = max(1, chunk_size(maps) // (n * width))
        strips = [slice(r, min(r + strip, height)) for r in range(0, height, strip)]
        groups = channel_groups(maps)
        statistics = [instance_statistics(maps[c]) for c in groups]
        mean, inv_std = (torch.cat(parts) for parts in zip(*statistics, strict=True))
        n_pixels = height * width if weight is None else weight.sum()

        # First pass: probabilities, entropy of the pixels, mean probability of each label.
        p = torch.empty_like(maps, memory_format=torch.contiguous_format)
        entropy = maps.new_zeros(())
        p_mean = maps.new_zeros(n)
        for rows in strips:
            z = (maps[:, rows] - mean) * inv_std
            part = torch.softmax(z, 0)
            p[:, rows] = part
            pixel = z.logsumexp(0) - z.mul_(part).sum(0)
            if weight is not None:
                pixel = pixel * weight[rows]
                part = part * weight[rows]
            entropy += pixel.sum()
            p_mean += part.sum((1, 2))
        # A channel that is empty to the last bit contributes 0 and must not give log(0).
        p_mean = (p_mean / n_pixels).clamp_min(torch.finfo(p.dtype).tiny)
        log_mean = p_mean.log()
        clustering = entropy / n_pixels + lam * (p_mean * log_mean).sum()

        # Second pass: p becomes the derivative by the normalised maps. What is constant over the
        # labels of a pixel drops out in the softmax and is left away.
        balance = (lam * log_mean)[:, None, None]
        smoothness = maps.new_zeros(())
        sums = maps.new_zeros(2, n)
        above: Tensor | None = None  # the row above the strip, as it was before it was replaced
        for rows in strips:
            part = p[:, rows]
            first, last = rows.start, rows.stop
            slope = balance - part.clamp_min(torch.finfo(p.dtype).tiny).log_()
            if weight is not None:
                slope *= weight[rows]
            step = part.diff(dim=2)
            smoothness += (step.abs().sum(0) * edges.cols[rows]).sum()
            step.sgn_().mul_(alpha * edges.cols[rows])
            slope[:, :, 1:] += step
            slope[:, :, :-1] -= step
            # Steps between rows, those to the strip's upper and lower neighbour included.
            block = part if above is None else torch.cat([above, part], 1)
            if last < height:
                block = torch.cat([block, p[:, last : last + 1]], 1)
            step = block.diff(dim=1)
            known = int(above is not None)  # the first step was counted with the strip above
            pair = edges.rows[first - known : first - known + step.shape[1]]
            smoothness += (step[:, known:].abs().sum(0) * pair[known:]).sum()
            step.sgn_().mul_(alpha * pair)
            lower = step[:, known:]
            slope[:, : lower.shape[1]] -= lower
            slope[:, 1 - known :] += step[:, : last - first - 1 + known]
            above = part[:, -1:].clone()
            slope -= (slope * part).sum(0)
            part.mul_(slope)
            sums[0] += part.sum((1, 2))
            sums[1] += slope.copy_(part).mul_(maps[:, rows]).sum((1, 2))
        smoothness = smoothness / n_pixels

        # Third pass, channel by channel: through the instance normalisation to the raw maps.
        scale = inv_std / n_pixels
        mean_slope = sums[0][:, None, None] / (height * width)
        correlation = (sums[1][:, None, None] / (height * width) - mean_slope * mean) * inv_std**2
        for c in groups:
            offset_term = correlation[c] * mean[c] - mean_slope[c]
            p[c].addcmul_(maps[c], -correlation[c]).add_(offset_term).mul_(scale[c])
        ctx.save_for_backward(p)
        ctx.mark_non_differentiable(clustering, smoothness)
        return clustering + alpha * smoothness, clustering, smoothness

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, None, None, None, None]:
        (slope,) = ctx.saved_tensors
        return slope * grad, None, None, None, None
