"""“Export…”: what the user sees is what lies in the file."""

from __future__ import annotations

import json
import threading

import dask.array as da
import geopandas
import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_superpixels._napari.export import export_job as job_module
from napari_superpixels._napari.export.known import ALL, Known
from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.input.plane import View
from napari_superpixels._napari.input.region import Where
from napari_superpixels.errors import ExportError
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.io.formats.registry import FORMATS
from napari_superpixels.io.georeference import Georeference
from napari_superpixels.params import get_preset

GRID = (np.arange(12 * 16).reshape(12, 16) // 32 + 1).astype(np.uint16)


@pytest.fixture
def dock(dock):
    dock.form.set_params(get_preset("fast").replace(n_segments=8, iterations=4))
    return dock


@pytest.fixture
def export(dock, qtbot, tmp_path):
    """Export to a file of this name and return its path, once it is done."""

    def run(name, **options):
        path = tmp_path / name
        dock.exporter.export_to(path, **options)
        qtbot.waitUntil(lambda: not dock.exporter.running, timeout=30_000)
        return path

    return run


@pytest.fixture
def errors(monkeypatch):
    shown = []
    monkeypatch.setattr("napari_superpixels._napari.segment.dock.show_error", shown.append)
    return shown


def test_enabled_for_a_labels_layer(viewer, dock, tiles_image, run_to_end):
    button = dock.exporter.button
    assert not button.isEnabled()
    image = viewer.add_image(tiles_image)
    assert not button.isEnabled()
    run_to_end(dock)
    assert button.isEnabled()
    viewer.layers.selection.active = image
    assert button.isEnabled()  # the last result
    made = dock.exporter.target
    viewer.layers.remove(made)
    assert not button.isEnabled()
    other = viewer.add_labels(GRID)
    assert dock.exporter.target == other


def test_every_format_of_a_real_result(viewer, dock, tiles_image, run_to_end, export):
    viewer.add_image(tiles_image, rgb=True, name="tiles", scale=(0.5, 0.5), units=("um", "um"))
    run_to_end(dock)
    for known in FORMATS:
        path = export(f"out{known.suffixes[0]}")
        assert path.exists()
        expected = f"Exported “tiles superpixels” to {path.name} ({known.about})."
        assert dock.result_label.text() == expected


def test_table_has_the_image_and_micrometres(viewer, dock, tiles_image, run_to_end, export):
    viewer.add_image(tiles_image, rgb=True, name="tiles", scale=(0.5, 0.25), units=("um", "um"))
    run_to_end(dock)
    table = pd.read_csv(export("t.csv"))
    labels = dock.exporter.target.data
    np.testing.assert_allclose(table["area"].sum(), labels.size * 0.125)
    expected = tiles_image[labels == 1][:, 0].mean()
    np.testing.assert_allclose(table["mean red"][0], expected, rtol=1e-4)
    # What the layer's table has of it is not there a second time.
    assert not [name for name in table if "(own)" in name or name == "index"]


@pytest.mark.parametrize("kind", ["plane", "volume", "frames"])
def test_pixels_of_a_sheared_layer_have_their_true_size(viewer, dock, export, kind):
    ndim = 2 if kind == "plane" else 3
    known = {"mode": Mode.EACH, "stack": [[-3, "Z"]]} if kind == "frames" else {}
    scale, units = (4, 2, 0.5)[-ndim:], ("um",) * ndim
    layer = viewer.add_labels(
        np.stack([GRID, GRID]) if ndim == 3 else GRID,
        scale=scale,
        shear=[0.5] if ndim == 2 else [0.5, 0.25, 0.75],
        units=units,
        metadata={METADATA_KEY: known} if known else {},
    )
    table = pd.read_csv(export("t.csv"))
    size = "volume" if kind == "volume" else "area"
    expected = {"plane": 1, "volume": 4, "frames": 0}[kind]
    if kind == "frames":  # a shear of the plane alone leaves 1; that with depth makes it larger
        origin = np.array(layer.data_to_world((0, 0, 0)))
        down, right = (np.array(layer.data_to_world(e)) - origin for e in np.eye(3)[1:])
        expected = np.linalg.norm(np.cross(down, right))
    np.testing.assert_allclose(table[size], table[f"{size}_px"] * expected)
    if kind == "plane":
        assert table["perimeter"].isna().all()


def test_channels_of_several_layers_are_in_the_table(viewer, dock, tiles_image, run_to_end, export):
    for i, name in enumerate("ab"):
        viewer.add_image(tiles_image[..., i], name=name)
    dock.more.boxes["a"].click()
    run_to_end(dock)
    table = pd.read_csv(export("t.csv"))
    labels = dock.exporter.target.data
    for i, name in enumerate("ab"):
        expected = tiles_image[labels == 1][:, i].mean()
        np.testing.assert_allclose(table[f"mean {name}"][0], expected, rtol=1e-4)


@pytest.mark.parametrize("full_grid", [True, False])
def test_a_region_of_a_map_lies_right(
    viewer, dock, tiles_image, run_to_end, export, monkeypatch, full_grid
):
    if not full_grid:
        monkeypatch.setattr(
            "napari_superpixels._napari.input.segmentation_input.LARGEST_FULL_GRID", 100
        )
    place = Georeference((48, 64), (0.5, 0, 412_000, 0, -0.5, 5_800_000), "EPSG:32633", "m")
    known = {"place": {field: getattr(place, field) for field in place.__slots__}}
    viewer.add_image(tiles_image, rgb=True, metadata={METADATA_KEY: known})
    viewer.add_shapes([[[10, 20], [10, 29], [15, 29], [15, 20]]])
    dock.region.where_box.value = Where.SHAPES
    run_to_end(dock)
    assert dock.exporter.target.data.shape == ((48, 64) if full_grid else (6, 10))
    frame = geopandas.read_file(export("p.gpkg"))
    assert frame.crs == "EPSG:32633"
    bounds = [412_010, 5_799_992, 412_015, 5_799_995]
    np.testing.assert_allclose(frame.total_bounds, bounds)
    assert not np.isnan(frame.filter(like="red").to_numpy()).any()


def test_plane_of_a_stack(viewer, dock, export, monkeypatch):
    stack = np.stack([GRID, GRID * 2, GRID * 3])
    viewer.add_labels(stack, name="stack", scale=(2, 0.5, 0.5), units=("um", "um", "um"))
    viewer.dims.set_point(0, 4)
    polygons = json.loads(export("p.geojson").read_text())
    ids = {feature["properties"]["label"] for feature in polygons["features"]}
    assert ids == set(np.unique(GRID * 3).tolist())
    assert "(polygons), the plane shown, axis 0 = 2" in dock.result_label.text()
    titles = []
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda _, title, *args: (titles.append(title) or "", "")
    )
    dock.exporter.button.click()
    assert titles == ["Export “stack” (polygons, ROIs, picture: the plane shown, axis 0 = 2)"]
    with tifffile.TiffFile(export("v.tif")) as tiff:
        assert tiff.series[0].shape == (3, 12, 16)
        assert tiff.imagej_metadata["spacing"] == 2
    assert "axis 0" not in dock.result_label.text()


