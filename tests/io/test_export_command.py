"""napari-superpixels export, as a user types it."""

from __future__ import annotations

import json

import geopandas
import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import rasterio
import tifffile
from PIL import Image
from rasterio.control import GroundControlPoint

from napari_superpixels.cli.main import main
from napari_superpixels.cli.output import write_output
from napari_superpixels.io.formats import export_labels, read_provenance, save_labels
from napari_superpixels.io.formats.label_image import LabelDescription
from napari_superpixels.io.georeference import read_georeference
from tests.fixtures.files import stated_size

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "9", "--quiet"]
CORNER = (0.5, 0.0, 412_000.0, 0.0, -0.5, 5_800_000.0)


@pytest.fixture
def label_file(tmp_path, labels):
    path = tmp_path / "labels.tif"
    save_labels(path, labels, {"source": "photo.png"})
    return path


@pytest.fixture
def raster(tmp_path, labels, rng):
    """Two bands on the map, with a nodata value."""
    path = tmp_path / "raster.tif"
    bands = rng.integers(1, 4000, (2, *labels.shape)).astype(np.int16)
    bands[:, 0, 0] = -999
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=16,
        height=12,
        count=2,
        dtype="int16",
        nodata=-999,
        crs="EPSG:32633",
        transform=rasterio.Affine(*CORNER),
    ) as file:
        file.write(bands)
    return path


def test_every_format_in_one_call(tmp_path, label_file, labels, image, capsys):
    np.save(tmp_path / "image.npy", image)
    names = (
        "t.csv t.parquet t.edges.csv t.graphml t.geojson t.gpkg t.zip i.tif t.ome.tif t.zarr t.png"
    )
    outputs = [tmp_path / name for name in names.split()]
    command = ["export", str(label_file), "--image", str(tmp_path / "image.npy")]
    command += ["--channel-axis", "-1", "--channel-names", "DAPI", "actin"]
    command += ["--pixel-size", "0.5", "0.5", "--unit", "um", "-o", *map(str, outputs)]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == [f"{out}: 4 superpixels" for out in outputs]
    assert all(output.exists() for output in outputs)
    table = pd.read_csv(outputs[0])
    assert table["mean actin"].iloc[0] == pytest.approx(image[labels == 5][:, 1].mean())
    assert set(table["unit"]) == {"um"}
    # Again: nothing is overwritten, then all is.
    assert main(command) == 1
    assert "t.csv: exists already; use --force" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0


def test_the_place_comes_from_the_image(tmp_path, label_file, labels, raster):
    table, polygons, out = (tmp_path / name for name in ("t.csv", "p.gpkg", "on_map.tif"))
    files = ["-o", str(table), str(polygons), str(out)]
    assert main(["export", str(label_file), "--image", str(raster), *files]) == 0
    assert read_georeference(out) == read_georeference(raster)
    frame = geopandas.read_file(polygons)
    np.testing.assert_allclose(frame.area, frame["area_px"] * 0.25)
    with rasterio.open(raster) as file:
        first = file.read(1)
    known = (labels == 5) & (first != -999)
    assert pd.read_csv(table)["mean channel 0"].iloc[0] == pytest.approx(first[known].mean())
    # The GeoTIFF that was written says itself where it lies, and --like says it for others.
    assert main(["export", str(out), "-o", str(tmp_path / "again.gpkg")]) == 0
    assert geopandas.read_file(tmp_path / "again.gpkg").crs == "EPSG:32633"
    like = ["--like", str(raster), "-o", str(tmp_path / "like.gpkg")]
    assert main(["export", str(label_file), *like]) == 0
    assert geopandas.read_file(tmp_path / "like.gpkg").crs == "EPSG:32633"


@pytest.mark.slow
def test_segment_leaves_place_and_pixel_size_for_export(tmp_path, raster, tiles_image):
    out = tmp_path / "segmented.tif"
    assert main(["segment", str(raster), "--channel-axis", "-1", "-o", str(out), *QUICK]) == 0
    assert json.loads(json.dumps(read_provenance(out)["place"]))["transform"] == list(CORNER)
    assert main(["export", str(out), "-o", str(tmp_path / "s.gpkg")]) == 0
    assert geopandas.read_file(tmp_path / "s.gpkg").crs == "EPSG:32633"
    with rasterio.open(raster) as source, rasterio.open(out) as labels:  # what QGIS goes by
        assert (labels.crs, labels.transform) == (source.crs, source.transform)
        assert labels.nodata == 0

    cells = tmp_path / "cells.tif"
    tifffile.imwrite(
        cells, tiles_image[..., 0], imagej=True, resolution=(4, 4), metadata={"unit": "micron"}
    )
    assert main(["segment", str(cells), "-o", str(out), "--force", *QUICK]) == 0
    with tifffile.TiffFile(out) as file:  # what Fiji goes by
        assert file.is_imagej
        assert file.imagej_metadata["unit"] == "um"
        assert file.pages.first.tags["XResolution"].value == (4, 1)
    assert read_provenance(out)["source"] == "cells.tif"
    assert main(["export", str(out), "-o", str(tmp_path / "s.csv")]) == 0
    table = pd.read_csv(tmp_path / "s.csv")
    assert set(table["unit"]) == {"um"}
    np.testing.assert_allclose(table["area"], table["area_px"] / 16)
    assert main(["export", str(out), "-o", str(tmp_path / "s.ome.tif")]) == 0
    assert main(["export", str(tmp_path / "s.ome.tif"), "-o", str(tmp_path / "o.csv")]) == 0
    pd.testing.assert_frame_equal(table, pd.read_csv(tmp_path / "o.csv"))


