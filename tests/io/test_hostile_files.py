"""Damaged and hostile files: our own error with the file's name, in little time and memory."""

from __future__ import annotations

import io
import json
import struct
import zlib
from itertools import chain

import numpy as np
import pytest
import rasterio
import tifffile
import zarr
from PIL import Image

from napari_superpixels.cli.main import main
from napari_superpixels.errors import SuperpixelError
from napari_superpixels.io.images import open_image
from napari_superpixels.io.labels import read_labels
from napari_superpixels.params import SuperpixelParams

PLANE = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
QUICK = ["--iterations", "2", "--hidden-channels", "4", "4", "--n-segments", "5", "--force"]


def read_all(path):
    """Read all that a file holds; whether one of our errors refused it."""
    try:
        with open_image(path) as image:
            image.read()
            for ndim in (2, 3):
                image.metadata.spatial(ndim)
        read_labels(path)
    except SuperpixelError as error:
        text = str(error)
    else:
        return False
    assert path.name in text
    return True


# ---- made by hand ------------------------------------------------------------------------------


def header(width, height, n_samples=1, bits=8, **more):
    """A TIFF that is nothing but its header."""
    entries = {256: (4, width), 257: (4, height), 258: (3, bits), 259: (3, 1), 262: (3, 1)}
    entries |= {273: (4, 200), 277: (3, n_samples), 278: (4, height), 279: (4, 64)}
    entries |= {int(code[1:]): value for code, value in more.items()}
    packed = [
        struct.pack("<HHIHH", code, kind, 1, value, 0)
        if kind == 3
        else struct.pack("<HHII", code, kind, 1, value)
        for code, (kind, value) in sorted(entries.items())
    ]
    content = b"II*\0" + struct.pack("<IH", 8, len(packed)) + b"".join(packed) + bytes(4)
    return content.ljust(300, b"\0")


def npy(text):
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode() + bytes(100)


TILED = {"_322": (4, 16), "_323": (4, 16), "_324": (4, 0), "_325": (4, 0)}
REFUSED = {
    "bands.tif": header(10, 10, 65535),
    "planes.tif": header(10, 10, 65535, _284=(3, 2)),
    "height.tif": header(50, 2**31),
    "height-of-colours.tif": header(50, 2**32 - 1, 3),
    "empty.tif": header(0, 0),
    "no-bits.tif": header(10, 10, bits=0),
    "odd-bits.tif": header(10, 10, bits=65),
    "sparse.tif": header(100_000, 100_000, **TILED),
    "cut.npy": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (40,"),
    "negative.npy": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-4, 5), }"),
    "huge.npy": npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10**12}, 9), }}"),
    "objects.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (4, 5), }"),
    "deep.npy": npy("(" * 3000),
    "odd.npy": npy("{'descr': 'zz', 'fortran_order': 3, 'shape': 5, }"),
    "text.npy": npy("hello"),
    "short.npy": b"\x93NUMPY\x01\0\xff\xff{",
}


@pytest.mark.parametrize("name", REFUSED)
def test_headers_that_lie(tmp_path, name):
    (tmp_path / name).write_bytes(REFUSED[name])
    assert read_all(tmp_path / name)


ARRAY = {"zarr_format": 2, "shape": [40, 50], "chunks": [40, 50], "dtype": "|u1", "order": "C"}
ARRAY |= {"compressor": None, "fill_value": 0, "filters": None}


@pytest.mark.parametrize(
    "changed",
    [
        {"shape": [10**12, 10**12], "chunks": [10**4, 10**4]},
        {"shape": [3000, 3000], "chunks": [1, 1]},
        {"shape": [-1, 5]},
        {"shape": [0, 5], "chunks": [1, 5]},
        {"dtype": "|O"},
        {"dtype": 5},
        {"zarr_format": 99},
    ],
)
def test_zarr_arrays_that_lie(tmp_path, changed):
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / ".zarray").write_text(json.dumps(ARRAY | changed))
    assert main(["segment", str(path), "-o", str(tmp_path / "l.tif"), *QUICK]) == 1
    assert not list(tmp_path.glob("l.*"))


