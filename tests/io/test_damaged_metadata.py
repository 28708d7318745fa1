"""Images whose metadata are damaged or odd: their pixels are read all the same."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr

from napari_superpixels.errors import FileError
from napari_superpixels.io.images import open_image
from napari_superpixels.io.labels import read_labels
from napari_superpixels.io.ome_zarr import Axes, describe
from napari_superpixels.io.units import full_name, metres, short_unit
from tests.fixtures.files import stated_size

PIXELS = np.arange(20, dtype=np.uint8).reshape(4, 5)


def zarr_image(path, steps):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", shape=PIXELS.shape, dtype=PIXELS.dtype)[:] = PIXELS
    describe(group, "image", Axes("yx", (2.0, 2.0), "um"), [(1, 1)])
    image = group.attrs["multiscales"]
    image[0]["datasets"][0]["coordinateTransformations"] = steps
    group.attrs["multiscales"] = image


@pytest.mark.parametrize(
    "steps",
    [
        [{"type": "scale", "path": "scales"}],
        [{"type": "scale", "scale": [1.0, 2.0, 2.0]}],
        [{"type": "scale", "scale": ["a", "b"]}],
        [{}],
    ],
)
def test_an_ome_zarr_with_a_scale_that_cannot_be_read(tmp_path, steps, caplog):
    zarr_image(tmp_path / "image.zarr", steps)
    with open_image(tmp_path / "image.zarr") as image:
        np.testing.assert_array_equal(image.read(), PIXELS)
        assert image.metadata.pixel_size(2) is None
    assert "metadata cannot be read" in caplog.text


def test_an_ome_tiff_that_describes_no_image(tmp_path, caplog):
    path = tmp_path / "image.ome.tif"
    about = (
        '<?xml version="1.0"?><OME xmlns="x"><BinaryOnly MetadataFile="a.ome.tif" UUID="b"/></OME>'
    )
    tifffile.imwrite(path, PIXELS, description=about, metadata=None)
    with open_image(path) as image:
        np.testing.assert_array_equal(image.read(), PIXELS)
        assert image.metadata.pixel_size(2) is None
        assert image.metadata.provenance == {}
    assert "metadata cannot be read" in caplog.text


@pytest.mark.parametrize("unit", ['"', "'", "(", "1/0", "um*", "[0]", "ln(", "\\u00", "3 5"])
def test_texts_that_are_no_unit(tmp_path, unit):
    assert metres(unit) is None
    assert short_unit(unit) == unit
    assert full_name(unit) is None
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, PIXELS, imagej=True, resolution=(2, 2), metadata={"unit": unit})
    assert stated_size(path, 2) in ((0.5, 0.5), ((0.5, 0.5), unit), None)


def test_feet_of_surveyors_in_any_case():
    for name in ("US survey foot", "us survey foot", "us_survey_foot", "survey_foot"):
        assert metres(name) == pytest.approx(1200 / 3937)


def test_full_names_do_not_follow_an_application(monkeypatch):
    import pint

    registry = pint.get_application_registry()
    monkeypatch.setattr(registry.formatter, "default_format", "~P")
    assert full_name("um") == "micrometer"


def test_a_series_states_no_size_of_voxels(tmp_path):
    group = zarr.open_group(tmp_path / "image.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(3, 4, 5), dtype=np.uint8)[:] = 1
    describe(group, "image", Axes("tyx", (1.0, 2.0, 2.0), "um"), [(1, 1, 1)])
    assert stated_size(tmp_path / "image.zarr", 2) == ((2.0, 2.0), "um")
    assert stated_size(tmp_path / "image.zarr", 3) is None


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_labels_that_are_not_finite_are_refused(tmp_path, value):
    values = PIXELS.astype(np.float32)
    values[0, 0] = value
    tifffile.imwrite(tmp_path / "labels.tif", values)
    with pytest.raises(FileError, match="whole numbers"):
        read_labels(tmp_path / "labels.tif")


def test_an_image_is_refused_as_labels_before_its_pixels_are_read(tmp_path, monkeypatch):
    bands = np.zeros((4, 5, 6), np.uint8)
    tifffile.imwrite(tmp_path / "image.tif", bands, photometric="minisblack", planarconfig="contig")
    monkeypatch.setattr("napari_superpixels.io.labels.read_now", None)
    with pytest.raises(FileError, match="6 channels"):
        read_labels(tmp_path / "image.tif")
