"""Many files from the dock; a process of its own does the work."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog

from napari_superpixels import SuperpixelParams


@pytest.fixture
def folder(tmp_path, tiles_image):
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / f"{name}.tif", tiles_image, photometric="rgb")
    (tmp_path / "broken.tif").write_bytes(b"II*\x00 and no more")
    return tmp_path


@pytest.fixture
def run(dock, qtbot):
    """Fill in the section, click, and wait for the end; what it says then."""

    def run(files, output, **fields):
        dock.batch_section.expand()
        batch = dock.batch
        batch.files.value, batch.output.value = files, str(output)
        for name, value in fields.items():
            getattr(batch, name).value = value
        with qtbot.waitSignal(batch.ended, timeout=120_000):
            batch.start_button.click()
            assert batch.running
            assert not batch.start_button.isEnabled()
        return batch.message.text()

    return run


def test_bad_files_are_listed_and_a_second_run_skips(viewer, dock, folder, run):
    out = folder / "out"
    text = run(f"{folder}/*.tif", out, formats="tif csv")
    assert text.startswith("2 segmented, 0 were done already, 1 failed.")
    assert "broken.tif" in text
    assert sorted(file.name for file in out.iterdir()) == [
        f"{name}_superpixels.{kind}" for name in "ab" for kind in ("csv", "tif")
    ]
    labels = tifffile.imread(out / "a_superpixels.tif")
    assert 1 < labels.max() <= 12
    assert dock.batch.start_button.isEnabled()
    text = run(f"{folder / 'a.tif'}; {folder / 'b.tif'}", out, formats="tif csv")
    assert text == "0 segmented, 2 were done already, 0 failed."


def test_names_that_hold_what_stands_between_names(viewer, dock, folder, run, monkeypatch):
    odd = [str((folder / name).rename(folder / f"x;{name}")) for name in ("a.tif", "b.tif")]
    assert run(odd[0], folder / "one").startswith("1 segmented")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (odd, ""))
    dock.batch.choose_button.click()
    assert run(dock.batch.files.value, folder / "both").startswith("2 segmented")


def test_the_home_folder(viewer, dock, folder, run, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    assert run("~/a.tif", "~/out").startswith("1 segmented")
    assert (folder / "out" / "a_superpixels.tif").exists()


def test_a_process_that_cannot_start(viewer, dock, folder, qtbot, monkeypatch):
    monkeypatch.setattr("sys.executable", str(folder / "no python"))
    dock.batch.files.value, dock.batch.output.value = str(folder / "a.tif"), str(folder / "out")
    with qtbot.waitSignal(dock.batch.ended, timeout=10_000):
        dock.batch.start()
    assert "The process could not be started" in dock.batch.message.text()
    assert dock.batch.start_button.isEnabled()


def test_it_uses_the_parameters_of_the_dock(viewer, dock, folder, run):
    dock.form.control("n_segments").value = 5
    run(str(folder / "a.tif"), folder / "out")
    with tifffile.TiffFile(folder / "out" / "a_superpixels.tif") as tiff:
        assert tiff.asarray().max() <= 5
        described = tiff.pages[0].description
    assert SuperpixelParams.from_dict(dock.form.params().to_dict()).n_segments == 5
    assert '"n_segments": 5' in described


def test_all_frames(viewer, dock, folder, rng, run):
    movie = rng.integers(0, 255, (3, 30, 40)).astype(np.uint8)
    axes = {"axes": "TYX"}
    tifffile.imwrite(folder / "movie.tif", movie, photometric="minisblack", metadata=axes)
    text = run(str(folder / "movie.tif"), folder / "out")
    assert "1 failed" in text
    assert "it is a stack" in text
    text = run(str(folder / "movie.tif"), folder / "out", stacks="frames alone")
    assert text.startswith("1 segmented")
    assert tifffile.imread(folder / "out" / "movie_superpixels.tif").shape == movie.shape


def test_nothing_chosen_and_wrong_format(viewer, dock, folder, run):
    dock.batch.start_button.click()
    assert not dock.batch.running
    assert dock.batch.message.text().startswith("Choose files, a folder")
    text = run(str(folder / "a.tif"), folder / "out", formats="jpg")
    assert "Nothing was segmented" in text
    assert "invalid choice: 'jpg'" in text.replace("&#x27;", "'")


def test_stop(viewer, dock, folder, qtbot):
    dock.form.set_params(dock.form.params().replace(iterations=100_000))
    batch = dock.batch
    batch.files.value, batch.output.value = str(folder / "a.tif"), str(folder / "out")
    batch.start_button.click()
    qtbot.waitUntil(lambda: (folder / "out").exists(), timeout=60_000)
    with qtbot.waitSignal(batch.ended, timeout=60_000):
        batch.stop_button.click()
    assert batch.message.text().startswith("<b>Stopped.</b> 0 segmented")
    assert not list((folder / "out").iterdir())


def test_closing_the_viewer_ends_the_process(viewer, dock, folder, qtbot):
    dock.form.set_params(dock.form.params().replace(iterations=100_000))
    batch = dock.batch
    batch.files.value, batch.output.value = str(folder / "a.tif"), str(folder / "out")
    batch.start_button.click()
    qtbot.waitUntil(lambda: batch._process.processId() > 0, timeout=60_000)
    process = batch._process.processId()
    viewer.close()
    qtbot.waitUntil(lambda: not _lives(process), timeout=60_000)


def _lives(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
