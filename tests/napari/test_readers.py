"""GeoTIFFs opened in napari arrive with all that a later export needs."""

from __future__ import annotations

import sys
from dataclasses import asdict

import dask.array as da
import geopandas
import numpy as np
import pytest
import rasterio
import tifffile
from napari.layers import Image
from npe2 import PluginManifest
from rasterio.enums import ColorInterp, Resampling

from napari_superpixels._napari.input.axes import Axes, Role, proposed_axes
from napari_superpixels._napari.input.segmentation_input import PixelChoices, View, resolve_input
from napari_superpixels._napari.readers import choose
from napari_superpixels._napari.readers import geotiff as geotiff_reader
from napari_superpixels._napari.readers.choose import get_reader
from napari_superpixels.errors import FileError
from napari_superpixels.io.formats import METADATA_KEY, export_labels
from napari_superpixels.io.georeference import Georeference, read_georeference

PLUGIN = "napari-superpixels"
CORNER = (0.5, 0.0, 412_000.0, 0.0, -0.5, 5_800_000.0)
UTM = "EPSG:32633"


def write(path, bands, transform=CORNER, crs=UTM, **options):
    count, height, width = bands.shape
    with rasterio.open(
        path,
        "w",
        "GTiff",
        width,
        height,
        count,
        crs,
        rasterio.Affine(*transform),
        bands.dtype,
        **options,
    ) as raster:
        raster.write(bands)
    return path


def layers_of(path):
    return Image.create(*get_reader(str(path))(str(path))[0])


def test_bands_with_nodata_in_a_viewer(tmp_path, rng, viewer):
    bands = rng.integers(1, 4000, (5, 20, 30)).astype(np.int16)
    bands[:, :4, :6] = -999
    path = write(tmp_path / "field.geotiff", bands, nodata=-999)
    with rasterio.open(path, "r+") as raster:
        raster.set_band_description(4, "NIR")
    (layer,) = viewer.open(path, plugin=PLUGIN)
    assert layer.name == "field"
    assert layer.data.dtype == np.float32
    assert np.isnan(layer.data[:, :4, :6]).all()
    np.testing.assert_array_equal(layer.data[:, 4:], bands[:, 4:])
    np.testing.assert_allclose(layer.scale, (1, 0.5, 0.5))
    assert [str(unit) for unit in layer.units] == ["pixel", "meter", "meter"]
    assert layer.axis_labels == ("band", "y", "x")
    # The centre of the first pixel, north up.
    np.testing.assert_allclose(layer.translate, (0, -5_799_999.75, 412_000.25))
    assert layer.contrast_limits[0] > 0
    known = layer.metadata[METADATA_KEY]
    assert Georeference.from_dict(known["place"]) == read_georeference(path)
    assert known["nodata"] == -999
    assert known["bands"][3:] == ["NIR", "band 5"]


def test_rasters_of_one_crs_line_up(tmp_path, rng):
    whole = rng.integers(0, 255, (1, 20, 30)).astype(np.uint8)
    a, b, c, d, e, f = CORNER
    part = (a, b, c + 7 * a, d, e, f + 5 * e)
    first = layers_of(write(tmp_path / "whole.tif", whole))
    second = layers_of(write(tmp_path / "part.tif", whole[:, 5:15, 7:20], part))
    for row, column in ((0, 0), (9, 12)):
        np.testing.assert_allclose(
            second.data_to_world((row, column)), first.data_to_world((row + 5, column + 7))
        )
    assert first.data.shape == (20, 30)
    assert first.data.dtype == np.uint8


@pytest.mark.parametrize(
    "transform", [(0.3, 0.4, 100, 0.4, -0.3, 200), (0.5, 0, 100, 0, 0.25, 200)]
)
def test_turned_rasters_and_those_with_the_south_on_top(tmp_path, rng, transform):
    layer = layers_of(write(tmp_path / "t.tif", rng.random((2, 8, 9)), transform))
    place = read_georeference(tmp_path / "t.tif")
    np.testing.assert_allclose(layer.scale[1:], place.pixel_size)
    for row, column in ((0, 0), (3, 7)):
        x, y = rasterio.Affine(*transform) @ (column + 0.5, row + 0.5)
        np.testing.assert_allclose(layer.data_to_world((1, row, column)), (1, -y, x))


@pytest.mark.parametrize("alpha", [False, True])
def test_colours(tmp_path, rng, alpha):
    bands = rng.integers(0, 255, (4 if alpha else 3, 8, 9)).astype(np.uint8)
    options = {"alpha": "YES"} if alpha else {"nodata": 0}
    path = write(tmp_path / "rgb.tif", bands, photometric="RGB", **options)
    layer = layers_of(path)
    assert layer.rgb
    np.testing.assert_array_equal(layer.data, np.moveaxis(bands, 0, -1))
    assert layer.ndim == 2


