"""Never more superpixels than asked for, unless the mask forces it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from napari_superpixels import superpixels_tiled
from tests.fixtures.quick import FAST_FIELDS

QUICK = {"preset": "fast", "iterations": 2, "hidden_channels": (4,), "refine_iterations": 1}


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0.3, 1))
def test_count_of_masked_noise(n_segments, seed, kept):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(80, 120))
    mask = rng.random((8, 12)) < kept
    mask[0, 0] = True
    mask = np.kron(mask, np.ones((10, 10), bool))
    n_regions = label(mask, connectivity=1).max()
    labels = superpixels_tiled(image, n_segments, mask=mask, tile_size_px=32, halo_px=16, **QUICK)
    np.testing.assert_array_equal(labels > 0, mask)
    assert labels.max() <= max(n_segments, n_regions)
    assert label(labels, connectivity=1).max() == labels.max()  # each is connected


@pytest.mark.parametrize("n_segments", [1, 2, 3, 7])
def test_fewer_superpixels_than_tiles(image, n_segments):
    labels = superpixels_tiled(image, n_segments, channel_axis=-1, tile_size_px=64, **QUICK)
    assert labels.dtype == np.int32
    assert labels.shape == (150, 210)
    assert labels.max() == n_segments
    assert label(labels, connectivity=1).max() == n_segments


def test_a_thin_mask_across_tiles(image):
    mask = np.zeros((150, 210), bool)
    mask[75] = mask[:, 5] = True
    labels = superpixels_tiled(image, 3, channel_axis=-1, mask=mask, tile_size_px=32, **QUICK)
    np.testing.assert_array_equal(labels > 0, mask)
    assert labels.max() <= 3


@pytest.mark.slow
def test_in_memory_is_the_file(image, segment):
    labels, result = segment(image, channel_axis=-1)
    options = {"tile_size_px": 64, "halo_px": 32, "channel_axis": -1, **FAST_FIELDS}
    np.testing.assert_array_equal(superpixels_tiled(image, 60, **options), labels)
    assert result.n_obtained == labels.max()


def test_unknown_names_are_told(image):
    with pytest.raises(ValueError, match="did you mean 'tile_size_px'"):
        superpixels_tiled(image, 60, channel_axis=-1, tile_size=64)
    with pytest.raises(ValueError, match="unknown parameter 'output'"):
        superpixels_tiled(image, 60, channel_axis=-1, output="labels.zarr")
