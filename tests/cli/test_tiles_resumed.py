"""Labels on their way to other formats: what is deleted, what is kept, what is gone on with."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr

from napari_superpixels.cli import tiles
from napari_superpixels.cli.main import main
from napari_superpixels.io.formats import export_labels
from tests.fixtures.files import labels_in

TILES = ["--tile-size-px", "96", "--halo-px", "32", "--preset", "fast", "--iterations", "4"]


class _Killed(BaseException):
    """As SIGKILL would: nobody catches it."""


def killed(*_arguments, **_options):
    raise _Killed


@pytest.fixture
def raster(tmp_path, tiles_image):
    """A TIFF of a few tiles."""
    path = tmp_path / "raster.tif"
    tifffile.imwrite(path, np.tile(tiles_image, (2, 3, 1)), photometric="rgb")
    return path


def command(raster, output, *more):
    return ["segment", str(raster), "-o", str(output), "--n-segments", "30", *TILES, *more]


@pytest.mark.parametrize("options", [["--force"], [], ["--force", "--resume"], ["--resume"]])
@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_labels_of_somebody_else_are_neither_replaced_nor_deleted(
    tmp_path, raster, capsys, options, suffix
):
    out, foreign = tmp_path / f"out{suffix}", tmp_path / f"out{suffix}.zarr"
    mine = np.arange(1, 31).reshape(5, 6)
    export_labels(foreign, mine)
    assert main(command(raster, out, *options)) == 1
    told = capsys.readouterr().err
    assert f"{foreign}: is where tiles would be put together for {out}, and was not made" in told
    np.testing.assert_array_equal(zarr.open_array(foreign / "0", mode="r")[:], mine)
    assert not out.exists()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [foreign.name, "raster.tif"]


def test_a_result_of_this_very_run_is_copied_and_stays(tmp_path, raster):
    out, mine = tmp_path / "out.tif", tmp_path / "out.tif.zarr"
    assert main(command(raster, mine)) == 0
    assert main(command(raster, out, "--resume")) == 0
    np.testing.assert_array_equal(labels_in(out), zarr.open_array(mine / "0", mode="r")[:])


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".png"])
def test_killed_before_the_way_is_tidied_up(tmp_path, raster, monkeypatch, suffix):
    out = tmp_path / f"out{suffix}"
    with monkeypatch.context() as patched:
        patched.setattr(tiles.TilesOutput, "tidy_up", killed)
        with pytest.raises(_Killed):
            main(command(raster, out))
    labels = labels_in(out)
    with monkeypatch.context() as patched:  # the tiles are not done again
        patched.setattr("napari_superpixels.tiling.tasks.segment_tile", None)
        assert main(command(raster, out, "--resume")) == 0
    np.testing.assert_array_equal(labels_in(out), labels)
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, "raster.tif"]


def test_temporary_labels_of_an_earlier_run_are_replaced_by_force(tmp_path, raster, monkeypatch):
    out = tmp_path / "out.tif"
    with monkeypatch.context() as patched:
        patched.setattr(tiles.TilesOutput, "tidy_up", killed)
        with pytest.raises(_Killed):
            main(command(raster, out))
    assert main(command(raster, out, "--seed", "3")) == 1
    assert main(command(raster, out, "--seed", "3", "--force")) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "raster.tif"]


@pytest.mark.parametrize(
    ("kinds", "stopped"),
    [(["tif", "csv"], 1), (["tif", "npy", "csv"], 1), (["zarr", "tif"], 0), (["tif", "csv"], 2)],
)
def test_several_formats_go_on_after_those_that_are_done(
    tmp_path, raster, monkeypatch, kinds, stopped
):
    folder, copy, n_copies = tmp_path / "out", tiles.write_all, []

    def until_killed(*arguments, **options):
        if len(n_copies) == stopped:
            raise _Killed
        n_copies.append(arguments)
        copy(*arguments, **options)

    several = command(raster, f"{folder}/", "--format", *kinds)
    with monkeypatch.context() as patched:
        patched.setattr(tiles, "write_all", until_killed)
        patched.setattr(tiles.TilesOutput, "tidy_up", killed)
        with pytest.raises(_Killed):
            main(several)
    with monkeypatch.context() as patched:
        patched.setattr("napari_superpixels.tiling.tasks.segment_tile", None)
        assert main([*several, "--resume"]) == 0
    left = sorted(path.name for path in folder.iterdir())
    assert left == sorted(f"raster_superpixels.{kind}" for kind in kinds)
