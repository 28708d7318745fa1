"""Logs and corrected TIFFs that do harm, or are damaged: refused by name, in little memory."""

from __future__ import annotations

import json
import tracemalloc
from copy import deepcopy

import numpy as np
import pytest

from napari_superpixels.editing.actions import global_edits as whole_map
from napari_superpixels.editing.actions import operations
from napari_superpixels.editing.corrected_file import read_corrected, start_of, write_corrected
from napari_superpixels.editing.history.replay import OPERATIONS, replay
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.schema import ARGUMENTS
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from napari_superpixels.errors import FileError, SuperpixelError
from napari_superpixels.io.labels import read_labels
from tests.fixtures.hostile import BEFORE, FRAGMENTS, ODD, Parts, bomb, mutated, places, runs
from tests.fixtures.maps import grey_image, tiles

PLANE = Scope.whole(2)
SHAPE = (24, 30)
IMAGE = grey_image(SHAPE)


def session():
    """One step of every kind but those of the network."""
    made = Session(tiles(SHAPE, dtype=np.uint16), IMAGE)
    for operation, arguments in (
        (operations.merge, {"positions": [[0, 0], [0, 7]]}),
        (operations.merge, {"positions": [[12, 0], [12, 7], [12, 13]]}),
        (operations.split, {"seeds": [[0, 0], [0, 9]]}),
        (operations.split_line, {"line": [[i, 15] for i in range(6, 12)]}),
        (operations.detach, {"position": [12, 0], "only": True}),
        (operations.assign, {"positions": [[8, 8]], "category": 2}),
        (operations.lock, {"positions": [[20, 20]], "on": True}),
        (whole_map.assign_many, {"ids": [20], "categories": [3]}),
        (whole_map.set_count, {"n_segments": 15}),
        (whole_map.clean_up, {"sequential": True}),
    ):
        made.commit(made.build(operation, PLANE, **arguments))
    painted = made.labels.copy()
    painted[3, 3] = painted[10, 20]
    made.observe(painted, painted=True)
    return made


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    path = tmp_path_factory.mktemp("valid") / "valid.tif"
    write_corrected(path, session(), {"parameters": {"lam": 1.0}})
    return Parts(path), path.read_bytes()


@pytest.fixture
def changed(valid, tmp_path):
    """Change the valid file, and read it."""

    def read(change):
        parts = valid[0].copy()
        change(parts)
        path = tmp_path / "changed.tif"
        parts.write(path)
        return read_corrected(path)

    return read


def first(parts):
    return next(iter(parts.facts["superpixels"].values()))


def put(where, key, value):
    return lambda parts: where(parts).__setitem__(key, value)


def facts(parts):
    return parts.facts


def further(parts):
    return parts.further


