"""The command for images that are segmented in tiles."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import tifffile
import zarr

from napari_superpixels.cli.main import main
from napari_superpixels.errors import ExportError
from napari_superpixels.io.formats import read_provenance
from napari_superpixels.io.georeference import read_georeference
from napari_superpixels.plan import run_plan
from tests.fixtures.files import labels_in, stated_size


@pytest.fixture
def raster(tmp_path, tiles_image):
    """A TIFF of several tiles."""
    path = tmp_path / "raster.tif"
    tifffile.imwrite(path, np.tile(tiles_image, (4, 4, 1)), photometric="rgb", tile=(32, 32))
    return path


TILES = ["--tile-size-px", "96", "--halo-px", "32", "--preset", "fast", "--iterations", "4"]


def test_segment_in_tiles(tmp_path, raster, capsys):
    out = tmp_path / "out.zarr"
    command = ["segment", str(raster), "-o", str(out), "--n-segments", "100", *TILES]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "6 tiles of" in printed.err
    assert "GB of memory" in printed.err
    assert "of 100 asked for, 6 tiles, in" in printed.out
    labels = zarr.open_array(out / "0", mode="r")[:]
    assert labels.shape == (192, 256)
    assert labels.min() == 1
    assert main(command) == 1
    assert "exists already" in capsys.readouterr().err
    # A script that always resumes finds nothing left to do.
    assert main([*command, "--resume"]) == 0
    assert main([*command, "--resume", "--seed", "5"]) == 1
    assert "exists already" in capsys.readouterr().err
    np.testing.assert_array_equal(zarr.open_array(out / "0", mode="r")[:], labels)
    tiff = tmp_path / "out.tif"
    assert main(["segment", str(raster), "-o", str(tiff), "--n-segments", "100", *TILES]) == 0
    np.testing.assert_array_equal(labels_in(tiff), labels)
    assert read_provenance(tiff)["tiles"] == 6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.tif", "out.zarr", "raster.tif"]


def test_more_superpixels_than_16_bits_can_count(tmp_path, raster, capsys):
    out, many = tmp_path / "out.zarr", ["--n-segments", "70000", "--oversegmentation", "0"]
    assert main(["segment", str(raster), "-o", str(out), *many, *TILES]) == 0
    limited = ["segment", str(raster), "-o", str(tmp_path / "out.tif"), "--n-segments", "70000"]
    assert main(limited) == 1
    assert "need tiles: give an option of tiles" in capsys.readouterr().err
    png = ["segment", str(raster), "-o", str(tmp_path / "out.png"), "--n-segments", "70000"]
    assert main([*png, *TILES]) == 1
    assert "PNG holds at most 65535" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.zarr", "raster.tif"]


def test_inputs_are_never_replaced_by_tiles(tmp_path, tiles_image, capsys):
    image = tmp_path / "out.tif.zarr"  # where the way to out.tif would lead
    zarr.create_array(image, data=tiles_image)
    axis = ["--channel-axis", "-1", "--force", "--n-segments", "9"]
    assert main(["segment", str(image), "-o", str(tmp_path / "out.tif"), *axis, *TILES]) == 1
    assert "was not made for that" in capsys.readouterr().err
    np.testing.assert_array_equal(zarr.open_array(image, mode="r")[:], tiles_image)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ExportError("out.tif: cannot be written (No space left)"), 1, "No space left); the"),
        (MemoryError(), 1, "out.tif: needs more memory than there is; the"),
        (KeyboardInterrupt(), 130, "interrupted; the"),
    ],
)
def test_labels_that_cannot_be_copied_are_kept(
    tmp_path, raster, capsys, monkeypatch, error, code, message
):
    def fails(*_arguments, **_options):
        raise error

    command = ["segment", str(raster), "-o", str(tmp_path / "out.tif"), "--n-segments", "100"]
    with monkeypatch.context() as patched:
        patched.setattr("napari_superpixels.io.formats.save_labels", fails)
        assert main([*command, *TILES]) == code
    told = capsys.readouterr().err
    assert message in told
    assert f"the labels are kept in {tmp_path / 'out.tif.zarr'}" in told
    assert not (tmp_path / "out.tif").exists()
    labels = zarr.open_array(tmp_path / "out.tif.zarr" / "0", mode="r")[:]
    with monkeypatch.context() as patched:  # the tiles are not done again
        patched.setattr("napari_superpixels.tiling.tasks.segment_tile", None)
        assert main([*command, *TILES, "--resume"]) == 0
    np.testing.assert_array_equal(labels_in(tmp_path / "out.tif"), labels)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.tif", "raster.tif"]


def test_tiles_by_themselves_where_memory_would_not_do(tmp_path, raster, capsys, monkeypatch):
    out = tmp_path / "out.tif"
    command = ["segment", str(raster), "-o", str(out), "--n-segments", "50", "--preset", "fast"]
    estimate, asked = run_plan.estimate_memory, []

    def huge_at_first(*arguments, **options):  # for the file; for tiles, what it is
        asked.append(arguments)
        return 10**15 if len(asked) == 1 else estimate(*arguments, **options)

    monkeypatch.setattr(run_plan, "estimate_memory", huge_at_first)
    assert main(command) == 0
    assert "segmented in tiles" in capsys.readouterr().err
    assert labels_in(out).max() <= 50


@pytest.mark.parametrize("content", [b"", b"II*\0 nothing of a TIFF"])
def test_broken_rasters_leave_nothing(tmp_path, capsys, content):
    path = tmp_path / "broken.tif"
    path.write_bytes(content)
    assert main(["segment", str(path), "-o", str(tmp_path / "out.zarr")]) == 1
    assert "broken.tif: cannot be read" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["broken.tif"]


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path, raster):
    out = tmp_path / "out.zarr"
    command = ["segment", str(raster), "-o", str(out), "--n-segments", "100", *TILES]
    process = subprocess.Popen([sys.executable, "-m", "napari_superpixels.cli.main", *command])
    tiles = tmp_path / "out.zarr.partial" / "tiles"
    while process.poll() is None and len(list(tiles.glob("[0-9]*.npz"))) < 2:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not out.exists()
    assert len(list(tiles.glob("[0-9]*.npz"))) >= 2
    assert main([*command, "--resume"]) == 0
    expected = tmp_path / "expected.zarr"
    assert main([*command[:3], str(expected), *command[4:]]) == 0
    labels = [zarr.open_array(path / "0", mode="r")[:] for path in (out, expected)]
    np.testing.assert_array_equal(*labels)
    assert not tiles.exists()


@pytest.mark.parametrize("step", [2, 4])
def test_a_level_of_a_pyramid_keeps_its_place(tmp_path, tiles_image, step):
    path = tmp_path / "raster.tif"
    full = np.tile(tiles_image, (8, 8, 1))
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 5_800_000)}
    size = {"width": full.shape[1], "height": full.shape[0], "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, **size, **place) as file:
        file.write(np.moveaxis(full, -1, 0))
        file.build_overviews([step], rasterio.enums.Resampling.nearest)
    folder = tmp_path / "out"
    command = ["segment", str(path), "-o", f"{folder}/", "--format", "tif", "geojson", "zarr"]
    assert main([*command, "--n-segments", "50", "--level", "1", *TILES]) == 0
    labels = labels_in(folder / "raster_superpixels.tif")
    assert labels.shape == (full.shape[0] // step, full.shape[1] // step)
    stored = read_provenance(folder / "raster_superpixels.tif")["place"]
    expected = read_georeference(path).resampled(labels.shape)
    assert (
        tuple(stored["transform"])
        == expected.transform
        == (
            0.5 * step,
            0,
            400_000,
            0,
            -0.5 * step,
            5_800_000,
        )
    )
    assert stated_size(folder / "raster_superpixels.zarr", 2) == ((step / 2, step / 2), "m")
    polygons = geopandas.read_file(folder / "raster_superpixels.geojson")
    area = polygons.to_crs(32633).area.sum()
    assert area == pytest.approx(labels.size * (0.5 * step) ** 2, rel=1e-6)


@pytest.mark.slow
def test_a_low_limit_takes_tiles_only_where_they_help(tmp_path, tiles_image, rng, capsys):
    quick = ["--iterations", "2", "--hidden-channels", "32", "4"]
    np.save(tmp_path / "small.npy", tiles_image[..., 0])
    np.save(tmp_path / "large.npy", rng.integers(0, 255, (1500, 1500)).astype(np.uint8))
    for name, limit_gb, code in (("small", "0.001", 1), ("large", "0.3", 0)):
        files = [str(tmp_path / f"{name}.npy"), "-o", str(tmp_path / f"{name}.tif")]
        limit = ["--memory-limit-gb", limit_gb, "--n-segments", "2000"]
        assert main(["segment", *files, *limit, *quick]) == code
        said = capsys.readouterr()
        assert ("so it is segmented in tiles" in said.err) == (name == "large")
        assert ("more than the memory limit of 0.001 GB" in said.err) == (name == "small")


def _ome_zarr(path, array, scale, unit):
    """As other software writes it."""
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.create_array("0", data=array, chunks=(64,) * array.ndim)
    axes = [{"name": n, "type": "space"} | unit for n in "zyx"[-array.ndim :]]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    root.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]


def test_ome_zarr_keeps_its_pixel_size(tmp_path, tiles_image):
    path, out = tmp_path / "image.zarr", tmp_path / "out"
    _ome_zarr(path, np.tile(tiles_image[..., 0], (4, 4)), [0.5, 0.25], {"unit": "micrometer"})
    command = ["segment", str(path), "-o", f"{out}/", "--format", "zarr", "tif", "--n-segments"]
    assert main([*command, "50", *TILES]) == 0
    assert stated_size(out / "image_superpixels.zarr", 2) == ((0.5, 0.25), "um")
    assert read_provenance(out / "image_superpixels.tif")["pixel_size"] == [0.5, 0.25]
    table = tmp_path / "table.csv"
    exported = ["export", str(out / "image_superpixels.zarr"), "--image", str(path), "-o"]
    assert main([*exported, str(table)]) == 0
    assert set(pd.read_csv(table)["unit"]) == {"um"}


def test_ome_zarr_without_a_unit_keeps_its_scale(tmp_path, tiles_image, capsys):
    path, out = tmp_path / "image.zarr", tmp_path / "out"
    _ome_zarr(path, np.tile(tiles_image[..., 0], (4, 4)), [0.5, 0.25], {})
    command = ["segment", str(path), "-o", f"{out}/", "--format", "zarr", "tif", "csv"]
    assert main([*command, "--n-segments", "50", *TILES]) == 0
    assert stated_size(out / "image_superpixels.zarr", 2) == ((0.5, 0.25), None)
    table = pd.read_csv(out / "image_superpixels.csv")
    assert set(table["unit"]) == {"pixel"}
    np.testing.assert_array_equal(table["area"], table["area_px"])
    again = tmp_path / "again.csv"
    assert main(["export", str(out / "image_superpixels.zarr"), "-o", str(again)]) == 0
    assert set(pd.read_csv(again)["unit"]) == {"pixel"}


def test_a_volume_has_the_scale_of_an_ome_zarr(tmp_path, rng, capsys):
    path, out = tmp_path / "volume.zarr", tmp_path / "labels.zarr"
    _ome_zarr(path, rng.integers(0, 255, (6, 20, 24)).astype(np.uint8), [2.0, 0.5, 0.5], {})
    command = ["segment", str(path), "-o", str(out), "--volume", "--n-segments", "9", "--quiet"]
    assert main([*command, "--iterations", "4", "--hidden-channels", "4", "4"]) == 0
    assert "cube" not in capsys.readouterr().err
    assert stated_size(out, 3) == ((2.0, 0.5, 0.5), None)


def test_more_than_memory_even_in_tiles(tmp_path, raster, capsys, monkeypatch):
    monkeypatch.setattr("napari_superpixels.plan.memory.estimate_memory", lambda *a, **k: 10**13)
    out = tmp_path / "out.zarr"
    assert main(["segment", str(raster), "-o", str(out), "--n-segments", "9", *TILES]) == 1
    assert "GB free: take smaller tiles (--tile-size-px)" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["raster.tif"]


def test_tables_that_need_more_than_memory_are_told_first(tmp_path, raster, capsys, monkeypatch):
    little = SimpleNamespace(available=10**6)
    monkeypatch.setattr("psutil.virtual_memory", lambda: little)
    out = f"{tmp_path}/o/"
    command = ["segment", str(raster), "-o", out, "--format", "zarr", "csv", *TILES]
    assert main(command) == 1
    assert "describes all pixels at once, which needs about 0.0 GB" in capsys.readouterr().err
    assert not list((tmp_path / "o").iterdir())


def test_an_output_with_a_slash(tmp_path, raster):
    command = ["segment", str(raster), "-o", f"{tmp_path}/labels.zarr/", "--n-segments", "50"]
    assert main([*command, *TILES]) == 0
    assert zarr.open_array(tmp_path / "labels.zarr" / "0", mode="r").shape == (192, 256)


def test_tables_have_the_values_of_the_image(tmp_path, tiles_image):
    tifffile.imwrite(tmp_path / "a.tif", tiles_image, photometric="rgb")
    command = ["segment", str(tmp_path / "a.tif"), "-o", f"{tmp_path}/o/", *TILES]
    assert main([*command, "--n-segments", "9", "--format", "tif", "csv", "edges.csv"]) == 0
    labels = tifffile.imread(tmp_path / "o" / "a_superpixels.tif")
    table = pd.read_csv(tmp_path / "o" / "a_superpixels.csv")
    expected = [tiles_image[labels == label][:, 1].mean() for label in table["label"]]
    np.testing.assert_allclose(table["mean green"], expected)
    assert "mean_step" in pd.read_csv(tmp_path / "o" / "a_superpixels.edges.csv")


def test_more_regions_than_superpixels_are_told(tmp_path, raster, capsys):
    islands = np.zeros((192, 256), np.uint8)
    islands[4::24, 4::24] = islands[5::24, 4::24] = 1
    mask = tmp_path / "islands.tif"
    tifffile.imwrite(mask, islands)
    command = ["segment", str(raster), "-o", str(tmp_path / "out.zarr"), "--mask", str(mask)]
    assert main([*command, "--n-segments", "20", *TILES]) == 0
    assert "88 superpixels of 20 asked for; more, since each separate" in capsys.readouterr().out


def test_a_plane_of_an_ome_zarr(tmp_path, rng):
    volume = rng.integers(0, 255, (6, 20, 24)).astype(np.uint8)
    path, out = tmp_path / "volume.zarr", tmp_path / "plane.tif"
    _ome_zarr(path, volume, [2.0, 0.5, 0.5], {"unit": "micrometer"})
    np.save(tmp_path / "plane.npy", volume[3])
    quick = ["--n-segments", "9", "--iterations", "4", "--hidden-channels", "4", "4"]
    assert main(["segment", str(path), "-o", str(out), "--plane", "3", *quick]) == 0
    expected = tmp_path / "expected.tif"
    assert main(["segment", str(tmp_path / "plane.npy"), "-o", str(expected), *quick]) == 0
    np.testing.assert_array_equal(labels_in(out), labels_in(expected))
    assert stated_size(out, 2) == ((0.5, 0.5), "um")
