"""Files of ours open as what they were: labels with classes, locks, columns, log and place."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.layers import Image, Labels, Layer
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog

from napari_superpixels._napari.correction.dock import CorrectionWidget
from napari_superpixels._napari.readers import geotiff, open_command, recognise
from napari_superpixels._napari.readers.choose import get_reader
from napari_superpixels._napari.readers.open_command import open_paths
from napari_superpixels._napari.segment import tiled_run
from napari_superpixels.cli.main import main
from napari_superpixels.editing.actions.operations import assign, lock, merge
from napari_superpixels.errors import FileError
from napari_superpixels.io.formats import METADATA_KEY, export_labels, read_provenance, save_labels
from napari_superpixels.io.georeference import Georeference

DATA = np.repeat([[3, 8, 9]], 6, 0).repeat(4, 1).astype(np.uint16)
CLASSES = [
    {"number": 2, "name": "nucleus", "color": [1.0, 0.0, 0.0]},
    {"number": 5, "name": "debris", "color": [0.0, 0.0, 1.0]},
]
TABLE = {
    "index": [3, 8, 9],
    "class": ["nucleus", "", "debris"],
    "lock": ["held", "free", "edited"],
    "score": [0.3, 0.8, 0.9],
}
KNOWN = {"columns": TABLE, "classes": CLASSES, "provenance": {"created": "today"}}
UM = {"pixel_size": (0.5, 0.25), "unit": "um", "translation": (3.0, 4.0)}


@pytest.fixture
def viewer(viewer, npe2pm):
    """With napari's own readers and writers too, as in an installation."""
    npe2pm.register(PluginManifest.from_distribution("napari"))
    return viewer


@pytest.fixture
def correct(viewer):
    def open_it():
        _, widget = viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")
        assert isinstance(widget, CorrectionWidget)
        return widget

    return open_it


def check(layer):
    assert isinstance(layer, Labels)
    np.testing.assert_array_equal(layer.data, DATA)
    features = layer.features.set_index("label")
    assert features["class"].to_dict() == {3: "nucleus", 8: "", 9: "debris"}
    assert features["lock"].to_dict() == {3: "held", 8: "free", 9: "edited"}
    assert features["score"].to_dict() == {3: 0.3, 8: 0.8, 9: 0.9}
    assert [c["name"] for c in layer.metadata[METADATA_KEY]["classes"]] == ["nucleus", "debris"]
    assert layer.metadata[METADATA_KEY]["created"] == "today"


@pytest.mark.parametrize("name", ["a superpixels.tif", "a superpixels.ome.tif"])
def test_label_tiffs_open_with_all_that_is_known_and_can_be_corrected(
    tmp_path, viewer, correct, name
):
    path = tmp_path / name
    export_labels(path, DATA, **UM, **KNOWN)
    (layer,) = viewer.open(path, plugin="napari-superpixels")
    check(layer)
    np.testing.assert_allclose(layer.scale, (0.5, 0.25))
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    widget = correct()
    check(layer)
    assert widget.classes.classes.names == {2: "nucleus", 5: "debris"}
    assert widget.editor.session.facts().category.tolist() == [2, 0, 5]
    assert str(widget.editor.session.attributes[3].lock) == "held"


def test_a_geotiff_of_labels_has_its_place(tmp_path, viewer):
    place = Georeference(DATA.shape, (0.5, 0, 412_000, 0, -0.5, 5_800_000), "EPSG:32633", "m")
    path = tmp_path / "a superpixels.tif"
    export_labels(path, DATA, place=place, **KNOWN)
    (layer,) = viewer.open(path, plugin="napari-superpixels")
    check(layer)
    found = Georeference.from_dict(layer.metadata[METADATA_KEY]["place"])
    assert (found.crs is not None, found.transform) == (True, place.transform)
    np.testing.assert_allclose(layer.translate, (-5_799_999.75, 412_000.25))
    export_labels(path, DATA, place=place, dissolve_classes=True, overwrite=True, **KNOWN)
    (classes,) = viewer.open(path, plugin="napari-superpixels")
    assert np.unique(classes.data).tolist() == [0, 2, 5]
    np.testing.assert_allclose(classes.colormap.map(np.array([2])), [[1, 0, 0, 1]])


