"""Many channels become few principal components, for images, volumes and parts of them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_superpixels import superpixels
from napari_superpixels.core.prepare.components import fit_components, sample_pixels
from napari_superpixels.core.prepare.scaling import fit_scaling
from napari_superpixels.plan.memory import PCA_SAMPLE_PX
from tests.fixtures.prepared import prepare_image


def spectra(rng, n_bands, shape, *, noise=0.1):
    """Three signals of different strength in many noisy bands, shape (n_bands, *shape)."""
    weights = rng.normal(size=(n_bands, 3)) * [3, 2, 1]
    signals = rng.normal(size=(3, *shape))
    return np.tensordot(weights, signals, 1) + noise * rng.normal(size=(n_bands, *shape))


def test_components_are_those_of_the_covariance(rng):
    values = spectra(rng, 12, (500,))
    values = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)
    found = fit_components(values.astype(np.float32), 3).astype(float)
    lengths, directions = np.linalg.eigh(np.cov(values))
    expected = directions.T[::-1][:3]
    scale = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(np.abs((found / scale[:, None] * expected).sum(1)), 1, atol=1e-4)
    np.testing.assert_allclose(scale, 1 / np.sqrt(lengths[::-1][:3].mean()), rtol=1e-3)
    assert (found @ values).var(1).mean() == pytest.approx(1, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(
    values=hnp.arrays(
        np.uint16, st.tuples(st.integers(5, 9), st.integers(1, 7), st.integers(1, 7))
    ),
    n=st.integers(1, 4),
)
def test_any_channels_become_finite_colours_of_variance_1(values, n):
    features = prepare_image(values, channel_axis=0, max_channels=n).features
    assert features.dtype == np.float32
    assert 1 <= len(features) <= n
    assert np.isfinite(features).all()
    variance = features.astype(float).var(axis=(1, 2)).mean()
    varies = (values != values[:, :1, :1]).any()
    # A sample's variance, for which PCA divides by n - 1.
    n_pixels = values[0].size
    assert variance == pytest.approx((1 - 1 / n_pixels) if varies else 0, abs=1e-3)


@pytest.mark.parametrize("n", [0, 4, 5])
def test_no_more_channels_than_asked_for_stay_as_they_are(rng, n):
    image = rng.random((4, 20, 30))
    np.testing.assert_array_equal(
        prepare_image(image, channel_axis=0, max_channels=n).features,
        prepare_image(image, channel_axis=0).features,
    )


def test_cielab_stays(rng):
    rgb = rng.random((20, 30, 3))
    for options in ({"color_space": "lab"}, {}):
        assert len(prepare_image(rgb, channel_axis=-1, max_channels=2, **options).features) == 3
        assert fit_scaling(rgb, channel_axis=-1, max_channels=2, **options).components is None
    raw = prepare_image(rgb, channel_axis=-1, max_channels=2, color_space="channels")
    assert len(raw.features) == 2


def test_distances_of_colours_are_kept(rng):
    image = spectra(rng, 30, (20, 25), noise=1e-3)
    whole = prepare_image(image, channel_axis=0).balanced().features.reshape(30, -1)
    few = prepare_image(image, channel_axis=0, max_channels=3).balanced().features.reshape(3, -1)
    a, b = rng.integers(0, 500, (2, 100))
    expected = np.linalg.norm(whole[:, a] - whole[:, b], axis=0)
    np.testing.assert_allclose(np.linalg.norm(few[:, a] - few[:, b], axis=0), expected, rtol=0.02)


def test_channels_may_stand_anywhere_and_in_volumes(rng):
    image = spectra(rng, 10, (4, 12, 15)).astype(np.float32)
    spacing = (2, 1, 1)
    first = prepare_image(image, channel_axis=0, max_channels=3, spacing=spacing)
    last = np.moveaxis(image, 0, -1)
    other = prepare_image(last, channel_axis=-1, max_channels=3, spacing=spacing)
    assert first.features.shape == (3, 4, 12, 15)
    np.testing.assert_array_equal(first.features, other.features)


def test_masks_nodata_and_nan(rng):
    image = spectra(rng, 10, (40, 50))
    mask = np.ones((40, 50), bool)
    mask[:5] = False
    expected = prepare_image(image[:, 5:], channel_axis=0, max_channels=3)
    spoiled = image.copy()
    spoiled[:, :5] = 1e6
    masked = prepare_image(spoiled, channel_axis=0, max_channels=3, mask=mask)
    np.testing.assert_array_equal(masked.features, expected.features)
    spoiled[:, :5] = np.nan
    with pytest.raises(ValueError, match="250 of 2000 pixels are NaN or infinite"):
        prepare_image(spoiled, channel_axis=0, max_channels=3)
    left_out = prepare_image(spoiled, channel_axis=0, max_channels=3, nodata=np.nan)
    np.testing.assert_array_equal(left_out.features, expected.features)
    spoiled[7] = np.nan
    with pytest.raises(ValueError, match="channel 7 is NaN or infinite everywhere: leave it out"):
        prepare_image(spoiled, channel_axis=0, max_channels=3, nodata=np.nan)


def test_where_one_channel_has_no_data_the_others_tell(rng):
    image = spectra(rng, 20, (40, 50), noise=0.01)
    gap = image.copy()
    gap[3, 10:20, 10:20] = -9999
    expected = prepare_image(image, channel_axis=0, max_channels=3).features
    found = prepare_image(gap, channel_axis=0, max_channels=3, nodata=-9999).features
    outside = np.ones((40, 50), bool)
    outside[10:20, 10:20] = False
    np.testing.assert_allclose(found[:, outside], expected[:, outside], atol=0.1)
    inside = np.corrcoef(found[0, ~outside], expected[0, ~outside])[0, 1]
    assert inside > 0.98


def test_hot_pixels_turn_no_component(rng):
    image = (5000 + 200 * spectra(rng, 12, (50, 60))).astype(np.uint16)
    hot = image.copy()
    hot[2, 7, 8] = hot[5, 30, 31] = 65535
    expected = prepare_image(image, channel_axis=0, max_channels=3).features
    found = prepare_image(hot, channel_axis=0, max_channels=3).features
    usual = (hot == image).all(axis=0)
    np.testing.assert_allclose(found[:, usual], expected[:, usual], atol=0.15)


def test_all_parts_of_an_image_see_the_same_components(rng):
    image = spectra(rng, 10, (60, 70))
    scaling = fit_scaling(image, channel_axis=0, max_channels=3)
    whole = prepare_image(image, channel_axis=0, scaling=scaling).features
    part = prepare_image(image[:, 20:40, 30:], channel_axis=0, scaling=scaling).features
    np.testing.assert_array_equal(part, whole[:, 20:40, 30:])
    alone = prepare_image(image, channel_axis=0, max_channels=3).features
    np.testing.assert_allclose(whole, alone, atol=1e-5)


def test_a_sample_is_the_same_each_time_and_within_the_mask(rng):
    image = rng.random((3, 300, 200))
    valid = rng.random((300, 200)) > 0.5
    sample = sample_pixels(image, valid)
    assert sample.shape == (3, PCA_SAMPLE_PX)
    np.testing.assert_array_equal(sample, sample_pixels(image, valid))
    assert set(sample[0]) <= set(image[0, valid])
    few = np.zeros_like(valid)
    few[10:13, 5] = True
    np.testing.assert_array_equal(sample_pixels(image, few), image[:, 10:13, 5])


def test_segments_that_differ_in_spectrum_only(rng):
    truth = np.arange(4).reshape(2, 2).repeat(24, 0).repeat(24, 1)
    bands = rng.normal(size=(4, 40))
    image = np.moveaxis(bands[truth], -1, 0) + rng.normal(0, 0.3, (40, 48, 48))
    labels = superpixels(
        image, 4, preset="fast", channel_axis=0, max_channels=3, count="exact", iterations=10
    )
    for k in range(4):
        assert np.bincount(labels[truth == k]).max() > 0.97 * (truth == k).sum()


@pytest.mark.slow
def test_few_channels_do_not_load_scikit_learn():
    code = (
        "import sys, numpy as np; from napari_superpixels import superpixels; "
        "superpixels(np.random.default_rng(0).random((4, 20, 20)), 4, channel_axis=0, "
        "iterations=2); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
