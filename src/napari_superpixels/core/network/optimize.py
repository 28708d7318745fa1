"""The loop: a generator of Steps that fits the network to one image."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_superpixels.core.device import deterministic, release_memory, threads_for
from napari_superpixels.core.network.capture import Replay, can_capture, capture
from napari_superpixels.core.network.fused_objective import (
    LabelLoss,
    image_edges,
    label_loss,
    volume_label_loss,
)
from napari_superpixels.core.network.model import SuperpixelNet, log_probabilities
from napari_superpixels.core.network.objective import reconstruction_loss, total_loss
from napari_superpixels.core.network.tensors import to_tensors
from napari_superpixels.core.network.warm_start import (
    WarmStart,
    imitation_loss,
    load_weights,
    shrink_labels,
    weights_of,
)
from napari_superpixels.core.prepare.blocks import enlarge, shrink
from napari_superpixels.core.prepare.checks import check_spacing
from napari_superpixels.events import Command, FinishReason, Losses, Step
from napari_superpixels.plan.resolution import Factor, sides_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_superpixels.core.prepare.prepared_image import PreparedImage
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.plan.run_plan import RunPlan

# A Step costs a device synchronisation; on a GPU an iteration takes less than a millisecond.
_GPU_ITERATIONS_PER_STEP = 10
# Without a coarse stage: on larger images kernels take longer than their launches, and a graph
# brings nothing.
_MOST_CAPTURED_PX = 2**16
# Iterations before one is captured as a CUDA graph; and that many more, or it does not pay.
_BEFORE_CAPTURE, _WORTH_CAPTURE = 3, 5
# Looking at the winning channels costs a tenth of an iteration.
_ITERATIONS_PER_LOOK = 10
# The cosine schedule reaches its full learning rate after so many iterations.
_WARM_UP = 5
# Share of the iterations that imitate given labels, where there is no coarse stage to do so.
_IMITATION_SHARE = 0.1
# Pixels; half of an even smaller image would be too little to normalise.
_MIN_COARSE_SIDE = 4


@dataclass(frozen=True, slots=True)
class Optimized:
    """What the loop leaves.

    Attributes
    ----------
    winners : ndarray of int64, shape (h / factor, w / factor), rounded up
        Winning channel + 1, 0 outside the mask; not yet connected.
    factor : int, or tuple of int for a volume
        By which `winners` is reduced.
    losses : tuple of Losses
        One for each Step.
    iterations : int
        Iterations done.
    reason : FinishReason
        Why the loop ended.
    weights : dict of str to ndarray
        The network's, for a warm start.
    """

    winners: NDArray[np.int64]
    factor: Factor
    losses: tuple[Losses, ...]
    iterations: int
    reason: FinishReason
    weights: dict[str, NDArray[np.float32]]


def optimize(
    prepared: PreparedImage,
    params: SuperpixelParams,
    device: torch.device,
    *,
    plan: RunPlan,
    preview_interval_s: float | None = None,
    start: WarmStart | None = None,
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
    plan : RunPlan
        Resolutions of the network and of merging.
    preview_interval_s : float, optional
        Attach preview labels to a Step when so many seconds have passed since the last; None for
        never.
    start : WarmStart, optional
        Where to start; at random if None.

    Yields
    ------
    Step
        After each iteration on a CPU, after a few on a GPU. `send` ``Command.FINISH`` to stop.

    Returns
    -------
    Optimized
        Winners and losses, of the restart with the lowest loss.
    """
    try:
        return (yield from _best_of(prepared, params, device, plan, preview_interval_s, start))
    finally:
        # The loop's frame, and so its tensors, are gone by now.
        release_memory(device)