def test_large_labels_are_read_when_they_are_shown(tmp_path, monkeypatch):
    place = Georeference(DATA.shape, (0.5, 0, 412_000, 0, -0.5, 5_800_000), "EPSG:32633", "m")
    export_labels(tmp_path / "l.tif", DATA, place=place, **KNOWN)
    export_labels(tmp_path / "l.zarr", DATA, **UM, **KNOWN)
    monkeypatch.setattr(geotiff, "LARGE", 10)
    monkeypatch.setattr(tiled_run, "MOST_EDITABLE", 10)
    for path in (tmp_path / "l.tif", tmp_path / "l.zarr"):
        ((data, options, kind),) = get_reader(str(path))(str(path))
        layer = Layer.create(data, options, kind)
        finest = layer.data[0] if layer.multiscale else layer.data
        assert isinstance(finest, da.Array)
        np.testing.assert_array_equal(finest, DATA)
        assert layer.features["class"].tolist() == ["nucleus", "", "debris"]
        assert [c["name"] for c in layer.metadata[METADATA_KEY]["classes"]] == ["nucleus", "debris"]


@pytest.mark.parametrize("frames", [False, True])
def test_stacks_have_their_axes(tmp_path, frames):
    path = tmp_path / "s superpixels.ome.tif"
    stack = np.stack([DATA, DATA])
    size = (0.5, 0.25) if frames else (2.0, 0.5, 0.25)
    options = {"frames": True, "time_step": (30.0, "s")} if frames else {}
    export_labels(path, stack, pixel_size=size, unit="um", **options, **KNOWN)
    ((data, options, kind),) = get_reader(str(path))(str(path))
    layer = Labels(data, **options)
    assert kind == "labels"
    assert layer.axis_labels == (("t", "y", "x") if frames else ("z", "y", "x"))
    np.testing.assert_allclose(layer.scale, (30 if frames else 2, 0.5, 0.25))
    assert str(layer.units[0]) == ("second" if frames else "micrometer")


def test_what_the_command_wrote_opens_as_labels(tmp_path, viewer, photo):
    options = ["--iterations", "4", "--hidden-channels", "4", "--n-segments", "9", "--quiet"]
    path = tmp_path / "photo_superpixels.tif"
    assert main(["segment", str(photo), "-o", str(path), *options]) == 0
    (layer,) = viewer.open(path, plugin="napari-superpixels")
    assert isinstance(layer, Labels)
    assert len(layer.features) == len(np.unique(layer.data))
    assert layer.metadata[METADATA_KEY]["parameters"]["n_segments"] == 9


def corrected(viewer, correct, path):
    layer = viewer.add_labels(DATA.copy(), name="cells", features={"index": [9], "note": ["x"]})
    widget = correct()
    widget.classes.add("nucleus")
    widget.editor.run(merge, positions=[(0, 0), (0, 5)])
    widget.editor.run(assign, positions=[(0, 0)], category=1)
    widget.editor.run(lock, positions=[(0, 11)], on=True)
    widget.save(path)
    features = layer.features.copy()
    viewer.layers.clear()
    return features


def test_a_corrected_tiff_dropped_onto_napari_is_labels_with_its_log(tmp_path, viewer, correct):
    path = tmp_path / "cells superpixels.tif"
    before = corrected(viewer, correct, path)
    # The dock has told napari which reader takes such names: it asks nobody.
    (layer,) = viewer.open(path, plugin=None)
    assert isinstance(layer, Labels)
    assert layer.name == "cells"
    after = layer.features
    for name in ("label", "class", "lock", "note"):
        expected = before[name].fillna("").tolist()
        assert after[name].tolist() == expected, name
    assert set(after["note"]) == {"", "x"}
    session = layer.metadata[METADATA_KEY]["correction"]
    assert [entry["operation"] for entry in session.log][:3] == ["merge", "assign", "lock"]