@pytest.mark.parametrize(
    "multiscales",
    [
        *(5, "x", [], [5], [{}], {"a": 1}, None),
        [{"datasets": []}],
        [{"datasets": [{"path": "0"}], "axes": 5}],
        [{"datasets": [{"path": "../../../etc"}], "axes": ["y", "x"]}],
        [{"datasets": [{"path": 7}], "axes": ["y", "x"]}],
        [{"datasets": [{"path": "gone"}], "axes": ["y", "x"]}],
        [{"datasets": "0", "axes": ["y", "x"]}],
    ],
)
def test_ome_zarr_that_is_none(tmp_path, multiscales):
    path = tmp_path / "a.zarr"
    zarr.open_group(path, mode="w", zarr_format=2)
    (path / ".zattrs").write_text(json.dumps({"multiscales": multiscales}))
    assert read_all(path)


BOMB = (
    "<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'>"
    + "".join(f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(9))
    + "]>"
)
OURS = '{{"shape": [40, 50], "napari-superpixels": {}}}'


@pytest.mark.parametrize(
    "tag",
    [
        (270, "H", 1, 5),
        (270, 2, 0, "ImageJ=1.53\nimages=notanumber\nslices=-3\n"),
        (270, 2, 0, "ImageJ=1.53\nimages=99999999\nslices=99999999\n"),
        (270, 2, 0, '<OME xmlns="x"><Image><Pixels SizeX="a" SizeY="-3"/></Image></OME>'),
        (270, 2, 0, f'<?xml version="1.0"?>{BOMB}<OME xmlns="x"><Image Name="&j;"/></OME>'),
        (270, 2, 0, OURS.format('{"pixel_size": "abc", "unit": 7, "place": {"shape": "x"}}')),
        (270, 2, 0, OURS.format('{"pixel_size": [1, null], "translation": 5}')),
        (270, 2, 0, OURS.format("[1, 2]")),
        (270, 2, 0, '{"shape": [4000000, 5000000]}'),
        (42113, 1, 4, b"\xff\xfe\x00\x01"),
        (33550, "d", 3, (np.nan,) * 3),
        (33550, "d", 3, (np.inf,) * 3),
        (33550, "d", 3, (0.0,) * 3),
        (33550, 2, 0, "abc"),
        (34264, "d", 16, (np.nan,) * 16),
    ],
)
def test_metadata_of_the_wrong_kind(tmp_path, tag):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PLANE, extratags=[(*tag, True)], metadata=None)
    refused = read_all(path)
    code = main(["export", str(path), "-o", str(tmp_path / "t.csv")])
    assert code in ((0, 1) if refused or tag[0] in (33550, 34264) else (0,))


@pytest.mark.parametrize("text", ["<PAM", "<a/>", f"{BOMB}<PAMDataset>&j;</PAMDataset>"])
def test_sidecars_that_are_none(tmp_path, text):
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    (tmp_path / "a.tif.aux.xml").write_text(text)
    assert not read_all(tmp_path / "a.tif")


@pytest.mark.parametrize("value", ["1" + "0" * 400, "nan", "-inf", "2020-01-01", '"x"', "[]"])
def test_parameters_beyond_numbers(tmp_path, value):
    for name in ("lam", "iterations", "hidden_channels", "seed"):
        (tmp_path / "p.toml").write_text(f"[superpixels]\n{name} = {value}\n")
        with pytest.raises(SuperpixelError, match=f"p.toml: {name} must be"):
            SuperpixelParams.load(tmp_path / "p.toml")


# ---- at random ---------------------------------------------------------------------------------