@pytest.mark.slow
def test_more_labels_than_imagej_holds_stay_whole_numbers(tmp_path, rng):
    labels = rng.permutation(300 * 300).reshape(300, 300) + 1
    out, table = tmp_path / "labels.tif", tmp_path / "t.csv"
    known = {"pixel_size": [0.5, 0.25], "unit": "um"}
    about = LabelDescription(pixel_size=(0.5, 0.25), unit="um", provenance=known)
    write_output(out, labels, None, about, overwrite=False)
    np.testing.assert_array_equal(tifffile.imread(out), labels.astype(np.uint32))
    assert tifffile.imread(out).dtype == np.uint32
    assert main(["export", str(out), "-o", str(table)]) == 0
    assert pd.read_csv(table)["area"].iloc[0] == pytest.approx(0.125)


@pytest.mark.slow
def test_frames_and_volumes_have_their_pixel_size(tmp_path, rng):
    stack, out = tmp_path / "stack.tif", tmp_path / "out.tif"
    values = rng.integers(0, 255, (3, 20, 24)).astype(np.uint8)
    about = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(stack, values, imagej=True, resolution=(2, 2), metadata=about)
    for option in (["--volume"], ["--series", "alone"]):
        command = ["segment", str(stack), "-o", str(out), "--force", *option, *QUICK]
        assert main(command) == 0
        with tifffile.TiffFile(out) as file:
            assert file.series[0].axes == "ZYX"
            assert file.imagej_metadata["spacing"] == 2.0
        assert ("series" in read_provenance(out)) == (option[0] == "--series")


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_a_plane_of_a_volume(tmp_path, rng, axis):
    volume = rng.integers(0, 5, (3, 12, 16)).astype(np.uint16)
    path, image, out = tmp_path / "volume.ome.tif", tmp_path / "image.npy", tmp_path / "t.csv"
    tifffile.imwrite(
        path,
        volume,
        ome=True,
        photometric="minisblack",
        metadata={"axes": "ZYX", "PhysicalSizeZ": 2, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.5},
    )
    values = rng.random((3, 12, 16) if axis is None else (2, 3, 12, 16))
    np.save(image, values if axis is None else np.moveaxis(values, 0, axis))
    channel = [] if axis is None else ["--channel-axis", str(axis)]
    options = ["--image", str(image), *channel, "--plane", "1", "-o", str(out)]
    assert main(["export", str(path), *options]) == 0
    table = pd.read_csv(out)
    np.testing.assert_allclose(table["area"], table["area_px"] * 0.25)
    name, first = ("intensity", values) if axis is None else ("channel 0", values[0])
    expected = [first[1][volume[1] == label].mean() for label in table["label"]]
    np.testing.assert_allclose(table[f"mean {name}"], expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "t.doc"], "t.doc: the format follows the suffix, one of .ome.tif"),
        (["-o", "none/t.csv"], "make the folder first"),
        (["-o", "labels.tif", "--force"], "labels.tif: is an input"),
        (["-o", "t.png"], "give it with --image"),
        (["-o", "t.csv", "--plane", "0"], "--plane takes no number: this is no volume"),
        (["-o", "t.csv", "--unit", "um"], "--pixel-size needs --unit"),
        (["-o", "t.csv", "--pixel-size", "1", "2"], "--pixel-size needs --unit"),
        (["-o", "t.csv", "--pixel-size", "1", "--unit", "m"], "needs 2 numbers above 0"),
        (["-o", "t.csv", "--image", "none.png"], "none.png: no such file"),
        (["-o", "t.csv", "--image", "small.npy"], "differ in shape"),
        (["-o", "t.csv", "--like", "small.npy"], "small.npy: cannot be read as a raster"),
        (["-o", "t.zarr"], "t.zarr: is a folder; choose another name"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, label_file, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.zarr").mkdir()
    np.save("small.npy", np.ones((3, 3)))
    before = sorted(tmp_path.iterdir())
    force = ["--force"] if "t.zarr" in options else []
    assert main(["export", "labels.tif", *options, *force]) == 1
    assert words in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["l.zarr", "l.npy", "l.ome.tif"])
