"""Images that are segmented in tiles from the dock."""

from __future__ import annotations

import re

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Labels
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.input.region import Where
from napari_superpixels._napari.segment import tiled_run
from napari_superpixels._napari.segment.time_estimate import TimeEstimate
from napari_superpixels._napari.settings import Preferences
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.plan import tiles as plan
from napari_superpixels.plan.run_plan import Tiles


@pytest.fixture
def picture(rng):
    """Blocks with noise, shape (150, 200)."""
    return np.kron(rng.integers(0, 255, (8, 10)), np.ones((20, 20)))[:150] + rng.random((150, 200))


@pytest.fixture
def output(tmp_path, monkeypatch):
    """Where the user says that the labels go; tiles are small."""
    path = tmp_path / "labels.zarr"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    monkeypatch.setattr(plan, "DEFAULT_TILE_PX", 64)
    return path


def result(viewer):
    (layer,) = [layer for layer in viewer.layers if layer.name.endswith("superpixels")]
    assert isinstance(layer, Labels)
    return layer


def test_memory_limit_proposes_tiles(viewer, dock, picture, output, monkeypatch, qtbot):
    large = da.from_array(np.tile(picture, (20, 12)), chunks=512)
    viewer.add_image(
        large, name="map", contrast_limits=(0, 255), scale=(0.5, 0.5), units=("um", "um")
    )
    dock.form.control("n_segments").value = 5000
    dock.form.control("iterations").value = 5
    assert "tiles" not in dock.device_label.text()
    plan = dock._plan(dock._choices())
    needed_gb = float(re.search(r"about ([\d.]+) GB", plan.text)[1])
    monkeypatch.setattr(Preferences, "read", lambda: Preferences(memory_limit_gb=needed_gb / 2))
    dock._refresh()
    assert plan.text in dock.device_label.text()
    assert re.search(
        r"in one piece, so it is done in \d+ tiles of \d+ × \d+ pixels", dock.device_label.text()
    )
    assert dock.segment_button.isEnabled()
    assert "finding out how long" in dock.status_label.text()
    qtbot.waitUntil(lambda: "finding" not in dock.status_label.text(), timeout=60_000)
    assert re.search(r"GB on disk; about [\d.]+ (s|min)$", dock.status_label.text())
    dock.tiles.value = Tiles.NEVER
    assert "tiles" not in dock.device_label.text()
    assert f"memory limit of {needed_gb / 2:g} GB" in dock.status_label.text()
    dock.tiles.value = Tiles.ALWAYS
    monkeypatch.setattr(Preferences, "read", lambda: Preferences(memory_limit_gb=1e-4))
    dock._refresh()
    assert "Even in tiles this needs about" in dock.status_label.text()
    assert "is done in" not in dock.device_label.text()
    assert not dock.segment_button.isEnabled()


def test_tiles_are_not_proposed_where_they_take_as_much(viewer, dock, picture, monkeypatch):
    viewer.add_image(picture, name="cell")
    monkeypatch.setattr(Preferences, "read", lambda: Preferences(memory_limit_gb=1e-4))
    dock._refresh()
    assert "tiles of" not in dock.device_label.text()
    assert "more than the memory limit of 0.0001 GB" in dock.status_label.text()
    assert "Tiles would need about" in dock.status_label.text()
    assert not dock.segment_button.isEnabled()


