"""Files that version 0.1 wrote still open, and its runs go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_superpixels.editing.corrected_file import read_corrected
from napari_superpixels.errors import UnfinishedRun
from napari_superpixels.events import drain
from napari_superpixels.io.formats import read_provenance
from napari_superpixels.io.labels import read_labels
from napari_superpixels.params import SuperpixelParams
from napari_superpixels.tiling.run import iter_superpixels_tiled
from tests.fixtures.files import stated_size

OLD = Path(__file__).parent / "data" / "v0_1"
# What they were made with, where it is not the default today.
FIELDS = {
    "label_maps": 100,
    "refine_smoothness": 0.15,
    "iterations": 4,
    "hidden_channels": (4, 4),
    "refine_iterations": 2,
    "oversegmentation": 100,
}


@pytest.fixture
def image():
    """The image that the files were made of."""
    rows, columns = np.mgrid[:96, :128]
    red, green = np.sin(columns / 9) * 60 + 128, np.cos(rows / 7) * 60 + 128
    blue = ((columns // 32 + rows // 24) % 2) * 120 + 40
    return np.stack([red, green, blue], -1).astype(np.uint8)


@pytest.fixture
def expected():
    with np.load(OLD / "expected.npz") as stored:
        return dict(stored)


@pytest.mark.parametrize("name", ["labels.tif", "labels.ome.tif", "labels.zarr"])
def test_labels_and_how_they_were_made(name, expected):
    path = OLD / name / "labels" / "superpixels" if name.endswith(".zarr") else OLD / name
    np.testing.assert_array_equal(read_labels(path).labels, expected["labels"])
    assert read_provenance(OLD / name)["parameters"]["n_segments"] == 40
    known_size = None if name == "labels.tif" else ((0.5, 0.5), "um")
    assert stated_size(path, 2) == known_size


def test_corrected_labels_keep_their_log(expected):
    session, known = read_corrected(OLD / "corrected.tif")
    np.testing.assert_array_equal(session.labels, expected["corrected"])
    np.testing.assert_array_equal(session.start, expected["labels"])
    operations = [entry["operation"] for entry in session.log]
    assert operations == ["merge", "assign", "lock", "clean_up"]
    assert known["source"] == "image.png"


@pytest.fixture
def segment(tmp_path, image):
    """``segment(name, resume=...) -> labels`` of the run that the old checkpoint is of."""

    def run(name, *, resume=False):
        params = SuperpixelParams(n_segments=40, **FIELDS)
        options = {"channel_axis": -1, "tile_size_px": 48, "halo_px": 16, "resume": resume}
        result = drain(iter_superpixels_tiled(image, tmp_path / name, 40, params, **options))
        return zarr.open_array(result.path / "0", mode="r")[:]

    return run


def test_a_run_in_tiles_goes_on(tmp_path, segment, assert_superpixels):
    shutil.copytree(OLD / "out.zarr.partial", tmp_path / "out.zarr.partial")
    labels = segment("out.zarr", resume=True)
    assert_superpixels(labels, 40)
    assert labels.max() > 30


def test_a_run_in_tiles_does_not_go_on_with_another_image(tmp_path, image, segment):
    shutil.copytree(OLD / "out.zarr.partial", tmp_path / "out.zarr.partial")
    image[5:9] = 255 - image[5:9]
    with pytest.raises(UnfinishedRun, match="other pixels"):
        segment("out.zarr", resume=True)


def test_tiles_of_an_old_run_are_not_made_anew(tmp_path, segment):
    shutil.copytree(OLD / "out.zarr.partial", tmp_path / "out.zarr.partial")
    tile = tmp_path / "out.zarr.partial" / "tiles" / "0-0.npz"
    with np.load(tile) as stored:
        arrays = dict(stored)
    arrays["labels"][:4, :4] = arrays["labels"][30, 30]  # so that it is seen in the result
    np.savez_compressed(tile, **arrays)
    labels = segment("out.zarr", resume=True)
    assert labels[0, 0] == labels[30, 30]
    assert labels[4, 4] != labels[30, 30]
