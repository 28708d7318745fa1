"""Sample images: offline, repeatable, what they claim to be."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels.io import sample_images as samples


@pytest.mark.parametrize(
    ("make", "shape", "dtype"),
    [
        (samples.photo, (400, 600, 3), np.uint8),
        (samples.histology, (512, 512, 3), np.uint8),
        (samples.nuclei, (3, 384, 384), np.uint16),
        (samples.nuclei_3d, (24, 160, 160), np.uint16),
        (samples.raster, (6, 400, 480), np.float32),
        (samples.time_series, (6, 256, 256), np.uint8),
    ],
)
def test_shape_dtype_and_repeatability(make, shape, dtype):
    image = make()
    assert image.shape == shape
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, make())
    assert np.nanstd(image) > 0


def test_raster_has_nodata_in_all_bands_alike():
    missing = np.isnan(samples.raster())
    assert 0.05 < missing.mean() < 0.5
    assert (missing == missing[0]).all()


def test_other_seeds_give_other_images():
    assert not np.array_equal(samples.nuclei(0), samples.nuclei(1))
