"""A run goes on only with what is its own, and from wherever it was killed."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from napari_superpixels.errors import FileExists, TilingError
from napari_superpixels.tiling import checkpoint, tasks
from napari_superpixels.tiling.run import iter_superpixels_tiled
from tests.fixtures.quick import FAST


@pytest.fixture
def start(tmp_path):
    """``start(image, ...)``: a run that is stopped while it looks at the image."""

    def run(image, **options):
        options = {"tile_size_px": 64, "halo_px": 32, "channel_axis": -1} | options
        steps = iter_superpixels_tiled(image, tmp_path / "out.zarr", 60, FAST, **options)
        next(steps)
        steps.close()
        assert (tmp_path / "out.zarr.partial").is_dir()

    return run


def as_kind(kind, image, tmp_path):
    """The image in memory, lazily, or as a file, always under the same name."""
    if kind == "dask":
        return da.from_array(image, chunks=(64, 64, 3))
    if kind == "zarr":
        return zarr.create_array({}, data=image, chunks=(64, 64, 3))
    if kind == "tif":
        tifffile.imwrite(tmp_path / "in.tif", image, photometric="rgb", compression="zlib")
        return tmp_path / "in.tif"
    return image


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "tif"])
def test_another_image_of_the_same_shape(kind, image, start, segment, tmp_path, expected):
    other = image[::-1, ::-1].copy()
    start(as_kind(kind, other, tmp_path))
    with pytest.raises(TilingError, match=r"differs in image \("):
        segment(as_kind(kind, image, tmp_path), channel_axis=-1, resume=True)
    assert (tmp_path / "out.zarr.partial").is_dir()
    same = as_kind(kind, other, tmp_path)
    labels, _ = segment(same, channel_axis=-1, resume=True)
    assert labels.max() > 30
    assert not np.array_equal(labels, expected)


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


def test_a_file_of_the_same_name_elsewhere(image, start, segment, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "in.tif", image, photometric="rgb")
    start(tmp_path / "one" / "in.tif")
    with pytest.raises(TilingError, match=r"in image \(\S+one.in.tif, now \S+two.in.tif\);"):
        segment(tmp_path / "two" / "in.tif", channel_axis=-1, resume=True)


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