def test_the_place_of_the_image_counts_whatever_the_labels_say(tmp_path, raster, labels, name):
    """Also where the labels have a pixel size of their own, or a place as OME-Zarr."""
    size = ["--pixel-size", "0.5", "0.5", "--unit", "m"] if name == "l.ome.tif" else []
    if name == "l.ome.tif":
        save_labels(tmp_path / "l.tif", labels)
        command = ["export", str(tmp_path / "l.tif"), *size]
    else:
        command = ["segment", str(raster), *QUICK]
    assert main([*command, "-o", str(tmp_path / name)]) == 0
    for options in ([], ["--image", str(raster)]):
        out = tmp_path / f"{len(options)}.gpkg"
        assert main(["export", str(tmp_path / name), *options, "-o", str(out)]) == 0
        frame = geopandas.read_file(out)
        if options or name == "l.zarr":
            assert frame.crs == "EPSG:32633"
            assert frame.total_bounds[0] >= 412_000
            np.testing.assert_allclose(frame["area"], frame["area_px"] / 4)
        else:
            assert frame.crs is None


def test_labels_that_others_write(tmp_path):
    labels = np.repeat([[0, 1, 2, 3]], 3, axis=0).astype(np.uint8)
    palette = Image.fromarray(labels, "P")
    palette.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    palette.save(tmp_path / "palette.png")
    tifffile.imwrite(tmp_path / "float.tif", labels.astype(np.float32) * 70_000)
    for name, nodata, dtype in (("byte.tif", 3, "uint8"), ("signed.tif", -1, "int16")):
        stored = np.where(labels == 3, nodata, labels.astype(int)).astype(dtype)
        tags = [(42113, "s", 0, str(nodata), True)]  # as GDAL does
        tifffile.imwrite(tmp_path / name, stored, extratags=tags)
    expected = {
        "palette.png": [1, 2, 3],
        "float.tif": [70_000, 140_000, 210_000],
        "byte.tif": [1, 2],
        "signed.tif": [1, 2],
    }
    for name, ids in expected.items():
        out = tmp_path / f"{name}.csv"
        assert main(["export", str(tmp_path / name), "-o", str(out)]) == 0
        table = pd.read_csv(out)
        assert table["label"].tolist() == ids
        assert set(table["area_px"]) == {3}


def test_ground_control_points_are_no_place(tmp_path, label_file, labels):
    places = ((0, 0), (9, 2), (5, 9))
    points = [GroundControlPoint(r, c, 400_000 + c, 5_000_000 - r) for r, c in places]
    path = tmp_path / "gcp.tif"
    known = {"gcps": points, "crs": "EPSG:32633", "dtype": "uint8"}
    with rasterio.open(path, "w", "GTiff", 16, 12, 1, **known) as file:
        file.write(np.ones((12, 16), np.uint8), 1)
    out = tmp_path / "t.csv"
    assert main(["export", str(label_file), "--image", str(path), "-o", str(out)]) == 0
    assert set(pd.read_csv(out)["unit"]) == {"pixel"}


def test_what_cannot_be_written_is_told_before_anything_is(tmp_path, capsys, rng):
    np.save(tmp_path / "volume.npy", rng.integers(0, 5, (3, 12, 16)))
    command = ["export", str(tmp_path / "volume.npy"), "-o"]
    for names, words in (
        (["t.csv", "t.gpkg"], "t.gpkg: this format holds one plane, and the labels are a stack"),
        (["t.csv", "t.csv"], "t.csv: is named twice"),
    ):
        assert main([*command, *(str(tmp_path / name) for name in names)]) == 1
        assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["volume.npy"]


def test_one_format_that_is_refused_does_not_stop_the_others(tmp_path, capsys):
    np.save(tmp_path / "large.npy", np.full((12, 16), 2**24 + 1))
    outputs = [tmp_path / name for name in ("none/t.csv", "t.tif", "t.csv")]
    command = ["export", str(tmp_path / "large.npy"), "-o", *map(str, outputs)]
    assert main(command) == 1
    told = capsys.readouterr()
    assert told.out == f"{outputs[2]}: 1 superpixel\n"
    lines = told.err.splitlines()
    assert lines[0].endswith("2 of 3 files could not be written:")
    assert f"{outputs[0]}: cannot be written" in lines[1]
    assert f"{outputs[1]}: TIFF for ImageJ holds labels up to 16777216" in lines[2]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large.npy", "t.csv"]


