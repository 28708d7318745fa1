"""GeoTIFF, GeoPackage and GeoJSON, read back by rasterio, geopandas and json."""

from __future__ import annotations

import json
from dataclasses import asdict

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import rasterize

from napari_superpixels.errors import (
    ColumnsDifferByCase,
    ExportError,
    MissingLibrary,
    NotGeoreferenced,
)
from napari_superpixels.io.formats import export_labels
from napari_superpixels.io.formats.label_image import InvalidLabels
from napari_superpixels.io.georeference import Georeference, is_georeferenced, read_georeference

UTM = "EPSG:32633"
CORNER = (0.5, 0.0, 412_000.0, 0.0, -0.5, 5_800_000.0)
TURNED = (0.3, 0.4, 412_000.0, 0.4, -0.3, 5_800_000.0)


@pytest.fixture
def source(tmp_path):
    """A GeoTIFF of the shape of `labels`, with pixels of half a metre."""
    path = tmp_path / "source.tif"
    write_raster(path, CORNER)
    return path


def write_raster(path, transform, crs=UTM, shape=(12, 16)):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=shape[1],
        height=shape[0],
        count=1,
        dtype="uint8",
        crs=crs,
        transform=rasterio.Affine(*transform),
    ) as raster:
        raster.write(np.ones(shape, np.uint8), 1)


@pytest.mark.parametrize("transform", [CORNER, TURNED])
def test_geotiff_lies_where_its_source_lies(tmp_path, labels, transform):
    write_raster(tmp_path / "source.tif", transform)
    path = tmp_path / "labels.tif"
    export_labels(path, labels, like=tmp_path / "source.tif")
    with rasterio.open(path) as raster:
        np.testing.assert_array_equal(raster.read(1), labels)
        assert raster.crs == rasterio.CRS.from_user_input(UTM)
        np.testing.assert_allclose(tuple(raster.transform)[:6], transform, atol=1e-12)
        assert raster.nodata == 0
        assert raster.dtypes == ("uint16",)
        assert raster.block_shapes == [(256, 256)] or raster.is_tiled
    export_labels(path, labels * 10_000, like=path, overwrite=True)
    with rasterio.open(path) as raster:
        assert raster.dtypes == ("uint32",)
        np.testing.assert_array_equal(raster.read(1), labels * 10_000)


@pytest.mark.parametrize("name", ["map.gpkg", "map.geojson"])
def test_polygons_lie_where_the_pixels_lie(tmp_path, labels, image, source, name):
    path = tmp_path / name
    export_labels(path, labels, image, channel_axis=-1, like=source)
    frame = geopandas.read_file(path)
    assert frame.crs == ("EPSG:4326" if name.endswith("json") else UTM)
    assert frame["label"].tolist() == [5, 7, 9, 70]
    assert frame["mean channel 1"].iloc[2] == pytest.approx(image[labels == 9][:, 1].mean())
    assert set(frame["unit"]) == {"m"}
    on_map = frame.to_crs(UTM)
    # GeoJSON keeps a tenth of a millimetre, GeoPackage everything.
    precision = 1e-3 if name.endswith("json") else 1e-9
    np.testing.assert_allclose(on_map.area, frame["area_px"] * 0.25, rtol=precision)
    np.testing.assert_allclose(frame["area"], frame["area_px"] * 0.25)
    assert on_map.is_valid.all()
    shapes = zip(on_map.geometry, frame["label"], strict=True)
    burnt = rasterize(shapes, labels.shape, transform=rasterio.Affine(*CORNER))
    np.testing.assert_array_equal(burnt, labels)
    inside = shapely.points(frame["map_x"], frame["map_y"])
    assert on_map.geometry[3].contains(inside[3])


def as_written(path):
    """Parts of the features of a file, and their outer bounds."""
    frame = geopandas.read_file(path)
    return frame.geometry, frame.total_bounds


def test_geojson_is_cut_at_the_180th_meridian(tmp_path, labels):
    # Columns of 1 km, most of them east of the meridian.
    write_raster(tmp_path / "s.tif", (1000.0, 0.0, 826_000.0, 0.0, -1000.0, 1e6), "EPSG:32660")
    for name in ("t.geojson", "t.gpkg"):
        export_labels(tmp_path / name, labels, like=tmp_path / "s.tif")
    shapes, (west, _, east, _) = as_written(tmp_path / "t.geojson")
    assert (west, east) == (-180, 180)
    assert shapes.is_valid.all()
    for shape in shapes.explode():  # no part spans the world
        assert shape.bounds[2] - shape.bounds[0] < 1
    true_areas = geopandas.read_file(tmp_path / "t.gpkg").area
    np.testing.assert_allclose(shapes.to_crs("EPSG:32660").area, true_areas, rtol=2e-3)
    np.testing.assert_allclose(true_areas.sum(), np.count_nonzero(labels) * 1e6)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4258", "EPSG:3857"])
