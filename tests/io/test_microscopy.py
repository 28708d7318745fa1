"""TIFF, OME-TIFF, OME-Zarr, ROIs and picture, read back by the software that they are for."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import rasterio
import roifile
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from skimage.measure import points_in_poly
from skimage.segmentation import find_boundaries
from yaozarrs import validate_zarr_store

from napari_superpixels.errors import ExportError, HoldsPlanes, NeedsImage
from napari_superpixels.io.formats import export_labels
from napari_superpixels.io.georeference import Georeference, read_georeference
from tests.fixtures.files import stated_size

UM = {"pixel_size": (0.5, 0.25), "unit": "um"}


def test_tiff_for_imagej(tmp_path, labels):
    path = tmp_path / "labels.tif"
    export_labels(path, labels, **UM)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_imagej
        np.testing.assert_array_equal(tiff.asarray(), labels)
        assert tiff.pages.first.dtype == np.uint16
        assert tiff.imagej_metadata["unit"] == "um"
        across, per_um = tiff.pages.first.tags["XResolution"].value
        assert across / per_um == pytest.approx(4)
    size, unit = stated_size(path, 2)
    assert size == pytest.approx((0.5, 0.25))
    assert unit == "um"


def test_volume_for_imagej_and_ome(tmp_path, rng):
    volume = rng.integers(0, 9, (3, 8, 9))
    for name in ("volume.tif", "volume.ome.tif"):
        export_labels(tmp_path / name, volume, pixel_size=(2, 0.5, 0.25), unit="um")
        with tifffile.TiffFile(tmp_path / name) as tiff:
            assert tiff.series[0].axes == "ZYX"
            np.testing.assert_array_equal(tiff.asarray(), volume)
        size, unit = stated_size(tmp_path / name, 3)
        assert size == pytest.approx((2, 0.5, 0.25))
        assert unit == "um"


def test_labels_above_16_bits(tmp_path, labels):
    many = labels * 3000
    export_labels(tmp_path / "many.tif", many)
    stored = tifffile.imread(tmp_path / "many.tif")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, many)
    export_labels(tmp_path / "many.ome.tif", many * 10_000)
    stored = tifffile.imread(tmp_path / "many.ome.tif")
    assert stored.dtype == np.uint32
    np.testing.assert_array_equal(stored, many * 10_000)
    with pytest.raises(ExportError, match=r"up to 16777216; write \.ome\.tif"):
        export_labels(tmp_path / "most.tif", many * 10_000)


def test_ome_tiff(tmp_path, labels):
    path = tmp_path / "labels.ome.tif"
    export_labels(path, labels, **UM)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        np.testing.assert_array_equal(tiff.asarray(), labels)
        image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
    assert image["Pixels"]["PhysicalSizeX"] == 0.25
    assert image["Pixels"]["PhysicalSizeY"] == 0.5
    assert image["Pixels"]["PhysicalSizeXUnit"] == "µm"
    export_labels(path, labels, overwrite=True)
    assert stated_size(path, 2) is None


@pytest.mark.parametrize("unit", ["micrometer", "µm", "micron", "Microns", "micrometers"])
def test_units_are_written_in_one_way(tmp_path, labels, unit):
    names = ("t.csv", "t.tif", "t.ome.tif", "t.zarr")
    for name in names:
        export_labels(tmp_path / name, labels, pixel_size=(0.5, 0.5), unit=unit)
    assert set(pd.read_csv(tmp_path / "t.csv")["unit"]) == {"um"}
    assert stated_size(tmp_path / "t.tif", 2)[1] == "um"
    assert stated_size(tmp_path / "t.ome.tif", 2)[1] == "um"
    assert nodes_of(tmp_path / "t.zarr")[0].metadata["axes"][0]["unit"] == "micrometer"


@pytest.mark.parametrize(
    ("unit", "short", "ngff"), [("Å", "angstrom", "angstrom"), ("feet", "ft", "foot")]
)
def test_other_units_of_length(tmp_path, labels, unit, short, ngff):
    for name in ("t.tif", "t.ome.tif", "t.zarr"):
        export_labels(tmp_path / name, labels, pixel_size=(0.5, 0.25), unit=unit)
        found = (0.5, 0.25), short if name != "t.zarr" else ngff
        assert stated_size(tmp_path / name, 2) in (((0.5, 0.25), short), found)
    assert nodes_of(tmp_path / "t.zarr")[0].metadata["axes"][0]["unit"] == ngff


@pytest.mark.parametrize(("epsg", "metres"), [(2263, 1200 / 3937), (2314, 0.3047972654)])
@pytest.mark.parametrize("name", ["t.ome.tif", "t.zarr"])
def test_feet_of_maps_become_metres(tmp_path, labels, epsg, metres, name):
    path = tmp_path / "map.tif"
    rows, columns = labels.shape
    at, crs = rasterio.Affine(2, 0, 9, 0, -3, 9), f"EPSG:{epsg}"
    with rasterio.open(path, "w", "GTiff", columns, rows, 1, crs, at, "uint8") as raster:
        raster.write(labels.astype(np.uint8), 1)
    place = read_georeference(path)
    assert "foot" in place.unit
    export_labels(tmp_path / name, labels, place=place)
    size, unit = stated_size(tmp_path / name, 2)
    assert size == pytest.approx((3 * metres, 2 * metres))
    assert unit in ("m", "meter")
    # Of a layer in napari, which knows no map.
    export_labels(tmp_path / f"l{name}", labels, pixel_size=(3, 2), unit="survey_foot")
    size, _ = stated_size(tmp_path / f"l{name}", 2)
    assert size == pytest.approx((3600 / 3937, 2400 / 3937))


def test_ome_tiff_of_a_map_without_crs_or_in_degrees(tmp_path, labels):
    transform = (2.0, 0.0, 9.0, 0.0, -3.0, 9.0)
    for place in (
        Georeference(labels.shape, transform, None, "map unit"),
        Georeference(labels.shape, transform, rasterio.CRS.from_epsg(4326).to_wkt(), None),
    ):
        export_labels(tmp_path / "t.ome.tif", labels, place=place, overwrite=True)
        assert stated_size(tmp_path / "t.ome.tif", 2) is None


def test_units_that_a_format_does_not_know(tmp_path, labels):
    size = {"pixel_size": (0.5, 0.5), "unit": "Spanne µ"}
    export_labels(tmp_path / "t.tif", labels, **size)
    with tifffile.TiffFile(tmp_path / "t.tif") as tiff:
        assert tiff.imagej_metadata["unit"] == "Spanne \\u00b5"
    with pytest.raises(ExportError, match=r"t.ome.tif: OME-TIFF has no unit “Spanne µ”; give"):
        export_labels(tmp_path / "t.ome.tif", labels, **size)
    assert not (tmp_path / "t.ome.tif").exists()


@pytest.mark.parametrize("unit", ["nm", "mm", "m"])
def test_planes_in_other_units_than_micrometres(tmp_path, labels, unit):
    export_labels(tmp_path / "t.ome.tif", labels, pixel_size=(65, 60), unit=unit)
    assert stated_size(tmp_path / "t.ome.tif", 2) == ((65, 60), unit)
    volume = np.stack([labels, labels])
    export_labels(tmp_path / "v.ome.tif", volume, pixel_size=(200, 65, 60), unit=unit)
    assert stated_size(tmp_path / "v.ome.tif", 3) == ((200, 65, 60), unit)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.tif", {}),
        ("print.tif", {"resolution": (72, 72), "resolutionunit": "INCH"}),
        ("none.tif", {"imagej": True}),
        ("half.ome.tif", {"ome": True, "metadata": {"PhysicalSizeX": 2.0}}),
    ],
)
def test_tiffs_without_a_pixel_size(tmp_path, name, options):
    tifffile.imwrite(tmp_path / name, np.ones((4, 5), np.uint8), **options)
    assert stated_size(tmp_path / name, 2) is None


def test_no_pixel_size_in_what_is_no_tiff(tmp_path):
    iio.imwrite(tmp_path / "labels.png", np.ones((4, 5), np.uint8))
    assert stated_size(tmp_path / "labels.png", 2) is None


def nodes_of(path):
    """What the ome-zarr library reads, of a folder that follows the specification's schema."""
    location = parse_url(path)
    assert location is not None
    validate_zarr_store(str(path))
    return list(Reader(location)())


