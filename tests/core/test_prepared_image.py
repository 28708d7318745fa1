"""Images of every kind become clean colours, or a message that says what to do."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from skimage.color import rgb2lab

from napari_superpixels.core.prepare.checks import as_channels
from tests.fixtures.prepared import prepare_image

DTYPES = ["bool", "uint8", "int16", "uint16", "int32", "uint64", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_channel_gets_mean_0_and_variance_1(rng, dtype):
    image = rng.random((4, 20, 30))
    image = image > 0.5 if dtype == "bool" else (200 * image).astype(dtype)
    features = prepare_image(image, channel_axis=0).features
    assert features.dtype == np.float32
    np.testing.assert_allclose(features.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(features.var((1, 2)), 1, atol=1e-4)


@pytest.mark.parametrize("value", [0, 7.3, 1e30, -1e-30])
def test_constant_channels_become_0(value):
    image = np.full((2, 5, 6), value)
    assert not prepare_image(image, channel_axis=0).features.any()


def test_extreme_floats_do_not_overflow(rng):
    image = rng.random((8, 9)) * np.finfo(np.float64).max
    features = prepare_image(image).features
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features.var(), 1, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_channel_axis_may_stand_anywhere(rng, axis):
    image = rng.random((4, 6, 7))
    moved = np.moveaxis(image, 0, axis)
    np.testing.assert_array_equal(as_channels(moved, axis), image)


def test_cielab_of_many_rows_is_that_of_all(rng):
    rgb = rng.integers(0, 256, (431, 307, 3), np.uint8)
    lab = np.moveaxis(rgb2lab(rgb), -1, 0)
    expected = (lab - lab.mean((1, 2), keepdims=True)) / lab.std((1, 2), keepdims=True)
    features = prepare_image(rgb, channel_axis=-1).features
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_preparing_takes_less_memory_than_estimated(rng):
    rgb = rng.integers(0, 256, (700, 600, 3), np.uint8)
    for dtype in (np.uint8, np.uint16, np.float32):
        image = rgb.astype(dtype)
        tracemalloc.start()
        prepare_image(image, channel_axis=-1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 50 * rgb.size  # bytes; see `estimate_memory`


def test_rgb_becomes_cielab_only_where_it_is_rgb(rng):
    rgb = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    auto = prepare_image(rgb, channel_axis=-1).features
    lab = prepare_image(rgb, channel_axis=-1, color_space="lab").features
    raw = prepare_image(rgb, channel_axis=-1, color_space="channels").features
    np.testing.assert_array_equal(auto, lab)
    assert not np.allclose(auto, raw)
    first = np.moveaxis(rgb, -1, 0)
    np.testing.assert_allclose(prepare_image(first, channel_axis=0).features, raw, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 16, 1 / 255])
def test_rgb_of_any_range_gives_the_same_colours(rng, factor):
    rgb = rng.integers(0, 256, (8, 9, 3)).astype(np.float64)
    rgb[0, 0] = 255
    expected = prepare_image(rgb.astype(np.uint8), channel_axis=-1).features
    np.testing.assert_allclose(
        prepare_image(rgb * factor, channel_axis=-1).features, expected, atol=1e-4
    )


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.array([["a"]], dtype=object), {}, r"not numeric.*astype\(float\)"),
        (np.ones((4, 4), complex), {}, r"complex.*numpy\.abs"),
        (np.zeros((0, 4)), {}, r"empty \(shape \(0, 4\)\)"),
        (np.zeros(4), {}, "must have 2 axes"),
        (np.zeros((4, 4, 3)), {}, "channel_axis=-1 for RGB"),
        (np.zeros((2, 4, 4, 3)), {"channel_axis": -1}, "must have 3 axes"),
        (np.zeros((4, 4, 3)), {"channel_axis": 3}, "channel_axis must be -3 to 2"),
        (np.zeros((4, 4)), {"mask": np.ones((3, 4))}, "differ in shape"),
        (np.zeros((4, 4)), {"mask": np.zeros((4, 4))}, "no pixel is left"),
        (np.full((4, 4), np.nan), {"nodata": 0}, "all pixels are NaN"),
        (
            np.stack([np.ones((4, 4)), np.full((4, 4), np.nan)]),
            {"channel_axis": 0, "nodata": np.nan},
            "channel 1 is NaN or infinite everywhere",
        ),
        (np.zeros((4, 4, 3)), {"channel_axis": 2.0}, "must be an integer"),
        (np.zeros((4, 4, 3)), {"channel_axis": True}, "must be an integer"),
        (np.zeros((4, 4)), {"color_space": "lab"}, "needs 3 channels"),
    ],
)
def test_bad_input_is_told_in_words(image, options, message):
    with pytest.raises(ValueError, match=message):
        prepare_image(image, **options)


def test_nan_without_a_mask_says_how_many_and_where():
    image = np.zeros((6, 8))
    image[2, 3] = np.nan
    image[4, 5] = np.inf
    with pytest.raises(ValueError, match=r"2 of 48 pixels.*row 2, column 3.*rows 2-4, columns 3-5"):
        prepare_image(image)


def test_nan_is_left_out_with_a_mask_or_nodata(rng):
    image = rng.random((6, 8))
    image[2, 3] = np.nan
    for options in ({"nodata": np.nan}, {"nodata": -1}, {"mask": np.ones((6, 8), bool)}):
        prepared = prepare_image(image, **options)
        assert not prepared.mask[2, 3]
        assert prepared.mask.sum() == 47
        assert np.isfinite(prepared.features).all()


def test_what_a_masked_array_masks_is_left_out(rng):
    image = np.ma.masked_less(rng.random((3, 8, 9)), 0.1)
    prepared = prepare_image(image, channel_axis=0)
    np.testing.assert_array_equal(prepared.embed(prepared.mask) > 0, ~image.mask.any(axis=0))


def test_nan_in_a_mask_is_no(rng):
    mask = np.ones((4, 5))
    mask[1, 2] = np.nan
    mask[3, 3] = 0
    assert prepare_image(rng.random((4, 5)), mask=mask).mask.sum() == 18


def test_nodata_counts_where_every_channel_has_it(rng):
    image = rng.uniform(10, 20, (2, 5, 5))
    image[:, 1, 1] = 0
    image[0, 3, 3] = 0
    prepared = prepare_image(image, channel_axis=0, nodata=0)
    assert not prepared.mask[1, 1]
    assert prepared.mask[3, 3]
    assert prepared.features[0, 3, 3] == 0  # the channel's mean


def test_mask_crops_and_embeds(rng):
    mask = np.zeros((20, 30), bool)
    mask[5:9, 10:17] = True
    mask[5, 10] = False
    prepared = prepare_image(rng.random((20, 30)), mask=mask)
    assert prepared.features.shape == (1, 4, 7)
    whole = prepared.embed(prepared.mask * 3)
    np.testing.assert_array_equal(whole, mask * 3)


def test_statistics_ignore_what_is_masked(rng):
    image = rng.random((10, 10))
    mask = np.ones((10, 10), bool)
    mask[3:5, 3:5] = False
    spoiled = image.copy()
    spoiled[3:5, 3:5] = 1e6
    np.testing.assert_array_equal(
        prepare_image(image, mask=mask).features, prepare_image(spoiled, mask=mask).features
    )