def test_a_result_in_one_slice_is_a_plane_wherever_the_viewer_stands(
    viewer, dock, rng, run_to_end, export
):
    viewer.add_image(rng.random((5, 20, 24)), name="movie")
    viewer.dims.set_point(0, 3)
    run_to_end(dock)
    viewer.dims.set_point(0, 0)
    table = pd.read_csv(export("t.csv"))
    assert table["area_px"].sum() == 480
    assert export("r.zip").exists()
    assert "the plane shown" not in dock.result_label.text()


def test_without_the_image(viewer, dock, export, errors):
    viewer.add_labels(GRID, name="mine")
    assert export("t.csv").exists()
    assert "without values of the image" in dock.result_label.text()
    assert not export("t.png").exists()
    assert "a picture shows the borders on the image" in errors[0]


def test_labels_from_elsewhere_take_the_chosen_image(viewer, dock, rng, export):
    image = rng.integers(0, 255, (12, 16)).astype(np.uint8)
    viewer.add_image(image, name="chosen")
    viewer.add_labels(da.from_array(GRID, chunks=8), name="lazy")
    picture = iio.imread(export("t.png"))
    assert picture.shape[:2] == (12, 16)
    table = pd.read_csv(export("t.csv"))
    mean = table["mean intensity"][0]
    np.testing.assert_allclose(mean, image[GRID == 1].mean(), rtol=1e-4)