def everywhere(number):
    return np.full(SHAPE, number, np.uint32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put(first, "lock", "open"), "lock: Input should be 'free', 'edited' or 'held'"),
        (put(first, "lock", 0), "lock"),
        (put(first, "class", "2"), "class: Input should be a valid integer"),
        (put(first, "class", 2.0), "class: Input should be a valid integer"),
        (put(first, "class", 256), "class: Input should be less than or equal to 255"),
        (put(first, "class", -1), "class"),
        (put(facts, "superpixels", 7), "superpixels"),
        (put(facts, "superpixels", {"x": {"class": 1, "lock": "free"}}), "superpixels.x"),
        (put(facts, "superpixels", {"1": 2}), "superpixels.1"),
        (put(facts, "superpixels", {"9" * 40: {"class": 1, "lock": "free"}}), "superpixels.9"),
        (put(facts, "dtype", "float32"), "dtype"),
        (put(facts, "dtype", "O"), "dtype"),
        (put(facts, "dtype", None), "dtype"),
        (put(facts, "dtype", "int8"), None),  # holds these labels
        (lambda parts: parts.facts.pop("dtype"), "dtype: Field required"),
        (put(facts, "edit_log", "x"), "edit_log"),
        (put(facts, "edit_log", [1]), "edit_log.0"),
        (put(facts, "edit_log", [{"patch": 5}]), "edit_log.0.patch"),
        (put(facts, "edit_log", [{"operation": "of a newer version", "more": 1}]), None),
        (put(facts, "ids before correction", [1, 2]), "out of bounds"),
        (put(facts, "ids before correction", [2**40] * 99), "uint16 does not hold"),
        (put(facts, "ids before correction", ["1"] * 99), "ids before correction.0"),
        (put(further, FRAGMENTS, np.zeros((5, 5), np.uint8)), "of shape \\(5, 5\\)"),
        (put(further, FRAGMENTS, np.zeros(SHAPE, np.float32)), "the fragments are float32"),
        (put(further, FRAGMENTS, everywhere(2**32 - 1)), "a fragment lies .* in several"),
        (put(further, BEFORE, np.zeros((2, *SHAPE), np.uint8)), "before correction"),
        (put(further, BEFORE, everywhere(70_000)), "uint16 does not hold"),
        (lambda parts: parts.further.pop(BEFORE), "holds no corrections"),
        (lambda parts: setattr(parts, "labels", parts.labels[:5]), "of shape"),
        (lambda parts: setattr(parts, "labels", parts.labels * np.uint32(10**5)), "does not hold"),
        (put(lambda parts: parts.known, "correction", [1]), "valid dictionary"),
    ],
)
def test_what_cannot_be_is_refused(changed, change, words):
    if words is None:
        changed(change)
        return
    with pytest.raises(FileError, match=words) as told:
        changed(change)
    assert "changed.tif: " in str(told.value)


def test_a_fragment_of_any_number_takes_no_memory(valid, tmp_path):
    parts = valid[0].copy()
    numbers = parts.further[FRAGMENTS].astype(np.uint32)
    n_kept = len(np.unique(numbers[numbers > 0]))
    numbers[numbers > 0] += np.uint32(2**32 - 1) - numbers.max()
    parts.further[FRAGMENTS] = numbers
    parts.write(tmp_path / "high.tif")
    tracemalloc.start()
    found, _ = read_corrected(tmp_path / "high.tif")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.attributes.fragments) == n_kept > 1
    assert most < 2**26


def test_scattered_fragments_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_superpixels.editing.storage._FREE_BYTES", 0)
    path = tmp_path / "scattered.tif"
    write_corrected(path, Session(np.ones((64, 64), np.uint16)), {})
    parts = Parts(path)
    half = np.arange(1, 64 * 32 + 1)
    parts.further[FRAGMENTS] = np.concatenate([half, half[::-1]]).reshape(64, 64)
    parts.write(path)
    with pytest.raises(FileError, match="scattered over the whole image"):
        read_corrected(path)


PAINT = {"operation": "paint", "state": 0}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (bomb(2**30), "unpacks to more than there are pixels"),
        (bomb(24 * 720 + 24), "unpacks to more"),
        (bomb(48)[:-9], "cannot be unpacked|cut short"),
        ("?", "cannot be unpacked"),
        ("é", "cannot be unpacked"),
        (runs((0, 721, 1)), "lies outside"),
        (runs((-1, 2, 1)), "lies outside"),
        (runs((0, -5, 1)), "lies outside"),
        (runs((2**62, 2**62, 1)), "lies outside"),
        (runs((5, 3, 1), (0, 2, 1)), "lies outside"),
        (runs((0, 3, 1), (2, 2, 1)), "lies outside"),
        (runs((0, 1, 2**40)), "uint16 does not hold"),
        (runs((0, 1, -1)), "uint16 does not hold"),
        (bomb(20), "multiple of element size"),
        (bomb(32), "cannot reshape"),
    ],
)
def test_patches_are_bounded(patch, words):
    tracemalloc.start()
    with pytest.raises(EditError, match=words):
        replay(tiles(SHAPE, dtype=np.uint16), None, [PAINT | {"patch": patch}])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**22


