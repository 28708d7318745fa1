"""A file that nobody can read must not take the others of a batch with it."""

from __future__ import annotations

import json
import lzma
import struct
import tokenize
import zipfile
import zlib
from xml.etree import ElementTree as ET

import imageio.v3 as iio
import numpy as np
import pytest

from napari_superpixels.cli.main import main
from napari_superpixels.io import images

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "9", "--quiet"]


def strict(text):
    """Read JSON as other languages do."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def folder(tmp_path, tiles_image):
    """Good images around a bad one, in the order of their names."""
    for name in ("a.png", "c.png"):
        iio.imwrite(tmp_path / name, tiles_image)
    np.save(tmp_path / "b.npy", tiles_image[..., 0])
    return tmp_path


def segment(folder, *options):
    return main(["segment", str(folder), "-o", f"{folder / 'out'}/", *QUICK, *options])


def npy(header):
    """An NPY file with this header."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(100)


DAMAGED = {
    "header cut in its text": npy("{'descr': '<u2', 'fortran_order': False, 'shape': (3,"),
    "header of another shape": npy("{'descr': '<u2', 'fortran_order': False, 'shape': (-3, 4), }"),
    "header of an object": npy("{'descr': '|O', 'fortran_order': False, 'shape': (3, 4), }"),
    "header that is code": npy("__import__('os').getcwd()"),
    "nothing": b"",
    "a few bytes": b"\x93NUMPY\x01\x00\x76",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file(kind, folder, capsys):
    (folder / "b.npy").write_bytes(DAMAGED[kind])
    assert segment(folder) == 1
    assert {p.name for p in (folder / "out").iterdir()} == {
        "a_superpixels.tif",
        "c_superpixels.tif",
    }
    error = capsys.readouterr().err
    assert "1 of 3 images failed:" in error
    assert error.count(f"{folder / 'b.npy'}: ") == 2  # at once, and in the end
    assert "Traceback" not in error


RAISED = [
    tokenize.TokenError("EOF in multi-line statement", (2, 0)),
    zipfile.BadZipFile("File is not a zip file"),
    lzma.LZMAError("corrupt"),
    zlib.error("Error -3"),
    struct.error("unpack requires"),
    ET.ParseError("not well-formed"),
    AssertionError(),
    KeyError("shape"),
    StopIteration(),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    EOFError(),
    OverflowError("too large"),
    Exception("of a library's own kind"),
]


@pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_reader_raises(raised, folder, capsys, monkeypatch):
    opened = images.open_image

    def open_image(path, *arguments):
        if str(path).endswith("b.npy"):
            raise raised
        return opened(path, *arguments)

    monkeypatch.setattr(images, "open_image", open_image)
    assert segment(folder, "--json") == 1
    printed = capsys.readouterr()
    told = [strict(line) for line in printed.out.splitlines()]
    assert [line["state"] for line in told] == ["done", "failed", "done"]
    assert type(raised).__name__ in told[1]["text"] or str(raised) in told[1]["text"]
    assert told[1]["error"]["kind"] in ("Unexpected", "SuperpixelError")
    assert "1 of 3 images failed:" in printed.err


def test_a_fault_of_ours_is_told_as_one(folder, capsys, monkeypatch):
    def broken(*_):
        raise AttributeError("'NoneType' object has no attribute 'shape'")

    monkeypatch.setattr(images, "open_image", broken)
    assert segment(folder, "--json") == 1
    told = [strict(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["state"] for line in told] == ["failed"] * 3
    for line in told:
        assert (
            "unexpected AttributeError ('NoneType' object has no attribute 'shape') at"
            in (line["text"])
        )
        assert "please report it" in line["text"]
        assert "cli/segment.py:" in line["error"]["data"]["where"]


def test_a_damaged_result_and_a_missing_mask(folder, capsys):
    """What is compared is a file of the batch as well."""
    assert segment(folder) == 0
    result = folder / "out" / "a_superpixels.tif"
    whole = result.read_bytes()
    for n, words in ((100, "what is there cannot be read"), (300, "does not tell of which image")):
        result.write_bytes(whole[:n])
        assert segment(folder) == 0
        printed = capsys.readouterr()
        assert words in printed.err
        assert "2 of 3 were done already" in printed.out
        assert result.read_bytes() == whole[:n]
    assert segment(folder, "--mask", str(folder / "no.png")) == 1
    error = capsys.readouterr().err
    assert error.count("no.png: no such file") == 4
    assert "2 of 3 images failed" in error
