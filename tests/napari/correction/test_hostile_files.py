"""Corrected TIFFs from anywhere in the dock's Open…: a layer, or our own error; nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels

from napari_superpixels._napari.correction.files import load_corrected, save_corrected
from napari_superpixels.editing.actions import operations
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from napari_superpixels.errors import FileError, SuperpixelError
from napari_superpixels.io.formats import METADATA_KEY
from tests.fixtures.hostile import Parts, mutated
from tests.fixtures.maps import tiles

KNOWN = {
    "parameters": {"n_segments": 12},
    "classes": [{"number": 2, "name": "nucleus", "color": [1, 0, 0.5]}],
    "source_layer": "tiles",
    "source_layers": [{"name": "tiles", "id": "3", "channel_axis": 2}],
    "channels": [0],
    "stack": [[-2, "time"]],
    "created": "2026",
}


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    path = tmp_path_factory.mktemp("valid") / "valid.tif"
    # On the pixels of the image in the viewer of the dock's fixture.
    session, plane = Session(tiles((48, 64), 8, np.uint16)), Scope.whole(2)
    for operation, arguments in (
        (operations.merge, {"positions": [[0, 0], [0, 8]]}),
        (operations.assign, {"positions": [[8, 8]], "category": 2}),
        (operations.lock, {"positions": [[20, 20]], "on": True}),
    ):
        session.commit(session.build(operation, plane, **arguments))
    layer = Labels(session.labels.copy(), metadata={METADATA_KEY: KNOWN})
    save_corrected(path, layer, session)
    return Parts(path), path.read_bytes()


@pytest.mark.parametrize(
    ("where", "key", "value", "words"),
    [
        ("placement", "scale", [1, 0], "has no size|scale"),
        ("placement", "scale", [1, float("nan")], "placement.scale.1: Input should be a finite"),
        ("placement", "scale", [1, 1, 1], "corrections cannot be used"),
        ("placement", "scale", "12", "placement.scale"),
        ("placement", "affine", [[1, 0], [0, 1], [0, 0]], "cannot be used"),
        ("placement", "affine", [[1, 0, 0], [1, 0, 0], [0, 0, 1]], "cannot be used"),
        ("placement", "rotate", [[1, 0], [0]], "cannot be used"),
        ("placement", "rotate", 30, "placement.rotate"),
        ("placement", "shear", [[1, 2, 3]], "placement.shear"),
        ("placement", "units", ["9**9**9", "um"], "placement.units.0"),
        ("placement", "units", ["m ** 9 ** 9 ** 9", "um"], "placement.units.0"),
        ("placement", "units", ["parsec of mine", "um"], "placement.units.0|find unit"),
        ("placement", "units", ["um"], "cannot be used"),
        ("placement", "axis_labels", [1, 2], "placement.axis_labels.0"),
        ("placement", "axis_labels", ["y"], "cannot be used"),
        (None, "placement", [], "placement"),
        (None, "name", 7, "name"),
        (None, "classes", {}, "classes"),
        (None, "classes", [{"number": 2}], "classes.0.name: Field required"),
        (None, "classes", [{"number": 0, "name": "", "color": [0, 0, 0]}], "classes.0.number"),
        (None, "classes", [{"number": 1, "name": "", "color": [0, 0]}], "classes.0.color"),
        (None, "classes", [{"number": 1, "name": "", "color": [0, 0, 9]}], "classes.0.color.2"),
        (None, "classes", [*KNOWN["classes"]] * 2, "two of its classes have one number"),
        (None, "parameters", [1], "parameters"),
        (None, "channels", [-1], "channels.0"),
        (None, "stack", [[-9, "time"]], "its stack has more than 2 axes"),
        (None, "stack", [[-2, "spice"]], "stack.0.1"),
        (None, "stack", [-2], "stack.0"),
        (None, "source_layers", [{"name": "x"}], "source_layers.0.channel_axis"),
        (None, "source_layers", [{"name": "x", "channel_axis": "a"}], "source_layers.0"),
    ],
)
def test_what_a_layer_cannot_have_is_refused(valid, tmp_path, where, key, value, words):
    parts = valid[0].copy()
    node = parts.known if where is None else parts.known[where]
    node[key] = value
    parts.write(tmp_path / "odd.tif")
    with pytest.raises(FileError, match=words) as told:
        load_corrected(tmp_path / "odd.tif")
    assert "odd.tif: its corrections cannot be used" in str(told.value)


@pytest.mark.parametrize(
    "unit", ["micrometer", "pixel", "meter ** 2", "meter / second", "1 / second"]
)
def test_units_that_napari_writes_come_back(valid, tmp_path, unit):
    parts = valid[0].copy()
    parts.known["placement"]["units"] = [unit, unit]
    parts.write(tmp_path / "unit.tif")
    assert str(load_corrected(tmp_path / "unit.tif").units[0]) == unit


def test_a_file_makes_no_overlay(valid, tmp_path):
    """Of one, the dock would not correct it."""
    parts = valid[0].copy()
    parts.known |= {"derived_from": "x", "shows": "marks", "correction_of": "y"}
    parts.write(tmp_path / "overlay.tif")
    known = load_corrected(tmp_path / "overlay.tif").metadata[METADATA_KEY]
    assert not {"derived_from", "shows", "correction_of"} & set(known)
    assert known["classes"] == KNOWN["classes"]


@pytest.mark.parametrize(
    "parameters", [{"n_segments": "x"}, {"of a newer version": 1}, {"lam": []}]
)
def test_odd_parameters_are_told_when_they_are_needed(valid, tmp_path, dock, parameters):
    parts = valid[0].copy()
    parts.known["parameters"] = parameters
    parts.write(tmp_path / "odd.tif")
    dock.open(tmp_path / "odd.tif")
    dock.network.recompute()
    assert "What the layer was made with cannot be used: " in dock.message.text()
    assert not dock.network.running


def fuzz(valid, path, seeds, use):
    n_opened = 0
    for seed in seeds:
        mutated(*valid, path, seed)
        try:
            use(path)
            n_opened += 1
        except SuperpixelError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    return n_opened


def test_damaged_files_raise_nothing_else(valid, tmp_path):
    assert 0 < fuzz(valid, tmp_path / "fuzz.tif", range(40), load_corrected) < 40


@pytest.mark.slow
def test_many_damaged_files_raise_nothing_else(valid, tmp_path):
    assert fuzz(valid, tmp_path / "fuzz.tif", range(40, 600), load_corrected) > 0


@pytest.mark.slow
def test_the_dock_works_with_whatever_it_opens(valid, tmp_path, dock, viewer, qtbot, monkeypatch):
    """The file names the image in the viewer as its source, with channels that may not exist."""
    monkeypatch.setattr("napari_superpixels._napari.correction.dock.show_error", lambda _: None)

    def use(path):
        n_layers = len(viewer.layers)
        dock.open(path)
        if len(viewer.layers) > n_layers:
            qtbot.wait(1)
            dock.classes.add()
            dock.tidy.check()
            dock.network.recompute()
            dock.network.cancel()
            qtbot.waitUntil(lambda: not dock.network.running, timeout=60_000)
            while len(viewer.layers) > n_layers:  # marks go with their layer
                viewer.layers.pop()

    assert fuzz(valid, tmp_path / "fuzz.tif", range(1000, 1040), use) > 0
