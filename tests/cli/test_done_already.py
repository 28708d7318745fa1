"""What is there is left alone only if it is of the same image, made in the same way."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from dask.base import is_dask_collection
from dask.callbacks import Callback

from napari_superpixels.cli.main import main
from napari_superpixels.io import images
from napari_superpixels.io.formats import read_provenance
from tests.fixtures.files import labels_in

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "9", "--quiet"]
STACK = ["stack.tif", "--channel-axis", "none"]
TILES = ["--tile-size-px", "64", "--halo-px", "16"]


@pytest.fixture
def here(tmp_path, tiles_image, monkeypatch):
    """A folder with an image, a stack and two masks, as the working folder."""
    monkeypatch.chdir(tmp_path)
    big = np.tile(tiles_image, (2, 2, 1))
    tifffile.imwrite("image.tif", big, photometric="rgb")
    tifffile.imwrite("stack.tif", np.stack([big[..., 0], big[..., 1]]), photometric="minisblack")
    for name, n in (("mask.tif", 40), ("mask2.tif", 41)):
        mask = np.zeros(big.shape[:2], np.uint8)
        mask[:n] = 1
        tifffile.imwrite(name, mask)
    return tmp_path


def segment(*options):
    return main(["segment", *options, "-o", "out/", *QUICK])


# What is asked for at first, then instead of it, and what is said of that.
OTHERWISE = {
    "plane": ([*STACK, "--plane", "0"], [*STACK, "--plane", "1"], "plane (0, now 1)"),
    "a plane, the series": (
        [*STACK, "--plane", "0"],
        [*STACK, "--series", "alone"],
        "series (none, now alone)",
    ),
    "series": (
        [*STACK, "--series", "alone"],
        [*STACK, "--series", "follow"],
        "series (alone, now follow)",
    ),
    "the series, a volume": (
        [*STACK, "--series", "alone"],
        [*STACK, "--volume"],
        "spacing (none, now 1.0 × 1.0 × 1.0)",
    ),
    "spacing": (
        [*STACK, "--volume"],
        [*STACK, "--spacing", "2", "1", "1"],
        "spacing (1.0 × 1.0 × 1.0, now 2.0 × 1.0 × 1.0)",
    ),
    "no mask": (["image.tif"], ["image.tif", "--mask", "mask.tif"], "mask (none, now one)"),
    "a mask no more": (["image.tif", "--mask", "mask.tif"], ["image.tif"], "mask (one, now none)"),
    "mask": (
        ["image.tif", "--mask", "mask.tif"],
        ["image.tif", "--mask", "mask2.tif"],
        "mask (other pixels)",
    ),
    "channels": (
        ["image.tif", "--channels", "0"],
        ["image.tif", "--channels", "0,1"],
        "image channels (0, now 0 × 1)",
    ),
    "channel axis": (
        ["stack.tif", "--channel-axis", "0"],
        [*STACK, "--plane", "0"],
        "image channel_axis (0, now none)",
    ),
    "nodata": (["image.tif"], ["image.tif", "--nodata", "7"], "nodata (nan, now 7.0)"),
    "seed": (["image.tif"], ["image.tif", "--seed", "7"], "seed (0, now 7)"),
    "tiles": (["image.tif"], ["image.tif", *TILES], "tiles (none, now asked for)"),
    "tiles no more": (["image.tif", *TILES], ["image.tif"], "tile_px (48 × 64, now"),
    "tile size": (
        ["image.tif", *TILES],
        ["image.tif", "--tile-size-px", "96", "--halo-px", "16"],
        "tile_px (48 × 64, now",
    ),
    "mask of tiles": (
        ["image.tif", *TILES, "--mask", "mask.tif"],
        ["image.tif", *TILES, "--mask", "mask2.tif"],
        "mask (other pixels)",
    ),
    "nodata of tiles": (
        ["image.tif", *TILES],
        ["image.tif", *TILES, "--nodata", "7"],
        "nodata (nan, now 7.0)",
    ),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_other_options(case, here, capsys):
    before, now, words = OTHERWISE[case]
    assert segment(*before) == 0
    (result,) = (here / "out").iterdir()
    kept = result.read_bytes()
    assert segment(*before) == 0
    printed = capsys.readouterr()
    assert "1 of 1 were done already" in printed.out
    assert "otherwise" not in printed.err
    for more in ([], ["--format", "tif", "csv"]):  # nothing is written beside it either
        assert segment(*now, *more) == 0
        printed = capsys.readouterr()
        assert ": made otherwise, " in printed.err
        assert words in printed.err
        assert "done already" not in printed.out
        assert list((here / "out").iterdir()) == [result]
    assert result.read_bytes() == kept


WAYS = {
    "at once": ["image.tif"],
    "channels": ["image.tif", "--channels", "0,2"],
    "tiles": ["image.tif", *TILES],
    "plane": [*STACK, "--plane", "1"],
    "series": [*STACK, "--series", "alone"],
    "volume": [*STACK, "--volume"],
}


@pytest.mark.parametrize("way", WAYS)
def test_another_image_of_the_same_name(way, here, capsys):
    command = WAYS[way]
    assert segment(*command) == 0
    image = here / command[0]
    shutil.copy(image, here / "copy.tif")  # of another time
    shutil.move(here / "copy.tif", image)
    assert segment(*command) == 0
    assert "1 of 1 were done already" in capsys.readouterr().out
    values = tifffile.imread(image)
    values[-1, -1, 0] ^= 1
    kind = "rgb" if values.shape[-1] == 3 else "minisblack"
    tifffile.imwrite(image, values, photometric=kind)
    assert segment(*command) == 0
    printed = capsys.readouterr()
    assert f"{command[0]}: made otherwise, image (other pixels); kept" in printed.err
    assert "done already" not in printed.out
    assert segment(*command, "--force") == 0
    assert segment(*command) == 0
    assert "1 of 1 were done already" in capsys.readouterr().out


@pytest.mark.parametrize("way", WAYS)
def test_one_more_format_is_of_the_same_labels(way, here, capsys, monkeypatch):
    command = WAYS[way]
    assert segment(*command) == 0
    labels = labels_in(here / "out" / f"{command[0][:-4]}_superpixels.tif")
    # Whatever a second run would give, be it on another device.
    for module in ("api.image.iter_superpixels", "api.series.iter_series"):
        monkeypatch.setattr(f"napari_superpixels.{module}", None)
    monkeypatch.setattr("napari_superpixels.tiling.run.iter_superpixels_tiled", None)
    assert segment(*command, "--format", "tif", "zarr", "npy", "csv", "ome.tif") == 0
    printed = capsys.readouterr()
    assert f": written from {command[0][:-4]}_superpixels.tif" in printed.out
    files = {path.name.split(".", 1)[1]: path for path in (here / "out").iterdir()}
    assert set(files) == {"tif", "zarr", "npy", "csv", "ome.tif"}
    for kind in ("zarr", "npy", "ome.tif"):
        np.testing.assert_array_equal(labels_in(files[kind]), labels)
    table = pd.read_csv(files["csv"])
    assert set(table["label"]) == set(np.unique(labels[labels > 0]))
    source = tifffile.imread(here / command[0])
    if way in ("at once", "channels", "tiles"):
        mean = source[labels == 1].mean(axis=0)
        np.testing.assert_allclose(
            table.filter(like="mean").iloc[0].to_numpy()[:3], mean, rtol=1e-6
        )
    capsys.readouterr()
    assert segment(*command, "--format", "tif", "zarr", "npy", "csv", "ome.tif") == 0
    assert "1 of 1 were done already" in capsys.readouterr().out


def test_a_table_alone_does_not_say_how_it_was_made(here, capsys):
    assert segment("image.tif", "--format", "csv") == 0
    assert segment("image.tif", "--format", "csv", "--seed", "5") == 0
    assert "1 of them: of which image and how" in capsys.readouterr().out
    assert segment("image.tif", "--format", "csv", "tif") == 0
    error = capsys.readouterr().err
    assert "image_superpixels.csv: is there already, and does not tell of which image" in error
    assert "--force to make all anew" in error
    assert [path.name for path in (here / "out").iterdir()] == ["image_superpixels.csv"]
    assert segment("image.tif", "--format", "csv", "tif", "--force") == 0


def test_results_hold_no_path(here):
    assert segment(str(here / "image.tif"), *TILES, "--format", "tif", "zarr", "ome.tif") == 0
    assert segment(str(here / "stack.tif"), *STACK[1:], "--mask", str(here / "mask.tif")) == 1
    assert segment(str(here / "stack.tif"), *STACK[1:], "--volume") == 0
    results = list((here / "out").iterdir())
    assert len(results) == 4
    for result in results:
        assert read_provenance(result)["source"] in ("image.tif", "stack.tif")
        files = result.rglob("*") if result.is_dir() else [result]
        for file in files:
            assert file.is_dir() or str(here).encode() not in file.read_bytes()


MODES = {
    "at once": (["image.tif"], 1),
    "some channels": (["image.tif", "--channels", "0,2"], 1),
    "plane": ([*STACK, "--plane", "1"], 1),
    "volume": ([*STACK, "--volume"], 1),
    "series": ([*STACK, "--series", "alone"], 2),
}


@pytest.mark.parametrize("mode", MODES)
def test_an_input_is_decoded_once(mode, here):
    command, n_parts = MODES[mode]
    decoded = []
    with Callback(start=decoded.append):
        formats = ["csv", "parquet", "ome.tif", "edges.csv"]
        assert segment(*command, "--format", *formats) == 0
    assert len(decoded) == n_parts


def test_more_formats_of_tiles_read_the_image_no_more(here, monkeypatch):
    n_read = []
    read = images.read_now

    def noted(array, path):
        n_read[-1] += path.name == "image.tif" and is_dask_collection(array)
        return read(array, path)

    monkeypatch.setattr(images, "read_now", noted)
    for formats in (["csv"], ["csv", "geojson", "zip"]):
        shutil.rmtree(here / "out", ignore_errors=True)
        n_read.append(0)
        assert segment("image.tif", *TILES, "--format", *formats) == 0
    assert n_read == [1, 1]