def test_errors_in_words_and_no_half_file(viewer, dock, export, errors, tmp_path, monkeypatch):
    viewer.add_labels(np.zeros((12, 16), int), name="empty")
    export("t.csv")
    assert "holds no superpixel" in errors[-1]
    viewer.add_labels(GRID, name="full")
    export("t.xyz")
    assert "the format follows the suffix, one of" in errors[-1]
    export("no folder/t.csv")
    assert "make the folder first" in errors[-1]
    assert "<b>Not exported.</b>" in dock.result_label.text()

    def failing(*args, **options):
        raise RuntimeError("broken library")

    with monkeypatch.context() as patch:
        patch.setattr(job_module, "export_labels", failing)
        export("t.csv")
    assert errors[-1] == "broken library"
    assert list(tmp_path.iterdir()) == []
    assert export("t.csv").exists()


def test_painting_goes_on_while_the_file_is_written(viewer, dock, tmp_path, qtbot, monkeypatch):
    layer = viewer.add_labels(GRID.copy())
    go_on = threading.Event()
    write = job_module.export_labels

    def waiting(*args, **options):
        assert go_on.wait(30)
        write(*args, **options)

    monkeypatch.setattr(job_module, "export_labels", waiting)
    dock.exporter.export_to(tmp_path / "t.tif")
    assert not dock.exporter.button.isEnabled()
    assert dock.result_label.text().startswith("Exporting")
    layer.data_setitem((np.array([0]), np.array([0])), 99)
    go_on.set()
    qtbot.waitUntil(lambda: not dock.exporter.running, timeout=30_000)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "t.tif"), GRID)
    assert dock.exporter.button.isEnabled()


@pytest.mark.parametrize("replace", [True, False])
def test_the_suffix_of_the_chosen_format_is_added(
    viewer, dock, tmp_path, qtbot, monkeypatch, replace
):
    viewer.add_labels(GRID)
    (tmp_path / "a.b.geojson").write_text("old")
    answer = QMessageBox.StandardButton.Yes if replace else QMessageBox.StandardButton.No
    monkeypatch.setattr(QMessageBox, "question", lambda *args: answer)
    monkeypatch.setattr(
        QFileDialog,
        "getSaveFileName",
        lambda *args: (str(tmp_path / "a.b"), "polygons (*.geojson)"),
    )
    dock.exporter.button.click()
    qtbot.waitUntil(lambda: not dock.exporter.running, timeout=30_000)
    assert ((tmp_path / "a.b.geojson").read_text() == "old") != replace


@pytest.mark.parametrize("typed", ["a_b.tif", "c.tif"])
def test_another_format_is_chosen_and_the_proposed_name_kept(
    viewer, dock, tmp_path, qtbot, monkeypatch, typed
):
    viewer.add_labels(GRID, name="a/b")
    proposed = []
    answer = str(tmp_path / typed), "polygons (*.geojson)"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *args: (proposed.append(args[2]), answer)[1]
    )
    dock.exporter.button.click()
    qtbot.waitUntil(lambda: not dock.exporter.running, timeout=30_000)
    assert proposed == ["a_b.tif"]
    # Who types a suffix means it.
    expected = {"a_b.tif": "a_b.geojson", "c.tif": "c.tif"}
    # Beside it, what the dock remembers.
    written = {path.name for path in tmp_path.iterdir()} - {"napari-superpixels.yaml"}
    assert written == {expected[typed]}