def test_ome_zarr_beside_its_image(tmp_path, rng):
    labels = np.arange(600 * 700).reshape(600, 700) // 7000 + 1
    image = rng.integers(0, 4000, (2, 600, 700)).astype(np.uint16)
    path = tmp_path / "cells.zarr"
    names = ["DAPI", "actin"]
    export_labels(path, labels, image, channel_axis=0, channel_names=names, **UM)
    picture, _, drawn = nodes_of(path)
    assert [axis["name"] for axis in picture.metadata["axes"]] == ["c", "y", "x"]
    assert picture.metadata["channel_names"] == names
    np.testing.assert_array_equal(picture.data[0], image)
    assert [axis.get("unit") for axis in drawn.metadata["axes"]] == ["micrometer", "micrometer"]
    assert [level.shape for level in drawn.data] == [(600, 700), (300, 350), (150, 175)]
    assert [level.shape[1:] for level in picture.data] == [level.shape for level in drawn.data]
    assert drawn.data[0].dtype == np.uint16
    assert drawn.data[0].chunksize == (512, 512)
    assert picture.data[0].chunksize == (1, 512, 512)
    for step, level, transform in zip(
        (1, 2, 4), drawn.data, drawn.metadata["coordinateTransformations"], strict=True
    ):
        np.testing.assert_array_equal(level, labels[::step, ::step])
        assert transform == [{"type": "scale", "scale": [0.5 * step, 0.25 * step]}]
    last = picture.metadata["coordinateTransformations"][2]
    assert last == [{"type": "scale", "scale": [1, 2, 1]}]


