"""``segment`` with labels to start from, on real files."""

from __future__ import annotations

import json

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import rasterio
import tifffile
from skimage.measure import label

from napari_superpixels import superpixels
from napari_superpixels.cli.main import main
from napari_superpixels.io.classes import columns_of
from napari_superpixels.io.formats import read_provenance
from tests.fixtures.files import labels_in

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "9", "--quiet"]


@pytest.fixture
def objects():
    """Three nuclei, of numbers as in a larger image; the squares lie elsewhere."""
    labels = np.zeros((48, 64), np.uint16)
    labels[5:15, 5:15], labels[10:30, 22:40], labels[40, 60] = 12, 700, 3
    return labels


@pytest.fixture
def here(tmp_path, tiles_image, objects, monkeypatch):
    monkeypatch.chdir(tmp_path)
    iio.imwrite("image.png", tiles_image)
    tifffile.imwrite("objects.tif", objects)
    return tmp_path


def segment(*options):
    return main(["segment", *map(str, options), *QUICK])


def pairs_of(labels, objects):
    return np.unique(np.stack([labels.ravel(), objects.ravel()]), axis=1)


def test_objects_are_the_api_and_every_table_tells_them(here, tiles_image, objects):
    formats = ["--format", "tif", "csv", "geojson"]
    assert segment("image.png", "-o", "out/", "--objects", "objects.tif", *formats) == 0
    labels = labels_in(here / "out/image_superpixels.tif")
    expected = superpixels(
        tiles_image, 9, channel_axis=-1, iterations=4, hidden_channels=(4, 4), objects=objects
    )
    np.testing.assert_array_equal(labels, expected)
    table = pd.read_csv("out/image_superpixels.csv").set_index("label")["object"]
    of_pixels = table.loc[labels.ravel()].to_numpy().reshape(labels.shape)
    np.testing.assert_array_equal(of_pixels, objects)
    polygons = json.loads((here / "out/image_superpixels.geojson").read_text())["features"]
    assert {p["properties"]["object"] for p in polygons} == {0, 3, 12, 700}
    provenance = read_provenance(here / "out/image_superpixels.tif")
    assert provenance["objects"] == {"file": "objects.tif", "walls": "hard", "number": 3}
    # The label file knows them too, for formats that are written later.
    known = columns_of(read_provenance(here / "out/image_superpixels.tif"), "").of(table.index)
    np.testing.assert_array_equal(known["object"], table)


def test_a_format_added_later_tells_them_too(here, objects):
    assert segment("image.png", "-o", "out/", "--objects", "objects.tif") == 0
    before = (here / "out/image_superpixels.tif").read_bytes()
    both = ["--format", "tif", "csv"]
    assert segment("image.png", "-o", "out/", "--objects", "objects.tif", *both) == 0
    assert (here / "out/image_superpixels.tif").read_bytes() == before
    table = pd.read_csv("out/image_superpixels.csv")
    assert set(table["object"]) == {0, 3, 12, 700}


def test_scribbles_and_soft_walls(here):
    scribbles = np.zeros((48, 64), np.uint8)
    scribbles[8, 4:40], scribbles[40, 30:60] = 5, 9
    iio.imwrite("scribbles.png", scribbles)
    given = ["--initial", "scribbles.png", "--objects", "objects.tif", "--object-walls", "soft"]
    assert segment("image.png", "-o", "out/", "--format", "tif", "csv", *given) == 0
    labels = labels_in(here / "out/image_superpixels.tif")
    table = pd.read_csv("out/image_superpixels.csv").set_index("label")
    on = scribbles > 0
    np.testing.assert_array_equal(table["initial"].loc[labels[on]], scribbles[on])
    provenance = read_provenance(here / "out/image_superpixels.tif")
    assert provenance["initial"] == {"file": "scribbles.png", "kind": "scribbles", "number": 2}
    assert provenance["objects"]["walls"] == "soft"


@pytest.mark.parametrize("suffix", [".npy", ".zarr", ".ome.tif"])
def test_other_outputs_at_once(here, objects, suffix):
    if suffix == ".ome.tif":
        arguments = ["-o", "out/", "--format", "ome.tif"]
        out = here / "out/image_superpixels.ome.tif"
    else:
        out = here / f"labels{suffix}"
        arguments = ["-o", out]
    assert segment("image.png", *arguments, "--objects", "objects.tif") == 0
    pairs = pairs_of(labels_in(out), objects)
    assert len(np.unique(pairs[0])) == pairs.shape[1]


