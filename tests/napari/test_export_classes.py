"""One Export in both docks: which objects, with their classes; folder and format come back."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import rasterio
from npe2 import PluginManifest
from PIL import Image as Picture
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox

from napari_superpixels._napari.correction.dock import CorrectionWidget
from napari_superpixels._napari.export.known import Choice
from napari_superpixels.editing.actions.operations import assign, lock
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.io.georeference import Georeference

GRID = (np.arange(12 * 16).reshape(12, 16) // 32 + 1).astype(np.uint16)
PLACE = Georeference(GRID.shape, (0.5, 0, 412_000, 0, -0.5, 5_800_000), "EPSG:32633", "m")


@pytest.fixture
def layer(viewer):
    place = {name: getattr(PLACE, name) for name in PLACE.__slots__}
    return viewer.add_labels(
        GRID.copy(),
        name="fields",
        metadata={METADATA_KEY: {"place": place}},
        features={"index": np.arange(1, 7), "owner": list("abcdef")},
    )


@pytest.fixture
def widget(viewer, layer):
    """The correction dock, with two classes and a superpixel of neither."""
    _, made = viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")
    assert isinstance(made, CorrectionWidget)
    for name in ("crop & hay", "water"):
        made.classes.add(name)
    for row, category in ((0, 1), (2, 1), (4, 1), (6, 2), (8, 2)):
        made.editor.run(assign, positions=[(row, 0)], category=category)
    made.editor.run(lock, positions=[(8, 0)], on=True)
    return made


@pytest.fixture
def export(widget, qtbot, tmp_path):
    def run(name, *choice):
        path = tmp_path / name
        widget.exporter.export_to(path, *choice)
        qtbot.waitUntil(lambda: not widget.exporter.running, timeout=30_000)
        return path

    return run


def test_classes_locks_and_columns_reach_the_file(widget, export):
    frame = geopandas.read_file(export("all.gpkg"))
    assert frame.crs == "EPSG:32633"
    assert frame["class"].value_counts().to_dict() == {"crop & hay": 3, "water": 2, "": 1}
    assert sorted(frame["lock"]) == ["free"] * 5 + ["held"]
    assert sorted(frame["owner"]) == list("abcdef")
    assert [name for name in frame if name in ("label", "index", "area_px")] == ["label", "area_px"]
    assert "Exported “fields” to all.gpkg (polygons)" in widget.message.text()


def test_one_class_and_one_object_a_class(widget, export):
    table = pd.read_csv(export("w.csv", Choice(of_class="water")))
    assert table["class"].tolist() == ["water", "water"]
    frame = geopandas.read_file(export("d.gpkg", Choice(dissolve=True))).set_index("class")
    np.testing.assert_allclose(frame.area[["crop & hay", "water"]], [96 / 4, 64 / 4])
    assert "one object a class, without superpixels that have none" in widget.message.text()


def test_the_layer_of_classes_has_crs_names_and_colours(viewer, widget, layer, export, tmp_path):
    classes = viewer.layers["fields classes"]
    viewer.layers.selection.active = classes
    expected = np.select([GRID <= 3, GRID <= 5], [1, 2], 0)
    for name in ("map.tif", "orphan.tif"):
        path = export(name)
        with rasterio.open(path) as raster:
            assert raster.crs == "EPSG:32633"
            assert raster.transform.almost_equals(rasterio.Affine(*PLACE.transform))
            np.testing.assert_array_equal(raster.read(1), expected)
            assert raster.colormap(1)[2][:3] == (87, 181, 232)
        names = (tmp_path / f"{name}.aux.xml").read_text(encoding="utf-8")
        assert "<Category>crop &amp; hay</Category>" in names
        # Once more without the layer that the classes are of.
        if layer in viewer.layers:
            viewer.layers.remove(layer)
            viewer.layers.selection.active = classes
    with Picture.open(export("map.png")) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), expected)
    assert "(picture of the classes)" in widget.message.text()
    found = json.loads(export("map.geojson").read_text(encoding="utf-8"))["features"]
    assert {f["properties"]["class"] for f in found} == {"crop & hay", "water"}


def open_menu(exporter, qtbot):
    qtbot.mouseClick(exporter.button, Qt.MouseButton.LeftButton)
    return exporter.button.findChild(QMenu)


def test_the_menu_offers_what_there_is(viewer, widget, layer, qtbot, monkeypatch, tmp_path):
    asked = []

    def answer(parent, title, name, filters, chosen):
        asked.append((name, chosen))
        return str(tmp_path / "out.csv"), chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    menu = open_menu(widget.exporter, qtbot)
    texts = [action.text() for action in menu.actions()]
    assert texts == [
        "All superpixels…",
        "Only “crop && hay”…",
        "Only “water”…",
        "One object a class…",
    ]
    menu.actions()[2].trigger()
    qtbot.waitUntil(lambda: not widget.exporter.running, timeout=30_000)
    assert asked[0][0].endswith("fields water.tif")
    assert set(pd.read_csv(tmp_path / "out.csv")["class"]) == {"water"}
    menu.close()
    # Without classes there is nothing to choose.
    viewer.add_labels(GRID, name="bare")
    qtbot.mouseClick(widget.exporter.button, Qt.MouseButton.LeftButton)
    assert len(asked) == 2


def test_folder_and_format_come_back_in_the_other_dock(
    viewer, dock, qtbot, monkeypatch, tmp_path, tiles_image, npe2pm
):
    (tmp_path / "images").mkdir()
    (tmp_path / "results").mkdir()
    asked, answers = [], []

    def answer(parent, title, name, filters, chosen):
        asked.append((Path(name), chosen))
        return answers.pop(0), chosen

    def ask(exporter, path):
        answers.append(str(path))
        exporter.button.click()
        qtbot.waitUntil(lambda: not exporter.running, timeout=30_000)

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    viewer.add_labels(GRID, name="drawn")
    ask(dock.exporter, tmp_path / "results" / "a.edges.csv")
    assert asked[-1][0] == Path("drawn.tif")
    _, correction = viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")
    ask(correction.exporter, tmp_path / "results" / "b.gpkg")
    assert asked[-1][0] == tmp_path / "results" / "drawn.edges.csv"
    assert asked[-1][1].startswith("table of neighbours")
    # Of an image from a file, beside it at first; then where its results went.
    path = tmp_path / "images" / "photo.png"
    iio.imwrite(path, tiles_image[:12, :16])
    npe2pm.register(PluginManifest.from_distribution("napari"))
    viewer.open(path, plugin="napari")
    viewer.layers.selection.active = viewer.layers["drawn"]
    dock.image.layer_box.value = "photo"
    ask(dock.exporter, tmp_path / "results" / "c.gpkg")
    assert asked[-1][0] == tmp_path / "images" / "drawn.gpkg"
    ask(dock.exporter, tmp_path / "results" / "d.gpkg")
    assert asked[-1][0] == tmp_path / "results" / "drawn.gpkg"


def test_the_same_again_for_the_next_layer(viewer, widget, layer, qtbot, export, monkeypatch):
    def entry():
        qtbot.mouseClick(widget.exporter.button, Qt.MouseButton.LeftButton)
        menu = widget.exporter.button.findChildren(QMenu)[-1]
        return next((a for a in menu.actions() if a.text().startswith("Again")), None)

    asked, answers = [], []

    def answer(_parent, _title, text):
        asked.append(text)
        return answers.pop(0)

    monkeypatch.setattr(QMessageBox, "question", answer)
    folder = export("first.csv").parent
    export("first crop.zip", Choice(of_class="crop & hay"))
    export("first.gpkg", Choice(dissolve=True))
    assert entry() is None  # of this layer there is nothing to repeat
    viewer.add_labels(GRID.copy(), name="next")
    widget.editor.run(assign, positions=[(0, 0)], category=1)
    again = entry()
    assert again.text() == (
        "Again: all as .csv, “crop && hay” as .zip, one object a class as .gpkg"
    )
    table, rois, areas = (
        folder / f"next{end}" for end in (".csv", " crop & hay.zip", " classes.gpkg")
    )
    table.write_text("somebody's")
    answers.append(QMessageBox.StandardButton.No)
    again.trigger()
    qtbot.waitUntil(lambda: not widget.exporter.running, timeout=30_000)
    assert asked == ["next.csv exists already. Replace it?"]
    assert table.read_text() == "somebody's"
    assert rois.exists()
    assert geopandas.read_file(areas)["class"].tolist() == ["crop & hay"]
    assert rois.name in widget.message.text()
    assert areas.name in widget.message.text()
    assert entry() is None
