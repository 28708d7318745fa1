"""The weight of the border's length that is left to the image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels import metrics, refine, superpixels
from napari_superpixels.core.prepare.prepared_image import PreparedImage, prepare_image
from napari_superpixels.core.regions.smoothness import auto_smoothness, noise_level
from napari_superpixels.params import AUTO


def as_prepared(features, mask=None):
    mask = np.ones(features.shape[1:], bool) if mask is None else mask
    window = tuple(slice(0, n) for n in mask.shape)
    return PreparedImage(features.astype(np.float32), mask, mask.shape, window)


@pytest.mark.parametrize("level", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(200, 300), (6, 90, 110)])
def test_noise_is_measured_beside_edges_and_slopes(rng, level, shape):
    scene = np.linspace(0, 5, shape[-1]) + 3 * (np.indices(shape)[-2] // 40)
    features = np.stack([scene, scene]) + rng.normal(0, level, (2, *shape))
    assert noise_level(as_prepared(features)) == pytest.approx(level, rel=0.05)


def test_noise_is_the_mean_square_over_channels(rng):
    features = rng.normal(0, 1, (2, 300, 300)) * [[[0.6]], [[0.8]]]
    assert noise_level(as_prepared(features)) == pytest.approx(0.5**0.5, rel=0.03)


def test_only_the_pixels_of_the_mask_count(rng):
    features = rng.normal(0, 0.2, (1, 120, 120))
    mask = np.zeros((120, 120), bool)
    mask[:, :60] = True
    features[:, ~mask] = rng.normal(0, 9, (~mask).sum())
    assert noise_level(as_prepared(features, mask)) == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("shape", [(1, 40), (2, 2), (3, 2, 50)])
def test_there_is_no_noise_to_see_in_fewer_than_three_lines(rng, shape):
    assert noise_level(as_prepared(rng.normal(size=(1, *shape)))) == 0


@pytest.mark.parametrize(("level", "smoothness"), [(0.0, 0.15), (0.2, 0.4), (5.0, 1.0)])
def test_smoothness_is_twice_the_noise_between_its_limits(rng, level, smoothness):
    features = rng.normal(0, 1, (1, 300, 300)) * level
    assert auto_smoothness(as_prepared(features)) == pytest.approx(smoothness, rel=0.03)


def test_a_noisy_image_has_the_same_number_of_shorter_borders(rng):
    image = 40.0 * (np.indices((120, 160)).sum(0) // 30 % 2) + rng.normal(0, 15, (120, 160))
    auto, ragged = (
        superpixels(image, 40, preset="fast", count="exact", refine_smoothness=s)
        for s in (AUTO, 0.15)
    )
    assert auto.max() == ragged.max() == 40
    assert metrics.boundary_mask(auto).mean() < 0.9 * metrics.boundary_mask(ragged).mean()


def test_auto_is_the_number_that_it_finds(rng):
    image = 40.0 * (np.indices((60, 80))[1] // 20 % 2) + rng.normal(0, 3, (60, 80))
    found = auto_smoothness(prepare_image(image).balanced())
    assert 0.2 < found < 1
    np.testing.assert_array_equal(
        superpixels(image, 20, preset="fast"),
        superpixels(image, 20, preset="fast", refine_smoothness=found),
    )
    labels = np.indices(image.shape)[1] // 9 + 1
    np.testing.assert_array_equal(refine(image, labels), refine(image, labels, smoothness=found))


@pytest.mark.parametrize("value", ["automatic", -1, 101, None])
def test_other_values_are_refused(value):
    with pytest.raises((ValueError, TypeError), match="refine_smoothness"):
        superpixels(np.zeros((9, 9)), 3, refine_smoothness=value)
