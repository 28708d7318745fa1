"""Errors in the words of the command; each wording once."""

from __future__ import annotations

import json
import pickle

import pytest

from napari_superpixels import errors
from napari_superpixels.cli.messages import text_of

CASES = [
    (
        errors.InvalidParameter("channel_axis", "-3 to 2", 7),
        "--channel-axis must be -3 to 2, got 7",
    ),
    (errors.InvalidParameter("n_workers", "1 or more", 0), "--workers must be 1 or more, got 0"),
    (
        errors.InvalidParameter("lam", "0 to 3", 9.0).within("p.toml"),
        "p.toml: lam must be 0 to 3, got 9.0",
    ),
    (
        errors.DeviceUnavailableError("no CUDA device: none", has_automatic=True),
        "no CUDA device: none. Use --device auto",
    ),
    (errors.TooFewPixels(9, 4), "or for --count adaptive"),
    (errors.TooFewSegments(2, 9), "ask for 9 or more, or for --count adaptive"),
    (
        errors.LabelsMismatch("objects", (3, 4), (5, 6), "o.tif"),
        "the objects o.tif (3, 4) and the image (5, 6) differ in shape",
    ),
    (errors.NotLabels("initial", "0.5 in 3 pixels", "i.tif"), "labels i.tif hold 0.5 in 3 pixels"),
    (errors.NoLabels("initial"), "none above 0 inside the image or mask"),
    (errors.LabelsNotInTiles("objects"), "objects do not work in tiles: cut out the part"),
    (errors.NotRGB(4), "use --color-space channels"),
    (errors.AmbiguousAxes((3, 4, 5)), "choose one plane of a stack with --plane"),
    (errors.WrongAxes((4, 5), 3, has_channels=False), "leave out --volume and --spacing"),
    (errors.WrongAxes((2, 3, 4, 5), 2, has_channels=True), "with --channel-axis the image must"),
    (errors.UnknownChannelAxis((4, 5)), "for example --channel-axis 0"),
    (
        errors.UnchosenPlane("TYX", (6, 4, 5)),
        "it is a stack with the axes T (6), Y (4), X (5): choose one plane with --plane",
    ),
    (errors.NotASeries("??", (4, 5)), "say with --channel-axis which axis holds channels"),
    (errors.NotASeries("TZYX", (2, 3, 4, 5), is_deeper=True), "as a file of their own"),
    (
        errors.NotEnoughMemory(3e9, 2e9, "cpu", is_limit=True),
        "more than the memory limit of 2 GB (--memory-limit-gb). Ask for fewer",
    ),
    (errors.NotEnoughMemory(3e9, 2e9, "cpu"), "(or a larger --downscale)"),
    (
        errors.NotEnoughMemory(3e9, 2e9, "cpu", has_walls=True),
        "segment a smaller region, choose the balanced or fast preset",
    ),
    (errors.NotEnoughMemory(3e9, 2e9, "cpu", in_tiles=True), "fewer --workers"),
    (errors.OutOfMemory("cuda: GPU", 2e9, is_cpu=False), "run on the CPU"),
    (errors.FileExists("a.tif"), "a.tif: exists already; use --force to replace it"),
    (errors.MadeOtherwise(("seed (0, now 7)",)), "kept: give another folder, or --force"),
    (errors.MadeOtherwise((), "cut short"), "what is there cannot be read (cut short); kept"),
    (errors.NotGeoreferenced("a.tif"), "name the raster that does with --like"),
    (errors.HoldsPlanes("PNG", (2, 3, 4)), "choose one plane with --plane"),
    (errors.FormatForPlanes("a.png"), "from the labels with export --plane"),
    (errors.NeedsImage(), "give it with --image"),
    (errors.UnitNotKnown("OME-TIFF", "furlong"), "with --pixel-size and --unit"),
    (errors.ColumnsDifferByCase(("mean dapi",)), "with --channel-names"),
    (errors.UnfinishedRun("f"), "go on with it (--resume), or delete the folder"),
    (errors.UnfinishedRun("f", ("seed (0, now 7)",)), "differs in seed (0, now 7); go on with"),
    (errors.RunBrokenOff("full", "f"), "full. What is done is kept in f: mend the cause"),
    (
        errors.LabelsKept(errors.FileExists("a.tif"), "l.zarr", "a.tif"),
        "use --force to replace it; the labels are kept in l.zarr: the same command with --resume",
    ),
    (
        errors.LabelsKept(errors.ExportError("x.csv: needs more memory."), "l.zarr", "x.csv"),
        "needs more memory; the labels are kept",
    ),
    (errors.MaskMismatch((3, 4), (5, 6)), "the mask (3, 4) and the image"),
    (errors.MaskMismatch((3, 4), (5, 6), is_own=True), "its own transparency or mask (3, 4) and"),
    (errors.NotTold("t.csv"), "give another folder, or delete it, or --force to make all anew"),
    (errors.Unexpected("KeyError", "'x'", "io/images.py:9"), "unexpected KeyError ('x') at io/"),
    (ValueError("count=3.tif: is empty"), "count=3.tif: is empty"),
]


@pytest.mark.parametrize(("error", "words"), CASES, ids=lambda value: type(value).__name__)
def test_the_command_names_its_options(error, words):
    assert words in text_of(error)
    assert ".;" not in f"{text_of(error)} {error}"
    assert "=" not in text_of(error) or isinstance(error, ValueError)


@pytest.mark.parametrize("error", [error for error, _ in CASES if hasattr(error, "context")])
def test_errors_cross_processes(error):
    """A cluster pickles them, a batch writes them as JSON."""
    for copied in (
        pickle.loads(pickle.dumps(error)),
        errors.from_plain(json.loads(json.dumps(errors.to_plain(error)))),
    ):
        assert type(copied) is type(error)
        assert str(copied) == str(error)
        assert text_of(copied) == text_of(error)


def test_errors_of_others_keep_their_text():
    copied = errors.from_plain(errors.to_plain(OSError(28, "No space\nleft")))
    assert str(copied) == "[Errno 28] No space left"