@pytest.mark.parametrize(("left", "columns"), [(-180, 71), (-182.5, 72), (0, 72), (100, 30)])
def test_geojson_of_the_world(tmp_path, crs, left, columns):
    """Superpixels of up to the whole width of the world, one with a hole for another."""
    world = np.ones((24, 72), np.uint16)[:, :columns]
    world[12:], world[5:8, 5:15] = 2, 3
    degree = 1.0 if crs != "EPSG:3857" else 20037508.342789244 / 180
    pixel, corner = 5 * degree, left * degree
    write_raster(tmp_path / "w.tif", (pixel, 0, corner, 0, -pixel, 60 * degree), crs, world.shape)
    export_labels(tmp_path / "w.geojson", world, like=tmp_path / "w.tif")
    shapes, (west, south, east, north) = as_written(tmp_path / "w.geojson")
    shapes = shapes.set_crs(None, allow_override=True)  # areas in degrees
    assert west >= -180
    assert east <= 180
    assert shapes.is_valid.all()
    assert set(shapes.geom_type) <= {"Polygon", "MultiPolygon"}
    widths = np.array([shape.area for shape in shapes]) / (north - south)
    assert shapes.intersection(shapes.iloc[0]).area.tolist()[1:] == pytest.approx([0, 0], abs=1e-6)
    assert widths.sum() == pytest.approx(5 * columns, rel=1e-4)
    if crs != "EPSG:3857":  # where a pixel is as large everywhere
        areas = [np.count_nonzero(world == i) * 25 for i in (1, 2, 3)]
        assert [shape.area for shape in shapes] == pytest.approx(areas)


def test_a_superpixel_that_holds_a_pole_is_no_geojson(tmp_path, labels):
    write_raster(tmp_path / "s.tif", (1000.0, 0.0, -8000.0, 0.0, -1000.0, 6000.0), "EPSG:3413")
    with pytest.raises(ExportError, match=r"holds a pole, .* write \.gpkg"):
        export_labels(tmp_path / "t.geojson", labels, like=tmp_path / "s.tif")
    export_labels(tmp_path / "t.gpkg", labels, like=tmp_path / "s.tif")


@pytest.mark.parametrize(
    "crs",
    [
        'LOCAL_CS["mine grid",UNIT["metre",1]]',
        'GEOGCS["Moon 2000",DATUM["D_Moon_2000",SPHEROID["Moon_2000_IAU_IAG",1737400,0]],'
        'PRIMEM["Reference_Meridian",0],UNIT["Degree",0.0174532925199433]]',
    ],
)
def test_a_crs_without_a_way_to_longitudes(tmp_path, labels, crs):
    write_raster(tmp_path / "s.tif", (1.0, 0.0, 5.0, 0.0, -1.0, 6.0), rasterio.CRS.from_wkt(crs))
    with pytest.raises(ExportError, match=r"no way to longitude and latitude; write \.gpkg"):
        export_labels(tmp_path / "t.geojson", labels, like=tmp_path / "s.tif")
    export_labels(tmp_path / "t.gpkg", labels, like=tmp_path / "s.tif")
    areas = shapely.area(geopandas.read_file(tmp_path / "t.gpkg").geometry.to_numpy())
    np.testing.assert_allclose(areas.sum(), np.count_nonzero(labels))


def test_columns_that_differ_in_case_only(tmp_path, labels, image):
    names = {"channel_axis": -1, "channel_names": ["DAPI", "dapi"]}
    export_labels(tmp_path / "t.geojson", labels, image, **names)
    with pytest.raises(ColumnsDifferByCase, match="mean dapi, "):
        export_labels(tmp_path / "t.gpkg", labels, image, **names)


def test_geojson_follows_its_standard(tmp_path, labels, source):
    path = tmp_path / "map.geojson"
    export_labels(path, labels, like=source)
    text = json.loads(path.read_text(encoding="utf-8"))
    assert "crs" not in text
    for feature in text["features"]:
        for outer, *holes in feature["geometry"]["coordinates"]:
            assert shapely.LinearRing(outer).is_ccw
            assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)
            longitude, latitude = outer[0]
            assert 13 < longitude < 14
            assert 52 < latitude < 53
    seven = text["features"][1]["geometry"]
    assert seven["type"] == "MultiPolygon"
    assert sorted(len(rings) for rings in seven["coordinates"]) == [1, 2]