def test_jobs_refuse_what_they_cannot_write(viewer, tmp_path):
    layer = viewer.add_labels(GRID)
    with pytest.raises(ExportError, match="the format follows the suffix"):
        job_module.export_job(tmp_path / "t.xyz", layer, [], View.of(viewer), Known(), ALL)


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "mode"), [(0, Mode.SERIES), (1, Mode.SERIES), (0, Mode.EACH)])
def test_frames_are_described_one_by_one(viewer, dock, tiles_image, run_to_end, export, axis, mode):
    frames = np.stack([np.roll(tiles_image[..., 0], 2 * t, axis=1) for t in range(3)])
    first = ("t", 4, "s") if mode == Mode.SERIES else ("z", 4, "um")
    described = [("y", 0.5, "um"), ("x", 0.25, "um")]
    described.insert(axis, first)
    names, scale, units = zip(*described, strict=True)
    data = np.moveaxis(frames, 0, axis)
    viewer.add_image(data, axis_labels=names, scale=scale, units=units)
    viewer.dims.order = (axis, *(a for a in range(3) if a != axis))
    dock.image.mode_box.value = mode
    run_to_end(dock)
    labels = np.moveaxis(dock.exporter.target.data, axis, 0)
    table, pairs = pd.read_csv(export("t.csv")), pd.read_csv(export("t.edges.csv"))
    assert "frame by frame." in dock.result_label.text()
    for number, frame in enumerate(labels):
        rows = table[table["frame"] == number]
        assert rows["label"].tolist() == (np.unique(frame)).tolist()
        np.testing.assert_array_equal(rows["area_px"], np.bincount(frame.ravel())[rows["label"]])
        means = [frames[number][frame == label].mean() for label in rows["label"]]
        np.testing.assert_allclose(rows["mean intensity"], means)
        ids = set(pairs[pairs["frame"] == number][["label_a", "label_b"]].to_numpy().ravel())
        assert ids <= set(rows["label"])
    np.testing.assert_allclose(table["area"], table["area_px"] / 8)
    assert set(table["unit"]) == {"um"}
    for name in ("t.tif", "t.ome.tif"):
        with tifffile.TiffFile(export(name)) as tiff:
            assert tiff.series[0].axes == ("TYX" if mode == Mode.SERIES else "ZYX")
            np.testing.assert_array_equal(tiff.asarray(), labels)
    with tifffile.TiffFile(export("u.tif")) as tiff:
        assert tiff.imagej_metadata.get("spacing") == (None if mode == Mode.SERIES else 4)


def test_a_movie_of_labels_from_elsewhere_is_no_volume(viewer, dock, export):
    viewer.add_labels(np.stack([GRID, GRID]), name="movie", axis_labels=("t", "y", "x"))
    assert set(pd.read_csv(export("t.csv"))["frame"]) == {0, 1}


def test_a_result_of_a_level_has_the_values_of_that_level(
    viewer, dock, tiles_image, run_to_end, export
):
    levels = [tiles_image, tiles_image[::2, ::2], tiles_image[::4, ::4]]
    viewer.add_image(levels, rgb=True, multiscale=True, name="tiles")
    dock.image.level_box.value = 1
    run_to_end(dock)
    labels = dock.exporter.target.data
    assert labels.shape == levels[1].shape[:2]
    table = pd.read_csv(export("t.csv"))
    expected = [levels[1][labels == label][:, 0].mean() for label in table["label"]]
    np.testing.assert_allclose(table["mean red"], expected)
    assert "without values" not in dock.result_label.text()


def test_labels_of_several_levels_have_the_values_of_the_image(viewer, dock, export, rng):
    image = rng.random((12, 16))
    viewer.add_image(image)
    viewer.add_labels([GRID, GRID[::2, ::2]], multiscale=True)
    table = pd.read_csv(export("t.csv"))
    expected = [image[label == GRID].mean() for label in table["label"]]
    np.testing.assert_allclose(table["mean intensity"], expected)