def step(operation, **arguments):
    return {
        "operation": operation,
        "arguments": arguments,
        "axes": [0, 1],
        "index": [0, 0],
        "fresh_ids": [],
        "image": None,
        "state": 0,
    }


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (step("merge", positions=7), "positions"),
        (step("merge", positions=[[0, 0], [0]]), "cannot be repeated"),
        (step("merge", positions=[[0, 0], [0, 10**9]]), "positions.1.1"),
        (step("merge", positions=[], more=1), "more: Extra inputs"),
        (step("assign", positions=[[0, 0]], category=300), "category"),
        (step("clean_up", min_size_px="9"), "min_size_px"),
        (step("set_count", n_segments=10**15), "there are not"),
        (step("take_over", start=[0, 0], parts="9x9:" + bomb(2**30), recompute=False), "unpacks"),
        (step("take_over", start=[0, 0], parts="99999x99999:", recompute=False), "larger than"),
        (step("take_over", start=[0, 0], parts="0x-1:", recompute=False), "larger than"),
        (step("take_over", start=[-9, 0], parts="1x1:", recompute=False), "start"),
        (step("split_line", line=[[0, 0], [2**24 - 1, 0]] * 9), "longer than any screen"),
        (step("merge", positions=[[0, 0], [0, 7]]) | {"axes": [1, 0]}, "no plane"),
        (step("merge", positions=[[0, 0], [0, 7]]) | {"axes": [0]}, "no plane"),
        (step("merge", positions=[[0, 0], [0, 7]]) | {"axes": [0, 2]}, "no plane"),
        (step("merge", positions=[[0, 0], [0, 7]]) | {"index": [0]}, "cannot be repeated"),
        (step("merge", positions=[[0, 0], [0, 7]]) | {"index": [0, 99]}, "no plane at"),
        (step("merge", positions=[[0, 0], [0, 7]]) | {"fresh_ids": [2**40]}, "cannot be repeated"),
        (step("merge", positions=[[0, 0], [0, 7]]) | {"state": 2**64}, "entry 1 of the log"),
        (["merge"], "entry 1 of the log is damaged"),
        (7, "entry 1 of the log is damaged"),
    ],
)
def test_steps_that_cannot_be_are_refused(entry, words):
    with pytest.raises(EditError, match=words):
        replay(tiles(SHAPE, dtype=np.uint16), None, [entry])


def test_every_operation_has_its_arguments():
    assert set(ARGUMENTS) == set(OPERATIONS)


def test_a_whole_log_is_repeated(valid, tmp_path):
    path = tmp_path / "valid.tif"
    path.write_bytes(valid[1])
    found, _ = read_corrected(path)
    again = replay(start_of(read_labels(path, with_further=True)), IMAGE, found.log)
    np.testing.assert_array_equal(again.labels, found.labels)


def fuzz_files(valid, path, seeds):
    n_read = 0
    for seed in seeds:
        mutated(*valid, path, seed)
        try:
            found, _ = read_corrected(path)
            replay(start_of(read_labels(path, with_further=True)), IMAGE, found.log)
            n_read += 1
        except SuperpixelError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    return n_read


def test_damaged_files_raise_nothing_else(valid, tmp_path):
    assert 0 < fuzz_files(valid, tmp_path / "fuzz.tif", range(60)) < 60


@pytest.mark.slow
def test_many_damaged_files_raise_nothing_else(valid, tmp_path):
    assert fuzz_files(valid, tmp_path / "fuzz.tif", range(60, 800)) > 0


def fuzz_logs(seeds):
    log = json.loads(json.dumps(session().log))
    for seed in seeds:
        rng = np.random.default_rng(seed)
        entries = deepcopy(log)
        for _ in range(rng.integers(1, 4)):
            found = list(places(entries))
            *path, last = found[rng.integers(len(found))]
            node = entries
            for part in path:
                node = node[part]
            node[last] = deepcopy(ODD[rng.integers(len(ODD))])
        try:
            replay(tiles(SHAPE, dtype=np.uint16), IMAGE, entries)
        except EditError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


def test_damaged_logs_raise_nothing_else():
    fuzz_logs(range(40))


@pytest.mark.slow
def test_many_damaged_logs_raise_nothing_else():
    fuzz_logs(range(40, 600))