def _best_of(
    prepared: PreparedImage,
    params: SuperpixelParams,
    device: torch.device,
    plan: RunPlan,
    preview_interval_s: float | None,
    start: WarmStart | None,
) -> Generator[Step, Command | None, Optimized]:
    start = start or WarmStart()
    if start.weights is not None:
        params = params.replace(restarts=1)  # all would start, and so end, alike
    best: Optimized | None = None
    history: list[Losses] = []
    done = 0
    for attempt in range(params.restarts):
        seed = (params.seed + attempt) % 2**32
        run = _Run(prepared, params.replace(seed=seed), device, plan, start)
        try:
            result = yield from run.steps(done, preview_interval_s)
        finally:
            # Graphs hold tensors. All are gone by counting references: to collect garbage would
            # take longer than the run.
            run.captured.clear()
        del run  # its tensors, before the next attempt makes its own
        done += result.iterations
        history += result.losses
        if best is None or result.losses[-1].total < best.losses[-1].total:
            best = result
        if result.reason == FinishReason.STOPPED:
            break
    assert best is not None
    return replace(best, losses=tuple(history), iterations=done, reason=result.reason)


class _Scale:
    """The image at one resolution, ready for the objective."""

    def __init__(self, prepared: PreparedImage, factor: Factor, run: _Run) -> None:
        self.factor, self.params = factor, run.params
        network_input, self.image, self.weight = to_tensors(prepared, factor, run.device)
        self.network_input = network_input.to(memory_format=run.memory_format)
        sides = sides_of(factor, prepared.mask.ndim)
        self.spacing = check_spacing(
            [size * side for size, side in zip(prepared.spacing, sides, strict=True)]
        )
        self.edges = (
            image_edges(self.image, run.params.sigma, self.weight, self.spacing)
            if len(sides) == 2
            else None
        )
        labels = run.labels_to_imitate
        self.to_imitate = (
            None
            if labels is None
            else torch.from_numpy(shrink_labels(labels, factor)).to(run.device)
        )

    def label_loss(self, maps: Tensor) -> LabelLoss:
        if self.edges is None:
            return volume_label_loss(maps, self.image, self.params, self.weight, self.spacing)
        return label_loss(maps, self.edges, self.params.lam, self.params.alpha, self.weight)