OTHERWISE = {
    "objects": ([], ["--objects", "objects.tif"], "objects (none, now one)"),
    "no objects": (["--objects", "objects.tif"], [], "objects (one, now none)"),
    "other objects": (
        ["--objects", "objects.tif"],
        ["--objects", "other.tif"],
        "objects (other pixels)",
    ),
    "walls": (
        ["--objects", "objects.tif"],
        ["--objects", "objects.tif", "--object-walls", "soft"],
        "objects walls (hard, now soft)",
    ),
    "initial": ([], ["--initial", "objects.tif"], "initial (none, now one)"),
    "tiles": (
        ["--tile-size-px", "64", "--halo-px", "16"],
        ["--objects", "objects.tif"],
        "objects (none, now one)",
    ),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_run_with_other_labels_is_not_done(here, objects, capsys, name):
    before, now, told = OTHERWISE[name]
    tifffile.imwrite("other.tif", np.where(objects == 3, 0, objects))
    assert segment("image.png", "-o", "out/", *before) == 0
    first = labels_in(here / "out/image_superpixels.tif")
    assert segment("image.png", "-o", "out/", *now) == 0
    assert f"made otherwise, {told}; kept" in capsys.readouterr().err
    np.testing.assert_array_equal(labels_in(here / "out/image_superpixels.tif"), first)


def test_the_same_labels_in_another_file_are_done(here, objects, capsys):
    assert segment("image.png", "-o", "out/", "--objects", "objects.tif") == 0
    np.save("same.npy", objects.astype(np.int32))
    assert segment("image.png", "-o", "out/", "--objects", "same.npy") == 0
    assert "1 of 1 were done already" in capsys.readouterr().out


def test_a_result_of_an_older_version_is_not_done_with_objects(here, capsys):
    assert segment("image.png", "-o", "out/") == 0
    out = here / "out/image_superpixels.tif"
    provenance = read_provenance(out)
    del provenance["run"]
    tifffile.imwrite(out, labels_in(out), metadata={"napari-superpixels": provenance})
    assert segment("image.png", "-o", "out/", "--objects", "objects.tif") == 0
    assert "made otherwise, objects (none, now one); kept" in capsys.readouterr().err


def test_folders_of_labels_and_masks(here, tiles_image, objects, capsys):
    names = {"a": "a.tif", "b": "b_cp_masks.png", "c.x": "c.x_labels.npy"}
    for folder in ("images", "objects", "masks"):
        (here / folder).mkdir()
    for k, (stem, name) in enumerate(names.items()):
        iio.imwrite(f"images/{stem}.png", np.roll(tiles_image, k))
        mask = np.zeros((48, 64), np.uint8)
        mask[:, : 50 + k] = 255
        iio.imwrite(f"masks/{stem}_mask.png", mask)
        if name.endswith("npy"):
            np.save(f"objects/{name}", np.roll(objects, 3 * k))
        else:
            iio.imwrite(f"objects/{name}", np.roll(objects, 3 * k))
    (here / "objects/a.txt").write_text("no labels")
    folders = ["--objects", "objects", "--mask", "masks"]
    assert segment("images", "-o", "out/", *folders) == 0
    for k, stem in enumerate(names):
        labels = labels_in(here / f"out/{stem}_superpixels.tif")
        np.testing.assert_array_equal(labels.any(0), np.arange(64) < 50 + k)
        inside = labels > 0
        pairs = pairs_of(labels[inside], np.roll(objects, 3 * k)[inside])
        assert len(np.unique(pairs[0])) == pairs.shape[1]
        assert (
            read_provenance(here / f"out/{stem}_superpixels.tif")["objects"]["file"]
            == (names[stem])
        )
    # One without a file, one with two: the others are segmented.
    (here / "objects/b_cp_masks.png").unlink()
    np.save("objects/c.x.npy", objects)
    assert segment("images", "-o", "again/", *folders) == 1
    told = capsys.readouterr().err
    assert "objects: holds no file for b.png: name it b.tif, or" in told
    assert "c.x.npy and c.x_labels.npy both fit c.x.png: leave one of them there" in told
    assert [p.name for p in (here / "again").iterdir()] == ["a_superpixels.tif"]


def test_masks_of_cellpose_beside_their_images(here, tiles_image, objects):
    """The image itself has the wanted name too, and is no label file."""
    (here / "data").mkdir()
    tifffile.imwrite("data/a.tif", tiles_image, photometric="rgb")
    tifffile.imwrite("data/a_cp_masks.tif", objects)
    assert segment("data", "-o", "out/", "--objects", "data") == 0
    pairs = pairs_of(labels_in(here / "out/a_superpixels.tif"), objects)
    assert len(np.unique(pairs[0])) == pairs.shape[1]


def test_stacks(here, tiles_image, objects):
    """Labels of a stack's shape, for its planes, its series and its volume."""
    stack = np.stack([tiles_image[..., k] for k in range(3)])
    of_stack = np.stack([np.roll(objects, 5 * k, 1) for k in range(3)])
    tifffile.imwrite("stack.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    tifffile.imwrite("of_stack.tif", of_stack, photometric="minisblack")
    given = ["stack.tif", "--objects", "of_stack.tif"]
    assert segment(*given, "--plane", "1", "-o", "plane.tif") == 0
    assert segment(*given, "--series", "follow", "-o", "series/", "--format", "tif", "csv") == 0
    assert segment(*given, "--volume", "-o", "volume.tif", "--preset", "fast") == 0
    assert segment("stack.tif", "--objects", "objects.tif", "--plane", "0", "-o", "one.tif") == 0
    series = labels_in(here / "series/stack_superpixels.tif")
    volume = labels_in(here / "volume.tif")
    for labels, truth in (
        (labels_in(here / "plane.tif"), of_stack[1]),
        (series[0], of_stack[0]),
        (series[2], of_stack[2]),
        (volume, of_stack),
        (labels_in(here / "one.tif"), objects),
    ):
        pairs = pairs_of(labels, truth)
        assert len(np.unique(pairs[0])) == pairs.shape[1]
    assert label(volume, connectivity=1).max() == volume.max()
    assert set(pd.read_csv("series/stack_superpixels.csv")["object"]) == {0, 3, 12, 700}
    about = read_provenance(here / "series/stack_superpixels.tif")
    assert about["objects"] == {"file": "of_stack.tif", "walls": "hard"}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda o: o[:40], "the objects bad.npy (40, 64) and the image (48, 64) differ in shape"),
        (lambda o: o.astype(np.int16) - 5, "the objects bad.npy hold -5 in"),
        (lambda o: o / 7, "a label map has two axes"),
        (lambda o: np.stack([o] * 5, -1)[None], "differ in shape"),
    ],
)
def test_labels_that_do_not_fit(here, objects, capsys, make, told):
    np.save("bad.npy", make(objects))
    assert segment("image.png", "-o", "out/", "--objects", "bad.npy") == 1
    assert told in capsys.readouterr().err
    assert not list((here / "out").iterdir())


