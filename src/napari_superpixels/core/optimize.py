"""The loop: a generator of Steps that fits the network to one image."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from napari_superpixels.core.device import deterministic, release_memory
from napari_superpixels.core.inputs import PreparedImage, to_tensors, working_downscale
from napari_superpixels.core.losses import (
    clustering_loss,
    reconstruction_loss,
    smoothness_loss,
    total_loss,
)
from napari_superpixels.core.network import SuperpixelNet
from napari_superpixels.events import Command, FinishReason, Losses, Step

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_superpixels.params import SuperpixelParams

# A Step costs a device synchronisation; on a GPU an iteration takes milliseconds.
_GPU_ITERATIONS_PER_STEP = 5
# Counting the winning channels costs a tenth of an iteration.
_ITERATIONS_PER_COUNT = 10


@dataclass(frozen=True, slots=True)
class Optimized:
    """What the loop leaves.

    Attributes
    ----------
    labels : ndarray of int64, shape (h, w)
        Winning channel + 1 at full resolution, 0 outside the mask; not yet connected.
    losses : tuple of Losses
        One for each Step.
    iterations : int
        Iterations done.
    reason : FinishReason
        Why the loop ended.
    """

    labels: NDArray[np.int64]
    losses: tuple[Losses, ...]
    iterations: int
    reason: FinishReason


def optimize(
    prepared: PreparedImage,
    params: SuperpixelParams,
    device: torch.device,
    *,
    preview_interval_s: float | None = None,
) -> Generator[Step, Command | None, Optimized]:
    """Minimise eq. (1) over the network's weights for one image.

    Parameters
    ----------
    prepared : PreparedImage
        The image; at least two pixels.
    params : SuperpixelParams
        Parameters of the run.
    device : torch.device
        Where to run.
    preview_interval_s : float, optional
        Attach preview labels to a Step when so many seconds have passed since the last; None for
        never.

    Yields
    ------
    Step
        After each iteration on a CPU, after a few on a GPU. `send` ``Command.FINISH`` to stop.

    Returns
    -------
    Optimized
        Labels and losses.
    """
    try:
        return (yield from _loop(prepared, params, device, preview_interval_s))
    finally:
        # The loop's frame, and so its tensors, are gone by now.
        release_memory(device)


def _loop(
    prepared: PreparedImage,
    params: SuperpixelParams,
    device: torch.device,
    preview_interval_s: float | None,
) -> Generator[Step, Command | None, Optimized]:
    factor = working_downscale(prepared.mask.shape, params)
    network_input, image, weight = to_tensors(prepared, factor, device)
    net = SuperpixelNet(
        n_channels=len(image),
        n_segments=min(params.n_segments, image[0].numel()),
        hidden_channels=params.hidden_channels,
        generator=torch.Generator().manual_seed(params.seed),
    ).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate)
    stride = 1 if device.type == "cpu" else _GPU_ITERATIONS_PER_STEP
    history: list[Losses] = []
    reason = FinishReason.COMPLETED
    shown = time.monotonic()
    done = n_winners = 0
    while done < params.iterations:
        with deterministic():
            for _ in range(min(stride, params.iterations - done)):
                terms, log_p = _iterate(net, optimizer, network_input, image, weight, params)
                done += 1
        history.append(Losses(*torch.stack(terms).tolist()))
        preview = None
        show = preview_interval_s is not None and time.monotonic() - shown >= preview_interval_s
        if show or not n_winners or done % _ITERATIONS_PER_COUNT == 0:
            winners = _winners(log_p, weight)
            n_winners = len(np.unique(winners[winners > 0]))
            if show:
                preview = prepared.embed(_enlarge(winners, prepared.mask, factor))
                shown = time.monotonic()
        command = yield Step(done, params.iterations, history[-1], n_winners, preview)
        if command == Command.FINISH:
            reason = FinishReason.STOPPED
            break
    with deterministic(), torch.no_grad():
        log_p, _ = net(network_input)
        labels = _full_resolution_labels(log_p, prepared, factor)
    return Optimized(labels, tuple(history), done, reason)


def _iterate(
    net: SuperpixelNet,
    optimizer: torch.optim.Optimizer,
    network_input: Tensor,
    image: Tensor,
    weight: Tensor | None,
    params: SuperpixelParams,
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Do one step of Adam; return the loss terms and log-probabilities before it."""
    optimizer.zero_grad(set_to_none=True)
    log_p, reconstruction = net(network_input)
    terms = (
        clustering_loss(log_p, params.lam, weight),
        smoothness_loss(log_p, image, params.sigma, weight),
        reconstruction_loss(reconstruction, image, weight),
    )
    total = total_loss(*terms, params.alpha, params.beta)
    total.backward()
    optimizer.step()
    return (total.detach(), *(term.detach() for term in terms)), log_p.detach()


def _winners(log_p: Tensor, weight: Tensor | None) -> NDArray[np.int64]:
    """Winning channel + 1 at the working resolution, 0 outside the mask."""
    winners = log_p.argmax(0) + 1
    if weight is not None:
        winners = winners * (weight > 0)
    return np.asarray(winners.cpu().numpy(), dtype=np.int64)


def _enlarge(winners: NDArray[np.int64], mask: NDArray[np.bool_], factor: int) -> NDArray[np.int64]:
    """Preview at full resolution, by repeating pixels."""
    height, width = mask.shape
    enlarged = winners.repeat(factor, 0)[:height].repeat(factor, 1)[:, :width]
    return np.asarray(enlarged * mask, dtype=np.int64)


def _full_resolution_labels(
    log_p: Tensor, prepared: PreparedImage, factor: int
) -> NDArray[np.int64]:
    """Winning channel + 1 at full resolution: probabilities are interpolated, then compared.

    In strips of rows, so that the N x H x W probabilities never exist at full resolution.
    """
    height, width = prepared.mask.shape
    p = log_p.exp()
    if factor == 1:
        winners = p.argmax(0)
    else:
        rows, cols = p.shape[1:]
        # Centres of the full-resolution pixels in the normalised coordinates of grid_sample.
        y = (torch.arange(height, device=p.device) + 0.5) / (factor * rows) * 2 - 1
        x = (torch.arange(width, device=p.device) + 0.5) / (factor * cols) * 2 - 1
        strip = max(1, 2**24 // (len(p) * width))
        strips = []
        for start in range(0, height, strip):
            grid_y, grid_x = torch.meshgrid(y[start : start + strip], x, indexing="ij")
            grid = torch.stack([grid_x, grid_y], dim=-1)[None]
            sampled = F.grid_sample(
                p[None], grid, mode="bilinear", padding_mode="border", align_corners=False
            )
            strips.append(sampled[0].argmax(0))
        winners = torch.cat(strips)
    return np.asarray((winners.cpu().numpy() + 1) * prepared.mask, dtype=np.int64)