class _Run:
    """One fit from one start."""

    def __init__(
        self,
        prepared: PreparedImage,
        params: SuperpixelParams,
        device: torch.device,
        plan: RunPlan,
        start: WarmStart,
    ) -> None:
        self.prepared, self.params, self.device = prepared, params, device
        self.finishing_factor = plan.finishing_factor
        self.labels_to_imitate = start.channels
        half_precision = params.precision == "bfloat16"
        n_axes = prepared.mask.ndim
        # Tensor cores read 16-bit images pixel by pixel.
        self.memory_format = (
            torch.channels_last
            if half_precision and device.type == "cuda" and n_axes == 2
            else torch.contiguous_format
        )
        factor = plan.working_factor
        self.scale = self.coarse = _Scale(prepared, factor, self)
        n_pixels = self.scale.image[0].numel()
        # Given weights are past the coarse start; given labels are imitated during it.
        self.n_coarse = 0 if start.weights else round(params.coarse_share * params.iterations)
        if start.labels is not None:
            self.n_coarse = max(self.n_coarse, math.ceil(_IMITATION_SHARE * params.iterations))
        if params.coarse_share and min(self.scale.image.shape[1:]) >= _MIN_COARSE_SIDE:
            twice = tuple(2 * side for side in sides_of(factor, n_axes))
            self.coarse = _Scale(prepared, twice, self)
        elif start.labels is None:
            self.n_coarse = 0
        self.net = SuperpixelNet(
            n_channels=len(self.scale.image),
            n_maps=max(min(params.n_label_maps, n_pixels), start.n_labels),
            hidden_channels=params.hidden_channels,
            generator=torch.Generator().manual_seed(params.seed),
            n_axes=n_axes,
        )
        if start.weights is not None:
            load_weights(self.net, start.weights)
        self.net.to(device, memory_format=self.memory_format)  # type: ignore[call-overload]
        # A tensor on the GPU, which a captured iteration reads each time.
        on_gpu = can_capture(device)
        self.rate: float | Tensor = params.learning_rate
        if on_gpu:
            self.rate = torch.tensor(params.learning_rate, device=device)
        self.optimizer = torch.optim.Adam(
            self.net.parameters(),
            lr=self.rate,
            fused=device.type in ("cpu", "cuda"),
            capturable=on_gpu,
        )
        self.half_precision = half_precision
        # True: the first stage, which is coarse or imitates labels. False: the second.
        self.captured: dict[bool, Replay | None] = {}

    def steps(
        self, offset: int, preview_interval_s: float | None
    ) -> Generator[Step, Command | None, Optimized]:
        """Fit; the Steps count from `offset`."""
        params, prepared = self.params, self.prepared
        stride = 1 if self.device.type == "cpu" else _GPU_ITERATIONS_PER_STEP
        history: list[Losses] = []
        reason = FinishReason.COMPLETED
        shown = time.monotonic()
        done = n_winners = 0
        settled = _Settled(params.settle_percent)
        while done < params.iterations:
            coarse = done < self.n_coarse
            scale = self.coarse if coarse else self.scale
            first, last = (0, self.n_coarse) if coarse else (self.n_coarse, params.iterations)
            end = min(done + stride, last)
            show = preview_interval_s is not None and time.monotonic() - shown >= preview_interval_s
            due = (end - first) % _ITERATIONS_PER_LOOK == 0
            look = show or due or not n_winners
            with deterministic(), threads_for(scale.image[0].numel()):
                while done < end:
                    done += 1
                    terms, won = self._iterate(scale, done, look and done == end)
                history.append(Losses(*torch.stack(terms).tolist()))
            winners = None if won is None else won.cpu().numpy()
            preview = None
            if winners is not None:
                n_winners = len(np.unique(winners[winners > 0]))
                if show:
                    preview = prepared.embed(enlarge(winners, prepared.mask, scale.factor))
                    shown = time.monotonic()
            command = yield Step(
                offset + done,
                params.iterations * params.restarts,
                history[-1],
                n_winners,
                preview,
            )
            if command == Command.FINISH:
                reason = FinishReason.STOPPED
                break
            if due and not coarse and winners is not None and settled.by(winners):
                reason = FinishReason.SETTLED
                break
        return Optimized(
            self._finest_winners(),
            self.finishing_factor,
            tuple(history),
            done,
            reason,
            weights_of(self.net),
        )

    def _finest_winners(self) -> NDArray[np.int64]:
        """Winning channel + 1 at the resolution of finishing."""
        factor, prepared = self.finishing_factor, self.prepared
        # Half the network's blocks are fine enough: to interpolate all label maps at each pixel
        # takes longer than the refinement that follows.
        coarse = self.scale.factor
        if isinstance(coarse, int):
            half: Factor = max(1, coarse // 2)
        else:
            half = tuple(max(1, side // 2) for side in coarse)
        sampled = half if factor == 1 else factor
        with deterministic(), threads_for(self.scale.image[0].numel()), torch.no_grad():
            maps, _ = self._forward(self.scale)
            winners = _winners_at(maps, self.scale.factor, shrink(prepared, sampled), sampled)
        return winners if sampled == factor else enlarge(winners, prepared.mask, sampled)

    def _forward(self, scale: _Scale) -> tuple[Tensor, Tensor]:
        """Label maps and reconstruction, in float32 whatever the network computes with."""
        with (
            torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False)
            if self.half_precision
            else nullcontext()
        ):
            maps, reconstruction = self.net(scale.network_input)
        return maps.float(), reconstruction.float()

    def _iterate(
        self, scale: _Scale, number: int, look: bool
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """Do one step of Adam; return the loss terms and, to `look`, the winners before it."""
        imitates = scale.to_imitate is not None and number <= self.n_coarse
        rate = learning_rate(self.params, number)
        if isinstance(self.rate, Tensor):
            self.rate.fill_(rate)
        else:
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        replay = self._captured(scale, number, imitates)
        if replay is None:
            return self._step(scale, imitates, look)
        winners = None
        if look:  # the graph itself never looks
            with torch.no_grad():
                winners = _winners(self._forward(scale)[0], scale.weight)
        return replay(), winners

    def _captured(self, scale: _Scale, number: int, imitates: bool) -> Replay | None:
        """A captured iteration, where that is possible and pays, after some without."""
        is_small = scale.image[0].numel() <= _MOST_CAPTURED_PX
        if not can_capture(self.device) or (self.coarse is self.scale and not is_small):
            return None
        # Labels to imitate have a stage of their own even where its resolution is the same.
        is_first_stage = number <= self.n_coarse
        before = 0 if is_first_stage else self.n_coarse
        n_all = self.n_coarse if is_first_stage else self.params.iterations - self.n_coarse
        if number - before <= _BEFORE_CAPTURE or n_all < _BEFORE_CAPTURE + _WORTH_CAPTURE:
            return None
        if is_first_stage not in self.captured:
            self.captured[is_first_stage] = capture(
                lambda: self._step(scale, imitates, look=False)[0]
            )
        return self.captured[is_first_stage]

    def _step(
        self, scale: _Scale, imitates: bool, look: bool
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """One step of Adam; without a look, by tensors only that are the same each time."""
        params = self.params
        self.optimizer.zero_grad(set_to_none=True)
        maps, reconstruction = self._forward(scale)
        winners = _winners(maps.detach(), scale.weight) if look else None
        labels = scale.label_loss(maps)
        error = reconstruction_loss(reconstruction, scale.image, scale.weight)
        if imitates:
            assert scale.to_imitate is not None
            objective = imitation_loss(log_probabilities(maps), scale.to_imitate)
        else:
            objective = labels.objective + params.beta * error
        del maps, reconstruction  # the backward pass does without them
        objective.backward()
        self.optimizer.step()
        terms = (labels.clustering, labels.smoothness, error.detach())
        return (total_loss(*terms, params.alpha, params.beta), *terms), winners


def learning_rate(params: SuperpixelParams, number: int) -> float:
    """Return the learning rate of an iteration.

    Parameters
    ----------
    params : SuperpixelParams
        Schedule, largest rate and number of iterations.
    number : int
        Of the iteration, from 1.

    Returns
    -------
    float
        Step size.
    """
    if params.schedule == "constant":
        return params.learning_rate
    falling = 0.5 + 0.5 * math.cos(math.pi * (number - 1) / params.iterations)
    return params.learning_rate * min(1.0, number / _WARM_UP) * falling


class _Settled:
    """Tells when the labels inside the mask hardly change any more, look by look."""

    def __init__(self, percent: float) -> None:
        self.percent = percent
        self.before: NDArray[np.int64] | None = None

    def by(self, winners: NDArray[np.int64]) -> bool:
        before, self.before = self.before, winners
        if before is None:
            return False
        return bool(100 * np.mean((before != winners)[winners > 0]) < self.percent)


def _winners(maps: Tensor, weight: Tensor | None) -> Tensor:
    """Winning channel + 1 at the maps' resolution, 0 outside the mask."""
    # The softmax keeps the order, the instance normalisation does not.
    winners = F.instance_norm(maps[None])[0].max(0).indices + 1
    return winners if weight is None else winners * (weight > 0)


def _winners_at(
    maps: Tensor, from_factor: Factor, image: PreparedImage, factor: Factor
) -> NDArray[np.int64]:
    """Winning channel + 1 at a finer resolution: probabilities are interpolated, then compared.

    In strips of rows (planes of a volume), so that the probabilities of all labels never exist at
    that resolution.
    """
    shape = image.mask.shape
    p = log_probabilities(maps).exp_()
    # max finds the same channel as argmax, in less than half the time on a CPU.
    if factor == from_factor:
        winners = p.max(0).indices
    else:
        coarse, fine = (sides_of(f, len(shape)) for f in (from_factor, factor))
        # Centres of the finer pixels in the normalised coordinates of grid_sample.
        centres = [
            (torch.arange(n, device=p.device) + 0.5) * (f / c) / n_coarse * 2 - 1
            for n, f, c, n_coarse in zip(shape, fine, coarse, p.shape[1:], strict=True)
        ]
        strip = max(1, 2**22 // (len(p) * math.prod(shape[1:])))
        strips = []
        for start in range(0, shape[0], strip):
            places = torch.meshgrid(centres[0][start : start + strip], *centres[1:], indexing="ij")
            grid = torch.stack(places[::-1], dim=-1)[None]
            sampled = F.grid_sample(
                p[None], grid, mode="bilinear", padding_mode="border", align_corners=False
            )
            strips.append(sampled[0].max(0).indices)
        winners = torch.cat(strips)
    return np.asarray((winners.cpu().numpy() + 1) * image.mask, dtype=np.int64)
