"""The command with many files."""

from __future__ import annotations

import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import rasterio
import tifffile
from PIL import Image

from napari_superpixels import superpixels, superpixels_series
from napari_superpixels.cli.main import main
from napari_superpixels.io.formats import read_provenance
from tests.fixtures.files import labels_in, stated_size

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "9", "--quiet"]


def test_folder_of_outputs_and_one_bad_input(tmp_path, photo, capsys):
    other = tmp_path / "other.png"
    iio.imwrite(other, np.zeros((20, 20), np.uint8))
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    out = tmp_path / "out"
    assert main(["segment", str(photo), str(bad), str(other), "-o", f"{out}/", *QUICK]) == 1
    assert sorted(p.name for p in out.iterdir()) == [
        "other_superpixels.tif",
        "photo_superpixels.tif",
    ]
    complaints = capsys.readouterr().err
    assert "bad.png: cannot be read as an image" in complaints
    assert "1 of 3 images failed" in complaints


def test_batch(tmp_path, tiles_image, capsys):
    for name in ("a", "b", "c"):
        iio.imwrite(tmp_path / f"{name}.png", tiles_image)
    (tmp_path / "b.png").write_bytes(b"no image")
    pattern, out = str(tmp_path / "*.png"), tmp_path / "out"
    command = ["segment", pattern, "-o", f"{out}/", "--format", "tif", "geojson", "csv", *QUICK]
    assert main(command) == 1
    complaint = capsys.readouterr().err
    assert "1 of 3 images failed:" in complaint
    assert complaint.count("b.png: cannot be read") == 2  # at once, and in the end
    written = {p.name for p in out.iterdir()}
    assert written == {f"{n}_superpixels.{s}" for n in "ac" for s in ("tif", "geojson", "csv")}
    iio.imwrite(tmp_path / "b.png", tiles_image)
    before = (out / "a_superpixels.tif").stat().st_mtime_ns
    assert main(command) == 0
    assert "2 of 3 were done already" in capsys.readouterr().out
    assert (out / "a_superpixels.tif").stat().st_mtime_ns == before
    assert len(list(out.iterdir())) == 9
    assert main(["segment", str(tmp_path / "*.jpg"), "-o", f"{out}/"]) == 1
    assert "no file fits this pattern" in capsys.readouterr().err


def test_results_beside_their_images_are_no_inputs(tmp_path, tiles_image, capsys):
    for name in ("a", "b.c"):
        tifffile.imwrite(tmp_path / f"{name}.tif", tiles_image, photometric="rgb")
    (tmp_path / "a_superpixels.tif.zarr.partial").mkdir()
    command = ["segment", str(tmp_path / "*.tif"), "-o", f"{tmp_path}/", *QUICK]
    assert main(command) == 0
    both = {"a_superpixels.tif", "b.c_superpixels.tif"}
    assert {p.name for p in tmp_path.glob("*_superpixels.tif")} == both
    assert main(command) == 0
    assert "2 of 2 were done already" in capsys.readouterr().out
    assert main([*command[:1], str(tmp_path / "*"), *command[2:]]) == 0
    assert {p.name for p in tmp_path.glob("*_superpixels.tif")} == both
    # Asked for by name, it is an image like any other.
    assert main(["segment", str(tmp_path / "a_superpixels.tif"), "-o", f"{tmp_path}/", *QUICK]) == 0
    assert (tmp_path / "a_superpixels_superpixels.tif").exists()