@pytest.mark.parametrize("large", [False, True])
def test_what_the_file_masks_is_transparent_or_nan(tmp_path, rng, monkeypatch, large):
    if large:
        monkeypatch.setattr(geotiff_reader, "LARGE", 10)
    opaque = rng.random((40, 50)) > 0.3
    bands = rng.integers(1, 255, (4, 40, 50)).astype(np.uint8)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        colors = write(tmp_path / "rgb.tif", bands[:3], photometric="RGB")
        mixed = write(tmp_path / "mixed.tif", bands, photometric="MINISBLACK")
        for path in (colors, mixed):
            with rasterio.open(path, "r+") as raster:
                raster.write_mask(opaque)
    layer = layers_of(colors)
    assert layer.rgb
    shown = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    np.testing.assert_array_equal(shown[..., :3], np.moveaxis(bands[:3], 0, -1))
    np.testing.assert_array_equal(shown[..., 3], opaque * 255)
    layer = layers_of(mixed)
    shown = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    np.testing.assert_array_equal(shown, np.where(opaque, bands, np.nan).astype(np.float32))

    # A band of transparency is none of the image's.
    bands[2] = opaque * 255
    path = write(tmp_path / "alpha.tif", bands, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as raster:
        gray, none, alpha = ColorInterp.gray, ColorInterp.undefined, ColorInterp.alpha
        raster.colorinterp = [gray, none, alpha, none]
    layer = layers_of(path)
    shown = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    expected = np.where(opaque, bands[[0, 1, 3]], np.nan).astype(np.float32)
    np.testing.assert_array_equal(shown, expected)
    assert layer.metadata[METADATA_KEY]["bands"] == ["band 1", "band 2", "band 4"]


def test_degrees(tmp_path, rng):
    path = write(
        tmp_path / "d.tif", rng.random((1, 8, 9)), (1e-5, 0, 13, 0, -1e-5, 52), "EPSG:4326"
    )
    layer = layers_of(path)
    assert [str(unit) for unit in layer.units] == ["degree", "degree"]
    np.testing.assert_allclose(layer.scale, 1e-5)


def test_labels_come_back_as_labels(tmp_path, viewer):
    labels = np.arange(48).reshape(6, 8) // 9
    export_labels(
        tmp_path / "l superpixels.tif", labels, place=Georeference(labels.shape, CORNER, UTM, "m")
    )
    (layer,) = viewer.open(tmp_path / "l superpixels.tif", plugin=PLUGIN)
    assert layer._type_string == "labels"
    assert layer.data.dtype == np.uint16
    np.testing.assert_array_equal(layer.data, labels)
    layer.data_setitem((np.array([0]), np.array([0])), 7)  # it can be edited


@pytest.mark.parametrize("overviews", [[], [4, 16]])
def test_large_rasters_are_read_when_they_are_shown(tmp_path, rng, monkeypatch, overviews):
    bands = rng.integers(1, 4000, (2, 500, 333)).astype(np.uint16)
    bands[:, :100, :100] = 0
    path = write(tmp_path / "large.tif", bands, nodata=0, tiled=True, blockxsize=64, blockysize=64)
    if overviews:
        with rasterio.open(path, "r+") as raster:
            raster.build_overviews(overviews, Resampling.nearest)
    monkeypatch.setattr(geotiff_reader, "LARGE", 1000)
    monkeypatch.setattr(geotiff_reader, "_TILE", 128)
    layer = layers_of(path)
    assert layer.multiscale
    assert all(isinstance(level, da.Array) for level in layer.data)
    steps = [1, *(overviews or [2, 4])]
    assert [level.shape[-2] for level in layer.data] == [-(-500 // step) for step in steps]
    assert layer.data[0].chunks[1:] == ((128, 128, 128, 116), (128, 128, 77))
    full = np.where(bands == 0, np.nan, bands.astype(np.float32))
    np.testing.assert_array_equal(layer.data[0].compute(), full)
    for level in layer.data[1:]:
        values = level.compute()
        assert values.dtype == np.float32
        assert values.shape == level.shape
        # Each value is one of the pixels that it stands for.
        top = values[:, : values.shape[1] // 8, : values.shape[2] // 8]
        assert np.isnan(top).all()
        assert np.isin(values[np.isfinite(values)], full).all()


@pytest.fixture
def napari_reader(npe2pm):
    """napari's own readers, registered as in an installation."""
    npe2pm.register(PluginManifest.from_distribution("napari"))


def plain_tiffs(folder, name="plain"):
    paths = [folder / f"{name}{i}.tif" for i in range(2)]
    for i, path in enumerate(paths):
        tifffile.imwrite(path, np.full((4, 5), i + 1, np.uint8))
    return paths


def test_a_plain_tiff_goes_on_to_napari(tmp_path, viewer, napari_reader):
    first, second = plain_tiffs(tmp_path, "superpixels of others")
    (layer,) = viewer.open(first, plugin=PLUGIN)
    assert layer.name == "superpixels of others0"
    np.testing.assert_array_equal(layer.data, tifffile.imread(first))
    (stack,) = viewer.open([first, second], plugin=PLUGIN, stack=True)
    assert stack.data.shape == (2, 4, 5)
    apart = viewer.open([first, second], plugin=PLUGIN)
    assert [other.data.max() for other in apart] == [1, 2]


def test_ordinary_files_and_folders_raise_no_question(tmp_path, viewer, napari_reader, rng):
    """napari asks, and `viewer.open` raises, where two readers claim a name."""
    plain, _ = plain_tiffs(tmp_path)
    geo = write(tmp_path / "geo.tif", rng.random((1, 4, 5)))
    (tmp_path / "superpixels").mkdir()
    folder, _ = plain_tiffs(tmp_path / "superpixels")
    for path in (plain, geo, folder, tmp_path / "superpixels"):
        assert viewer.open(path, plugin=None)[0].source.reader_plugin == "napari"
    for name in ("map.geotiff", "map.GTIF"):
        path = write(tmp_path / name, rng.random((1, 4, 5)))
        (layer,) = viewer.open(path, plugin=None)
        assert layer.source.reader_plugin == PLUGIN
        assert "place" in layer.metadata[METADATA_KEY]


def test_what_lies_on_no_map(tmp_path, monkeypatch, plugin):
    plain, _ = plain_tiffs(tmp_path)
    bad, points = tmp_path / "bad.tif", tmp_path / "points.tif"
    bad.write_bytes(b"nonsense")
    corners = [rasterio.control.GroundControlPoint(0, 0, 13.0, 52.0)] * 3
    with rasterio.open(
        points, "w", "GTiff", 5, 4, 1, dtype="uint8", crs="EPSG:4326", gcps=corners
    ) as raster:
        raster.write(np.ones((1, 4, 5), np.uint8))
    geo = write(tmp_path / "geo.tif", np.ones((1, 4, 5), np.uint8))
    assert get_reader([str(geo)]) is geotiff_reader.read_geotiffs
    for paths in (str(plain), str(bad), str(points), [str(geo), str(plain)]):
        assert get_reader(paths) is not geotiff_reader.read_geotiffs, paths
    assert get_reader(str(tmp_path / "map.png")) is None
    monkeypatch.setitem(sys.modules, "rasterio", None)
    assert get_reader(str(geo)) is not geotiff_reader.read_geotiffs


def broken(path, rng):
    """A GeoTIFF of which half is missing."""
    bands = rng.integers(0, 255, (1, 300, 300)).astype(np.uint8)
    write(path, bands, tiled=True, blockxsize=64, blockysize=64)
    path.write_bytes(path.read_bytes()[:50_000])
    return str(path)


def test_a_broken_map_names_itself(tmp_path, rng, monkeypatch):
    path = broken(tmp_path / "cut.tif", rng)
    told = r"cut\.tif: cannot be read as an image \(.*IReadBlock.*: it may be damaged, cut short"
    with pytest.raises(FileError, match=told):
        get_reader(path)(path)
    # The contrast needs the pixels at once; without it, the dock or the canvas meets them later.
    monkeypatch.setattr(geotiff_reader, "LARGE", 1000)
    monkeypatch.setattr(geotiff_reader, "contrast_of", lambda values: (0.0, 1.0))
    monkeypatch.setattr(geotiff_reader._Raster, "sample", lambda self: None)
    ((data, _, _),) = get_reader(path)(path)
    with pytest.raises(FileError, match=told):
        np.asarray(data)


def test_plain_tiffs_that_cannot_be_read_name_themselves(tmp_path, monkeypatch):
    plain, other = plain_tiffs(tmp_path)
    bad = tmp_path / "bad.tif"
    bad.touch()

    def read(paths, *, stack, plugin_name):  # napari's own leaves broken files open
        if str(bad) in paths or stack:
            raise ValueError("Could not find a backend")
        return []

    monkeypatch.setattr(choose.npe2, "read", read)
    for content, reason in [
        (b"", r"it is empty \(0 bytes\)"),
        (b"no TIFF at all", r"\(not a TIFF file"),
        (plain.read_bytes()[:-8], r"\(Could not find a backend\): it may be damaged, cut short"),
    ]:
        bad.write_bytes(content)
        with pytest.raises(FileError, match=rf"bad\.tif: cannot be read as an image.*{reason}"):
            get_reader(str(bad))(str(bad))
    stack = [str(plain), str(bad)]
    with pytest.raises(FileError, match=r"bad\.tif: cannot be read as an image"):
        get_reader(stack)(stack)
    stack = [str(plain), str(other)]
    with pytest.raises(FileError, match=r"plain0\.tif and 1 more cannot be opened as one stack"):
        get_reader(stack)(stack)


def test_a_plane_takes_its_place_along(tmp_path, rng, monkeypatch):
    path = write(tmp_path / "m.tif", rng.random((3, 40, 60)))
    layer = layers_of(path)
    view = View((0, *layer.translate[1:]), (-2, -1))
    assert resolve_input(layer, view, proposed_axes(layer, view)).place == asdict(
        read_georeference(path)
    )
    turned = View((0, *layer.translate[1:]), (-3, -1))  # labels say what is a row all the same
    same = resolve_input(layer, turned, proposed_axes(layer, turned)).place
    assert same == asdict(read_georeference(path))
    roles = Axes((Role.Y, Role.CHANNEL, Role.X))
    assert resolve_input(layer, turned, roles).place is None
    layer.data = layer.data[:, 5:]
    assert resolve_input(layer, view, proposed_axes(layer, view)).place is None
    monkeypatch.setattr(geotiff_reader, "LARGE", 1000)
    monkeypatch.setattr(geotiff_reader, "_TILE", 16)
    layer = layers_of(path)
    coarse = resolve_input(layer, view, proposed_axes(layer, view), pixels=PixelChoices(1)).place
    assert coarse["shape"] == (20, 30)
    assert coarse["transform"] == (1, 0, CORNER[2], 0, -1, CORNER[5])


def test_from_map_to_polygons_without_a_question(
    tmp_path, viewer, open_quick_dock, run_to_end, tiles_image
):
    path = write(tmp_path / "m.gtif", np.moveaxis(tiles_image, -1, 0), photometric="RGB")
    (layer,) = viewer.open(path, plugin=PLUGIN)
    dock = open_quick_dock(viewer)
    run_to_end(dock)
    (result,) = [other for other in viewer.layers if other is not layer]
    known = result.metadata[METADATA_KEY]
    export_labels(tmp_path / "p.gpkg", result.data, place=known["place"])
    frame = geopandas.read_file(tmp_path / "p.gpkg")
    assert frame.crs == UTM
    np.testing.assert_allclose(frame.area.sum(), tiles_image[..., 0].size * 0.25)
    bounds = [412_000, 5_800_000 - 24, 412_000 + 32, 5_800_000]
    np.testing.assert_allclose(frame.total_bounds, bounds)


def test_radar_images_are_told(tmp_path, rng):
    path = tmp_path / "slc.tif"
    write(path, rng.random((1, 20, 30)).astype(np.complex64))
    with pytest.raises(ValueError, match=r"slc.tif holds complex numbers.*save their magnitude"):
        layers_of(path)


def test_bands_keep_their_names(tmp_path, rng, viewer, open_quick_dock, run_to_end, qtbot):
    bands = rng.integers(1, 4000, (4, 20, 30)).astype(np.int16)
    path = write(tmp_path / "field.geotiff", bands)
    with rasterio.open(path, "r+") as raster:
        raster.set_band_description(4, "NIR")
    viewer.open(path, plugin=PLUGIN)
    dock = open_quick_dock(viewer)
    run_to_end(dock)
    assert {"mean band 1", "mean NIR"} <= set(dock.exporter.target.features)
    dock.exporter.export_to(tmp_path / "p.gpkg")
    qtbot.waitUntil(lambda: not dock.exporter.running, timeout=30_000)
    assert {"mean band 1", "p95 NIR"} <= set(geopandas.read_file(tmp_path / "p.gpkg"))


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint64", "int16"])
@pytest.mark.parametrize("value", [1e20, -3.4e38, 2.0**63, 16_777_217.0, 7.0, 0.0])
def test_a_raster_of_one_value(tmp_path, viewer, dtype, value):
    if np.dtype(dtype).kind != "f" and not 0 <= value <= np.iinfo(dtype).max:
        pytest.skip("it does not hold the value")
    path = write(tmp_path / "flat.geotiff", np.full((1, 20, 30), value, dtype))
    (layer,) = viewer.open(path, plugin=PLUGIN)
    low, high = np.float32(layer.contrast_limits)
    assert low < high
    assert (layer.data == np.array(value, dtype)).all()


def test_names_that_gdal_takes_for_something_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "zip:x.tif", np.ones((1, 20, 30), np.uint8))
    ((data, options, _),) = get_reader("zip:x.tif")("zip:x.tif")
    assert data.shape == (20, 30)
    assert options["metadata"][METADATA_KEY]["place"]["transform"] == CORNER