def test_ome_zarr_of_labels_alone_and_of_a_volume(tmp_path, labels, rng):
    export_labels(tmp_path / "alone.zarr", labels)
    (node,) = nodes_of(tmp_path / "alone.zarr")
    np.testing.assert_array_equal(node.data[0], labels)
    assert "unit" not in node.metadata["axes"][0]

    volume = rng.integers(0, 2**20, (3, 8, 9))
    path = tmp_path / "volume.zarr"
    export_labels(path, volume, volume > 9, pixel_size=(2, 0.5, 0.5), unit="um")
    picture, _, drawn = nodes_of(path)
    np.testing.assert_array_equal(drawn.data[0], volume)
    np.testing.assert_array_equal(picture.data[0], volume > 9)
    assert drawn.metadata["coordinateTransformations"][0][0]["scale"] == [2, 0.5, 0.5]
    # Again: the old folder goes, whole.
    export_labels(path, volume[:2], overwrite=True)
    (node,) = nodes_of(path)
    np.testing.assert_array_equal(node.data[0], volume[:2])
    assert not (path / "labels").exists()


def painted(rois, shape):
    """Fill ROIs as ImageJ does: by the even-odd rule, at the pixels' centres."""
    centres = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1) + 0.5
    found = np.zeros(shape, np.int64)
    for roi in rois:
        inside = np.zeros(shape, bool)
        for ring in roi.coordinates(multi=True):
            inside ^= points_in_poly(centres.reshape(-1, 2), ring).reshape(shape)
        assert not found[inside].any()
        found[inside] = int(roi.name)
    return found


