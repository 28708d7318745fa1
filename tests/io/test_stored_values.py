"""What stored values mean: bands, inks, palettes, depth, orientation, and where planes lie."""

from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from skimage.color import rgb2lab

from napari_superpixels.errors import FileError
from napari_superpixels.io.images import open_image
from napari_superpixels.io.labels import read_labels

H, W = 20, 30


def values(rng, *shape, dtype=np.uint8):
    return rng.integers(0, np.iinfo(dtype).max, (*shape, H, W), endpoint=True).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    ("n", "photometric", "extra", "is_alpha"),
    [
        (2, "minisblack", [0], False),
        (4, "minisblack", [0, 0, 0], False),
        (4, "rgb", [0], False),
        (5, "rgb", [0, 0], False),
        (2, "minisblack", [2], True),
        (4, "rgb", [1], True),
        (4, "rgb", [2], True),
    ],
)
def test_only_declared_alpha_is_alpha(
    tmp_path, rng, dtype, planar, n, photometric, extra, is_alpha
):
    bands = rng.integers(1, 200, (n, H, W)).astype(dtype)
    stored = bands if planar == "separate" else np.moveaxis(bands, 0, -1)
    options = {"photometric": photometric, "planarconfig": planar, "extrasamples": extra}
    tifffile.imwrite(tmp_path / "a.tif", stored, **options, metadata=None)
    with open_image(tmp_path / "a.tif") as image:
        found = image.read()
        kept = bands[:-1] if is_alpha else bands
        expected = kept[0] if len(kept) == 1 else np.moveaxis(kept, 0, -1)
        np.testing.assert_array_equal(found, expected)
        assert (image.alpha is not None) is is_alpha
        if is_alpha:
            np.testing.assert_array_equal(image.alpha, bands[-1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_inks_become_colours(tmp_path, rng, dtype, compression):
    inks = values(rng, 4, dtype=dtype)
    path = tmp_path / "inks.tif"
    options = {"photometric": "separated", "planarconfig": "contig", "compression": compression}
    tifffile.imwrite(path, np.moveaxis(inks, 0, -1), **options)
    found = open_image(path).read()
    full = np.iinfo(dtype).max
    cyan, black = inks[0] / full, inks[3] / full
    np.testing.assert_allclose(found[..., 0], full * (1 - cyan) * (1 - black), atol=1)
    if dtype == np.uint8:
        shown = np.asarray(Image.fromarray(np.moveaxis(inks, 0, -1), "CMYK").convert("RGB"))
        np.testing.assert_allclose(found.astype(int), shown, atol=1)


def test_inks_that_are_no_process_colours_are_channels(tmp_path, rng):
    inks = np.moveaxis(values(rng, 4), 0, -1)
    tag = (332, "H", 1, 2, True)
    tifffile.imwrite(
        tmp_path / "a.tif", inks, photometric="separated", planarconfig="contig", extratags=[tag]
    )
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").read(), inks)


@pytest.mark.parametrize(("photometric", "mode"), [("cielab", "LAB"), ("ycbcr", "YCbCr")])
def test_other_colour_spaces_become_rgb(tmp_path, rng, photometric, mode):
    colors = np.kron(values(rng, 3)[:, ::5, ::5], np.ones((1, 5, 5), np.uint8)).transpose(1, 2, 0)
    if mode == "LAB":
        lab = rgb2lab(colors)
        stored = np.rint(lab * (2.55, 1, 1)).astype(np.int16).astype(np.uint8)  # with signs
    else:
        stored = np.asarray(Image.fromarray(colors).convert(mode))
    tag = (530, "H", 2, (1, 1), True)  # no subsampling
    options = {"photometric": photometric, "planarconfig": "contig", "extratags": [tag]}
    tifffile.imwrite(tmp_path / "a.tif", stored, metadata=None, **options)
    found = open_image(tmp_path / "a.tif").read()
    np.testing.assert_allclose(found.astype(int), colors, atol=12)


# ---- palettes and white ------------------------------------------------------------------------


def palette_image(rng):
    colors = rng.integers(0, 255, (256, 3)).astype(np.uint8)
    image = Image.fromarray(values(rng), "P")
    image.putpalette(colors.ravel().tolist())
    return image, colors[np.asarray(image)]


@pytest.mark.parametrize("suffix", [".tif", ".png", ".gif", ".bmp"])
def test_a_palette_gives_colours_of_an_image_and_indices_of_labels(tmp_path, rng, suffix):
    image, colors = palette_image(rng)
    path = tmp_path / f"image{suffix}"
    image.save(path)
    with Image.open(path) as saved:  # a GIF numbers its colours anew
        indices = np.array(saved)
    with open_image(path) as found:
        np.testing.assert_array_equal(found.read(), colors)
        assert found.channel_axis == -1
        np.testing.assert_array_equal(found.as_mask(), indices != 0)
    np.testing.assert_array_equal(read_labels(path).labels, indices)


def test_a_look_up_table_of_imagej_leaves_intensities(tmp_path, rng):
    plane, table = values(rng), np.zeros((3, 256), np.uint8)
    table[1] = np.arange(256)  # green
    tifffile.imwrite(tmp_path / "a.tif", plane, imagej=True, colormap=table.astype(np.uint16) * 257)
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").read(), plane)


@pytest.mark.parametrize(
    ("dtype", "options", "expected"),
    [
        (np.uint8, {}, lambda a: 255 - a),
        (np.uint16, {}, lambda a: 65535 - a),
        (bool, {"bitspersample": 1}, lambda a: ~a),
        (np.uint8, {"imagej": True}, lambda a: a),
        (np.float32, {}, lambda a: a),
    ],
)
def test_white_that_is_stored_as_0(tmp_path, rng, dtype, options, expected):
    plane = (values(rng) > 99) if dtype is bool else values(rng).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", plane, photometric="miniswhite", **options)
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").read(), expected(plane))


def test_the_doubt_about_boolean_arrays_of_python_is_told(tmp_path, rng, caplog):
    tifffile.imwrite(tmp_path / "mask.tif", values(rng) > 99)
    open_image(tmp_path / "mask.tif").close()
    assert "mask.tif: stores white as 0" in caplog.text


# ---- depth -------------------------------------------------------------------------------------


def png16(samples, color, *chunks):
    """A PNG of 16 bits, which Pillow does not write."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", W, H, 16, color, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(
    ("kind", "n", "has_alpha"), [("0", 1, False), ("2", 3, False), ("4", 2, True), ("6", 4, True)]
)
def test_png_of_16_bits_keeps_them(tmp_path, rng, kind, n, has_alpha):
    samples = np.moveaxis(values(rng, n, dtype=np.uint16), 0, -1)
    samples[...] //= 256  # a dark exposure
    (tmp_path / "a.png").write_bytes(png16(samples, int(kind)))
    with open_image(tmp_path / "a.png") as image:
        kept = samples[..., :-1] if has_alpha else samples
        expected = kept[..., 0] if kept.shape[-1] == 1 else kept
        np.testing.assert_array_equal(image.read(), expected)
        assert (image.alpha is not None) is has_alpha
        if has_alpha:
            np.testing.assert_array_equal(image.alpha, samples[..., -1])


@pytest.mark.parametrize("color", [0, 2])
def test_a_transparent_colour_of_16_bits(tmp_path, rng, color):
    samples = np.moveaxis(values(rng, 3 if color else 1, dtype=np.uint16), 0, -1)
    samples[3, 4] = samples[5, 6] = 777
    chunk = (b"tRNS", samples[3, 4].astype(">u2").tobytes())
    (tmp_path / "a.png").write_bytes(png16(samples, color, chunk))
    with open_image(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.argwhere(np.asarray(image.alpha) == 0), [(3, 4), (5, 6)])
        assert image.array.dtype == np.uint16


@pytest.mark.parametrize("name", ["a.jp2", "a.j2k", "a.avif"])
@pytest.mark.parametrize("n", [1, 3])
def test_other_formats_of_more_than_8_bits(tmp_path, rng, name, n):
    samples = np.moveaxis(values(rng, n, dtype=np.uint16), 0, -1)
    if name == "a.avif":
        samples = samples[..., 0] if n == 1 else samples
        samples //= 64  # 10 bits
        data = imagecodecs.avif_encode(samples, level=100, bitspersample=10)
    else:
        samples = samples[..., 0] if n == 1 else samples
        data = imagecodecs.jpeg2k_encode(samples, level=0, codecformat=name[2:])
    (tmp_path / name).write_bytes(data)
    found = open_image(tmp_path / name).read()
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found if found.ndim == samples.ndim else found[..., 0], samples)


def test_what_cannot_be_read_at_its_depth_is_refused(tmp_path, rng):
    samples = np.moveaxis(values(rng, 3, dtype=np.uint16), 0, -1)
    (tmp_path / "a.ppm").write_bytes(b"P6\n30 20\n65535\n" + samples.astype(">u2").tobytes())
    with pytest.raises(FileError, match=r"more than 8 bits a channel.* TIFF or PNG"):
        open_image(tmp_path / "a.ppm")


# ---- content, not names ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".lsm", ".stk", ".btf", ".tf8", ".svs", ".scn", ".dat", ".png"])
def test_a_tiff_by_any_name_is_one(tmp_path, rng, suffix):
    stack = values(rng, 3, dtype=np.uint16)
    resolution = {"resolution": (2, 4), "metadata": {"axes": "ZYX", "unit": "um", "spacing": 3}}
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, **resolution)
    path = (tmp_path / "a.tif").rename(tmp_path / f"a{suffix}")
    with open_image(path) as image:
        np.testing.assert_array_equal(image.read(), stack)
        assert image.metadata.pixel_size(3).pixel_size == (3, 0.25, 0.5)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npy", b"PK\x03\x04rest", "is an archive"),
        ("a.tif", b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=f"{words}.*; save the image in it as TIFF, NPY or Zarr"):
        open_image(tmp_path / name)


def test_pictures_and_arrays_by_other_names(tmp_path, rng):
    plane = values(rng)
    Image.fromarray(plane).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", plane)
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(
            open_image(path.rename(path.with_suffix(".tif"))).read(), plane
        )


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_one_frame_is_a_picture_and_several_a_series(tmp_path, rng, suffix):
    frames = [Image.fromarray(values(rng)) for _ in range(3)]
    frames[0].save(tmp_path / f"one.{suffix}")
    frames[0].save(tmp_path / f"all.{suffix}", save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / f"one.{suffix}").plane_axes == "YX"
    several = open_image(tmp_path / f"all.{suffix}")
    assert (several.axes, several.array.shape) == ("TYXS", (3, H, W, 3))


def test_addresses_are_told(tmp_path):
    with pytest.raises(FileError, match=r"https://host/a.tif: is an address; download"):
        open_image("https://host/a.tif")


# ---- orientation -------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_photographs_are_turned_upright(tmp_path, rng, caplog, orientation, mode):
    image = palette_image(rng)[0] if mode == "P" else Image.fromarray(values(rng, 3)[0])
    exif = image.getexif()
    exif[274] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    shown = ImageOps.exif_transpose(image)
    with open_image(tmp_path / "a.png") as found:
        np.testing.assert_array_equal(found.read(), np.asarray(shown.convert(found_mode(mode))))
        if mode == "P":
            np.testing.assert_array_equal(found.indices, np.asarray(shown))
    assert ("turned upright" in caplog.text) is (orientation != 1)


def found_mode(mode):
    return "RGB" if mode == "P" else "L"


def test_the_orientation_of_a_tiff_is_told(tmp_path, rng, caplog):
    plane = values(rng)
    tifffile.imwrite(tmp_path / "a.tif", plane, extratags=[(274, "H", 1, 6, True)])
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").read(), plane)
    assert "its orientation tag says" in caplog.text


# ---- planes in several files -------------------------------------------------------------------


@pytest.fixture
def two_files(tmp_path, rng):
    """An OME-TIFF whose second plane lies in another file, at another offset."""
    planes = values(rng, 2)
    with tifffile.TiffWriter(tmp_path / "b.ome.tif") as tiff:
        tiff.write(np.zeros((5, 7), np.uint8), metadata=None)  # moves what comes after
        tiff.write(planes[1], metadata=None)
    data = "".join(
        f'<TiffData FirstZ="{z}" IFD="{ifd}"><UUID FileName="{name}.ome.tif">urn:uuid:{name}</UUID>'
        "</TiffData>"
        for z, ifd, name in ((0, 0, "a"), (1, 1, "b"))
    )
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:a"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        f'Type="uint8" SizeX="{W}" SizeY="{H}" SizeZ="2" SizeC="1" SizeT="1">{data}</Pixels>'
        "</Image></OME>"
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", planes[0], description=xml, metadata=None)
    return tmp_path / "a.ome.tif", planes


def test_planes_are_read_from_their_own_files(two_files):
    path, planes = two_files
    with open_image(path) as image:
        assert image.array.shape == planes.shape
        np.testing.assert_array_equal(image.read(), planes)


def test_a_plane_whose_file_is_missing_is_told(two_files):
    path, planes = two_files
    (path.parent / "b.ome.tif").unlink()
    with open_image(path) as image:
        np.testing.assert_array_equal(image.array[0], planes[0])
        with pytest.raises(FileError, match=r"1 of its planes \(the first at Z = 1\) lie in files"):
            image.array[1].compute()


@pytest.mark.parametrize("use", [read_labels, lambda path: open_image(path).as_mask()])
def test_labels_and_masks_are_no_jpeg(tmp_path, rng, use):
    Image.fromarray(values(rng)).save(tmp_path / "a.jpg")
    with pytest.raises(FileError, match="changes values at edges"):
        use(tmp_path / "a.jpg")


def test_pages_that_imagej_does_not_count_are_told(tmp_path, rng, caplog):
    about = "ImageJ=1.53\nimages=3\nslices=3\n"  # as some programs leave it after adding planes
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for i, plane in enumerate(values(rng, 5)):
            tiff.write(plane, description=None if i else about, metadata=None)
    assert len(open_image(tmp_path / "a.tif").array) == 3
    assert "holds 5 pages, of which its ImageJ metadata count 3" in caplog.text


@pytest.mark.parametrize("shape", [(H, W, 1), (1, H, W), (1, H, W, 1), (1, H, W, 1, 1)])
def test_planes_with_axes_of_length_1(tmp_path, rng, shape):
    plane = values(rng)
    np.save(tmp_path / "a.npy", plane.reshape(shape))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.npy").labels, plane)
    np.testing.assert_array_equal(open_image(tmp_path / "a.npy").as_mask(), plane != 0)