def test_any_name_once_a_dock_is_open(tmp_path, viewer, correct, qtbot, monkeypatch):
    path = tmp_path / "results.tif"
    before = corrected(viewer, correct, path)
    zarr = tmp_path / "results.zarr"
    export_labels(zarr, DATA, **UM, **KNOWN)
    plain = tmp_path / "plain.tif"
    tifffile.imwrite(plain, DATA)
    told = []
    monkeypatch.setattr(recognise, "show_info", told.append)
    for each in (path, zarr, plain):
        viewer.open(each, plugin=None)
    qtbot.waitUntil(lambda: sum(isinstance(layer, Labels) for layer in viewer.layers) >= 2)
    by_name = {layer.name: layer for layer in viewer.layers}
    assert by_name["cells"].features["class"].tolist() == before["class"].tolist()
    check(by_name["results"])
    np.testing.assert_allclose(by_name["results"].translate, (3, 4))
    assert isinstance(by_name["plain"], Image)
    assert "results.zarr holds 3 superpixels, and was opened as labels." in told


def test_what_was_open_before_the_dock_becomes_labels_too(tmp_path, viewer, correct, qtbot):
    path = tmp_path / "results.tif"
    export_labels(path, DATA, **KNOWN)
    viewer.open(path, plugin=None)
    stack = viewer.open([path, path], plugin=None, stack=True)[0]
    correct()
    qtbot.waitUntil(lambda: isinstance(viewer.layers["results"], Labels))
    check(viewer.layers["results"])
    assert stack in viewer.layers  # of another shape than the file


def test_the_menu_opens_any_name_and_zarrs_beside_an_image(tmp_path, viewer):
    export_labels(tmp_path / "r.zarr", DATA, np.ones(DATA.shape), **KNOWN)
    export_labels(tmp_path / "r.tif", DATA, **KNOWN)
    open_paths(viewer, [tmp_path / "r.zarr", tmp_path / "r.tif"])
    assert len(viewer.layers) == 2
    for layer in viewer.layers:
        check(layer)


def test_commands_of_the_menu_ask_for_a_file(tmp_path, viewer, monkeypatch):
    from napari._app_model import get_app_model

    export_labels(tmp_path / "r.tif", DATA, **KNOWN)
    export_labels(tmp_path / "r.zarr", DATA, **KNOWN)
    tif, zarr = str(tmp_path / "r.tif"), str(tmp_path / "r.zarr")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args: ([tif], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: zarr)
    for n, command in enumerate(("open", "open_zarr"), start=1):
        get_app_model().commands.execute_command(f"napari-superpixels.{command}").result()
        assert len(viewer.layers) == n
        check(viewer.layers[-1])
    shown = []
    monkeypatch.setattr(open_command, "show_error", shown.append)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(tmp_path))
    get_app_model().commands.execute_command("napari-superpixels.open_zarr").result()
    assert "holds no superpixels of this plugin" in shown[0]


def test_settings_of_the_user_stay(viewer, correct):
    from napari.settings import get_settings

    plugins = get_settings().plugins
    mine = {"*.tif": "napari-superpixels", "*.lif": "lif", "*superpixels.tif": "napari"}
    plugins.extension2reader = mine
    correct()
    known = plugins.extension2reader
    assert "*.tif" not in known  # as earlier versions had it remembered
    assert (known["*.lif"], known["*superpixels.tif"]) == ("lif", "napari")
    assert known["*superpixels.tiff"] == "napari-superpixels"


@pytest.mark.parametrize(
    "said",
    [{"columns": {"label": [3], "class": ["a", "b"]}}, {"stack": [[-1, "sideways"]]}],
)
def test_hostile_files_are_told_and_lose_nothing(tmp_path, viewer, correct, qtbot, said):
    path = tmp_path / "bad.tif"
    save_labels(path, DATA, said)
    with pytest.raises(FileError, match=r"bad\.tif: .* cannot be used"):
        get_reader(str(path))(str(path))
    correct()
    (image,) = viewer.open(path, plugin=None)
    qtbot.wait(50)
    assert image in viewer.layers


def test_provenance_marks_exports_of_labels_from_elsewhere(tmp_path, viewer, correct, qtbot):
    viewer.add_labels(DATA, name="mine")
    widget = correct()
    widget.exporter.export_to(tmp_path / "mine.tif")
    qtbot.waitUntil(lambda: not widget.exporter.running, timeout=30_000)
    assert read_provenance(tmp_path / "mine.tif")["layer"] == "mine"
    assert get_reader(str(tmp_path / "mine.tif")) is not None
