"""napari-superpixels replay, and the file that the correction dock writes."""

from __future__ import annotations

import json

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_superpixels.cli.main import main
from napari_superpixels.editing.actions import global_edits as whole_map
from napari_superpixels.editing.actions import operations
from napari_superpixels.editing.attributes import Lock
from napari_superpixels.editing.corrected_file import read_corrected, write_corrected
from napari_superpixels.editing.reference_image import ReferenceImage
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from napari_superpixels.errors import ExportError, FileError
from napari_superpixels.io.formats import read_provenance, save_labels
from tests.fixtures.files import labels_in

PLANE = Scope.whole(2)


@pytest.fixture
def session(tiles_image):
    rows, columns = np.indices((48, 64)) // 16
    labels = (rows * 4 + columns + 1).astype(np.uint16)
    image = ReferenceImage(np.moveaxis(tiles_image, -1, 0), ("red", "green", "blue"), is_rgb=True)
    corrected = Session(labels, image)
    for operation, arguments in (
        (operations.merge, {"positions": [(8, 8), (8, 24)]}),
        (operations.merge, {"positions": [(40, 8), (40, 24), (40, 40)]}),
        (operations.split, {"seeds": [(8, 4), (8, 28)]}),
        (operations.assign, {"positions": [(24, 8), (24, 24)], "category": 2}),
        (operations.lock, {"positions": [(24, 40)], "on": True}),
        (whole_map.set_count, {"n_segments": 7}),
        (whole_map.clean_up, {"sequential": True}),
    ):
        corrected.commit(corrected.build(operation, PLANE, **arguments))
    return corrected


@pytest.fixture
def photo(tmp_path, tiles_image):
    path = tmp_path / "photo.png"
    iio.imwrite(path, tiles_image)
    return path


