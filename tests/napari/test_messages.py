"""Errors in the words of the docks; each wording once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import napari_superpixels
from napari_superpixels import errors
from napari_superpixels._napari.messages import text_of

CASES = [
    (errors.TooFewPixels(9, 4), "the count “adaptive”", ""),
    (errors.TooFewSegments(2, 9), "ask for 9 or more, or choose the count “adaptive”", ""),
    (errors.NotRGB(4), "choose “channels”", ""),
    (errors.DeviceUnavailableError("no MPS device", has_automatic=True), "device “auto”", ""),
    (
        errors.NotEnoughMemory(3e9, 2e9, "cpu", is_limit=True),
        "limit of 2 GB (under Preferences > Plugins). Ask for fewer",
        "or raise the limit.",
    ),
    (
        errors.NotEnoughMemory(3e9, 2e9, "cpu", is_limit=True, in_tiles=True),
        "Even in tiles this needs about 3.0 GB, more than the memory limit of 2 GB (raise it under",
        "raise the limit under Preferences > Plugins, or cut the image into parts",
    ),
    (errors.OutOfMemory("cuda: GPU", 2e9, is_cpu=False), "run on the CPU.", ""),
    (errors.FileExists("a.tif"), "choose another name", ""),
    (errors.HoldsPlanes("PNG", (2, 3, 4)), "show one plane, and export that", ""),
    (errors.NeedsImage(), "open the image", ""),
    (errors.UnitNotKnown("OME-TIFF", "furlong"), "no unit “furlong”", ""),
    (errors.ColumnsDifferByCase(("mean dapi",)), "rename one of the image layers", ""),
    (errors.UnfinishedRun("f"), "segment to the same name again", "start the batch again"),
    (errors.UnfinishedRun("f", ("seed",)), "differs in seed", "start the batch with the same ones"),
    (errors.RunBrokenOff("full", "f"), "segment to the same name again", "start the batch again"),
    (errors.AmbiguousAxes((3, 4, 5)), "3 axes (3, 4, 5)", "choose under “Stacks”"),
    (errors.UnchosenPlane("TYX", (6, 4, 5)), "T (6), Y (4), X (5)", "choose under “Stacks” what"),
    (errors.NotASeries("??", (4, 5)), "a series takes one axis", "the axes ? (4), ? (5)"),
    (errors.NotASeries("TZYX", (2, 3, 4, 5), is_deeper=True), "", "as a file of their own"),
    (errors.UnknownChannelAxis((4, 5)), "", "leave “Use channels” empty for it"),
    (errors.WrongAxes((4, 5), 3, has_channels=False), "", "it is no volume, choose another entry"),
    (errors.WrongAxes((2, 3, 4, 5), 2, has_channels=True), "", "it is a stack, choose another"),
    (errors.MadeOtherwise(("seed",)), "", "kept: choose another folder, or remove it there"),
    (
        errors.NotTold("a.csv"),
        "",
        "kept: choose another folder, or remove it",
    ),
    (errors.FormatForPlanes("a.png"), "", "with Export… of the layer"),
    (
        errors.LabelsKept(errors.RunBrokenOff("full", "f"), "l.zarr", "a.tif"),
        "",
        "start the batch again; the labels are kept in l.zarr: the same batch goes on",
    ),
]


@pytest.mark.parametrize("in_tiles", [False, True])
@pytest.mark.parametrize("is_limit", [False, True])
@pytest.mark.parametrize("batch", [False, True])
def test_the_limit_is_named_only_where_there_is_one(batch, is_limit, in_tiles):
    error = errors.NotEnoughMemory(3e9, 2e9, "cpu", is_limit=is_limit, in_tiles=in_tiles)
    text = text_of(error, batch=batch)
    assert ("Preferences" in text) == is_limit
    assert ("raise" in text) == is_limit


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        (
            {"kind": "Gone", "data": {"x": 1}, "text": "it failed", "context": ["a.tif"]},
            "it failed",
        ),
        ({"kind": "Gone", "data": {"message": "it failed"}}, "it failed"),
        ({"kind": "Gone"}, "Gone"),
        ({"kind": "FileExists", "data": {"other": 1}, "text": "it failed"}, "it failed"),
        ({"kind": "FileExists", "data": {"path": "b"}, "text": "x"}, "b: exists already"),
        ({"kind": "FileExists", "data": {}, "text": "it failed"}, "it failed"),
    ],
)
def test_errors_of_another_process_are_told_whatever_it_has_loaded(plain, text):
    error = errors.from_plain(plain)
    assert isinstance(error, errors.SuperpixelError)
    assert text in text_of(error, batch=True)
    assert text_of(error).startswith("a.tif: ") == ("context" in plain)


@pytest.mark.parametrize(("error", "alone", "batch"), CASES, ids=lambda value: type(value).__name__)
def test_the_docks_name_their_controls(error, alone, batch):
    assert alone in text_of(error)
    in_batch = text_of(error, batch=True)
    assert batch in in_batch
    assert not re.search(r"--\w|\w=", in_batch)


def test_no_message_is_edited():
    """Nobody takes a sentence apart, and nothing below the command knows its options."""
    root = Path(napari_superpixels.__path__[0])
    for file in root.rglob("*.py"):
        name = file.relative_to(root).as_posix()
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"str\((error|exc)\)[^\n]*\.(replace|sub)\(", text), name
        assert not re.search(r"re\.sub\([^)]*\b(error|message)\b", text), name
        if not name.startswith("cli/"):
            assert not re.search(r"[\"' (]--(force|resume|plane|like|volume|series)\b", text) or (
                name == "_napari/batch/panel.py"
            ), name
