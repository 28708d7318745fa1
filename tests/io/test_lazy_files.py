"""What is opened is not read."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
import tifffile

from napari_superpixels.io.images import open_image
from napari_superpixels.io.readers.tiff import TiffSource

SHAPE = (12_000, 12_000)


@pytest.mark.parametrize("suffix", ["npy", "tif"])
def test_a_part_of_a_file_in_one_piece(tmp_path, suffix):
    path = tmp_path / f"large.{suffix}"
    if suffix == "npy":
        pixels = np.lib.format.open_memmap(path, "w+", np.uint16, SHAPE)
    else:
        pixels = tifffile.memmap(path, shape=SHAPE, dtype=np.uint16)
    pixels[5000:5002, 7000:7003] = [[1, 2, 3], [4, 5, 6]]
    pixels.flush()
    del pixels
    tracemalloc.start()
    try:
        part = open_image(path).array[4999:5002, 7000:7003].compute()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert part.tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert peak < np.prod(SHAPE) * 2 / 4


@pytest.mark.parametrize("order", ["C", "F"])
def test_either_order(tmp_path, order):
    array = np.asarray(np.arange(24, dtype=">i4").reshape(2, 3, 4), order=order)
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(open_image(tmp_path / "a.npy").array.compute(), array)


@pytest.mark.parametrize("shape", [(700, 300), (3, 700, 300), (700, 300, 3)])
def test_thin_strips_are_read_together(tmp_path, rng, shape):
    array = rng.integers(0, 255, shape, np.uint8)
    path = tmp_path / "strips.tif"
    colours = {"photometric": "rgb" if shape[-1] == 3 else "minisblack"}
    tifffile.imwrite(path, array, rowsperstrip=1, compression="zlib", **colours)
    found = open_image(path).array
    rows = shape.index(700)
    assert found.numblocks[rows] == 1
    assert found.numblocks[0] == (shape[0] if rows else 1)  # each plane on its own
    np.testing.assert_array_equal(found.compute(), array)


def test_a_section_without_rows(tmp_path, rng):
    array = rng.integers(0, 255, (20, 30), np.uint8)
    tifffile.imwrite(tmp_path / "xz.tif", array, compression="zlib", metadata={"axes": "ZX"})
    np.testing.assert_array_equal(open_image(tmp_path / "xz.tif").array.compute(), array)


def test_a_tiff_is_closed_when_the_last_reader_is_done(tmp_path):
    """A thread may go on reading after another one has failed and the file was left."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.arange(20, dtype=np.uint8).reshape(4, 5), compression="zlib")
    source = TiffSource(path)
    with source.opened() as first:
        with source.opened():
            source.close()
            assert not first.filehandle.closed
        assert not first.filehandle.closed
        with source.opened() as anew:
            assert anew is not first
        assert anew.filehandle.closed
    assert first.filehandle.closed
    copy = pickle.loads(pickle.dumps(source))
    with copy.opened() as again:
        assert not again.filehandle.closed