def test_replay_from_a_saved_file(tmp_path, session, photo, capsys):
    saved, out = tmp_path / "saved.tif", tmp_path / "again.tif"
    write_corrected(saved, session, {})
    assert main(["replay", str(photo), str(saved), str(saved), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 7 superpixels after 7 steps\n"
    np.testing.assert_array_equal(labels_in(out), session.labels)
    again, _ = read_corrected(out)
    assert again.log == json.loads(json.dumps(session.log))


def test_replay_from_plain_labels_and_json(tmp_path, session, photo):
    start, log, out = tmp_path / "start.tif", tmp_path / "log.json", tmp_path / "again.tif"
    save_labels(start, session.start)
    log.write_text(json.dumps(session.log))
    assert main(["replay", str(photo), str(start), str(log), "-o", str(out)]) == 0
    np.testing.assert_array_equal(labels_in(out), session.labels)


@pytest.mark.parametrize("is_map", [True, False])
def test_replay_keeps_how_and_where(tmp_path, session, photo, is_map, caplog):
    saved, out = tmp_path / "saved.tif", tmp_path / "again.tif"
    place = {"shape": [48, 64], "transform": [2, 0, 4e5, 0, -2, 5.8e6], "crs": None, "unit": "m"}
    where = {"place": place} if is_map else {"pixel_size": [0.5, 0.25], "unit": "um"}
    write_corrected(saved, session, {"parameters": {"lam": 1.5}, **where})
    log = tmp_path / "log.json"
    log.write_text(json.dumps(session.log))
    labels = tmp_path / "start.tif"
    save_labels(labels, session.start, {"parameters": {"lam": 1.5}, **where})
    for start, steps in ((saved, saved), (labels, log)):
        command = ["replay", str(photo), str(start), str(steps), "-o", str(out), "--force"]
        assert main(command) == 0
        known = read_provenance(out)
        assert known["parameters"] == {"lam": 1.5}
        assert known["source"] == "photo.png"
        if is_map:
            assert known["place"]["transform"] == place["transform"]
        else:
            assert known["pixel_size"] == [0.5, 0.25]
    assert main(["export", str(out), "-o", str(tmp_path / "t.csv")]) == 0
    assert "separate images" not in caplog.text


def test_replay_says_what_is_wrong(tmp_path, session, photo, capsys):
    saved, out = tmp_path / "saved.tif", tmp_path / "again.tif"
    write_corrected(saved, session, {})
    plain, bad = tmp_path / "plain.tif", tmp_path / "bad.json"
    save_labels(plain, np.ones((48, 64), np.uint16))
    bad.write_text("{")
    small = tmp_path / "small.png"
    iio.imwrite(small, np.zeros((4, 4), np.uint8))
    for image, labels, log, words in (
        (photo, plain, saved, "step 1 (merge) of the log cannot be repeated"),
        (photo, saved, bad, "is no log"),
        (photo, saved, plain, "the correction dock did not save it"),
        (small, saved, saved, "differ in shape"),
        (photo, tmp_path / "no.tif", saved, "no such file"),
    ):
        assert main(["replay", str(image), str(labels), str(log), "-o", str(out)]) == 1
        assert words in capsys.readouterr().err
        assert not out.exists()
    assert main(["replay", str(photo), str(saved), str(saved), "-o", str(plain)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["replay", str(photo), str(saved), str(saved), "-o", "a.png"]) == 1


def test_the_file_holds_everything(tmp_path, session):
    path = tmp_path / "saved.tif"
    write_corrected(path, session, {"classes": [{"number": 2, "name": "x"}]})
    np.testing.assert_array_equal(tifffile.imread(path), session.labels)  # for any software
    loaded, known = read_corrected(path)
    assert known == {"classes": [{"number": 2, "name": "x"}]}
    assert loaded.labels.dtype == session.labels.dtype
    np.testing.assert_array_equal(loaded.start, session.start)
    for i in session.statistics.ids.tolist():
        was, now = session.attributes[i], loaded.attributes[i]
        assert (now.category, now.lock) == (was.category, was.lock)
        assert len(now.fragments) == len(was.fragments)
    assert any(loaded.attributes[i].lock is Lock.HELD for i in loaded.statistics.ids.tolist())
    merged = next(i for i in loaded.statistics.ids.tolist() if loaded.attributes[i].fragments)
    where = np.argwhere(loaded.labels == merged)[0].tolist()
    both = []
    for each in (session, loaded):
        change = each.build(operations.detach, PLANE, position=where)
        each.commit(change)
        both.append(each.labels)
    pairs = np.unique(np.stack([labels.ravel() for labels in both]), axis=1)
    assert pairs.shape[1] == len(np.unique(both[0])) == len(np.unique(both[1]))  # ids may differ


@pytest.mark.parametrize("shape", [(3, 20, 24), (2, 3, 20, 24)])
def test_more_axes_and_large_labels(tmp_path, shape):
    labels = np.arange(np.prod(shape)).reshape(shape).astype(np.int64) + 70_000
    session = Session(labels)
    path = tmp_path / "saved.tif"
    write_corrected(path, session, {})
    loaded, _ = read_corrected(path)
    assert loaded.labels.dtype == np.int64
    np.testing.assert_array_equal(loaded.labels, labels)


def test_labels_that_no_file_holds_are_refused(tmp_path):
    path = tmp_path / "saved.tif"
    with pytest.raises(ExportError, match="number them anew"):
        write_corrected(path, Session(np.array([[-1, 2]])), {})
    with pytest.raises(ExportError, match="number them anew"):
        write_corrected(path, Session(np.array([[2**40, 2]])), {})
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_told(tmp_path, session):
    path = tmp_path / "saved.tif"
    write_corrected(path, session, {})
    whole = path.read_bytes()
    for n in (0, 5, 200, len(whole) // 2, len(whole) - 50):
        path.write_bytes(whole[:n])
        with pytest.raises(FileError, match=str(path.name)):
            read_corrected(path)
