"""The public calls, end to end."""

from __future__ import annotations

from dataclasses import asdict

import dask.array as da
import numpy as np
import pytest
import torch

from napari_superpixels import (
    Command,
    FinishReason,
    SuperpixelMemoryError,
    SuperpixelParams,
    get_preset,
    iter_superpixels,
    list_presets,
    metrics,
    superpixels,
)
from napari_superpixels.api import image as image_module
from napari_superpixels.core.network import optimize as optimize_module
from napari_superpixels.errors import OutOfMemory
from napari_superpixels.events import drain
from napari_superpixels.io import sample_images as samples

# The paper's presets work at full resolution, which takes longer.
PRESETS = [
    pytest.param(name, marks=pytest.mark.slow) if name.startswith("paper") else name
    for name in list_presets()
]
QUICK = {"iterations": 8, "hidden_channels": (8, 8), "downscale": 2, "refine_iterations": 3}


@pytest.mark.parametrize("preset", list_presets())
def test_every_preset_gives_superpixels(tiles_image, preset, assert_superpixels):
    labels = superpixels(tiles_image, 12, preset=preset, channel_axis=-1, iterations=6)
    assert labels.dtype == np.int32
    assert labels.shape == tiles_image.shape[:2]
    assert_superpixels(labels, 12)


def test_superpixels_follow_the_tiles(tiles_image):
    labels = superpixels(tiles_image, 16, channel_axis=-1)
    truth = np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1)
    assert metrics.achievable_segmentation_accuracy(labels, truth) > 0.9
    assert metrics.boundary_recall(labels, truth) > 0.9


SHAPES = [(1, 1), (1, 2), (1, 9), (7, 1), (2, 2), (3, 5), (16, 16)]


@pytest.mark.parametrize("preset", ["balanced", "paper"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_segments", [1, 2, 500])
def test_tiny_images(rng, shape, n_segments, preset, assert_superpixels):
    image = rng.random(shape)
    labels = superpixels(
        image, n_segments, preset=preset, iterations=2, hidden_channels=(4, 4, 4, 4)
    )
    assert_superpixels(labels, n_segments)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20)),
        np.ones((20, 20), bool),
        np.full((20, 20), 65535, np.uint16),
        np.full((20, 20), -1e300),
    ],
)
def test_constant_images_are_divided_by_position(image, assert_superpixels):
    labels = superpixels(image, 6, count="exact", **QUICK)
    assert_superpixels(labels, 6)
    assert labels.max() == 6
    assert_superpixels(superpixels(image, 6, **QUICK), 6)  # adaptive: as few as it likes


