"""Supervoxels: the public calls on volumes, end to end."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import label
from skimage.segmentation import slic

from napari_superpixels import (
    Command,
    FinishReason,
    SuperpixelMemoryError,
    SuperpixelParams,
    iter_superpixels,
    metrics,
    refine,
    superpixels,
)
from napari_superpixels.events import drain

QUICK = {
    "iterations": 4,
    "label_maps": 10,
    "hidden_channels": (4, 4),
    "oversegmentation": 60,
    "refine_iterations": 3,
}


@pytest.fixture
def cells():
    """Voronoi cells of voxels that are twice as deep as wide, blurred and noisy; and the truth."""
    rng = np.random.default_rng(3)
    shape, spacing = (12, 32, 40), np.array((2.0, 1.0, 1.0))
    seeds = rng.random((12, 3)) * np.array(shape) * spacing
    centres = (np.indices(shape).reshape(3, -1).T + 0.5) * spacing
    truth = cKDTree(seeds).query(centres)[1].reshape(shape)
    image = ndimage.gaussian_filter(rng.permutation(12)[truth] / 12, 0.7 / spacing)
    return image + rng.normal(0, 0.03, shape), truth, tuple(spacing)


@pytest.mark.slow
def test_supervoxels_follow_the_cells_better_than_slic(cells, assert_superpixels):
    image, truth, spacing = cells
    labels = superpixels(image, 40, preset="fast", spacing=spacing)
    assert labels.dtype == np.int32
    assert_superpixels(labels, 40)
    accuracy = metrics.achievable_segmentation_accuracy(labels, truth)
    peer = slic(image, 40, compactness=0.1, spacing=spacing, channel_axis=None, start_label=1)
    assert accuracy > 0.9
    assert accuracy > metrics.achievable_segmentation_accuracy(peer, truth)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    n_segments=st.integers(1, 40),
    spacing=st.tuples(*[st.sampled_from([0.2, 1.0, 5.0])] * 3),
    n_channels=st.integers(0, 3),
    exact=st.booleans(),
    share=st.sampled_from([0.3, 0.8, 1.0]),
    seed=st.integers(0, 5),
)
def test_any_volume_and_mask(shape, n_segments, spacing, n_channels, exact, share, seed):
    rng = np.random.default_rng(seed)
    volume = rng.random((n_channels, *shape) if n_channels else shape)
    mask = rng.random(shape) < share
    mask.flat[0] = True
    n_regions = label(mask, connectivity=1).max()
    exact &= mask.sum() >= max(n_segments, n_regions)
    n = max(n_segments, n_regions)
    labels = superpixels(
        volume,
        n,
        mask=mask,
        spacing=spacing,
        channel_axis=0 if n_channels else None,
        count="exact" if exact else "adaptive",
        **QUICK | {"iterations": 2},
    )
    np.testing.assert_array_equal(labels > 0, mask)
    ids = np.unique(labels[mask])
    np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
    assert len(ids) == n if exact else len(ids) <= n
    assert label(labels, background=0, connectivity=1).max() == len(ids)


def test_a_volume_larger_than_the_grid(rng, assert_superpixels):
    volume = ndimage.gaussian_filter(rng.random((20, 70, 90)), 3)
    mask = np.ones(volume.shape, bool)
    mask[:, 30:40, 20:60] = False
    labels = superpixels(volume, 30, mask=mask, spacing=(4, 1, 1), count="exact", **QUICK)
    assert labels.max() == 30
    assert_superpixels(labels, 30, mask)


def test_same_seed_same_labels_other_seed_other_labels(cells):
    image, _, spacing = cells
    first, second, other = (
        superpixels(image, 30, spacing=spacing, seed=seed, **QUICK) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_only_the_ratios_of_the_spacing_count(cells):
    image, _, _ = cells
    one, scaled, flat = (
        superpixels(image, 30, spacing=s, **QUICK)
        for s in ((2.0, 0.5, 0.5), (8.0, 2.0, 2.0), (1, 1, 1))
    )
    np.testing.assert_array_equal(one, scaled)
    assert not np.array_equal(one, flat)


def test_deep_voxels_make_supervoxels_of_few_planes(rng):
    noise = rng.normal(size=(16, 16, 16))
    depths = []
    for spacing in ((1, 1, 1), (8, 1, 1)):
        labels = superpixels(noise, 20, spacing=spacing, count="exact", **QUICK)
        depths.append(np.mean([box[0].stop - box[0].start for box in ndimage.find_objects(labels)]))
    assert depths[1] < depths[0]


def test_nan_and_nodata_voxels_get_label_0(rng, assert_superpixels):
    volume = rng.random((6, 12, 14))
    volume[2:4, 3:6, 4:9] = np.nan
    volume[:, 0] = -1
    with pytest.raises(ValueError, match=r"the first at plane 2, row 3, column 4.*rows 3-5"):
        superpixels(volume, 9, spacing=(1, 1, 1))
    labels = superpixels(volume, 9, spacing=(1, 1, 1), nodata=-1, **QUICK)
    assert_superpixels(labels, 9, np.isfinite(volume) & (volume != -1))
    hidden = np.ma.masked_array(volume, ~np.isfinite(volume))
    labels = superpixels(hidden, 9, spacing=(1, 1, 1), **QUICK)
    assert_superpixels(labels, 9, np.isfinite(volume))


def test_lazy_and_multichannel_volumes(rng, assert_superpixels):
    volume = rng.integers(0, 255, (6, 10, 12, 3), dtype=np.uint8)
    lazy = da.from_array(volume, chunks=(2, 5, 5, 3))
    expected = superpixels(volume, 9, spacing=(1, 1, 1), channel_axis=-1, **QUICK)
    assert_superpixels(expected, 9)
    got = superpixels(lazy, 9, spacing=(1, 1, 1), channel_axis=-1, **QUICK)
    np.testing.assert_array_equal(got, expected)


def test_bfloat16_and_constant_volumes(assert_superpixels):
    flat = np.full((5, 9, 9), 7, np.uint16)
    labels = superpixels(
        flat, 6, spacing=(1, 1, 1), count="exact", precision="bfloat16", device="cpu", **QUICK
    )
    assert labels.max() == 6
    assert_superpixels(labels, 6)


def _finish_now(steps):
    command = Command.FINISH
    while True:  # a slow finish repeats the last Step
        steps.send(command)
        command = None


def test_previews_are_whole_and_one_can_stop_early(cells, assert_superpixels):
    image, _, spacing = cells
    volume = image.repeat(2, 1).repeat(2, 2)
    params = SuperpixelParams(n_segments=20).replace(**QUICK)
    steps = iter_superpixels(volume, params, spacing=spacing, preview_interval_s=0.0)
    preview = next(steps).labels
    assert preview is not None
    assert preview.shape == volume.shape
    with pytest.raises(StopIteration) as end:
        _finish_now(steps)
    assert end.value.value.reason == FinishReason.STOPPED
    assert_superpixels(end.value.value.labels, 20)


def test_a_volume_is_never_guessed(rng):
    with pytest.raises(ValueError, match=r"channel_axis=-1 for RGB.*spacing=\(1, 1, 1\)"):
        superpixels(rng.random((5, 6, 7)))
    with pytest.raises(ValueError, match="3 axes"):
        superpixels(rng.random((5, 6, 7)), spacing=(1, 1))
    with pytest.raises(ValueError, match="give two or none for a 2D image"):
        superpixels(rng.random((5, 6)), spacing=(1, 1, 1))


@pytest.mark.parametrize("spacing", [(1,), (1, 0, 1), (1, 1, np.nan), "abc", 2.0, (1, 1, 1, 1)])
def test_what_is_no_spacing(rng, spacing):
    with pytest.raises(ValueError, match="spacing must be two positive numbers"):
        superpixels(rng.random((5, 6, 7)), spacing=spacing)


def test_a_volume_starts_from_labels_and_from_weights(rng):
    truth = 1 + np.arange(8).reshape(2, 2, 2).repeat(5, 0).repeat(12, 1).repeat(12, 2)
    image = rng.normal(size=9)[truth] * 3 + rng.normal(0, 0.1, truth.shape)
    params = SuperpixelParams(**QUICK | {"n_segments": 8, "count": "exact"})
    options = {"spacing": (2.0, 1.0, 1.0)}
    first = drain(iter_superpixels(image, params, initial=truth, **options))
    assert metrics.achievable_segmentation_accuracy(first.labels, truth) > 0.98
    assert sorted(first.table["initial"].tolist()) == list(range(1, 9))
    again = drain(iter_superpixels(image, params, initial=first, **options))
    assert metrics.achievable_segmentation_accuracy(again.labels, truth) > 0.98
    assert again.provenance()["initial"] == {"kind": "network"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"downscale": 1}, "downscale=1, as in the paper"),
        ({"label_maps": 0}, "label_maps=0, as in the paper"),
        ({"preset": "paper"}, "Use the balanced or fast preset"),
        ({"mask": np.ones((5, 6), bool)}, "differ in shape"),
    ],
)
def test_what_volumes_cannot_do_is_said(rng, options, message):
    with pytest.raises(ValueError, match=message):
        superpixels(rng.random((5, 6, 7)), 9, spacing=(1, 1, 1), **options)


def test_memory_is_estimated(rng):
    steps = iter_superpixels(
        rng.random((20, 40, 50)), spacing=(1, 1, 1), memory_limit_gb=0.1, device="cpu"
    )
    with pytest.raises(SuperpixelMemoryError, match="more than the memory limit"):
        drain(steps)


def test_refine_moves_the_borders_of_supervoxels(cells):
    image, truth, spacing = cells
    blocks = np.indices(image.shape) // np.array([4, 8, 8])[:, None, None, None]
    labels = blocks[0] * 25 + blocks[1] * 5 + blocks[2] + 7
    out = refine(image, labels, spacing=spacing)
    np.testing.assert_array_equal(np.unique(out), np.unique(labels))
    assert label(out, connectivity=1).max() == len(np.unique(labels))
    before, after = (metrics.achievable_segmentation_accuracy(x, truth) for x in (labels, out))
    assert after > before


def test_equal_spacing_changes_nothing_in_2d_and_unequal_does(tiles_image):
    options = {"channel_axis": -1, "iterations": 6, "hidden_channels": (8, 8)}
    plain, equal, other = (
        superpixels(tiles_image, 12, spacing=s, **options) for s in (None, (0.3, 0.3), (3, 1))
    )
    np.testing.assert_array_equal(plain, equal)
    assert not np.array_equal(plain, other)


@pytest.mark.slow
def test_supervoxels_of_many_channels(cells, assert_superpixels):
    image, truth, spacing = cells
    rng = np.random.default_rng(0)
    bands = image[None] * rng.uniform(0.5, 1, (12, 1, 1, 1)) + rng.normal(
        0, 0.1, (12, *image.shape)
    )
    labels = superpixels(bands, 40, preset="fast", spacing=spacing, channel_axis=0, max_channels=2)
    assert_superpixels(labels, 40)
    assert metrics.achievable_segmentation_accuracy(labels, truth) > 0.85