def test_rois(tmp_path, labels):
    path = tmp_path / "cells.zip"
    export_labels(path, labels)
    rois = roifile.roiread(path)
    assert [roi.name for roi in rois] == ["05", "07", "09", "70"]
    assert [roi.composite for roi in rois] == [True, True, True, True]
    np.testing.assert_array_equal(painted(rois, labels.shape), labels)
    seven = rois[1]
    assert (seven.left, seven.top, seven.right, seven.bottom) == (3, 3, 7, 7)

    export_labels(path, labels == 70, overwrite=True)
    export_labels(path, np.tril(np.ones((4, 4), int), 1), overwrite=True)
    (roi,) = roifile.roiread(path)
    assert roi.roitype == roifile.ROI_TYPE.TRACED
    np.testing.assert_array_equal(painted([roi], (4, 4)), np.tril(np.ones((4, 4), int), 1))


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint16, (7, 6), elements=st.sampled_from([0, 1, 2, 500])))
def test_rois_of_any_map_hold_its_pixels(tmp_path_factory, labels):
    if labels.any():
        path = tmp_path_factory.mktemp("rois") / "r.zip"
        export_labels(path, labels)
        np.testing.assert_array_equal(painted(roifile.roiread(path), labels.shape), labels)


def test_picture(tmp_path, labels, image, tiles_image):
    path = tmp_path / "borders.png"
    stripes = np.arange(48 * 64).reshape(48, 64) // 640 + 1
    export_labels(path, stripes, tiles_image, channel_axis=-1)
    picture = iio.imread(path)
    border = find_boundaries(stripes, 1, "inner")
    assert (picture[border] == (255, 230, 0)).all()
    np.testing.assert_array_equal(picture[~border], tiles_image[~border])
    for other in (image, image[..., 0], np.full(labels.shape, np.nan), image[..., [0, 0, 1]]):
        axis = -1 if other.ndim == 3 else None
        export_labels(path, labels, other, channel_axis=axis, overwrite=True)
        picture = iio.imread(path)
        assert picture.shape == (12, 16, 3)
        inside = picture[~find_boundaries(labels, 1, "inner")]
        assert inside.any() == np.isfinite(other).all()
    with pytest.raises(NeedsImage, match=r"borders\.png: "):
        export_labels(path, labels, overwrite=True)


@pytest.mark.parametrize("name", ["v.png", "v.zip", "v.geojson", "v.gpkg"])
def test_formats_of_planes_refuse_volumes(tmp_path, name):
    volume = np.ones((2, 5, 6), int)
    with pytest.raises(HoldsPlanes, match=r"\(2, 5, 6\)"):
        export_labels(tmp_path / name, volume, volume)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("size", "axis"), [(None, "T"), ((0.5, 0.25), "T"), ((2, 0.5, 0.25), "Z")])
def test_frames_lie_along_time_or_depth(tmp_path, rng, size, axis):
    frames = rng.integers(0, 5, (3, 12, 16))
    image = rng.random((2, 3, 12, 16))
    options = {"frames": True} | ({"pixel_size": size, "unit": "um"} if size else {})
    for name in ("t.tif", "t.ome.tif", "t.zarr"):
        export_labels(tmp_path / name, frames, image, channel_axis=0, **options)
    for name in ("t.tif", "t.ome.tif"):
        with tifffile.TiffFile(tmp_path / name) as tiff:
            assert tiff.series[0].axes == f"{axis}YX"
            np.testing.assert_array_equal(tiff.asarray(), frames)
        found = stated_size(tmp_path / name, 2)
        assert found == (None if size is None else ((0.5, 0.25), "um"))
    validate_zarr_store(tmp_path / "t.zarr")
    about = zarr.open(tmp_path / "t.zarr").attrs["multiscales"][0]
    described = [(a["name"], a["type"]) for a in about["axes"]]
    time, depth = [("t", "time"), ("c", "channel")], [("c", "channel"), ("z", "space")]
    assert described[:2] == (time if axis == "T" else depth)
    scale = about["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale[-2:] == list(size or (1, 1))[-2:]
    order = (1, 0, 2, 3) if axis == "T" else (0, 1, 2, 3)
    stored = zarr.open(tmp_path / "t.zarr")
    np.testing.assert_array_equal(stored["0"][:], image.transpose(order))
    np.testing.assert_array_equal(stored["labels/superpixels/0"][:], frames)