@pytest.mark.parametrize("n_channels", [1, 2, 4, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_any_channels_and_dtypes(rng, n_channels, dtype, assert_superpixels):
    image = (rng.random((n_channels, 20, 24)) * 200).astype(dtype)
    assert_superpixels(superpixels(image, 9, channel_axis=0, **QUICK), 9)


def test_lists_and_lazy_arrays(tiles_image):
    expected = superpixels(tiles_image, 9, channel_axis=-1, **QUICK)
    lazy = da.from_array(tiles_image, chunks=(10, 10, 3))
    np.testing.assert_array_equal(superpixels(lazy, 9, channel_axis=-1, **QUICK), expected)
    assert superpixels([[0, 1], [5, 6]], 2, iterations=2).shape == (2, 2)


def test_same_seed_same_labels_other_seed_other_labels(tiles_image):
    first, second = (superpixels(tiles_image, 12, channel_axis=-1, **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = superpixels(tiles_image, 12, channel_axis=-1, seed=1, **QUICK)
    assert not np.array_equal(first, other)


def test_global_random_states_do_not_matter_nor_change(tiles_image):
    torch.manual_seed(1)
    first = superpixels(tiles_image, 12, channel_axis=-1, **QUICK)
    torch.manual_seed(2)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    second = superpixels(tiles_image, 12, channel_axis=-1, **QUICK)
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_mask_is_kept(tiles_image, assert_superpixels):
    mask = np.zeros(tiles_image.shape[:2], bool)
    mask[4:40, 10:50] = True
    mask[20:24, 30:34] = False
    assert_superpixels(superpixels(tiles_image, 9, channel_axis=-1, mask=mask, **QUICK), 9, mask)


def test_nan_pixels_get_label_0(rng, assert_superpixels):
    image = rng.random((20, 30))
    image[3:6, 4:9] = np.nan
    labels = superpixels(image, 9, nodata=np.nan, **QUICK)
    assert_superpixels(labels, 9, np.isfinite(image))


def test_more_islands_than_superpixels_is_told_before_the_run(rng):
    mask = np.zeros((9, 9), bool)
    mask[::4, ::4] = True
    with pytest.raises(ValueError, match=r"9 separate regions.*only 3.*regions out of the mask"):
        superpixels(rng.random((9, 9)), 3, mask=mask)
    image = np.where(mask, rng.random((9, 9)), np.nan)
    with pytest.raises(ValueError, match=r"9 separate regions.*regions out with a mask"):
        superpixels(image, 3, nodata=np.nan, **QUICK)


def test_overrides_and_their_errors(tiles_image):
    with pytest.raises(ValueError, match=r"lam must be 0 to 3, got 5"):
        superpixels(tiles_image, channel_axis=-1, lam=5)
    with pytest.raises(ValueError, match="unknown parameter 'lambda_'"):
        superpixels(tiles_image, channel_axis=-1, lambda_=1)
    with pytest.raises(ValueError, match=r"'chanel_axis': did you mean 'channel_axis'\?"):
        superpixels(tiles_image, chanel_axis=-1)
    with pytest.raises(ValueError, match=r"unknown preset 'best'.*balanced, fast, paper"):
        superpixels(tiles_image, channel_axis=-1, preset="best")
    with pytest.raises(TypeError, match="n_segments must be an integer"):
        superpixels(tiles_image, 10.5, channel_axis=-1)


def test_iter_returns_everything_about_the_run(tiles_image, quick):
    result = drain(iter_superpixels(tiles_image, quick, channel_axis=-1, device="cpu"))
    assert result.params == quick
    assert result.n_requested == 12
    assert result.n_obtained == result.labels.max() == len(np.unique(result.labels))
    assert result.iterations == len(result.losses) == 8
    assert result.seconds > 0
    assert result.device.startswith("cpu")
    assert result.reason == FinishReason.COMPLETED
    provenance = result.provenance()
    assert provenance["final_loss"] == result.losses[-1].total
    assert SuperpixelParams.from_dict(provenance["parameters"]) == quick
    assert {"torch", "numpy", "napari-superpixels"} <= set(provenance["versions"])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("n_segments", [1, 7, 40])
def test_exact_count(tiles_image, preset, n_segments, assert_superpixels):
    mask = np.ones(tiles_image.shape[:2], bool)
    mask[10:20, 10:40] = False
    for inside in (None, mask):
        labels = superpixels(
            tiles_image,
            n_segments,
            preset=preset,
            channel_axis=-1,
            mask=inside,
            count="exact",
            iterations=4,
        )
        assert_superpixels(labels, n_segments, inside)
        assert labels.max() == n_segments


def test_more_superpixels_than_pixels_cannot_be_exact():
    with pytest.raises(ValueError, match=r"exactly 9 .* only 6 pixels: ask for fewer"):
        superpixels(np.eye(2, 3), 9, count="exact")


@pytest.mark.slow
def test_lambda_sets_how_many_survive():
    image = samples.photo()[::2, ::2]
    counts = [
        superpixels(image, 100, channel_axis=-1, preset="fast", lam=lam).max()
        for lam in (0.0, 1.0, 2.0, 3.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] < 0.5 * counts[-1]


def test_warm_start_from_weights(tiles_image, quick):
    first = drain(iter_superpixels(tiles_image, quick, channel_axis=-1))
    again = drain(iter_superpixels(tiles_image, quick, channel_axis=-1, initial=first.weights))
    assert again.losses[0].total < first.losses[0].total
    cold = drain(iter_superpixels(tiles_image, quick, channel_axis=-1))
    np.testing.assert_array_equal(cold.labels, first.labels)  # nothing was changed on the way
    with pytest.raises(ValueError, match="belong to another network"):
        drain(
            iter_superpixels(
                tiles_image,
                quick.replace(hidden_channels=(4,)),
                channel_axis=-1,
                initial=first.weights,
            )
        )


@pytest.mark.slow
def test_a_result_and_its_weights_are_the_same_start(tiles_image, quick):
    first = drain(iter_superpixels(tiles_image, quick, channel_axis=-1))
    tensors = {name: torch.from_numpy(value) for name, value in first.weights.items()}
    one, other, third = (
        drain(iter_superpixels(tiles_image, quick, channel_axis=-1, initial=initial)).losses
        for initial in (first, first.weights, tensors)
    )
    assert one == other == third
    whole = drain(iter_superpixels(tiles_image, quick.replace(n_segments=1), channel_axis=-1))
    drain(iter_superpixels(tiles_image, quick, channel_axis=-1, initial=whole))  # no weights


def test_integer_tensors_are_labels(tiles_image, quick):
    labels = np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1)
    one, other = (
        drain(iter_superpixels(tiles_image, quick, channel_axis=-1, initial=initial)).losses
        for initial in (labels, torch.from_numpy(labels))
    )
    assert one == other


def test_warm_start_from_labels(tiles_image, quick):
    truth = 5 + np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1)
    truth[:, :5] = 0
    params = quick.replace(iterations=40, coarse_share=1.0, learning_rate=0.05)
    result = drain(iter_superpixels(tiles_image, params, channel_axis=-1, initial=truth))
    inside = truth != 0
    agreement = metrics.achievable_segmentation_accuracy(np.where(inside, result.labels, 0), truth)
    assert agreement > 0.95


def test_scribbles_are_as_good_a_start_as_full_labels(rng, quick):
    labels = 1 + np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1)
    scribbles = np.zeros_like(labels)
    # Single pixels between those that a reduced image would sample.
    scribbles[1::4, 1::4] = labels[1::4, 1::4]
    image, params = rng.random((48, 64)), quick.replace(label_maps=12, downscale=4)
    first, second = (
        drain(iter_superpixels(image, params, initial=initial)) for initial in (labels, scribbles)
    )
    assert first.losses == second.losses


def test_many_labels_to_start_from_do_not_inflate_the_estimate(rng, quick):
    labels = np.arange(1600).reshape(40, 40).repeat(5, 0).repeat(5, 1) + 1
    steps = iter_superpixels(
        rng.random((200, 200)), quick.replace(downscale=4), initial=labels, memory_limit_gb=0.15
    )
    next(steps)  # the memory is checked before the first Step
    steps.close()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((48, 64)), "the initial labels have none above 0"),
        (np.full((48, 64), 0.5), "the initial labels hold 0.5 in 3072 pixels, which is no label"),
        ("labels.tif", "initial must be a result.*integer labels.*got values of type <U10"),
        ([[1, 2], [3]], "initial must be a result.*integer labels.*got list"),
        ({"a": "b"}, "initial must be a result.*its weights.*got dict"),
        ({"a": 3}, "belong to another network: pass those of a result"),
        ({}, "belong to another network: pass those of a result"),
        (torch.ones(48, 64, requires_grad=True), "initial must be a result.*got Tensor"),
        (3, r"\(\) and the image \(48, 64\) differ in shape"),
        (np.ones((48, 60), int), r"\(48, 60\) and the image \(48, 64\) differ in shape"),
        (np.zeros((48, 64), int), "none above 0"),
        (np.full((48, 64), -1), "the initial labels hold -1 in 3072 pixels"),
    ],
)
def test_labels_that_nothing_can_start_from(tiles_image, quick, labels, message):
    with pytest.raises(ValueError, match=message):
        drain(iter_superpixels(tiles_image, quick, channel_axis=-1, initial=labels))