@pytest.mark.parametrize("name", ["cells.gpkg", "cells.geojson"])
def test_polygons_off_the_map_are_in_pixels(tmp_path, labels, name):
    path = tmp_path / name
    export_labels(path, labels, pixel_size=(0.5, 0.25), unit="um")
    frame = geopandas.read_file(path)
    np.testing.assert_array_equal(shapely.area(frame.geometry.to_numpy()), frame["area_px"])
    np.testing.assert_allclose(frame["area"], frame["area_px"] * 0.125)
    assert frame.total_bounds.tolist() == [0, 0, 15, 12]
    burnt = rasterize(zip(frame.geometry, frame["label"], strict=True), labels.shape)
    np.testing.assert_array_equal(burnt, labels)


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.uint16, (7, 6), elements=st.sampled_from([0, 1, 2, 500])),
    st.sampled_from([CORNER, TURNED]),
)
def test_areas_are_pixel_counts_on_any_map(tmp_path_factory, labels, transform):
    if not labels.any():
        return
    path = tmp_path_factory.mktemp("maps") / "m.gpkg"
    export_labels(path, labels, place=Georeference(labels.shape, transform, UTM, "m"))
    frame = geopandas.read_file(path)
    assert frame.is_valid.all()
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    assert frame["label"].tolist() == ids.tolist()
    np.testing.assert_allclose(frame.area, counts * 0.25, rtol=1e-7)


def test_places(tmp_path, labels, source):
    assert is_georeferenced(source)
    place = read_georeference(source)
    assert place.transform == CORNER
    assert place.unit == "m"
    assert place.pixel_size == (0.5, 0.5)
    known = json.loads(json.dumps(asdict(place)))
    assert Georeference.from_dict(known) == place
    export_labels(tmp_path / "a.tif", labels, place=known)
    assert read_georeference(tmp_path / "a.tif") == place
    degrees = tmp_path / "degrees.tif"
    write_raster(degrees, (1e-5, 0, 13, 0, -1e-5, 52), "EPSG:4326")
    assert read_georeference(degrees).pixel_size is None
    export_labels(tmp_path / "t.geojson", labels, like=degrees)
    frame = geopandas.read_file(tmp_path / "t.geojson")
    assert set(frame["unit"]) == {"pixel"}
    area = shapely.area(frame.geometry.to_numpy())
    np.testing.assert_allclose(area, frame["area_px"] * 1e-10, rtol=1e-4)
    with pytest.raises(InvalidLabels, match=r"has \(12, 16\) pixels, the labels have \(12, 15\)"):
        export_labels(tmp_path / "b.tif", labels[:, 1:], like=source)


def test_a_map_without_a_crs_keeps_its_coordinates(tmp_path, labels):
    write_raster(tmp_path / "local.tif", (2, 0, 10, 0, -2, 90), None)
    place = read_georeference(tmp_path / "local.tif")
    assert (place.crs, place.pixel_size, place.unit) == (None, (2, 2), "map unit")
    for name in ("local.geojson", "local.gpkg"):
        export_labels(tmp_path / name, labels, place=place)
        bounds = geopandas.read_file(tmp_path / name).total_bounds
        assert bounds.tolist() == [10, 66, 40, 90]
    export_labels(tmp_path / "labels.tif", labels, place=place)
    assert read_georeference(tmp_path / "labels.tif") == place


def test_files_without_a_place_are_told(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "plain.tif", np.ones((4, 5), np.uint8))
    (tmp_path / "bad.tif").write_bytes(b"nonsense")
    assert not is_georeferenced(tmp_path / "plain.tif")
    assert not is_georeferenced(tmp_path / "bad.tif")
    assert not is_georeferenced(tmp_path / "plain.png")
    with pytest.raises(NotGeoreferenced, match=r"plain\.tif"):
        read_georeference(tmp_path / "plain.tif")
    with pytest.raises(ExportError, match=r"bad\.tif: cannot be read as a raster"):
        read_georeference(tmp_path / "bad.tif")


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("rasterio", "m.tif"),
        ("rasterio.features", "m.gpkg"),
        ("geopandas", "m.gpkg"),
        ("pyogrio", "m.geojson"),
        ("shapely", "m.geojson"),
    ],
)
def test_a_missing_library_is_named(tmp_path, labels, monkeypatch, library, name):
    place = Georeference(labels.shape, CORNER, UTM, "m")
    monkeypatch.setitem(__import__("sys").modules, library, None)
    words = rf"{name}: this needs {library.partition('.')[0]}, .*\[geo\]"
    with pytest.raises(MissingLibrary, match=words):
        export_labels(tmp_path / name, labels, place=place)
    assert list(tmp_path.iterdir()) == []
