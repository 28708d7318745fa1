"""What goes wrong is told in a user's words, and nothing that was done is lost."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from napari_superpixels.errors import FileError, TilingError
from napari_superpixels.tiling import run, tasks
from napari_superpixels.tiling.estimate import estimate_run
from napari_superpixels.tiling.run import iter_superpixels_tiled
from tests.fixtures.quick import FAST


@pytest.fixture
def tiff(tmp_path, image):
    """A compressed TIFF in tiles whose second half is cut off."""
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, image, tile=(64, 64), compression="zlib", photometric="rgb")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_a_truncated_tiff_names_tile_and_pixels(tiff, image, segment, tmp_path, expected):
    with pytest.raises(TilingError) as told:
        segment(tiff)
    assert "tile 2-0 (pixels 96 to 149, 0 to 95)" in str(told.value)
    assert "cut.tif: pixels 128 to 149, 0 to 63 cannot be read" in str(told.value)
    assert str(tmp_path / "out.zarr.partial") in str(told.value)
    tifffile.imwrite(tiff, image, tile=(64, 64), compression="zlib", photometric="rgb")
    labels, _ = segment(tiff, resume=True)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
def test_files_cut_in_the_middle(tmp_path, image, segment, name):
    path = tmp_path / name
    np.save(path, image) if name == "a.npy" else tifffile.imwrite(path, image, photometric="rgb")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FileError, match=rf"{name}: cannot be read as an image"):
        segment(path)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_broken_zarr_chunk(tmp_path, image, segment):
    path = tmp_path / "image.zarr"
    zarr.create_array(path, data=image, chunks=(64, 64, 3))
    chunk = path / "c" / "1" / "2" / "0"
    chunk.write_bytes(chunk.read_bytes()[:40])
    with pytest.raises(TilingError, match=r"tile 1-2 .*image.zarr: pixels 64 to 127, 128 to 191"):
        segment(path, channel_axis=-1)


@pytest.mark.slow
def test_a_mask_leaves_out_what_cannot_be_read(tmp_path, image, segment):
    path = tmp_path / "image.zarr"
    zarr.create_array(path, data=image, chunks=(64, 64, 3))
    mask = np.ones(image.shape[:2], bool)
    mask[:, 128:] = False
    expected, _ = segment(path, "expected.zarr", channel_axis=-1, mask=mask)
    for chunk in (path / "c").glob("*/[23]/0"):
        chunk.write_bytes(chunk.read_bytes()[:40])
    labels, _ = segment(path, channel_axis=-1, mask=mask)
    np.testing.assert_array_equal(labels, expected)


def test_no_trial_where_the_image_cannot_be_read(tmp_path, image):
    path = tmp_path / "image.zarr"
    zarr.create_array(path, data=image, chunks=(64, 64, 3))
    chunk = path / "c" / "1" / "1" / "0"  # in the middle
    chunk.write_bytes(chunk.read_bytes()[:40])
    estimate = estimate_run(path, 60, FAST, channel_axis=-1, tile_size_px=64)
    assert estimate.seconds is None


def test_no_permission(image, segment, tmp_path, monkeypatch):
    mkdir = Path.mkdir

    def refuse(path, *arguments, **options):
        if "out.zarr.partial" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(TilingError, match=r"out.zarr.partial: cannot be written \(Permission deni"):
        segment(image, channel_axis=-1)
    assert not list(tmp_path.iterdir())


def test_no_room_for_the_copy_of_an_array(image, segment, tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_superpixels.tiling.checkpoint.np.save", full)
    with pytest.raises(TilingError, match=r"No space left on device.*free some space, or"):
        segment(image, channel_axis=-1)
    assert not list(tmp_path.iterdir())


def test_no_room_for_the_numbers(image, segment, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(run, "relabel_tiles", full)
        with pytest.raises(TilingError, match=r"free some space.*What is done is kept"):
            segment(image, channel_axis=-1)
    monkeypatch.setattr(tasks, "segment_tile", None)  # all tiles are there
    labels, _ = segment(image, channel_axis=-1, resume=True)
    assert labels.min() == 1


@pytest.mark.parametrize("kind", ["folder", "file", "image"])
def test_what_is_no_labels_is_not_replaced(image, segment, tmp_path, kind):
    out = tmp_path / "out.zarr"
    if kind == "folder":
        out.mkdir()
        (out / "precious.txt").write_text("thesis")
    elif kind == "image":
        zarr.create_array(out, data=image)
        image = da.from_zarr(out)  # its own source, of which the run knows no name
    else:
        out.write_text("thesis")
    with pytest.raises(TilingError, match="is no OME-Zarr of labels"):
        segment(image, channel_axis=-1, overwrite=True)
    assert out.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out.zarr"]


def test_unusable_images_are_refused_before_the_start(image, segment, tmp_path):
    with pytest.raises(ValueError, match=r"3 axes \(150, 210, 3\): say which holds the channels"):
        segment(image)
    with pytest.raises(ValueError, match="masked array"):
        segment(np.ma.masked_less(image[..., 0], 9))
    with pytest.raises(ValueError, match="complex"):
        segment(image[..., 0] * 1j)
    with pytest.raises(ValueError, match=r"mask \(150, 210, 3\) .* differ in shape"):
        segment(image, channel_axis=-1, mask=image > 0)
    with pytest.raises(ValueError, match="n_segments must be 1 to"):
        segment(image, channel_axis=-1, n_segments=0)
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_whole_image_leaves_nothing(segment, tmp_path):
    with pytest.raises(ValueError, match="no pixel is left"):
        segment(np.full((90, 90), 3.0), nodata=3)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_another_dask_on_this_machine(image, segment):
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        except OSError:
            pass  # somebody else has it: just as well
        labels, _ = segment(image, channel_axis=-1)  # a warning would be an error here
    assert labels.max() > 1


SCRIPT = """
import sys
from napari_superpixels.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_ctrl_c_says_how_to_go_on(tmp_path, image, workers):
    np.save(tmp_path / "image.npy", image)
    out = tmp_path / "out.zarr"
    command = ["segment", str(tmp_path / "image.npy"), "-o", str(out), "--channel-axis", "-1"]
    command += ["--n-segments", "60", "--tile-size-px", "64", "--halo-px", "32", *workers]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *command],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell lets what it runs in the background ignore Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    tiles = tmp_path / "out.zarr.partial" / "tiles"
    while process.poll() is None and len(list(tiles.glob("[0-9]*.npz"))) < 2:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all processes get it
    complaint = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "out.zarr.partial: the same command with --resume goes on" in complaint
    assert "Traceback" not in complaint
    assert not out.exists()
    assert len(list(tiles.glob("[0-9]*.npz"))) >= 2


def test_a_stop_asks_the_tiles_to_end(image, tmp_path):
    steps = iter_superpixels_tiled(
        image, tmp_path / "out.zarr", 60, FAST, channel_axis=-1, tile_size_px=64
    )
    next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt())
    assert (tmp_path / "out.zarr.partial" / "stop").exists()
