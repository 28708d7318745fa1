"""Captured iterations: when one is captured, and that it changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_superpixels.core.network import capture as capture_module
from napari_superpixels.core.network import optimize as module
from napari_superpixels.core.network.warm_start import start_from
from napari_superpixels.core.prepare.prepared_image import prepare_image
from tests.core.test_optimize import CPU, GPU, drain, optimize

has_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@pytest.fixture
def recorded(monkeypatch):
    """Captures that only call; the list tells how often each was called."""
    calls = []

    def capture(iterate):
        calls.append(0)
        number = len(calls) - 1

        def replay():
            calls[number] += 1
            return iterate()

        return replay

    monkeypatch.setattr(module, "can_capture", lambda device: True)
    monkeypatch.setattr(module, "capture", capture)
    return calls


def test_one_capture_a_resolution_after_some_iterations(tiles_image, quick, recorded):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    params = quick.replace(iterations=40, coarse_share=0.5)
    _, done = drain(optimize(prepared, params, CPU))
    assert recorded == [17, 17]  # of 20 each, three are done as they are
    assert done.iterations == 40


def test_few_iterations_are_not_captured(tiles_image, quick, recorded):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    drain(optimize(prepared, quick.replace(iterations=14, coarse_share=0.5), CPU))
    assert recorded == []


def test_a_large_image_without_a_coarse_stage_is_not_captured(
    tiles_image, quick, recorded, monkeypatch
):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    params = quick.replace(iterations=40, coarse_share=0.0, downscale=1)
    monkeypatch.setattr(module, "_MOST_CAPTURED_PX", prepared.mask.size - 1)
    drain(optimize(prepared, params, CPU))
    assert recorded == []
    monkeypatch.setattr(module, "_MOST_CAPTURED_PX", prepared.mask.size)
    drain(optimize(prepared, params, CPU))
    assert recorded == [37]


def test_imitating_labels_is_another_capture_than_going_on(tiles_image, quick, recorded):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    start = start_from(np.indices(tiles_image.shape[:2])[1] // 16 + 1, prepared)
    params = quick.replace(iterations=100, coarse_share=0.0)
    drain(optimize(prepared, params, CPU, start=start))
    assert recorded == [7, 87]


def test_looks_and_learning_rates_are_those_of_a_plain_run(tiles_image, quick, recorded):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    params = quick.replace(iterations=30)
    seen, captured = drain(optimize(prepared, params, CPU))
    assert recorded
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "can_capture", lambda device: False)
        plain_seen, plain = drain(optimize(prepared, params, CPU))
    np.testing.assert_array_equal(captured.winners, plain.winners)
    for one, other in zip(captured.losses, plain.losses, strict=True):
        assert one.total == pytest.approx(other.total, rel=1e-4)
    assert [s.n_superpixels for s in seen] == [s.n_superpixels for s in plain_seen]


def test_what_cannot_be_captured_runs_as_it_is(monkeypatch, caplog):
    def refuse(iterate):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(capture_module, "_Graph", refuse)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert capture_module.capture(lambda: ()) is None
    assert "not captured as a CUDA graph (operation not permitted" in caplog.text


def test_without_memory_for_a_capture_it_runs_as_it_is(monkeypatch, caplog):
    def refuse(iterate):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(capture_module, "_Graph", refuse)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert capture_module.capture(lambda: ()) is None
    assert "CUDA out of memory" in caplog.text


@pytest.mark.gpu
@has_gpu
def test_a_capture_that_runs_out_of_memory_leaves_none_behind():
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(64, device=GPU)
    before = torch.cuda.memory_reserved()

    def iterate():
        return (torch.empty(2 * free, dtype=torch.uint8, device=GPU), held + 1)

    assert capture_module.capture(iterate) is None
    assert torch.cuda.memory_reserved() == before
    assert (held + 1 - held).sum().item() == 64  # the card goes on working


@pytest.mark.gpu
@has_gpu
def test_another_thread_may_use_the_card_during_a_capture():
    import threading

    made, seen = threading.Event(), []

    def other():
        seen.append(torch.ones(1000, 1000, device=GPU).sum().item())
        made.set()

    def iterate():
        threading.Thread(target=other).start()
        assert made.wait(30)
        return (held + 1,)

    held = torch.zeros(64, device=GPU)
    replay = capture_module.capture(iterate)
    assert seen == [1e6]
    assert replay is not None
    assert replay()[0].sum().item() == 64


@pytest.mark.gpu
@has_gpu
def test_a_small_image_at_full_resolution_is_captured_too(tiles_image, quick, monkeypatch):
    prepared = prepare_image(tiles_image, channel_axis=-1)
    params = quick.replace(iterations=40, coarse_share=0.0, downscale=1)
    _, captured = drain(optimize(prepared, params, GPU))
    monkeypatch.setattr(module, "can_capture", lambda device: False)
    _, plain = drain(optimize(prepared, params, GPU))
    np.testing.assert_array_equal(captured.winners, plain.winners)


@pytest.mark.gpu
@has_gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_captured_run_is_the_uncaptured_one(tiles_image, quick, monkeypatch, precision, masked):
    mask = np.ones(tiles_image.shape[:2], bool)
    mask[:9] = not masked
    prepared = prepare_image(tiles_image, channel_axis=-1, mask=mask)
    params = quick.replace(iterations=40, precision=precision)
    _, captured = drain(optimize(prepared, params, GPU))
    monkeypatch.setattr(module, "can_capture", lambda device: False)
    _, plain = drain(optimize(prepared, params, GPU))
    np.testing.assert_array_equal(captured.winners, plain.winners)
    for one, other in zip(captured.losses, plain.losses, strict=True):
        assert one.total == pytest.approx(other.total, rel=1e-5)
