"""A run goes on only with what is its own, and from wherever it was killed."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import dask.array as da
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import zarr

from napari_superpixels.errors import FileExists, RunBrokenOff, TilingError, UnfinishedRun
from napari_superpixels.events import drain
from napari_superpixels.tiling import checkpoint, tasks
from napari_superpixels.tiling.run import iter_superpixels_tiled
from tests.fixtures.quick import FAST


@pytest.fixture
def start(tmp_path):
    """``start(image, ...)``: a run that is stopped once it has looked at the image."""

    def run(image, **options):
        options = {"tile_size_px": 64, "halo_px": 32, "channel_axis": -1} | options
        steps = iter_superpixels_tiled(image, tmp_path / "out.zarr", 60, FAST, **options)
        while next(steps).phase == "looking at the image":
            pass
        steps.close()
        assert (tmp_path / "out.zarr.partial").is_dir()

    return run


def as_kind(kind, image, tmp_path):
    """The image in memory, lazily, or as a file; always of the same name and time."""
    path = tmp_path / f"in.{kind}"
    match kind:
        case "dask":
            return da.from_array(image, chunks=(64, 64, 3))
        case "zarr array":
            return zarr.create_array({}, data=image, chunks=(64, 64, 3))
        case "tif":
            tifffile.imwrite(path, image, photometric="rgb", compression=None)
        case "npy":
            np.save(path, image)
        case "png":
            iio.imwrite(path, image)
        case "zarr":
            zarr.create_array(path, data=image, chunks=(64, 64, 3), overwrite=True)
        case _:
            return image
    os.utime(path, (10**9, 10**9))
    return path


KINDS = ["numpy", "dask", "zarr array", "tif", "npy", "png", "zarr"]
# In a corner, on an edge of tiles, in the middle, the last one.
PIXELS = [(0, 0), (64, 70), (75, 105), (149, 209)]


@pytest.mark.parametrize("kind", KINDS)
def test_one_other_pixel_anywhere(kind, image, start, segment, tmp_path):
    start(as_kind(kind, image, tmp_path))
    before = {p: p.read_bytes() for p in (tmp_path / "out.zarr.partial").rglob("tiles/*")}
    for pixel in PIXELS:
        other = image.copy()
        other[(*pixel, 1)] ^= 1
        with pytest.raises(UnfinishedRun, match=r"differs in image \(other pixels\);"):
            segment(as_kind(kind, other, tmp_path), channel_axis=-1, resume=True)
    assert (
        before.items()
        <= {p: p.read_bytes() for p in (tmp_path / "out.zarr.partial").rglob("tiles/*")}.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_run_of_one_other_pixel(kind, image, segment, tmp_path, expected):
    segment(as_kind(kind, image, tmp_path), channel_axis=-1)
    labels, _ = segment(as_kind(kind, image, tmp_path), channel_axis=-1, resume=True)
    np.testing.assert_array_equal(labels, expected)
    other = image.copy()
    other[75, 105, 1] ^= 1
    with pytest.raises(FileExists):
        segment(as_kind(kind, other, tmp_path), channel_axis=-1, resume=True)


def test_a_copy_is_the_same_image(image, start, segment, tmp_path, expected, monkeypatch):
    """Of another name, place and time, and in another format."""
    start(as_kind("tif", image, tmp_path))
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "in.tif", tmp_path / "elsewhere" / "renamed.tif")
    labels, _ = segment(tmp_path / "elsewhere" / "renamed.tif", channel_axis=-1, resume=True)
    np.testing.assert_array_equal(labels, expected)
    monkeypatch.setattr(tasks, "segment_tile", None)
    segment(as_kind("npy", image, tmp_path), channel_axis=-1, resume=True)


def test_what_a_mask_leaves_out_does_not_count(image, start, segment, tmp_path):
    mask = np.ones(image.shape[:2], bool)
    mask[20:40, 30:90] = False
    start(as_kind("tif", image, tmp_path), mask=mask)
    mended = image.copy()
    mended[30, 40] = 7
    segment(as_kind("tif", mended, tmp_path), channel_axis=-1, mask=mask, resume=True)


OPTIONS = {
    "channels": ([0, 1], "channels"),
    "nodata": (7.0, "nodata"),
    "tile_size_px": (80, "tile_px"),
    "halo_px": (16, "halo_px"),
    "params": (FAST.replace(seed=5), "seed"),
    "n_segments": (61, "n_segments"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_another_option(option, image, start, segment):
    start(image)
    value, name = OPTIONS[option]
    with pytest.raises(UnfinishedRun, match=rf"differs in [^;]*{name} \("):
        segment(image, **{"channel_axis": -1, "resume": True, option: value})


def test_another_channel_axis(segment, start):
    cube = np.arange(64 * 64 * 64, dtype=np.float32).reshape(64, 64, 64)
    start(cube, channel_axis=0)
    with pytest.raises(UnfinishedRun, match=r"differs in image channel_axis \(0, now 2\)"):
        segment(cube, channel_axis=-1, resume=True)


def test_an_image_that_changes_while_it_is_segmented(image, tmp_path):
    path = as_kind("npy", image, tmp_path)
    options = {"tile_size_px": 64, "halo_px": 32, "channel_axis": -1}
    steps = iter_superpixels_tiled(path, tmp_path / "out.zarr", 60, FAST, **options)
    while (step := next(steps)).phase == "looking at the image":
        if step.done == step.total:
            as_kind("npy", image[::-1].copy(), tmp_path)
    with pytest.raises(RunBrokenOff, match=r"in\.npy: has changed since this run began to look at"):
        drain(steps)


@pytest.mark.parametrize("kind", ["numpy", "dask", "tif"])
def test_another_mask(kind, image, start, segment, tmp_path):
    def kept(mask):
        if kind == "dask":
            return da.from_array(mask)
        if kind == "tif":
            tifffile.imwrite(tmp_path / "mask.tif", mask)
            return tmp_path / "mask.tif"
        return mask

    mask = np.zeros(image.shape[:2], np.uint8)
    mask[:, :100] = 1
    start(image, mask=kept(mask))
    with pytest.raises(TilingError, match=r"differs in mask \("):
        segment(image, channel_axis=-1, mask=kept(1 - mask), resume=True)
    with pytest.raises(TilingError, match=r"differs in mask \("):
        segment(image, channel_axis=-1, resume=True)


def test_a_finished_run_is_not_done_again(image, segment, expected, monkeypatch):
    _, result = segment(image, channel_axis=-1)
    monkeypatch.setattr(tasks, "segment_tile", None)
    labels, again = segment(image, channel_axis=-1, resume=True)
    np.testing.assert_array_equal(labels, expected)
    assert again.n_obtained == result.n_obtained
    with pytest.raises(FileExists):
        segment(image[::-1], channel_axis=-1, resume=True)


class _Killed(BaseException):
    """As SIGKILL would: nobody catches it."""


@pytest.mark.slow
@pytest.mark.parametrize("step", range(4))
def test_killed_while_the_old_labels_are_replaced(
    step, image, segment, expected, tmp_path, monkeypatch
):
    segment(image[::-1].copy(), channel_axis=-1)
    rename, rmtree, n_calls = Path.rename, shutil.rmtree, []

    def until_killed(original):
        def call(*arguments, **options):
            if threading.current_thread() is threading.main_thread():  # zarr has others
                n_calls.append(arguments)
            if len(n_calls) > step:
                raise _Killed
            return original(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", until_killed(rename))
        patched.setattr(checkpoint.shutil, "rmtree", until_killed(rmtree))
        with pytest.raises(_Killed):
            segment(image, channel_axis=-1, overwrite=True)
    assert len(n_calls) > step  # more where it tries to put the old one back
    labels, _ = segment(image, channel_axis=-1, overwrite=True, resume=True)
    np.testing.assert_array_equal(labels, expected)
    assert not (tmp_path / "out.zarr.partial").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_an_output_that_is_a_link(image, segment, expected, tmp_path):
    (tmp_path / "disk").mkdir()
    segment(image[::-1].copy(), "disk/labels.zarr", channel_axis=-1)
    (tmp_path / "out.zarr").symlink_to(tmp_path / "disk" / "labels.zarr")
    labels, _ = segment(image, channel_axis=-1, overwrite=True)
    np.testing.assert_array_equal(labels, expected)
    assert (tmp_path / "out.zarr").is_symlink()
    kept = zarr.open_array(tmp_path / "disk" / "labels.zarr" / "0", mode="r")
    np.testing.assert_array_equal(kept[:], expected)


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
@pytest.mark.parametrize("kind", ["scan", "tiles", "ids"])
def test_a_damaged_tile_is_named_and_made_again(
    kind, damage, image, segment, expected, tmp_path, monkeypatch
):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.Checkpoint, "create_levels", full)
        with pytest.raises(TilingError, match="No space left"):
            segment(image, channel_axis=-1)
    file = tmp_path / "out.zarr.partial" / kind / "1-1.npz"
    content = {"cut": file.read_bytes()[:-30], "empty": b"", "other": b"PK words"}[damage]
    file.write_bytes(content)
    options = {"channel_axis": -1, "tile_size_px": 64, "halo_px": 32, "resume": True}
    steps = list(iter_superpixels_tiled(image, tmp_path / "out.zarr", 60, FAST, **options))
    notes = [step.note for step in steps if step.note]
    assert notes == [f"{file}: was damaged, and is made again"]
    labels = zarr.open_array(tmp_path / "out.zarr" / "0", mode="r")[:]
    np.testing.assert_array_equal(labels, expected)


def test_a_tile_that_is_damaged_inside_is_named_too(
    image, segment, expected, tmp_path, monkeypatch
):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.Checkpoint, "create_levels", full)
        with pytest.raises(TilingError, match="No space left"):
            segment(image, channel_axis=-1)
    file = tmp_path / "out.zarr.partial" / "tiles" / "1-1.npz"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    file.write_bytes(content)
    with pytest.raises(TilingError, match=r"tiles.1-1\.npz: was damaged \("):
        segment(image, channel_axis=-1, resume=True)
    labels, _ = segment(image, channel_axis=-1, resume=True)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("where", ["delete", "rmtree"])
def test_killed_at_the_very_end(where, image, segment, expected, tmp_path, monkeypatch):
    def killed(*_arguments, **_options):
        raise _Killed

    with monkeypatch.context() as patched:
        if where == "delete":
            patched.setattr(checkpoint.Checkpoint, "delete", killed)
        else:
            patched.setattr(checkpoint.shutil, "rmtree", killed)
        with pytest.raises(_Killed):
            segment(image, channel_axis=-1)
    assert (tmp_path / "out.zarr").exists()
    monkeypatch.setattr(tasks, "segment_tile", None)  # nothing is done again
    labels, _ = segment(image, channel_axis=-1, resume=True)
    np.testing.assert_array_equal(labels, expected)
    left = {path.name.partition("-deleted-")[0] for path in tmp_path.iterdir()}
    assert left <= {"out.zarr", ".out.zarr.partial"}
    assert (tmp_path / "out.zarr.partial").exists() is False
