"""Which pixels a nodata value means."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from napari_superpixels import superpixels
from napari_superpixels.core.prepare.nodata import is_nodata, spelled

LOWEST = float(np.finfo(np.float32).min)


@pytest.mark.parametrize(
    ("nodata", "text"),
    [(0, "0"), (-9999.0, "-9999"), (LOWEST, "-3.4028235e+38"), (0.1, "0.1"), (1 / 3, str(1 / 3))],
)
def test_what_is_printed_means_the_same_when_typed(nodata, text):
    assert spelled(nodata) == text
    for dtype in (np.float32, np.float64):
        values = np.array([nodata, 7.5], dtype)
        assert is_nodata(values, float(text)).tolist() == [True, False]


def test_other_software_prints_six_digits():
    values = np.array([LOWEST, -3.0e38, 1e20], np.float32)
    for given in (LOWEST, -3.40282e38):
        for array in (values, values.astype(np.float64)):
            assert is_nodata(array, given).tolist() == [True, False, False]


def test_values_of_float32_are_found_after_they_became_float64():
    values = np.array([-9999.9, -9999.8], np.float32)
    assert is_nodata(values.astype(np.float64), -9999.9).tolist() == [True, False]


def test_no_value_and_values_that_cannot_be_there():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for nodata in (np.nan, np.inf, -1.7e308):
            assert not is_nodata(np.array([1, np.nan, np.inf, -np.inf], np.float32), nodata).any()
        assert not is_nodata(np.arange(3, dtype=np.uint8), -9999).any()
        assert is_nodata(np.arange(3, dtype=np.uint8), 2.0).tolist() == [False, False, True]
        assert not is_nodata(np.array([1e300]), 5.0).any()


def test_a_value_as_it_is_printed_is_left_out(rng):
    image = rng.random((40, 50)).astype(np.float32)
    image[:10] = LOWEST
    labels = superpixels(image, 9, iterations=4, hidden_channels=(4, 4), nodata=-3.40282e38)
    assert (labels[:10] == 0).all()
    assert (labels[10:] > 0).all()
