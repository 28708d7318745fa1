"""Many files from the dock; a process of its own does the work."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tifffile
import zarr
from qtpy.QtWidgets import QFileDialog

from napari_superpixels import SuperpixelParams
from napari_superpixels.io.formats import read_provenance


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_names_that_hold_what_stands_between_names(viewer, dock, folder, run, monkeypatch):
    odd = [str((folder / name).rename(folder / f"x;{name}")) for name in ("a.tif", "b.tif")]
    assert run(odd[0], folder / "one").startswith("1 segmented")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (odd, ""))
    dock.batch.choose_button.click()
    assert run(dock.batch.files.value, folder / "both").startswith("2 segmented")


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("os.kill(os.getpid(), 9)", "ended by the system (9), perhaps because the memory ran out"),
        ("sys.exit(3)", "2 files not reached: the process ended with the code 3."),
        ("sys.exit('napari-superpixels: no space left.')", "2 files not reached: no space left."),
        ("sys.exit(0)", "2 files not reached: the process ended with the code 0."),
        ("raise MemoryError('no room')", "not reached: MemoryError: no room. Press"),
        ("print('{not ours}', flush=True); sys.exit(3)", "1 segmented, 0 were done already, 0"),
    ],
)
def test_a_process_that_dies_in_the_middle(viewer, dock, folder, run, monkeypatch, then, words):
    """Another program in the place of ours, which ends after the first of three files."""
    told = {"file": "a.tif", "state": "done", "written": [], "text": "", "error": None, "total": 3}
    code = f"import os, sys\nprint({json.dumps(told)!r}, flush=True)\n{then}"
    monkeypatch.setattr(dock.batch, "_command", lambda *_: ["-c", code])
    text = run(f"{folder}/*.tif", folder / "out")
    assert text.startswith("<b>Broken off.</b> 1 segmented")
    assert words in text
    assert "go on" in text
    assert dock.batch.start_button.isEnabled()


@pytest.mark.parametrize("then", ["os.kill(os.getpid(), 9)", "sys.exit(3)"])
def test_a_process_that_dies_at_once(viewer, dock, folder, run, monkeypatch, then):
    monkeypatch.setattr(dock.batch, "_command", lambda *_: ["-c", f"import os, sys\n{then}"])
    text = run(f"{folder}/*.tif", folder / "out")
    assert text.startswith("<b>Nothing was segmented.</b> the process")


@pytest.mark.slow
def test_it_uses_the_parameters_of_the_dock(viewer, dock, folder, run):
    dock.form.control("n_segments").value = 5
    run(str(folder / "a.tif"), folder / "out")
    with tifffile.TiffFile(folder / "out" / "a_superpixels.tif") as tiff:
        assert tiff.asarray().max() <= 5
        described = tiff.pages[0].description
    assert SuperpixelParams.from_dict(dock.form.params().to_dict()).n_segments == 5
    assert '"n_segments": 5' in described


@pytest.mark.slow
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
    dock.batch.files.value, dock.batch.output.value = str(folder / "a.tif"), str(folder / "out")
    dock.batch.formats.value = "tif, jpg"
    dock.batch.start_button.click()
    assert not dock.batch.running
    assert dock.batch.message.text().startswith("“jpg” is no format: take some of tif, png,")
    (folder / "taken").write_text("")
    text = run(str(folder / "a.tif"), folder / "taken", formats=".tif, csv")
    assert text.startswith("<b>Nothing was segmented.</b>")
    assert "taken: is a file; choose a folder to write to" in text
    (folder / "empty").mkdir()
    text = run(str(folder / "empty"), folder / "out")
    assert "empty: is a folder without images (.tif, " in text
    assert "napari-superpixels:" not in text


@pytest.mark.slow
def test_a_folder_is_its_images(viewer, dock, folder, run, tiles_image):
    (folder / "notes.txt").write_text("no image")
    zarr.save_array(str(folder / "z.zarr"), tiles_image[..., 0])
    text = run(str(folder), folder / "out", formats="tif, csv")
    assert text.startswith("3 segmented, 0 were done already, 1 failed.")
    # Also beside its results, and again.
    assert run(str(folder), folder).startswith("3 segmented")
    assert run(str(folder), folder).startswith("0 segmented, 3 were done already, 1 failed.")
    text = run(f"{folder / 'a.tif'}, {folder / 'b.tif'}", folder / "two")
    assert text.startswith("2 segmented")


@pytest.mark.slow
def test_channels_of_the_dock(viewer, dock, folder, run, rng):
    bands = rng.integers(0, 255, (4, 30, 40)).astype(np.uint8)
    axes = {"axes": "CYX"}
    tifffile.imwrite(folder / "bands.tif", bands, photometric="minisblack", metadata=axes)
    viewer.add_image(bands, axis_labels=("c", "y", "x"))
    dock.image.channels_box.value = "0,2-3"
    assert run(str(folder / "bands.tif"), folder / "out").startswith("1 segmented")
    assert read_provenance(folder / "out" / "bands_superpixels.tif")["channels"] == [0, 2, 3]


@pytest.mark.slow
def test_volumes_and_the_dock_s_words(viewer, dock, folder, rng, run):
    stack = rng.integers(0, 255, (6, 20, 24)).astype(np.uint8)
    axes = {"axes": "ZYX"}
    tifffile.imwrite(folder / "stack.tif", stack, photometric="minisblack", metadata=axes)
    files = f"{folder / 'stack.tif'}; {folder / 'a.tif'}"
    text = run(files, folder / "out")
    assert "choose under “Stacks” what to do with its planes" in text
    assert "--" not in text
    text = run(files, folder / "volumes", stacks="3D supervoxels")
    assert text.startswith("1 segmented, 0 were done already, 1 failed.")
    assert "it is no volume, choose another entry under “Stacks”" in text
    assert tifffile.imread(folder / "volumes" / "stack_superpixels.tif").shape == stack.shape


@pytest.mark.slow
def test_tiles_go_on_when_the_batch_is_started_again(viewer, dock, folder, qtbot, run, tiles_image):
    tifffile.imwrite(folder / "big.tif", np.tile(tiles_image, (30, 30, 1)), photometric="rgb")
    dock.form.set_params(dock.form.params().replace(n_segments=2000))
    batch, out = dock.batch, folder / "out"
    batch.files.value, batch.output.value = str(folder / "big.tif"), str(out)
    batch.formats.value = "zarr"
    batch.start_button.click()
    work = out / "big_superpixels.zarr.partial"
    qtbot.waitUntil(lambda: any(work.glob("tiles/*.npz")), timeout=100_000)
    with qtbot.waitSignal(batch.ended, timeout=60_000):
        batch.stop_button.click()
    assert "tiles are kept" in batch.message.text()
    kept = {file: file.stat().st_mtime_ns for file in work.glob("tiles/*.npz")}
    assert kept
    dock.form.control("seed").value = 7
    text = run(str(folder / "big.tif"), out)
    assert "differs in seed (0, now 7); start the batch with the same ones, or" in text
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    dock.form.control("seed").value = 0
    assert run(str(folder / "big.tif"), out).startswith("1 segmented")
    assert [path.name for path in out.iterdir()] == ["big_superpixels.zarr"]


@pytest.mark.slow
def test_results_of_other_parameters(viewer, dock, folder, run):
    assert run(str(folder / "a.tif"), folder / "out").startswith("1 segmented")
    dock.form.control("seed").value = 7
    text = run(str(folder / "a.tif"), folder / "out")
    assert text.startswith("0 segmented, 1 were done already, 0 failed.")
    assert "a.tif: made otherwise, seed (0, now 7); kept: choose another" in text


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