def test_a_picture_of_more_pixels_than_pillow_reads(tmp_path, photo, capsys, monkeypatch):
    iio.imwrite(tmp_path / "small.png", np.zeros((20, 20), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    command = ["segment", str(photo), str(tmp_path / "small.png"), "-o", f"{tmp_path}/", *QUICK]
    assert main(command) == 1
    complaint = capsys.readouterr().err
    assert "photo.png: has more pixels than are read" in complaint
    assert "save it as TIFF" in complaint
    assert (tmp_path / "small_superpixels.tif").exists()


@pytest.mark.parametrize("extra", [[], ["--series", "alone"], ["--plane", "1"], ["--level", "0"]])
def test_an_axis_that_is_not_there(tmp_path, capsys, rng, extra):
    tifffile.imwrite(tmp_path / "a.tif", rng.integers(0, 255, (20, 30), np.uint8))
    command = ["segment", str(tmp_path / "a.tif"), "-o", str(tmp_path / "o.tif"), *QUICK, *extra]
    assert main([*command, "--channel-axis", "2", "--channels", "0"]) == 1
    assert "a.tif: " in capsys.readouterr().err
    assert not (tmp_path / "o.tif").exists()


def test_a_table_leaves_out_nodata(tmp_path, tiles_image):
    values = tiles_image[..., 0].astype(np.int16)
    bands = np.stack([values, values])
    bands[0, :24] = -999  # in one band only: these pixels have superpixels
    nodata = (42113, "s", 0, "-999", True)  # as GDAL writes it
    tifffile.imwrite(
        tmp_path / "a.tif",
        bands,
        planarconfig="separate",
        photometric="minisblack",
        metadata={"axes": "CYX"},
        extratags=[nodata],
    )
    command = ["segment", str(tmp_path / "a.tif"), "-o", f"{tmp_path}/", "--format", "tif", "csv"]
    assert main([*command, *QUICK]) == 0
    labels = labels_in(tmp_path / "a_superpixels.tif")
    table = pd.read_csv(tmp_path / "a_superpixels.csv").set_index("label")
    (mean,) = [name for name in table if name.startswith("mean") and "0" in name]
    for label in np.unique(labels[24:]):
        inside = (labels == label) & (bands[0] != -999)
        assert table.loc[label, mean] == pytest.approx(bands[0][inside].mean())


@pytest.mark.parametrize(("name", "is_imagej"), [("chromosome.tif", True), ("x.ome.tiff", False)])
def test_names_that_end_like_ome(tmp_path, tiles_image, name, is_imagej):
    image = tmp_path / "a.tif"
    tifffile.imwrite(
        image, tiles_image[..., 0], imagej=True, resolution=(4, 4), metadata={"unit": "um"}
    )
    assert main(["segment", str(image), "-o", str(tmp_path / name), *QUICK]) == 0
    assert "parameters" in read_provenance(tmp_path / name)
    with tifffile.TiffFile(tmp_path / name) as file:
        assert file.is_ome != is_imagej
    assert stated_size(tmp_path / name, 2) == ((0.25, 0.25), "um")


def test_formats_of_planes_are_refused_before_a_volume_is_segmented(tmp_path, rng, capsys):
    np.save(tmp_path / "v.npy", rng.random((6, 20, 24)))
    command = ["segment", str(tmp_path / "v.npy"), "-o", f"{tmp_path}/o/", "--volume", *QUICK]
    assert main([*command, "--format", "tif", "gpkg", "csv"]) == 1
    assert "v_superpixels.gpkg: this format holds one plane, not a stack" in capsys.readouterr().err
    assert not list((tmp_path / "o").iterdir())
    assert main([*command, "--format", "tif", "zarr", "csv"]) == 0
    assert len(list((tmp_path / "o").iterdir())) == 3


def test_a_folder_and_resume_without_anything_to_resume(tmp_path, tiles_image, capsys):
    tifffile.imwrite(tmp_path / "a.tif", tiles_image, photometric="rgb")
    (tmp_path / "notes.txt").write_text("no image")
    out = tmp_path / "out"
    command = ["segment", str(tmp_path), "-o", f"{out}/", *QUICK]
    assert main([*command, "--resume"]) == 0
    assert "in 1 tile" not in capsys.readouterr().out
    assert [path.name for path in out.iterdir()] == ["a_superpixels.tif"]
    (tmp_path / "taken").write_text("")
    assert main(["segment", str(tmp_path), "-o", f"{tmp_path}/taken/", *QUICK]) == 1
    assert "taken: is a file; choose a folder" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main(["segment", str(tmp_path / "none"), "-o", f"{out}/"]) == 1
    assert "none: is a folder without images (.tif, " in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(tmp_path, photo, capsys):
    (tmp_path / "file").write_text("")
    out = f"{tmp_path / 'file' / 'new'}/"
    assert main(["segment", str(photo), "-o", out]) == 1
    assert "the folder cannot be made" in capsys.readouterr().err


def test_two_images_of_one_name_are_both_named(tmp_path, photo, capsys):
    other = tmp_path / "other" / photo.with_suffix(".tif").name
    other.parent.mkdir()
    tifffile.imwrite(other, np.zeros((20, 20), np.uint8))
    out = tmp_path / "out"
    assert main(["segment", str(photo), str(other), "-o", f"{out}/", *QUICK]) == 1
    complaint = capsys.readouterr().err
    both = f"{photo} and {other} would both be written to {out / photo.stem}_superpixels.tif"
    assert both in complaint
    assert not out.exists()


def test_a_truncated_tiff_is_told_once(tmp_path):
    whole = tmp_path / "whole.tif"
    values = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    tifffile.imwrite(whole, values, compression="zlib", rowsperstrip=8)
    (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[:1000])
    command = ["segment", str(tmp_path / "cut.tif"), "-o", str(tmp_path / "out.tif"), *QUICK]
    done = subprocess.run(
        [sys.executable, "-m", "napari_superpixels", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "cut.tif: cannot be read as an image" in line


@pytest.mark.parametrize(
    ("value", "words"), [("1e999", "1e999 is larger than any pixel"), ("none", "'none' is no num")]
)
def test_nodata_values_that_are_none(photo, tmp_path, capsys, value, words):
    with pytest.raises(SystemExit):
        main(["segment", str(photo), "-o", str(tmp_path / "out.tif"), "--nodata", value])
    assert words in capsys.readouterr().err


def test_one_superpixel_is_told_as_one(photo, tmp_path, capsys):
    quick = [*QUICK, "--n-segments", "1"]
    assert main(["segment", str(photo), "-o", str(tmp_path / "out.tif"), *quick]) == 0
    assert ": 1 superpixel of 1 asked for" in capsys.readouterr().out


def test_results_of_other_parameters_are_kept_and_told(photo, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["segment", str(photo), "-o", f"{out}/", *QUICK]
    assert main(command) == 0
    assert main(command) == 0
    assert "otherwise" not in capsys.readouterr().err
    kept = (out / "photo_superpixels.tif").read_bytes()
    assert main([*command, "--n-segments", "12", "--lam", "1.5"]) == 0
    complaint = capsys.readouterr().err
    words = "photo.png: made otherwise, lam (2.0, now 1.5), n_segments (9, now 12); kept:"
    assert words in complaint
    assert (out / "photo_superpixels.tif").read_bytes() == kept
    # No format of another run beside it.
    assert main([*command, "--n-segments", "12", "--format", "tif", "csv"]) == 0
    assert "n_segments (9, now 12)" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["photo_superpixels.tif"]
    # Nor where only other formats are asked for.
    assert main([*command, "--n-segments", "12", "--format", "csv"]) == 0
    assert "n_segments (9, now 12)" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["photo_superpixels.tif"]
    # Also where a format is added, and in tiles; what is broken is told as well.
    assert main([*command, "--n-segments", "12", "--format", "tif", "csv"]) == 0
    assert "n_segments (9, now 12)" in capsys.readouterr().err
    for n in (9, 12):
        assert main([*command, "--format", "zarr", "--n-segments", str(n)]) == 0
    assert "n_segments (9, now 12)" in capsys.readouterr().err
    (out / "photo_superpixels.tif").write_bytes(kept[:6])
    assert main(command) == 0
    assert "photo.png: what is there cannot be read (" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_dates_that_are_bands_of_a_map(tmp_path, rng, interleave):
    """A raster of one band a date is a time series, if the user says that bands are no channels."""
    path, out = tmp_path / "dates.tif", tmp_path / "out.tif"
    dates = rng.integers(0, 4000, (3, 24, 32)).astype(np.uint16)
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 4e5, 0, -10, 5.8e6)}
    size = {"width": 32, "height": 24, "count": 3, "dtype": "uint16", "interleave": interleave}
    with rasterio.open(
        path, "w", driver="GTiff", photometric="MINISBLACK", **size, **place
    ) as file:
        file.write(dates)
    command = ["segment", str(path), "-o", str(out), "--channel-axis", "none", *QUICK]
    assert main([*command, "--series", "alone"]) == 0
    quick = {"iterations": 4, "hidden_channels": (4, 4)}
    expected = superpixels_series(dates, 9, follow=False, **quick)
    np.testing.assert_array_equal(tifffile.imread(out), expected)
    assert main([*command, "--plane", "1", "--force"]) == 0
    np.testing.assert_array_equal(tifffile.imread(out), superpixels(dates[1], 9, **quick))
