"""The loop: progress, stopping, freeing, repeating."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_superpixels.core.device import describe_device
from napari_superpixels.core.network import optimize as module
from napari_superpixels.core.network.optimize import _Run, _Settled, learning_rate
from napari_superpixels.core.network.warm_start import WarmStart
from napari_superpixels.core.prepare.prepared_image import prepare_image
from napari_superpixels.events import Command, FinishReason
from napari_superpixels.plan.run_plan import ImageFacts, Machine, plan_run

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def plan_of(prepared, params, device=CPU):
    facts = ImageFacts(shape=prepared.mask.shape, n_channels=len(prepared.features))
    return plan_run(facts, params, Machine(describe_device(device)))


def optimize(prepared, params, device, **options):
    plan = plan_of(prepared, params, device)
    return module.optimize(prepared, params, device, plan=plan, **options)


def drain(steps):
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value


def live_tensors() -> int:
    gc.collect()
    return sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects())


def test_a_step_for_each_iteration_and_the_loss_falls(tiles_image, quick):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    seen, done = drain(optimize(prepared, quick.replace(iterations=30), CPU))
    assert [step.iteration for step in seen] == list(range(1, 31))
    assert seen[-1].losses.total < seen[0].losses.total
    assert done.reason == FinishReason.COMPLETED
    assert done.winners.shape == tuple(-(-n // done.factor) for n in tiles_image.shape[:2])
    assert done.winners.min() >= 1
    for step in seen:
        losses = step.losses
        expected = losses.clustering + quick.alpha * losses.smoothness
        expected += quick.beta * losses.reconstruction
        assert losses.total == pytest.approx(expected, rel=1e-4)


def test_finish_command_ends_early_with_a_result(tiles_image, quick):
    steps = optimize(prepare_image(tiles_image, channel_axis=-1), quick, CPU)
    next(steps)
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send(Command.FINISH)
    assert end.value.value.iterations == 2
    assert end.value.value.reason == FinishReason.STOPPED


@pytest.mark.parametrize("how", ["close", "drop", "finish"])
def test_tensors_are_freed(tiles_image, quick, how):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    before = live_tensors()
    steps = optimize(prepared, quick, CPU)
    next(steps)
    assert live_tensors() > before
    if how == "close":
        steps.close()
    elif how == "finish":
        drain(steps)
    del steps
    assert live_tensors() == before


def test_previews_only_when_asked_for(tiles_image, quick):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    seen, _ = drain(optimize(prepared, quick, CPU))
    assert all(step.labels is None for step in seen)
    seen, _ = drain(optimize(prepared, quick, CPU, preview_interval_s=0.0))
    for step in seen:
        assert step.labels.shape == tiles_image.shape[:2]
        assert step.labels.dtype == np.int32
        assert step.labels.min() >= 1
        assert len(np.unique(step.labels)) == step.n_superpixels


def test_global_settings_are_left_as_they_were(tiles_image, quick):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    state = torch.get_rng_state()
    steps = optimize(prepared, quick, CPU)
    next(steps)
    # Also between Steps, when other code may run.
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    drain(steps)
    assert torch.equal(torch.get_rng_state(), state)


def test_reconstruction_is_switched_off_by_beta_0(tiles_image, quick):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    seen, _ = drain(optimize(prepared, quick.replace(beta=0.0, iterations=3), CPU))
    losses = seen[-1].losses
    assert losses.total == pytest.approx(losses.clustering + quick.alpha * losses.smoothness)


@pytest.mark.slow
@pytest.mark.parametrize("coarse_share", [0.0, 0.33])
def test_settling_is_looked_at_every_10_iterations_whatever_is_shown(
    tiles_image, quick, coarse_share
):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    params = quick.replace(iterations=100, coarse_share=coarse_share, settle_percent=100.0)
    for preview_interval_s in (None, 0.0):
        _, done = drain(optimize(prepared, params, CPU, preview_interval_s=preview_interval_s))
        assert done.reason == FinishReason.SETTLED
        assert done.iterations == 100 * coarse_share + 20


def test_only_pixels_of_the_mask_settle():
    settled = _Settled(percent=50)
    winners = np.zeros((10, 10), int)
    winners[0] = 1
    assert not settled.by(winners)  # nothing to compare with
    assert not settled.by(2 * winners)  # all of them changed
    assert settled.by(2 * winners)


def test_restarts_from_the_same_weights_are_one_run(tiles_image, quick):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    params = quick.replace(restarts=3)
    start = WarmStart(weights=drain(optimize(prepared, quick, CPU))[1].weights)
    seen, done = drain(optimize(prepared, params, CPU, start=start))
    assert done.iterations == len(seen) == seen[-1].n_iterations == quick.iterations


def test_learning_rate_schedules(quick):
    constant = quick.replace(schedule="constant", learning_rate=0.03)
    assert {learning_rate(constant, i) for i in range(1, 9)} == {0.03}
    cosine = quick.replace(schedule="cosine", learning_rate=0.03, iterations=40)
    rates = [learning_rate(cosine, i) for i in range(1, 41)]
    assert rates[0] < max(rates) <= 0.03
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0 < rates[-1] < 0.001


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_repeats_itself(tiles_image, quick):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    runs = [drain(optimize(prepared, quick, GPU))[1].winners for _ in range(2)]
    np.testing.assert_array_equal(*runs)


class NothingRead(TorchDispatchMode):
    """Fails when a value is read from the device, which would make a GPU wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func is not torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_iteration_reads_nothing_from_the_device(tiles_image, quick, masked, precision):
    mask = np.ones(tiles_image.shape[:2], bool)
    mask[:9] = not masked
    prepared = prepare_image(tiles_image, channel_axis=-1, mask=mask)
    params = quick.replace(precision=precision)
    run = _Run(prepared, params, CPU, plan_of(prepared, params), WarmStart())
    run._iterate(run.scale, 1, look=False)  # the optimiser reads once, when it starts
    with NothingRead():
        terms, winners = run._iterate(run.scale, 2, look=True)
    assert len(terms) == 4
    assert winners.shape == run.scale.image.shape[1:]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_and_cpu_agree(tiles_image, quick):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    # Rounding differs and grows with the iterations: a few must agree closely.
    first, second = (
        drain(optimize(prepared, quick.replace(iterations=5), torch.device(kind)))[1].losses[-1]
        for kind in ("cpu", "cuda")
    )
    assert first.total == pytest.approx(second.total, rel=1e-3)
