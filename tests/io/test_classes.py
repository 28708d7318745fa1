"""Classes, locks and columns of others in every format, read back with the format's own library."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import geopandas
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import rasterio
import roifile
import tifffile
import zarr
from PIL import Image

from napari_superpixels.errors import ExportError, FileError
from napari_superpixels.io.classes import columns_of
from napari_superpixels.io.formats import export_labels, read_provenance
from napari_superpixels.io.georeference import Georeference
from napari_superpixels.io.labels import read_labels

CLASSES = [
    {"number": 1, "name": "forêt: dense", "color": [0.0, 0.6, 0.2]},
    {"number": 7, "name": "water", "color": [0.0, 0.4, 1.0]},
]
TABLE = {
    "index": [70, 5, 7, 9],  # in another order than the ids
    "label": [70, 5, 7, 9],
    "area": [1.0, 1.0, 1.0, 1.0],  # of before: measured anew
    "class": ["water", "forêt: dense", "", "water"],
    "lock": ["free", "held", "edited", "free"],
    "score": [0.7, 0.05, np.nan, 0.9],
    "note": ["seventy", "five", None, "nine"],
    "Perimeter": [70, 5, 7, 9],  # as GeoPackage compares names, there is one already
}
BY_ID = {
    "class": {5: "forêt: dense", 7: "", 9: "water", 70: "water"},
    "lock": {5: "held", 7: "edited", 9: "free", 70: "free"},
    "note": {5: "five", 7: "", 9: "nine", 70: "seventy"},
    "Perimeter (own)": {5: 5, 7: 7, 9: 9, 70: 70},
}
RGB = {"forêt: dense": (0, 153, 51), "water": (0, 102, 255)}
KNOWN = {"columns": TABLE, "classes": CLASSES}


@pytest.fixture
def place(labels):
    return Georeference(labels.shape, (0.5, 0, 412_000, 0, -0.5, 5_800_000), "EPSG:32633", "m")


def check(table):
    """Compare a table that was read back."""
    table = table.set_index("label")
    for name, expected in BY_ID.items():
        found = table[name]
        if found.dtype == object or name != "Perimeter (own)":
            found = found.fillna("").astype(str)
        assert found.to_dict() == expected, name
    np.testing.assert_allclose(
        table["score"].astype(float)[[5, 7, 9, 70]], [0.05, np.nan, 0.9, 0.7]
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".gpkg", ".geojson"])
def test_tables_and_polygons_have_the_columns(tmp_path, labels, image, place, suffix):
    path = tmp_path / f"t{suffix}"
    export_labels(path, labels, image, channel_axis=-1, place=place, **KNOWN)
    if suffix == ".csv":
        table = pd.read_csv(path)
    elif suffix == ".parquet":
        table = pd.read_parquet(path)
    else:
        table = geopandas.read_file(path)
    check(table)
    areas = {label: (labels == label).sum() for label in BY_ID["class"]}
    assert table.set_index("label")["area_px"].to_dict() == areas
    assert [str(name) for name in table.columns].count("label") == 1
    assert "index" not in table


def test_a_graph_has_them_on_its_nodes_and_classes_on_its_edges(tmp_path, labels):
    export_labels(tmp_path / "g.graphml", labels, **KNOWN)
    graph = nx.read_graphml(tmp_path / "g.graphml", node_type=int)
    check(pd.DataFrame([{"label": node, **known} for node, known in graph.nodes(data=True)]))
    export_labels(tmp_path / "g.edges.csv", labels, **KNOWN)
    pairs = pd.read_csv(tmp_path / "g.edges.csv", keep_default_na=False)
    for row in pairs.to_dict("records"):
        for end in "ab":
            assert row[f"class_{end}"] == BY_ID["class"][row[f"label_{end}"]]


def test_qupath_finds_class_colour_and_lock(tmp_path, labels):
    export_labels(tmp_path / "q.geojson", labels, **KNOWN)
    features = json.loads((tmp_path / "q.geojson").read_text(encoding="utf-8"))["features"]
    found = {f["properties"]["label"]: f["properties"] for f in features}
    assert found[5]["classification"] == {"name": "forêt: dense", "color": [0, 153, 51]}
    assert found[70]["classification"] == {"name": "water", "color": [0, 102, 255]}
    assert "classification" not in found[7]
    assert [label for label, known in found.items() if known.get("isLocked")] == [5]


def test_rois_have_names_groups_colours_and_properties(tmp_path, labels):
    export_labels(tmp_path / "r.zip", labels, **KNOWN)
    rois = {int(roi.name.split()[0]): roi for roi in roifile.roiread(tmp_path / "r.zip")}
    assert {label: roi.name for label, roi in rois.items()} == {
        5: "05 forêt: dense",
        7: "07",
        9: "09 water",
        70: "70 water",
    }
    assert {label: roi.group for label, roi in rois.items()} == {5: 1, 7: 0, 9: 7, 70: 7}
    assert rois[5].stroke_color == bytes((255, 0, 153, 51))
    assert "lock: held\n" in rois[5].props
    assert "class: forêt dense\n" in rois[5].props
    assert "note: seventy\n" in rois[70].props


@pytest.mark.parametrize("name", ["l.tif", "map.tif", "l.ome.tif", "l.zarr"])
def test_label_images_say_it_of_themselves(tmp_path, labels, place, name):
    path = tmp_path / name
    where = place if name == "map.tif" else None
    export_labels(path, labels, place=where, provenance={"made": "by hand"}, **KNOWN)
    np.testing.assert_array_equal(read_labels(path).labels, labels)
    said = read_provenance(path)
    assert said["made"] == "by hand"
    known = columns_of(said, path)
    found = known.of(np.array([5, 7, 9, 70]))
    assert found["class"].tolist() == ["forêt: dense", "", "water", "water"]
    assert found["lock"].tolist() == ["held", "edited", "free", "free"]
    np.testing.assert_array_equal(found["score"], [0.05, np.nan, 0.9, 0.7])
    assert [c.rgb for c in known.classes] == list(RGB.values())


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_has_colours_and_properties(tmp_path, labels, version):
    export_labels(tmp_path / "z.zarr", labels, ome_zarr_version=version, **KNOWN)
    attributes = dict(zarr.open_group(tmp_path / "z.zarr", mode="r").attrs)
    found = attributes.get("ome", attributes)["image-label"]
    assert {"label-value": 5, "rgba": [0, 153, 51, 255]} in found["colors"]
    rows = {row["label-value"]: row for row in found["properties"]}
    assert rows[7]["score"] is None
    assert rows[70]["class"] == "water"


def class_map(labels):
    return np.select([labels == 5, (labels == 9) | (labels == 70)], [1, 7], 0)


def test_a_map_of_classes_as_geotiff(tmp_path, labels, place):
    path = tmp_path / "classes.tif"
    export_labels(path, labels, place=place, dissolve_classes=True, **KNOWN)
    with rasterio.open(path) as raster:
        assert raster.crs == "EPSG:32633"
        assert raster.transform.almost_equals(rasterio.Affine(*place.transform))
        assert raster.dtypes == ("uint8",)
        assert raster.nodata == 0
        assert len(raster.files) == 2  # GDAL takes the names beside it for its own
        np.testing.assert_array_equal(raster.read(1), class_map(labels))
        colors = raster.colormap(1)
        assert colors[1][:3] == RGB["forêt: dense"]
        assert colors[7][:3] == RGB["water"]
    names = tmp_path / "classes.tif.aux.xml"
    found = [each.text or "" for each in ET.parse(names).findall("PAMRasterBand/*/Category")]
    assert found == ["", "forêt: dense", "", "", "", "", "", "water"]
    np.testing.assert_array_equal(read_labels(path).labels, class_map(labels))
    # Names of these classes are not left beside what replaces the map.
    export_labels(path, labels, place=place, overwrite=True)
    assert not names.exists()


def test_names_that_xml_cannot_write(tmp_path, labels, place):
    odd = [{"number": 1, "name": "a<b>&\x00\x1b", "color": [0, 0, 1]}]
    table = {"index": [5], "class": [odd[0]["name"]]}
    path = tmp_path / "odd.tif"
    export_labels(path, labels, place=place, dissolve_classes=True, columns=table, classes=odd)
    names = ET.parse(tmp_path / "odd.tif.aux.xml").findall("PAMRasterBand/*/Category")
    assert [each.text for each in names] == [None, "a<b>&"]
    ome = tmp_path / "odd.ome.tif"
    export_labels(ome, labels, place=place, dissolve_classes=True, columns=table, classes=odd)
    assert not (tmp_path / "odd.ome.tif.aux.xml").exists()


def test_a_map_of_classes_as_picture_imagej_tiff_and_zarr(tmp_path, labels):
    for name in ("c.png", "c.tif", "c.zarr", "c.ome.tif"):
        export_labels(tmp_path / name, labels, dissolve_classes=True, **KNOWN)
        np.testing.assert_array_equal(read_labels(tmp_path / name).labels, class_map(labels))
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.mode == "P"
        palette = np.array(picture.getpalette()).reshape(-1, 3)
        assert tuple(palette[7].tolist()) == RGB["water"]
        assert "water" in picture.text["Description"]
    with tifffile.TiffFile(tmp_path / "c.tif") as tiff:
        lut = np.asarray(tiff.imagej_metadata["LUTs"]).reshape(3, 256)
        assert tuple(lut[:, 1].tolist()) == RGB["forêt: dense"]
        assert tiff.pages[0].dtype == np.uint8
    assert read_provenance(tmp_path / "c.zarr")["class map"] is True


def test_one_object_a_class(tmp_path, labels, place):
    export_labels(tmp_path / "d.gpkg", labels, place=place, dissolve_classes=True, **KNOWN)
    table = geopandas.read_file(tmp_path / "d.gpkg").set_index("label")
    assert table["class"].to_dict() == {1: "forêt: dense", 7: "water"}
    assert table["superpixels"].to_dict() == {1: 1, 7: 2}
    expected = [(labels == 5).sum() / 4, np.isin(labels, (9, 70)).sum() / 4]
    np.testing.assert_allclose(table.geometry.area, expected)
    assert "score" not in table


def test_one_class_alone(tmp_path, labels):
    export_labels(tmp_path / "w.csv", labels, of_class="water", **KNOWN)
    table = pd.read_csv(tmp_path / "w.csv")
    assert table["label"].tolist() == [9, 70]
    assert set(table["class"]) == {"water"}
    export_labels(tmp_path / "w.tif", labels, of_class="water", **KNOWN)
    expected = np.where(np.isin(labels, (9, 70)), labels, 0)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "w.tif"), expected)


def test_what_cannot_be_is_said_and_nothing_is_written(tmp_path, labels):
    path = tmp_path / "t.csv"
    with pytest.raises(ExportError, match="no class “Water”: choose one of forêt: dense, water"):
        export_labels(path, labels, of_class="Water", **KNOWN)
    with pytest.raises(ExportError, match="no superpixel has a class yet"):
        export_labels(path, labels, dissolve_classes=True, classes=CLASSES)
    with pytest.raises(ExportError, match="have no classes"):
        export_labels(path, labels, of_class="water")
    unused = [*CLASSES, {"number": 2, "name": "sand", "color": [1, 1, 0]}]
    with pytest.raises(ExportError, match="no superpixel has the class “sand”"):
        export_labels(path, labels, of_class="sand", columns=TABLE, classes=unused)
    with pytest.raises(ExportError, match="a class needs number"):
        export_labels(path, labels, classes=[{"number": 300, "name": "x", "color": [0, 0, 0]}])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "said",
    [
        {"classes": [{"number": "1", "name": "x", "color": [0, 0, 0]}]},
        {"classes": [{"number": 1, "name": "x", "color": [0, 0, 9]}]},
        {"classes": [{"number": 1, "name": n, "color": [0, 0, 0]} for n in "ab"]},
        {"columns": {"class": ["x"]}},
        {"columns": {"label": [1, 2], "class": ["x"]}},
        {"columns": {"label": [1], "class": [["x"]]}},
        {"columns": [1]},
        {"correction": {"superpixels": {"x": {"class": 1, "lock": "held"}}}},
        {"correction": {"superpixels": {"1": {"class": 1, "lock": "open"}}}},
    ],
)
def test_hostile_files_are_refused_in_words(said):
    with pytest.raises(FileError, match="what it says of its superpixels cannot be used"):
        columns_of(said, "map.tif")


def test_columns_of_every_kind(tmp_path, labels):
    kinds = pd.DataFrame(
        {
            "label": [5, 7, 9],  # 70 has no row
            "flag": [True, False, True],
            "count": pd.array([1, None, 3], "Int64"),
            "when": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
            "kind": pd.Categorical(["a", "b", None]),
            "label-value": ["x", "y", "z"],
            "geometry": [1, 2, 3],
            "fid": [1, 1, 1],
        }
    )
    for name in ("k.csv", "k.graphml", "k.gpkg", "k.parquet", "k.zarr", "k.zip", "k.tif"):
        export_labels(tmp_path / name, labels, columns=kinds)
    table = pd.read_csv(tmp_path / "k.csv").set_index("label")
    assert table["count"].fillna(-1).to_dict() == {5: 1, 7: -1, 9: 3, 70: -1}
    assert table["kind"].fillna("").to_dict() == {5: "a", 7: "b", 9: "", 70: ""}
    assert table["when"][9].startswith("2026-01-03")
    frame = geopandas.read_file(tmp_path / "k.gpkg").set_index("label")
    assert frame["fid (own)"].fillna(0).to_dict() == {5: 1, 7: 1, 9: 1, 70: 0}
    properties = zarr.open_group(tmp_path / "k.zarr").attrs["image-label"]["properties"]
    assert {row["label-value"] for row in properties} == {5, 7, 9, 70}


def test_frames_keep_their_columns(tmp_path, labels):
    frames = np.stack([labels, np.where(labels == 7, 0, labels)])
    export_labels(tmp_path / "f.csv", frames, frames=True, **KNOWN)
    table = pd.read_csv(tmp_path / "f.csv", keep_default_na=False)
    assert len(table) == 7
    for row in table.to_dict("records"):
        assert row["class"] == BY_ID["class"][row["label"]]
    export_labels(tmp_path / "d.csv", frames, frames=True, dissolve_classes=True, **KNOWN)
    assert pd.read_csv(tmp_path / "d.csv")["label"].tolist() == [1, 7, 1, 7]
