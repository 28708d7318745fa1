"""Colours: outliers cost no contrast, and parts are scaled like the whole."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels.core.prepare.scaling import fit_scaling
from tests.fixtures.prepared import prepare_image


def test_hot_pixels_cost_no_contrast():
    rng = np.random.default_rng(0)
    clean = rng.integers(900, 1100, (60, 80)).astype(np.uint16)
    clean[:, 40:] += 150
    hot = clean.copy()
    hot[rng.integers(0, 60, 4), rng.integers(0, 80, 4)] = 65535
    usual = hot == clean
    expected = prepare_image(clean).features[0]
    found = prepare_image(hot).features[0]
    step = found[usual & (np.arange(80) >= 40)].mean() - found[usual & (np.arange(80) < 40)].mean()
    wanted = expected[:, 40:].mean() - expected[:, :40].mean()
    assert step == pytest.approx(wanted, rel=0.03)
    kept = prepare_image(hot, outliers="keep").features[0]
    assert kept[:, 40:].mean() - kept[:, :40].mean() < wanted / 3
    rgb = np.stack([hot] * 3, axis=-1)
    assert prepare_image(rgb, channel_axis=-1).features[0].std() > 0.9


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8])
def test_8_bits_have_no_outliers(dtype):
    values = np.zeros((40, 50), dtype)
    values[3, 4] = 1
    clipped, kept = (prepare_image(values, outliers=o).features for o in ("clip", "keep"))
    np.testing.assert_array_equal(clipped, kept)


def test_part_of_an_image_scaled_like_the_whole():
    image = np.random.default_rng(0).normal(5, 2, (80, 90)).astype(np.float32)
    scaling = fit_scaling(image)
    whole = prepare_image(image).features
    part = prepare_image(image[20:50, 30:60], scaling=scaling).features
    np.testing.assert_allclose(part, whole[:, 20:50, 30:60], atol=1e-5)


def test_a_nodata_value_of_one_channel_does_not_count(rng):
    image = rng.normal(5, 2, (2, 40, 50))
    spoiled = image.copy()
    spoiled[0, :10] = -9999
    expected, found = (
        fit_scaling(image, channel_axis=0),
        fit_scaling(spoiled, channel_axis=0, nodata=-9999),
    )
    assert found.mean[0] == pytest.approx(image[0, 10:].mean())
    assert found.std[0] == pytest.approx(image[0, 10:].std())
    assert (found.mean[1], found.std[1]) == (expected.mean[1], expected.std[1])
    assert fit_scaling(spoiled[:, :10], channel_axis=0, nodata=-9999).std[0] == 1


def test_extreme_floats_have_a_scaling(rng):
    scaling = fit_scaling(rng.random((20, 30)) * np.finfo(np.float64).max)
    assert np.isfinite([*scaling.mean, *scaling.std]).all()


def test_a_few_objects_on_an_even_background_are_no_outliers(rng):
    image = np.zeros((300, 400), np.uint16)
    image[100:108, 200:208] = 5000
    found = prepare_image(image).features[0]
    assert found[104, 204] > found[0, 0] + 10
