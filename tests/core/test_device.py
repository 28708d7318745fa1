"""Choosing a device and living with its memory."""

from __future__ import annotations

import shutil
import tracemalloc
from threading import Barrier, Event, Thread

import numpy as np
import pytest
import torch

from napari_superpixels.core import device as devices
from napari_superpixels.core.device import deterministic
from napari_superpixels.errors import DeviceUnavailableError
from napari_superpixels.params import SuperpixelParams, get_preset
from napari_superpixels.plan.memory import DeviceInfo, estimate_memory, shortage
from tests.fixtures.prepared import prepare_image


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_prefers_cuda_then_mps_then_cpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert devices.resolve_device("auto").type == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [("tpu", "unknown device 'tpu'"), ("cuda", "no CUDA device"), ("mps", "no MPS device")],
)
def test_missing_devices_are_named(monkeypatch, name, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceUnavailableError, match=message):
        devices.resolve_device(name)


def test_a_gpu_number_that_does_not_exist(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceUnavailableError, match="there is no cuda:3"):
        devices.resolve_device("cuda:3")


def test_why_not_cuda_tells_the_cure(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "no NVIDIA driver" in devices.why_not_cuda()
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in devices.why_not_cuda()
    monkeypatch.setattr(torch.version, "cuda", "12.9")
    assert "update the driver" in devices.why_not_cuda()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.why_not_cuda() == ""


def test_cpu_is_always_listed():
    assert devices.available_devices()[-1].device == "cpu"
    assert "GB free" in str(devices.available_devices()[-1])


def test_estimate_grows_with_the_work():
    paper, balanced = get_preset("paper"), get_preset("balanced")
    side = (2000, 2000)
    small = estimate_memory(side, 3, paper)
    assert estimate_memory((4000, 2000), 3, paper) == pytest.approx(2 * small, rel=1e-2)
    assert estimate_memory(side, 3, balanced) < small
    assert estimate_memory(side, 3, paper.replace(n_segments=500)) > small


def test_estimate_knows_that_there_are_no_more_channels_than_pixels():
    params = SuperpixelParams(label_maps=60_000)
    assert estimate_memory((100, 100), 1, params) == estimate_memory(
        (100, 100), 1, params.replace(label_maps=10_000)
    )


def test_estimate_of_a_volume_grows_with_its_maps_and_its_voxels():
    params = SuperpixelParams(label_maps=100)
    small = estimate_memory((39, 39, 39), 1, params)
    assert 0.4e9 < small < 0.7e9  # 0.55 GB were measured
    assert estimate_memory((39, 39, 39), 1, params.replace(label_maps=200)) > 1.5 * small
    assert estimate_memory((400, 400, 400), 1, params) > 5 * small


def test_estimate_knows_that_many_channels_become_few():
    shape, params = (2000, 2000), SuperpixelParams(max_channels=8)
    few, many = (estimate_memory(shape, n, params) for n in (8, 200))
    whole = estimate_memory(shape, 200, params.replace(max_channels=0))
    assert few <= many < whole / 3
    assert estimate_memory(shape, 100, params.replace(max_channels=0)) < whole


def test_preparing_many_channels_takes_less_than_estimated(rng):
    shape, params = (300, 400), SuperpixelParams(max_channels=4)
    image = rng.integers(0, 65535, (60, *shape), dtype=np.uint16)
    prepare_image(image[:, :20, :20], channel_axis=0, max_channels=4)  # loads what it needs
    tracemalloc.start()
    prepare_image(image, channel_axis=0, max_channels=4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < estimate_memory(shape, 60, params)


def test_estimate_knows_the_labels_to_start_from():
    shape, params = (200, 200), SuperpixelParams()
    without = estimate_memory(shape, 1, params)
    assert estimate_memory(shape, 1, params, n_labels=100) == without
    # Each label takes a map, at the working resolution that the label maps asked for decide.
    assert without < estimate_memory(shape, 1, params, n_labels=1500) < 2 * without


def test_what_does_not_fit_is_told():
    cpu = DeviceInfo("cpu", "2 CPU threads", 8 * 10**9, 16 * 10**9)
    too_much = shortage(10**10, cpu, None)
    assert too_much.needed_bytes == 10**10
    assert too_much.available_bytes == 8 * 10**9
    assert not too_much.is_limit
    limited = shortage(3 * 10**9, cpu, 2.0)
    assert limited.is_limit
    assert limited.available_bytes == 2e9
    assert shortage(10**6, cpu, 2.0) is None
    # Only where there is another device.
    assert "CPU" not in limited.problem()
    gpu = shortage(10**10, DeviceInfo("cuda", "GPU", 10**9, 10**9), None)
    assert gpu.problem().endswith(", or run on the CPU")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_recognised(error, expected):
    assert devices.is_out_of_memory(error) is expected


def test_parameters_are_named_as_in_the_issue():
    fields = set(SuperpixelParams.__dataclass_fields__)
    assert {"n_segments", "lam", "alpha", "beta", "sigma"} <= fields
    assert {"iterations", "learning_rate", "seed", "min_size_px"} <= fields


def test_threads_are_deterministic_together():
    both_inside, first_left = Barrier(2), Event()

    def first():
        with deterministic():
            both_inside.wait(10)
        first_left.set()

    thread = Thread(target=first)
    thread.start()
    with deterministic():
        both_inside.wait(10)
        assert first_left.wait(10)
        assert torch.are_deterministic_algorithms_enabled()
    thread.join()
    assert not torch.are_deterministic_algorithms_enabled()