@pytest.mark.slow
def test_the_best_of_several_restarts_is_kept(tiles_image, quick):
    runs = [
        drain(iter_superpixels(tiles_image, quick.replace(seed=seed), channel_axis=-1))
        for seed in (3, 4, 5)
    ]
    best = min(runs, key=lambda run: run.losses[-1].total)
    together = quick.replace(seed=3, restarts=3)
    steps = list(iter_superpixels(tiles_image, together, channel_axis=-1))
    assert sorted({step.iteration for step in steps}) == list(range(1, 25))
    assert {step.n_iterations for step in steps} == {24}
    result = drain(iter_superpixels(tiles_image, together, channel_axis=-1))
    np.testing.assert_array_equal(result.labels, best.labels)
    assert result.iterations == 24


@pytest.mark.slow
def test_settled_runs_end_early(tiles_image, quick):
    params = quick.replace(iterations=500, learning_rate=0.05, settle_percent=2.0)
    result = drain(iter_superpixels(tiles_image, params, channel_axis=-1))
    assert result.reason == FinishReason.SETTLED
    assert 10 < result.iterations < 500
    assert result.iterations == len(result.losses)


def test_finishing_can_be_cancelled(tiles_image, quick, monkeypatch):
    monkeypatch.setattr("napari_superpixels.api.image._PAUSE_S", 0.0)
    steps = iter_superpixels(tiles_image, quick, channel_axis=-1)
    seen = [step.iteration for step in steps]
    assert seen[:8] == list(range(1, 9))
    assert len(seen) > 8  # refinement takes several rounds
    assert set(seen[8:]) == {8}
    steps = iter_superpixels(tiles_image, quick, channel_axis=-1)
    for _ in range(9):
        next(steps)
    steps.close()  # must not raise


@pytest.mark.slow
def test_16_bit_precision_gives_superpixels_as_good(tiles_image):
    truth = np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1)
    labels = superpixels(tiles_image, 16, channel_axis=-1, precision="bfloat16", device="cpu")
    assert metrics.achievable_segmentation_accuracy(labels, truth) > 0.9