def test_a_plane_takes_an_image_of_that_plane(tmp_path, rng, capsys):
    volume, plane = rng.integers(0, 5, (3, 12, 16)), rng.random((12, 16))
    np.save(tmp_path / "volume.npy", volume)
    np.save(tmp_path / "plane.npy", plane)
    command = [
        "export",
        str(tmp_path / "volume.npy"),
        "--plane",
        "1",
        "-o",
        str(tmp_path / "t.csv"),
    ]
    command += ["--image", str(tmp_path / "plane.npy")]
    assert main(command) == 0
    table = pd.read_csv(tmp_path / "t.csv")
    expected = [plane[volume[1] == label].mean() for label in table["label"]]
    np.testing.assert_allclose(table["mean intensity"], expected)
    assert main([*command, "--channel-axis", "9", "--force"]) == 1
    assert "--channel-axis must be one of the axes, 0 to 1, got 9" in capsys.readouterr().err


def test_labels_that_are_none(tmp_path, capsys):
    iio.imwrite(tmp_path / "empty.png", np.zeros((5, 6), np.uint8))
    np.save(tmp_path / "floats.npy", np.full((5, 6), 0.5))
    iio.imwrite(tmp_path / "photo.png", np.arange(90, dtype=np.uint8).reshape(5, 6, 3))
    for name, words in (
        ("empty.png", "empty.png: the label map holds no superpixel"),
        ("floats.npy", "floats.npy: a label map has two axes, or three in a volume, and whole"),
        ("photo.png", "photo.png: holds 3 channels or colours, and labels have none"),
    ):
        assert main(["export", str(tmp_path / name), "-o", str(tmp_path / "t.csv")]) == 1
        assert words in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()


def test_without_rasterio_a_map_is_told(tmp_path, label_file, raster, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    command = ["export", str(label_file), "--image", str(raster), "-o", str(tmp_path / "t.csv")]
    assert main(command) == 1
    complaint = capsys.readouterr().err
    assert "raster.tif: it lies on a map: this needs rasterio" in complaint
    assert "[geo]" in complaint
    out = tmp_path / "segmented.tif"
    assert main(["segment", str(raster), "--channel-axis", "-1", "-o", str(out), *QUICK]) == 0
    assert "place" not in read_provenance(out)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".zarr"])
def test_what_is_known_of_labels_goes_along(tmp_path, rng, suffix):
    """Planes in depth that were segmented one by one stay frames, whatever format they take."""
    stack, out = tmp_path / "stack.tif", tmp_path / "out.tif"
    values = rng.integers(0, 255, (3, 20, 24)).astype(np.uint8)
    about = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(stack, values, imagej=True, resolution=(2, 2), metadata=about)
    assert main(["segment", str(stack), "-o", str(out), "--series", "alone", *QUICK]) == 0
    copy, again = tmp_path / f"copy{suffix}", tmp_path / f"again{suffix}"
    assert main(["export", str(out), "-o", str(copy)]) == 0
    assert main(["export", str(copy), "-o", str(again)]) == 0
    tables = []
    for i, labels in enumerate((out, copy, again)):
        tables.append(tmp_path / f"{i}.csv")
        assert main(["export", str(labels), "-o", str(tables[-1])]) == 0
        assert read_provenance(labels)["parameters"]["iterations"] == 4
    assert "frame" in pd.read_csv(tables[0])
    pd.testing.assert_frame_equal(*(pd.read_csv(table) for table in tables[:2]))
    pd.testing.assert_frame_equal(*(pd.read_csv(table) for table in tables[1:]))


def test_labels_beside_their_image_know_how_they_were_made(tmp_path, labels, rng):
    path = tmp_path / "both.zarr"
    export_labels(path, labels, rng.random(labels.shape), provenance={"seed": 3})
    assert read_provenance(path) == {"seed": 3}


def test_a_plane_of_frames_is_no_series(tmp_path, labels):
    frames, plane = tmp_path / "frames.tif", tmp_path / "plane.tif"
    save_labels(frames, np.stack([labels, labels]), {"series": "follow", "seed": 3})
    assert main(["export", str(frames), "--plane", "1", "-o", str(plane)]) == 0
    assert read_provenance(plane) == {"seed": 3}


def test_a_scale_without_a_unit_goes_along_to_ome_zarr(tmp_path, labels):
    path = tmp_path / "labels.zarr"
    export_labels(path, np.stack([labels, labels]), pixel_size=(2, 0.5, 0.25), unit="pixel")
    assert main(["export", str(path), "-o", str(tmp_path / "copy.zarr")]) == 0
    assert stated_size(tmp_path / "copy.zarr", 3) == ((2, 0.5, 0.25), None)