def test_tiles_make_an_editable_layer_and_a_file(viewer, dock, picture, output, run_to_end):
    image = da.from_array(picture, chunks=64)
    viewer.add_image(image, name="map", contrast_limits=(0, 255), scale=(0.5, 0.5), units="um")
    dock.form.control("n_segments").value = 40
    dock.tiles.value = Tiles.ALWAYS
    run_to_end(dock)
    layer = result(viewer)
    assert layer.editable
    np.testing.assert_allclose(layer.scale, (0.5, 0.5))
    stored = zarr.open_group(output, mode="r")
    np.testing.assert_array_equal(stored["0"][:], layer.data)
    scale = stored.attrs["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == [0.5, 0.5]
    n = layer.data.max()
    assert 20 < n <= 40
    assert f"{n} superpixels" in dock.result_label.text()
    assert "tiles, in" in dock.result_label.text()
    assert list(layer.features["index"]) == list(range(1, n + 1))
    np.testing.assert_allclose(
        layer.features["mean intensity"][4], picture[layer.data == 5].mean(), rtol=1e-6
    )
    assert layer.features["area"].sum() == pytest.approx(picture.size / 4)
    assert layer.metadata[METADATA_KEY]["file"] == str(output)


def test_a_mask_and_two_layers_in_tiles(viewer, dock, picture, output, run_to_end):
    viewer.add_image(da.from_array(-picture), name="second", contrast_limits=(-255, 0))
    image = viewer.add_image(picture, name="map")
    mask = np.zeros(picture.shape, np.uint8)
    mask[20:140, 30:190] = 1
    viewer.add_labels(mask, name="mask")
    viewer.layers.selection.active = image
    dock.more.boxes["second"].click()
    dock.region.where_box.value = Where.LABELS
    dock.tiles.value = Tiles.ALWAYS
    run_to_end(dock)
    layer = viewer.layers["map superpixels"]
    np.testing.assert_array_equal(layer.data > 0, mask > 0)
    assert {"mean map", "mean second"} <= set(layer.features)
    dock.copy_button.click()
    space = {"viewer": viewer}
    exec(QGuiApplication.clipboard().text(), space)
    np.testing.assert_array_equal(space["labels"], layer.data[20:140, 30:190])


@pytest.mark.slow
def test_a_mask_leaves_out_what_cannot_be_read(viewer, dock, picture, output, run_to_end):
    broken = []

    def block(part, block_info):
        if broken and block_info[0]["chunk-location"] == (0, 0):
            raise OSError("chunk is truncated")
        return part

    meta = np.empty((0, 0), picture.dtype)
    lazy = da.from_array(picture, chunks=50).map_blocks(block, dtype=picture.dtype, meta=meta)
    image = viewer.add_image(lazy, name="map", contrast_limits=(0, 255))
    mask = np.zeros(picture.shape, np.uint8)
    mask[60:140, 60:190] = 1
    viewer.add_labels(mask, name="mask")
    viewer.layers.selection.active = image
    dock.region.where_box.value = Where.LABELS
    dock.tiles.value = Tiles.ALWAYS
    broken.append(True)
    run_to_end(dock)
    layer = viewer.layers["map superpixels"]
    np.testing.assert_array_equal(layer.data > 0, mask > 0)
    np.testing.assert_allclose(
        layer.features["mean intensity"][0], picture[layer.data == 1].mean(), rtol=1e-6
    )


@pytest.mark.slow
def test_labels_too_large_to_edit_are_read_lazily(
    viewer, dock, picture, output, run_to_end, monkeypatch
):
    monkeypatch.setattr(tiled_run, "MOST_EDITABLE", 1000)
    monkeypatch.setattr("napari_superpixels.tiling.run._SMALLEST_LEVEL_PX", 64)
    viewer.add_image(picture, name="map")
    dock.tiles.value = Tiles.ALWAYS
    run_to_end(dock)
    layer = result(viewer)
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(150, 200), (75, 100), (38, 50)]
    assert not layer.editable
    assert "Make an editable copy" in dock.result_label.text()
    # Again, in its place: nobody edited it, so nobody is asked about edits.
    monkeypatch.setattr(QMessageBox, "exec", lambda _: pytest.fail("asked about edits"))
    yes = QMessageBox.StandardButton.Yes  # the file is replaced
    monkeypatch.setattr(QMessageBox, "question", lambda *_: yes)
    dock.form.control("n_segments").value = 20
    viewer.layers.selection.active = viewer.layers["map"]
    run_to_end(dock)
    again = result(viewer)
    assert again is not layer
    assert np.asarray(again.data[0]).max() <= 20


@pytest.mark.slow
def test_cancelled_runs_go_on(viewer, dock, picture, output, qtbot, run_to_end):
    viewer.add_image(picture, name="map")
    dock.form.set_params(dock.form.params().replace(iterations=100, n_segments=40))
    dock.tiles.value = Tiles.ALWAYS
    dock.segment()
    partial = output.with_name("labels.zarr.partial")
    qtbot.waitUntil(lambda: len(list(partial.glob("tiles/*.npz"))) > 1, timeout=60_000)
    dock.stop_and_keep()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert "segment to the same name again, and the run goes on" in dock.result_label.text()
    kept = {file: file.stat().st_mtime_ns for file in partial.glob("tiles/*.npz")}
    assert kept
    assert not output.exists()
    # Other parameters are another run: it is told, and nothing is lost.
    dock.form.control("seed").value = 5
    run_to_end(dock)
    assert "holds a run that differs in seed (0, now 5);" in dock.result_label.text()
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    dock.form.control("seed").value = 0
    run_to_end(dock)
    assert output.exists()
    assert not partial.exists()
    assert result(viewer).data.all()