def test_finish_gives_a_valid_result(tiles_image, quick, assert_superpixels):
    steps = iter_superpixels(tiles_image, quick, channel_axis=-1)
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send(Command.FINISH)
    assert end.value.value.reason == FinishReason.STOPPED
    assert_superpixels(end.value.value.labels, 12)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_is_clear_and_the_next_run_works(tiles_image, quick, monkeypatch, error):
    real = optimize_module._Run._iterate
    calls = []

    def failing(*args):
        calls.append(1)
        if len(calls) == 3:
            raise error
        return real(*args)

    monkeypatch.setattr(optimize_module._Run, "_iterate", failing)
    with pytest.raises(SuperpixelMemoryError, match=r"estimate.*GB.*fewer superpixels") as e:
        drain(iter_superpixels(tiles_image, quick, channel_axis=-1))
    # Nothing of the failed run hangs on the error: its frames would keep the tensors alive.
    assert e.value.__context__ is None or e.value.__context__.__traceback__ is None
    assert drain(iter_superpixels(tiles_image, quick, channel_axis=-1)).n_obtained > 0


def test_other_errors_are_not_disguised(tiles_image, quick, monkeypatch):
    def failing(*args):
        raise RuntimeError("broken kernel")

    monkeypatch.setattr(optimize_module._Run, "_iterate", failing)
    with pytest.raises(RuntimeError, match="broken kernel"):
        drain(iter_superpixels(tiles_image, quick, channel_axis=-1))


def test_memory_limit_is_checked_before_the_run(tiles_image):
    steps = iter_superpixels(
        tiles_image, get_preset("paper"), channel_axis=-1, memory_limit_gb=0.001
    )
    with pytest.raises(SuperpixelMemoryError, match=r"memory limit of 0\.001 GB"):
        next(steps)


def test_paper_preset_is_the_paper():
    paper = asdict(get_preset("paper"))
    expected = {
        "lam": 2.0,
        "alpha": 2.0,
        "beta": 10.0,
        "sigma": 8.0,
        "iterations": 1000,
        "coarse_share": 0.0,
        "learning_rate": 0.01,
        "schedule": "constant",
        "settle_percent": 0.0,
        "precision": "float32",
        "downscale": 1,
        "label_maps": 0,
        "oversegmentation": 0,
        "hidden_channels": (32, 64, 128, 256),
        "color_space": "channels",
        "refine_iterations": 0,
    }
    assert {key: paper[key] for key in expected} == expected
    assert get_preset("paper-no-recon") == get_preset("paper").replace(beta=0.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_gives_superpixels_and_frees_its_memory(tiles_image, quick, assert_superpixels):
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    result = drain(iter_superpixels(tiles_image, quick, channel_axis=-1, device="cuda"))
    assert_superpixels(result.labels, 12)
    assert torch.cuda.memory_allocated() == before


@pytest.mark.slow
def test_paper_preset_at_full_size(assert_superpixels):
    image = samples.photo()[:321, :481]
    params = get_preset("paper").replace(n_segments=100, iterations=10)
    result = drain(iter_superpixels(image, params, channel_axis=-1))
    assert_superpixels(result.labels, 100)
    assert result.losses[-1].total < result.losses[0].total


def test_where_a_gpu_runs_out_of_memory_the_run_begins_anew_on_the_cpu(
    tiles_image, quick, monkeypatch
):
    real, devices = image_module._guarded, []

    def guarded(prepared, params, plan, device, *rest):
        devices.append(device)
        if len(devices) == 1:
            raise OutOfMemory("cuda: a card, 1 GB free", 2e9, is_cpu=False)
        return (yield from real(prepared, params, plan, device, *rest))

    expected = superpixels(tiles_image, 12, channel_axis=-1, iterations=8)
    monkeypatch.setattr(image_module, "_guarded", guarded)
    steps = iter_superpixels(
        tiles_image, get_preset("balanced").replace(n_segments=12, iterations=8), channel_axis=-1
    )
    with pytest.warns(RuntimeWarning, match="ran out of memory: the run begins anew on the CPU"):
        result = drain(steps)
    assert len(devices) == 2
    assert devices[1] == torch.device("cpu")
    np.testing.assert_array_equal(result.labels, expected)
    assert result.device.startswith("cpu")
    assert result.device.endswith("ran out of memory")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_full_card_leaves_the_run_to_the_cpu(tiles_image, quick):
    drain(iter_superpixels(tiles_image, quick, channel_axis=-1, device="cuda"))
    torch.cuda.set_per_process_memory_fraction(1e-5)
    try:
        with pytest.warns(RuntimeWarning, match="begins anew on the CPU"):
            result = drain(iter_superpixels(tiles_image, quick, channel_axis=-1, device="cuda"))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert result.device.startswith("cpu")
    again = drain(iter_superpixels(tiles_image, quick, channel_axis=-1, device="cuda"))
    assert again.device.startswith("cuda")