def valid_files(folder):
    """One file of each kind, by name."""
    stack = np.stack([PLANE] * 3)
    options = {
        "plain.tif": (PLANE, {}),
        "tiled.tif": (PLANE, {"compression": "zlib", "tile": (16, 16)}),
        "lzw.tif": (np.dstack([PLANE] * 3), {"photometric": "rgb", "compression": "lzw"}),
        "imagej.tif": (stack, {"imagej": True, "metadata": {"axes": "ZYX", "unit": "um"}}),
        "a.ome.tif": (stack, {"metadata": {"axes": "ZYX", "PhysicalSizeX": 0.2}}),
        "ours.tif": (PLANE, {"metadata": {"napari-superpixels": {"pixel_size": [1, 1]}}}),
    }
    for name, (array, more) in options.items():
        tifffile.imwrite(folder / name, array, **more)
        yield name, (folder / name).read_bytes()
    size = {"count": 1, "height": 40, "width": 50, "dtype": "uint8", "nodata": 0}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(2, 0, 4e5, 0, -2, 5e6)}
    with rasterio.open(folder / "map.tif", "w", driver="GTiff", **size, **place) as raster:
        raster.write(PLANE, 1)
    yield "map.tif", (folder / "map.tif").read_bytes()
    for suffix, kind in (("png", "PNG"), ("jpg", "JPEG"), ("gif", "GIF"), ("jp2", "JPEG2000")):
        file = io.BytesIO()
        Image.fromarray(np.dstack([PLANE] * 3)).save(file, kind)
        yield f"a.{suffix}", file.getvalue()
    file = io.BytesIO()
    np.save(file, PLANE)
    yield "a.npy", file.getvalue()


def damaged(data, rng, n):
    """Copies with other bytes in the header or anywhere, and copies that are cut."""
    for i in range(n):
        found = bytearray(data)
        end = (400, len(data))[i % 2]
        if i % 4 == 2:
            yield bytes(data[: rng.integers(len(data))])
            continue
        for at in rng.integers(0, min(end, len(data)), rng.integers(1, 4)):
            found[at] = rng.choice([0, 1, 127, 255, rng.integers(256)])
        yield bytes(found)


@pytest.mark.parametrize(
    ("seed", "n"), [(0, 6), *(pytest.param(i, 60, marks=pytest.mark.slow) for i in (1, 2))]
)
@pytest.mark.filterwarnings("ignore")
def test_bytes_that_were_changed(tmp_path, seed, n):
    rng = np.random.default_rng(seed)
    for name, data in list(valid_files(tmp_path)):
        for content in damaged(data, rng, n):
            (tmp_path / name).write_bytes(content)
            read_all(tmp_path / name)


@pytest.mark.parametrize(
    ("seed", "n"), [(0, 20), *(pytest.param(i, 300, marks=pytest.mark.slow) for i in (1, 2))]
)
@pytest.mark.filterwarnings("ignore")
def test_metadata_of_zarr_that_were_changed(tmp_path, seed, n):
    """Values of another kind anywhere in the JSON of an OME-Zarr."""
    rng = np.random.default_rng(seed)
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", shape=PLANE.shape, dtype="u1")[...] = PLANE
    group.attrs["multiscales"] = [
        {
            "axes": [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"],
            "datasets": [
                {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2, 1]}]}
            ],
        }
    ]
    files = {file: json.loads(file.read_text()) for file in (path / ".zattrs", path / "0/.zarray")}
    values = [None, -1, 0, 10**20, 1.5, "x", "", [], {}, [[]], True]
    for _ in range(n):
        for file, content in files.items():
            file.write_text(json.dumps(_with_another(content, rng, values)))
            read_all(path)
            file.write_text(json.dumps(content))


def _with_another(content, rng, values):
    """Plain values with one of them, at any depth, replaced."""
    content = json.loads(json.dumps(content))
    places = list(_places(content))
    holder, key = places[rng.integers(len(places))]
    holder[key] = values[rng.integers(len(values))]
    return content


def _places(content):
    keys = content.keys() if isinstance(content, dict) else range(len(content))
    inner = (content[key] for key in keys if isinstance(content[key], dict | list))
    return chain(((content, key) for key in keys), *(_places(each) for each in inner))


def test_a_png_that_unpacks_to_gigabytes(tmp_path):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    size = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(10_000_000))
    parts = [chunk(b"IHDR", size), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(SuperpixelError, match="more pixels than are read from a file of this kind"):
        open_image(tmp_path / "a.png")
