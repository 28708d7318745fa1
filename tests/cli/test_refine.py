"""``refine``: the borders of labels of other software, on real files."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_superpixels import refine, save_labels
from napari_superpixels.cli.main import main
from napari_superpixels.io.classes import columns_of
from napari_superpixels.io.formats import read_provenance
from tests.fixtures.files import labels_in, stated_size


@pytest.fixture
def labels():
    """The squares of the image, two pixels off."""
    truth = 100 + np.arange(12).reshape(3, 4).repeat(16, 0).repeat(16, 1)
    return np.roll(truth, 2, axis=1).astype(np.uint16)


@pytest.fixture
def here(tmp_path, tiles_image, labels, monkeypatch):
    monkeypatch.chdir(tmp_path)
    iio.imwrite("image.png", tiles_image)
    tifffile.imwrite("labels.tif", labels)
    return tmp_path


def test_the_command_is_the_api(here, tiles_image, labels, capsys):
    assert main(["refine", "image.png", "--labels", "labels.tif", "-o", "out.tif"]) == 0
    found = labels_in("out.tif")
    np.testing.assert_array_equal(found, refine(tiles_image, labels, channel_axis=-1))
    changed = (found != labels).sum()
    assert f"12 labels refined; {changed} of 3072 pixels changed label" in capsys.readouterr().out
    about = read_provenance("out.tif")
    assert about["refined"] == {"labels": "labels.tif", "keep_background": True}
    assert about["source"] == "image.png"
    options = ["--smoothness", "0.5", "--compactness", "0", "--iterations", "2"]
    more = [*options, "--color-space", "channels", "-o", "two.npy"]
    assert main(["refine", "image.png", "--labels", "labels.tif", *more]) == 0
    expected = refine(
        tiles_image,
        labels,
        channel_axis=-1,
        smoothness=0.5,
        compactness=0.0,
        iterations=2,
        color_space="channels",
    )
    np.testing.assert_array_equal(labels_in("two.npy"), expected)


def test_background_moves_if_asked(here, tiles_image, labels):
    apart = np.where((labels == 101) | (labels == 111), labels, 0)
    np.save("apart.npy", apart)
    arguments = ["refine", "image.png", "--labels", "apart.npy"]
    assert main([*arguments, "-o", "kept.tif"]) == 0
    np.testing.assert_array_equal(labels_in("kept.tif"), apart)
    assert main([*arguments, "-o", "moved.tif", "--move-background"]) == 0
    moved = labels_in("moved.tif")
    np.testing.assert_array_equal(
        moved, refine(tiles_image, apart, channel_axis=-1, keep_background=False)
    )
    assert set(np.unique(moved)) == {0, 101, 111}
    truth = np.roll(apart == 101, -2, axis=1)
    before, after = ((truth & at).sum() / (truth | at).sum() for at in (apart == 101, moved == 101))
    assert before < 0.8 < 0.95 < after


def test_what_labels_know_of_themselves_stays(here, labels):
    """Classes and columns belong to numbers, which do not change; a pixel size to the image."""
    known = {
        "parameters": {"n_segments": 12},
        "columns": {"label": [100, 111], "object": [3, 9]},
    }
    save_labels("known.tif", labels, known)
    assert main(["refine", "image.png", "--labels", "known.tif", "-o", "out.tif"]) == 0
    about = read_provenance("out.tif")
    assert about["parameters"] == {"n_segments": 12}
    of_labels = columns_of(about, "").of(np.array([100, 105, 111]))
    np.testing.assert_array_equal(of_labels["object"], [3, np.nan, 9])


def test_many_images_with_a_folder_of_labels(here, tiles_image, labels, capsys):
    for folder in ("images", "labels"):
        (here / folder).mkdir()
    for k, name in enumerate("ab"):
        iio.imwrite(f"images/{name}.png", np.roll(tiles_image, 3 * k, 0))
        tifffile.imwrite(f"labels/{name}_cp_masks.tif", np.roll(labels, 3 * k, 0))
    iio.imwrite("images/c.png", tiles_image)
    assert main(["refine", "images", "--labels", "labels", "-o", "out/", "--quiet"]) == 1
    assert "holds no file for c.png" in capsys.readouterr().err
    for k, name in enumerate("ab"):
        expected = refine(
            np.roll(tiles_image, 3 * k, 0), np.roll(labels, 3 * k, 0), channel_axis=-1
        )
        np.testing.assert_array_equal(labels_in(f"out/{name}_refined.tif"), expected)
    # Again, beside the images: told at once and in the end, neither is replaced.
    assert main(["refine", "images/[ab].png", "--labels", "labels", "-o", "out/"]) == 1
    assert (
        capsys.readouterr().err.count("exists already; use --force") == 4
    )  # at once, and in the end
    assert main(["refine", "images/[ab].*", "--labels", "labels", "-o", "images/"]) == 0
    again = ["refine", "images/[ab]*", "--labels", "labels", "-o", "images/", "--force"]
    assert main(again) == 0


def test_stacks(here, tiles_image, labels):
    stack = np.stack([np.roll(tiles_image, k, 1).mean(-1).astype(np.uint8) for k in range(3)])
    of_stack = np.stack([np.roll(labels, k, 1) for k in range(3)])
    meta = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    resolution = {"resolution": (4.0, 4.0), "metadata": meta}
    tifffile.imwrite("stack.tif", stack, imagej=True, **resolution)
    tifffile.imwrite("of_stack.tif", of_stack, photometric="minisblack")
    arguments = ["refine", "stack.tif", "--labels", "of_stack.tif"]
    assert main([*arguments, "--series", "-o", "frames.tif"]) == 0
    assert main([*arguments, "--plane", "1", "-o", "plane.tif"]) == 0
    assert main([*arguments, "--volume", "-o", "volume.tif"]) == 0
    assert main(["refine", "stack.tif", "--labels", "labels.tif", "--series", "-o", "one.tif"]) == 0
    frames = labels_in("frames.tif")
    for k in range(3):
        np.testing.assert_array_equal(frames[k], refine(stack[k], of_stack[k]))
    np.testing.assert_array_equal(labels_in("plane.tif"), frames[1])
    np.testing.assert_array_equal(labels_in("one.tif")[2], refine(stack[2], labels))
    np.testing.assert_array_equal(
        labels_in("volume.tif"), refine(stack, of_stack, spacing=(2.0, 0.25, 0.25))
    )
    assert stated_size("volume.tif", 3) is not None


def test_a_mask_keeps_labels(here, tiles_image, labels):
    mask = np.ones((48, 64), np.uint8)
    mask[20:] = 0
    iio.imwrite("mask.png", mask)
    arguments = ["--labels", "labels.tif", "--mask", "mask.png", "-o", "out.tif"]
    assert main(["refine", "image.png", *arguments]) == 0
    found = labels_in("out.tif")
    np.testing.assert_array_equal(found[20:], labels[20:])
    assert (found[:20] != labels[:20]).sum() > 30


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda x: x[:40], "labels to refine bad.npy (40, 64) and the image (48, 64) differ"),
        (lambda x: x.astype(np.int32) - 105, "labels to refine bad.npy hold -2 in"),
        (lambda x: x / 7, "a label map has two axes"),
    ],
)
def test_labels_that_do_not_fit(here, labels, capsys, make, told):
    np.save("bad.npy", make(labels))
    assert main(["refine", "image.png", "--labels", "bad.npy", "-o", "out.tif"]) == 1
    assert told in capsys.readouterr().err
    assert not (here / "out.tif").exists()


def test_inputs_are_never_replaced(here, labels, capsys):
    arguments = ["refine", "image.png", "--labels", "labels.tif", "-o", "labels.tif", "--force"]
    assert main(arguments) == 1
    assert "labels.tif: is an input" in capsys.readouterr().err
    np.testing.assert_array_equal(labels_in("labels.tif"), labels)


def test_values_out_of_range_are_told_as_options(here, capsys):
    arguments = ["refine", "image.png", "--labels", "labels.tif", "-o", "out.tif"]
    assert main([*arguments, "--iterations", "-3"]) == 1
    assert "--iterations must be" in capsys.readouterr().err
