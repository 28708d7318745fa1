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

from napari_superpixels.cli import main
from napari_superpixels.export import read_provenance, save_labels
from napari_superpixels.export.place import read_place

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
    assert read_place(out) == read_place(raster)
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


def test_segment_leaves_place_and_pixel_size_for_export(tmp_path, raster, tiles_image):
    out = tmp_path / "segmented.tif"
    assert main(["segment", str(raster), "--channel-axis", "-1", "-o", str(out), *QUICK]) == 0
    assert json.loads(json.dumps(read_provenance(out)["place"]))["transform"] == list(CORNER)
    assert main(["export", str(out), "-o", str(tmp_path / "s.gpkg")]) == 0
    assert geopandas.read_file(tmp_path / "s.gpkg").crs == "EPSG:32633"

    cells = tmp_path / "cells.tif"
    tifffile.imwrite(
        cells, tiles_image[..., 0], imagej=True, resolution=(4, 4), metadata={"unit": "micron"}
    )
    assert main(["segment", str(cells), "-o", str(out), "--force", *QUICK]) == 0
    assert main(["export", str(out), "-o", str(tmp_path / "s.csv")]) == 0
    table = pd.read_csv(tmp_path / "s.csv")
    assert set(table["unit"]) == {"um"}
    np.testing.assert_allclose(table["area"], table["area_px"] / 16)
    assert main(["export", str(out), "-o", str(tmp_path / "s.ome.tif")]) == 0
    assert main(["export", str(tmp_path / "s.ome.tif"), "-o", str(tmp_path / "o.csv")]) == 0
    pd.testing.assert_frame_equal(table, pd.read_csv(tmp_path / "o.csv"))


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


def test_labels_that_are_none(tmp_path, capsys):
    iio.imwrite(tmp_path / "empty.png", np.zeros((5, 6), np.uint8))
    np.save(tmp_path / "floats.npy", np.ones((5, 6)))
    for name, words in (
        ("empty.png", "empty.png: the label map holds no superpixel"),
        ("floats.npy", "floats.npy: a label map has two axes, or three in a volume, and whole"),
    ):
        assert main(["export", str(tmp_path / name), "-o", str(tmp_path / "t.csv")]) == 1
        assert words in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()


def test_without_rasterio_a_map_is_told(tmp_path, label_file, raster, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    command = ["export", str(label_file), "--image", str(raster), "-o", str(tmp_path / "t.csv")]
    assert main(command) == 1
    complaint = capsys.readouterr().err
    assert "raster.tif: it lies on a map, and this needs rasterio" in complaint
    assert "[geo]" in complaint
    out = tmp_path / "segmented.tif"
    assert main(["segment", str(raster), "--channel-axis", "-1", "-o", str(out), *QUICK]) == 0
    assert "place" not in read_provenance(out)
