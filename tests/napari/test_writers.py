"""File > Save Selected Layers writes what Export writes."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import roifile
import tifffile
from napari.layers import Labels
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog

from napari_superpixels._napari import writers
from napari_superpixels.errors import ExportError
from napari_superpixels.io.formats import METADATA_KEY, read_provenance
from napari_superpixels.io.georeference import Georeference

PLUGIN = "napari-superpixels"
GRID = (np.arange(12 * 16).reshape(12, 16) // 64 + 1).astype(np.uint16)
PLACE = Georeference(GRID.shape, (0.5, 0, 412_000, 0, -0.5, 5_800_000), "EPSG:32633", "m")
CLASSES = [{"number": 4, "name": "water", "color": [0.0, 0.4, 1.0]}]


@pytest.fixture
def viewer(viewer, npe2pm):
    """With napari's own writers too, as in an installation."""
    npe2pm.register(PluginManifest.from_distribution("napari"))
    return viewer


@pytest.fixture
def layer(viewer):
    place = {name: getattr(PLACE, name) for name in PLACE.__slots__}
    return viewer.add_labels(
        GRID.copy(),
        name="fields",
        features={"index": [1, 2, 3], "class": ["water", "", "water"], "owner": list("abc")},
        metadata={METADATA_KEY: {"place": place, "classes": CLASSES}},
    )


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("t.csv", pd.read_csv),
        ("t.parquet", pd.read_parquet),
        ("t.geojson", geopandas.read_file),
        ("t.gpkg", geopandas.read_file),
    ],
)
def test_tables_and_polygons(tmp_path, viewer, layer, name, read):
    path = str(tmp_path / name)
    assert viewer.layers.save(path, selected=True, plugin=PLUGIN) == [path]
    table = read(path).set_index("label")
    assert table["class"].fillna("").to_dict() == {1: "water", 2: "", 3: "water"}
    assert table["owner"].to_dict() == {1: "a", 2: "b", 3: "c"}


def test_images_and_rois(tmp_path, viewer, layer):
    viewer.layers.save(str(tmp_path / "t.tif"), selected=True, plugin=PLUGIN)
    with rasterio.open(tmp_path / "t.tif") as raster:
        assert raster.crs == "EPSG:32633"
        np.testing.assert_array_equal(raster.read(1), GRID)
    assert read_provenance(tmp_path / "t.tif")["classes"] == CLASSES
    viewer.layers.save(str(tmp_path / "t.ome.tif"), selected=True, plugin=PLUGIN)
    with tifffile.TiffFile(tmp_path / "t.ome.tif") as tiff:
        assert tiff.is_ome
    viewer.layers.save(str(tmp_path / "t.zip"), selected=True, plugin=PLUGIN)
    groups = [roi.group for roi in roifile.roiread(tmp_path / "t.zip")]
    assert groups == [4, 0, 4]
    (path,) = viewer.layers.save(str(tmp_path / "t.zarr"), selected=True, plugin=PLUGIN)
    assert read_provenance(path)["columns"]["owner"] == ["a", "b", "c"]


def test_the_values_of_the_image_go_along(tmp_path, viewer, rng):
    image = viewer.add_image(rng.random(GRID.shape), name="image")
    known = {"source_layers": [{"name": "image", "id": None, "channel_axis": None}]}
    viewer.add_labels(GRID, name="made", metadata={METADATA_KEY: known})
    viewer.layers.save(str(tmp_path / "t.csv"), selected=True, plugin=PLUGIN)
    table = pd.read_csv(tmp_path / "t.csv")
    expected = [image.data[label == GRID].mean() for label in (1, 2, 3)]
    np.testing.assert_allclose(table["mean intensity"], expected)
    # Labels from elsewhere have those of the image that is saved with them.
    other = viewer.add_labels(GRID, name="drawn")
    viewer.layers.selection = {image, other}
    viewer.layers.save(str(tmp_path / "o.csv"), selected=True, plugin=PLUGIN)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "o.csv")["mean intensity"], expected)


def test_by_the_menu_with_a_name_without_end(tmp_path, viewer, layer, monkeypatch):
    offered = []

    def answer(dialog, *args, filter, **options):
        offered.extend(filter.split(";;"))
        chosen = next(text for text in offered if text.startswith("Superpixels tables"))
        return str(tmp_path / "fields"), chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    from napari._app_model import get_app_model

    command = "napari.window.file.save_layers_dialog.selected"
    get_app_model().commands.execute_command(command).result()
    assert pd.read_csv(tmp_path / "fields.csv")["owner"].tolist() == list("abc")
    assert "Superpixels polygons (*.geojson *.gpkg)" in offered


def test_without_a_viewer_and_what_cannot_be(tmp_path):
    alone = (GRID, {"name": "alone"}, "labels")
    (path,) = writers.write_table(str(tmp_path / "t"), [alone])
    assert pd.read_csv(path)["label"].tolist() == [1, 2, 3]
    with pytest.raises(ExportError, match=r"t\.csv exists already: type its full name"):
        writers.write_table(str(tmp_path / "t"), [alone])
    with pytest.raises(ExportError, match="a picture shows the borders on the image"):
        writers.write_picture(str(tmp_path / "t.png"), [alone])
    with pytest.raises(ExportError, match="make the folder first"):
        writers.write_rois(str(tmp_path / "no folder" / "t.zip"), [alone])
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_labels_of_others_are_saved_by_napari_as_before(tmp_path, viewer):
    data = np.full((4, 5), 70_000, np.int64)
    viewer.add_layer(Labels(data))
    viewer.layers.save(str(tmp_path / "l.tif"), selected=True)
    assert tifffile.imread(tmp_path / "l.tif").dtype == np.int64
