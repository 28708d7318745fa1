"""Real files, read and written by the libraries that users' files come from."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

from napari_superpixels.errors import ExportError, FileError, FileExists
from napari_superpixels.io.formats import read_provenance, save_labels
from napari_superpixels.io.images import open_image, unreadable
from napari_superpixels.io.labels import read_ground_truths
from tests.fixtures.files import labels_in


def test_png_jpeg_npy_and_tiff(tmp_path, rng):
    rgb = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    for name, array, axis in (
        ("rgb.png", rgb, -1),
        ("rgba.png", np.dstack([rgb, rgb[..., 0]]), -1),
        ("grey.png", rgb[..., 0], None),
        ("deep.png", rgb[..., 0].astype(np.uint16) * 200, None),
    ):
        iio.imwrite(tmp_path / name, array)
        read = open_image(tmp_path / name)
        assert read.channel_axis == axis
        expected = array[..., :3] if name == "rgba.png" else array
        np.testing.assert_array_equal(read.array, expected)
    iio.imwrite(tmp_path / "rgb.jpg", rgb)
    assert open_image(tmp_path / "rgb.jpg").read().shape == (20, 30, 3)
    np.save(tmp_path / "a.npy", rgb[..., 0])
    assert open_image(tmp_path / "a.npy").read().shape == (20, 30)


@pytest.mark.parametrize(
    ("shape", "options", "expected_shape", "channel_axis"),
    [
        ((20, 30), {}, (20, 30), None),
        ((20, 30, 3), {"photometric": "rgb"}, (20, 30, 3), -1),
        ((20, 30, 4), {"photometric": "rgb"}, (20, 30, 3), -1),
        ((3, 20, 30), {"photometric": "rgb", "planarconfig": "separate"}, (20, 30, 3), -1),
        ((4, 20, 30), {"photometric": "rgb", "planarconfig": "separate"}, (20, 30, 3), -1),
        ((20, 30, 2), {"photometric": "minisblack", "planarconfig": "contig"}, (20, 30, 2), -1),
        ((5, 20, 30), {"imagej": True, "metadata": {"axes": "CYX"}}, (5, 20, 30), 0),
        ((1, 3, 20, 30), {"metadata": {"axes": "TCYX"}, "ome": True}, (3, 20, 30), 0),
        ((4, 20, 30), {"imagej": True, "metadata": {"axes": "ZYX"}}, (4, 20, 30), None),
    ],
)
def test_tiff_axes(tmp_path, rng, shape, options, expected_shape, channel_axis):
    path = tmp_path / "image.tif"
    data = (rng.random(shape) * 200).astype(np.uint8)
    photometric = options.pop("photometric", "minisblack")
    tifffile.imwrite(path, data, photometric=photometric, **options)
    read = open_image(path)
    assert read.array.shape == expected_shape
    assert read.channel_axis == channel_axis
    assert len(read.axes) == read.array.ndim
    if channel_axis is not None:
        assert read.axes[channel_axis] in "CS"


def test_planes_that_a_writer_may_have_guessed_to_be_colours_are_told(tmp_path, caplog):
    path = tmp_path / "planes.tif"
    for dtype, told in ((np.uint8, False), (np.uint16, True)):
        data = np.zeros((3, 20, 30), dtype)
        tifffile.imwrite(path, data, photometric="rgb", planarconfig="separate")
        assert open_image(path).channel_axis == -1
        assert ("planes.tif says that its 3 planes are colours" in caplog.text) is told


def test_gdal_nodata_is_found(tmp_path):
    path = tmp_path / "raster.tif"
    tag = (42113, "s", 0, "-9999", True)
    tifffile.imwrite(path, np.ones((8, 9), np.float32), extratags=[tag])
    assert open_image(path).nodata == -9999


@pytest.mark.parametrize(
    "name", ["zero.tif", "zero.png", "zero.npy", "cut.tif", "cut-zlib.tif", "text.png"]
)
def test_broken_files_are_named(tmp_path, name, rng):
    path = tmp_path / name
    if name.startswith("cut"):
        data = rng.integers(0, 9, (200, 200), dtype=np.uint16)
        tifffile.imwrite(path, data, compression="zlib" if "zlib" in name else None)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes(b"" if "zero" in name else b"this is no picture")
    with (
        pytest.raises(FileError, match=f"{name}: cannot be read as an image") as told,
        open_image(path) as image,
    ):
        image.read()
    assert ("it is empty (0 bytes)" in str(told.value)) == ("zero" in name)
    assert "copy or export it again" in str(told.value)


def test_cmyk_becomes_rgb(tmp_path, rng):
    Image.new("CMYK", (30, 20), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    read = open_image(tmp_path / "a.jpg")
    assert read.array.shape == (20, 30, 3)
    assert read.array[0, 0, 0] > 200  # red


def test_more_images_than_one_are_told(tmp_path, caplog):
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        writer.write(np.ones((20, 30), np.uint8))
        writer.write(np.ones((10, 10), np.uint8))
    assert open_image(tmp_path / "two.tif").read().shape == (20, 30)
    assert "holds 2 separate images; the first is used" in caplog.text


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        open_image(tmp_path / "none.tif")
    with pytest.raises(FileError, match="is a folder"):
        open_image(tmp_path)


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".png", ".npy"])
def test_labels_round_trip(tmp_path, rng, suffix):
    labels = rng.integers(0, 300, (20, 30)).astype(np.int32)
    path = tmp_path / f"labels{suffix}"
    save_labels(path, labels, {"seed": 3})
    np.testing.assert_array_equal(labels_in(path), labels)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if suffix.startswith(".t"):
        assert read_provenance(path) == {"seed": 3}
        assert tifffile.imread(path).dtype == np.uint16


def test_many_labels_need_32_bits(tmp_path):
    labels = np.array([[1, 70_000]])
    save_labels(tmp_path / "a.tif", labels)
    assert labels_in(tmp_path / "a.tif").dtype == np.uint32
    with pytest.raises(ExportError, match="at most 65535"):
        save_labels(tmp_path / "a.png", labels)


def test_nothing_is_overwritten_without_asking(tmp_path):
    path = tmp_path / "a.tif"
    save_labels(path, np.ones((2, 2), int))
    with pytest.raises(FileExists):
        save_labels(path, np.zeros((2, 2), int))
    assert labels_in(path).all()
    save_labels(path, np.zeros((2, 2), int), overwrite=True)
    assert not labels_in(path).any()
    assert read_provenance(path) == {}


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    save_labels(path, np.ones((2, 2), int))

    def full(writer, *args, **kwargs):
        writer.filehandle.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", full)
    with pytest.raises(ExportError, match="cannot be written \\(No space left on device\\)"):
        save_labels(path, np.zeros((2, 2), int), overwrite=True)
    monkeypatch.undo()
    assert labels_in(path).all()
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_unknown_suffix_and_missing_folder(tmp_path):
    with pytest.raises(ExportError, match=r"\.tif, \.tiff, \.png, \.npy"):
        save_labels(tmp_path / "a.jpg", np.ones((2, 2), int))
    with pytest.raises(ExportError, match="cannot be written"):
        save_labels(tmp_path / "no" / "a.tif", np.ones((2, 2), int))


def test_labels_must_be_labels(tmp_path):
    np.save(tmp_path / "f.npy", np.full((3, 3), 1.5))
    with pytest.raises(FileError, match="whole numbers"):
        labels_in(tmp_path / "f.npy")


def test_bsds_ground_truth(tmp_path):
    cell = np.empty((1, 2), object)
    for k in range(2):
        cell[0, k] = {"Segmentation": np.full((3, 4), k + 1, np.uint16)}
    scipy.io.savemat(tmp_path / "1.mat", {"groundTruth": cell})
    truths = read_ground_truths(tmp_path / "1.mat")
    assert [int(t.max()) for t in truths] == [1, 2]
    (tmp_path / "2.mat").write_bytes(b"no")
    with pytest.raises(FileError, match=r"2\.mat: cannot be read as a BSDS500"):
        read_ground_truths(tmp_path / "2.mat")


@pytest.mark.parametrize(("alpha", "bands"), [(False, 4), (True, 3)])
def test_the_fourth_band_of_a_map_is_kept_unless_it_is_alpha(tmp_path, rng, alpha, bands):
    rasterio = pytest.importorskip("rasterio")
    data = rng.integers(0, 4000, (4, 20, 30)).astype(np.uint16)
    shape = {"count": 4, "height": 20, "width": 30, "dtype": "uint16"}
    options = {"photometric": "RGB", "alpha": "YES"} if alpha else {}
    transform = rasterio.Affine(10, 0, 500_000, 0, -10, 4_000_000)
    with rasterio.open(
        tmp_path / "map.tif",
        "w",
        "GTiff",
        crs="EPSG:32633",
        transform=transform,
        **shape,
        **options,
    ) as file:
        file.write(data)
    read = open_image(tmp_path / "map.tif")
    np.testing.assert_array_equal(np.moveaxis(read.array, -1, 0), data[:bands])


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path):
    error = unreadable(tmp_path / "a.tif", PermissionError(13, "Permission denied"))
    assert "you may not read this file; ask its owner" in str(error)