def test_labels_elsewhere_on_the_map(here, objects, capsys):
    for name, west in (("map.tif", 500000), ("away.tif", 700000)):
        with rasterio.open(
            *(name, "w", "GTiff", 64, 48, 1, "EPSG:32632"),
            transform=rasterio.Affine(10, 0, west, 0, -10, 5e6),
            dtype="uint16",
        ) as raster:
            raster.write(objects, 1)
    assert segment("map.tif", "-o", "out/", "--objects", "away.tif") == 1
    assert "lies elsewhere on the map" in capsys.readouterr().err
    assert segment("map.tif", "-o", "out/", "--objects", "map.tif") == 0


def test_labels_do_not_work_in_tiles(here, capsys):
    tiles = ["--tile-size-px", "64"]
    assert segment("image.png", "-o", "o.tif", "--objects", "objects.tif", *tiles) == 1
    told = capsys.readouterr().err
    assert "objects do not work in tiles: cut out the part of the image" in told
    assert not (here / "o.tif").exists()


def test_too_little_memory_does_not_send_into_tiles(here, capsys):
    arguments = ["image.png", "-o", "o.tif", "--memory-limit-gb", "0.001"]
    assert segment(*arguments, "--objects", "objects.tif") == 1
    told = capsys.readouterr().err
    assert "more than the memory limit" in told
    assert "tiles" not in told


def test_an_input_is_never_replaced(here, capsys):
    before = (here / "objects.tif").read_bytes()
    arguments = ["image.png", "-o", "objects.tif", "--objects", "objects.tif", "--force"]
    assert segment(*arguments) == 1
    assert "objects.tif: is an input" in capsys.readouterr().err
    assert (here / "objects.tif").read_bytes() == before