def test_nothing_is_replaced_unasked(viewer, dock, picture, output, monkeypatch):
    output.mkdir()
    (output / "thesis.txt").write_text("years of work")
    viewer.add_image(picture, name="map")
    dock.tiles.value = Tiles.ALWAYS
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    dock.segment()
    assert not dock.running


def test_a_folder_that_is_no_zarr_is_never_replaced(
    viewer, dock, picture, output, monkeypatch, run_to_end
):
    output.mkdir()
    (output / "thesis.txt").write_text("years of work")
    viewer.add_image(picture, name="map")
    dock.tiles.value = Tiles.ALWAYS
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_: yes)
    run_to_end(dock)
    assert "is no OME-Zarr of labels, and is not replaced" in dock.result_label.text()
    assert (output / "thesis.txt").read_text() == "years of work"


def test_tiles_are_for_planes(viewer, dock, rng):
    viewer.add_image(rng.random((4, 30, 40)))
    dock.tiles.value = Tiles.ALWAYS
    assert "is done in 1 tile" in dock.status_label.text()
    dock.image.mode_box.value = Mode.VOLUME
    assert "Tiles are for a single plane" in dock.status_label.text()


def test_a_file_that_a_layer_is_read_from_is_not_changed_under_it(
    viewer, dock, picture, output, run_to_end, monkeypatch
):
    monkeypatch.setattr(tiled_run, "MOST_EDITABLE", 1000)
    monkeypatch.setattr("napari_superpixels.tiling.run._SMALLEST_LEVEL_PX", 64)
    viewer.add_image(picture, name="map")
    dock.tiles.value = Tiles.ALWAYS
    run_to_end(dock)
    told = []
    dock.keep_earlier.value = True
    monkeypatch.setattr(QMessageBox, "information", lambda *texts: told.append(texts[-1]))
    viewer.layers.selection.active = viewer.layers["map"]
    dock.segment_button.click()
    assert not dock.running
    assert told[0].startswith("“map superpixels” is read from labels.zarr, and would change")


@pytest.mark.parametrize("resumed", [False, True])
def test_leave_no_trace(viewer, dock, picture, output, qtbot, resumed):
    viewer.add_image(picture, name="map")
    dock.form.set_params(dock.form.params().replace(iterations=100, n_segments=40))
    dock.tiles.value = Tiles.ALWAYS
    partial = output.with_name("labels.zarr.partial")
    for stop in (dock.stop_and_keep, dock.cancel) if resumed else (dock.cancel,):
        dock.segment()
        qtbot.waitUntil(partial.exists, timeout=60_000)
        stop()
        qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    # What an earlier run left is not this one's trace.
    assert partial.exists() == resumed
    assert ("tiles that are done are kept" in dock.result_label.text()) == resumed
    assert list(output.parent.iterdir()) == ([partial] if resumed else [])


@pytest.mark.slow
def test_the_estimate_is_that_of_the_image_shown(viewer, dock, picture, output, qtbot):
    dock.tiles.value = Tiles.ALWAYS
    for _ in range(2):
        viewer.layers.clear()
        viewer.add_image(picture, name="map")
        assert "finding out how long" in dock.status_label.text()
        qtbot.waitUntil(lambda: "finding" not in dock.status_label.text(), timeout=60_000)


def test_tiles_are_proposed_where_a_run_takes_long(viewer, dock, picture, rng, monkeypatch):
    monkeypatch.setattr(TimeEstimate, "seconds", lambda *_, **__: 1000.0)
    viewer.add_image(picture, name="map")
    assert dock.status_label.text().startswith("Takes about 17 min. In tiles (Advanced")
    monkeypatch.setattr(TimeEstimate, "seconds", lambda *_, **__: 100.0)
    dock.form.number.value += 1
    assert dock.status_label.text() == "Takes about 100 s."
    monkeypatch.setattr(TimeEstimate, "seconds", lambda *_, **__: 1000.0)
    viewer.add_image(rng.random((4, 30, 40)), axis_labels=("t", "y", "x"))
    dock.image.mode_box.value = Mode.SERIES
    assert dock.status_label.text() == "Takes about 17 min."
