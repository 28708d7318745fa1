"""Table and graph, read back by pandas, pyarrow and networkx, against plain definitions."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import perimeter, regionprops

from napari_superpixels.errors import ExportError, FileExists, MissingLibrary
from napari_superpixels.io.formats import export_labels
from napari_superpixels.io.formats.label_image import (
    InvalidLabels,
    LabelDescription,
    label_image_of,
)
from napari_superpixels.io.formats.neighbour_graph import edges
from napari_superpixels.io.formats.table import measure

SIZE = {"pixel_size": (0.5, 0.5), "unit": "um"}


def described(labels, image=None, **about):
    """A label image with what is known about it."""
    return label_image_of(labels, image, LabelDescription(**about))


def test_csv_holds_what_scikit_image_measures(tmp_path, labels, image):
    path = tmp_path / "table.csv"
    export_labels(path, labels, image, channel_axis=-1, channel_names=["DAPI", "actin, 2"], **SIZE)
    table = pd.read_csv(path)
    assert table["label"].tolist() == [5, 7, 9, 70]
    assert set(table["unit"]) == {"um"}
    for row, region in zip(table.to_dict("records"), regionprops(labels, image), strict=True):
        assert row["label"] == region.label
        assert row["area_px"] == region.area
        assert row["area"] == pytest.approx(region.area * 0.25)
        centroid = row["centroid_y"], row["centroid_x"]
        np.testing.assert_allclose(centroid, np.array(region.centroid) * 0.5)
        box = [row[f"bbox_{axis}_{end}"] for end in ("min", "max") for axis in "yx"]
        np.testing.assert_allclose(box, np.array(region.bbox) * 0.5)
        assert row["perimeter"] == pytest.approx(perimeter(labels == region.label) * 0.5)
        for channel, name in enumerate(("DAPI", "actin, 2")):
            inside = image[..., channel][labels == region.label]
            assert row[f"mean {name}"] == pytest.approx(inside.mean())
            assert row[f"std {name}"] == pytest.approx(inside.std())
            for percent in (5, 50, 95):
                expected = np.percentile(inside, percent)
                assert row[f"p{percent} {name}"] == pytest.approx(expected)
    # 7 touches 9 nowhere and 70 by a corner only.
    neighbours = table.set_index("label")["neighbours"].astype(str)
    assert neighbours.to_dict() == {5: "7;9;70", 7: "5", 9: "5;70", 70: "5;9"}


def test_parquet_and_csv_are_equal(tmp_path, labels, image):
    pytest.importorskip("pyarrow")
    for suffix in ("csv", "parquet"):
        export_labels(tmp_path / f"t.{suffix}", labels, image, channel_axis=-1)
    table = pd.read_parquet(tmp_path / "t.parquet")
    written = pd.read_csv(tmp_path / "t.csv", dtype={"neighbours": str})
    pd.testing.assert_frame_equal(table, written, check_dtype=False)
    assert table["label"].dtype == np.int64
    assert set(table["unit"]) == {"pixel"}
    np.testing.assert_array_equal(table["area"], table["area_px"])


def test_values_that_are_no_numbers_are_left_out(labels, image):
    grey = image[..., 0].copy()
    grey[0, 0], grey[labels == 9] = np.inf, np.nan
    table = measure(described(labels, grey)).set_index("label")
    inside = grey[labels == 5][1:]
    assert table.loc[5, "mean intensity"] == pytest.approx(inside.mean())
    assert table.loc[5, "p95 intensity"] == pytest.approx(np.percentile(inside, 95))
    for name in ("mean", "std", "p5", "p50", "p95"):
        assert np.isnan(table.loc[9, f"{name} intensity"])


def test_a_step_without_a_value_is_left_out():
    labels = np.repeat([[1, 2]], 4, axis=0)
    image = np.array([[0, 3], [0, np.nan], [np.inf, 5], [0, 5]], float)
    found = edges(described(labels, image))
    assert found["border"].tolist() == [4]
    assert found["mean_step"].tolist() == [4]
    assert edges(described(labels, image * np.nan))["mean_step"].isna().all()
    many = np.array([[1, 2, 3], [1, 2, 3]])  # the last one has no value at all
    values = np.array([[0, 1, np.nan], [0, 1, np.nan]])
    steps = edges(described(many, values))["mean_step"]
    np.testing.assert_array_equal(steps, [1, np.nan])


def test_pixels_that_are_not_square(labels):
    table = measure(described(labels, pixel_size=(2, 3), unit="m"))
    np.testing.assert_array_equal(table["area"], table["area_px"] * 6)
    assert table["perimeter"].isna().all()


def test_a_volume(tmp_path, rng):
    volume = rng.integers(0, 4, (3, 8, 9)).astype(np.uint16)
    path = tmp_path / "volume.csv"
    image = rng.normal(size=volume.shape)
    export_labels(path, volume, image, pixel_size=(2, 0.5, 0.5), unit="um")
    table = pd.read_csv(path)
    assert "perimeter" not in table
    np.testing.assert_allclose(table["volume"], table["volume_px"] * 0.5)
    for row, region in zip(table.to_dict("records"), regionprops(volume), strict=True):
        centroid = [row[f"centroid_{axis}"] for axis in "zyx"]
        np.testing.assert_allclose(centroid, np.array(region.centroid) * (2, 0.5, 0.5))
    pairs = edges(described(volume, image, pixel_size=(2, 0.5, 0.5), unit="um"))
    one, other = pairs.loc[0, ["label_a", "label_b"]]
    faces = [
        np.sum(((a == one) & (b == other)) | ((a == other) & (b == one)))
        for a, b in (
            (volume[1:], volume[:-1]),
            (volume[:, 1:], volume[:, :-1]),
            (volume[..., 1:], volume[..., :-1]),
        )
    ]
    assert pairs.loc[0, "border"] == pytest.approx(faces[0] * 0.25 + faces[1] + faces[2])


def test_graphml(tmp_path, labels, image):
    path = tmp_path / "graph.graphml"
    export_labels(path, labels, image, channel_axis=-1, pixel_size=(2, 3), unit="um")
    graph = nx.read_graphml(path, node_type=int)
    assert graph.graph["unit"] == "um"
    assert set(graph.nodes) == {5, 7, 9, 70}
    assert {tuple(sorted(edge)) for edge in graph.edges} == {(5, 7), (5, 9), (5, 70), (9, 70)}
    node = graph.nodes[9]
    assert node["area"] == 8 * 6
    assert node["centroid_y"] == pytest.approx(np.argwhere(labels == 9)[:, 0].mean() * 2)
    assert node["mean channel 1"] == pytest.approx(image[labels == 9][:, 1].mean())
    edge = graph.edges[5, 70]
    assert edge["border"] == 12 * 2  # twelve rows, each 2 high
    steps = np.linalg.norm(image[:, 7] - image[:, 8], axis=-1)
    assert edge["mean_step"] == pytest.approx(steps.mean())
    assert graph.edges[9, 70]["border"] == 4 * 2 + 4 * 3


def test_edge_table(tmp_path, labels, image):
    path = tmp_path / "cells.edges.csv"
    export_labels(path, labels)
    assert "mean_step" not in pd.read_csv(path)
    export_labels(path, labels, image[..., 0], overwrite=True)
    table = pd.read_csv(path)
    assert table[["label_a", "label_b"]].to_numpy().tolist() == [[5, 7], [5, 9], [5, 70], [9, 70]]
    assert table["border"].tolist()[2:] == [12, 8]
    assert table["mean_step"].gt(0).all()


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint32, (6, 7), elements=st.sampled_from([0, 1, 2, 9, 2**32 - 1])))
def test_table_and_edges_agree_on_any_map(labels):
    if not labels.any():
        with pytest.raises(InvalidLabels, match="no superpixel"):
            described(labels)
        return
    label_image = described(labels)
    table, pairs = measure(label_image), edges(label_image)
    assert table["area_px"].sum() == np.count_nonzero(labels)
    listed = {
        (label, int(other))
        for label, names in zip(table["label"], table["neighbours"], strict=True)
        for other in filter(None, names.split(";"))
    }
    both = {(a, b) for a, b in zip(pairs["label_a"], pairs["label_b"], strict=True)}
    assert listed == both | {(b, a) for a, b in both}


def test_what_does_not_fit_is_told(tmp_path, labels, image):
    path = tmp_path / "t.csv"
    for words, arguments, options in (
        ("differ in shape", (labels, image), {}),
        ("no axis 7", (labels, image), {"channel_axis": 7}),
        (
            "give 2 different channel names",
            (labels, image),
            {"channel_axis": 2, "channel_names": ["a", "a"]},
        ),
        ("needs 2 numbers above 0", (labels,), {"pixel_size": (1, 0)}),
        ("needs 2 numbers above 0", (labels,), {"pixel_size": (1, 1, 1)}),
        ("two axes, or three", (labels[0],), {}),
        ("two axes, or three", (labels / 2,), {}),
        ("real numbers", (labels, labels * 1j), {}),
    ):
        with pytest.raises(InvalidLabels, match=words):
            export_labels(path, *arguments, **options)
    with pytest.raises(ExportError, match="between 0 and"):
        export_labels(path, labels - 7)
    with pytest.raises(ExportError, match=r"t\.doc: the format follows the suffix, one of \.ome"):
        export_labels(tmp_path / "t.doc", labels)
    with pytest.raises(ExportError, match="follows the suffix"):
        export_labels(tmp_path / ".csv", labels)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_named(tmp_path, labels, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingLibrary, match=r"t\.parquet: this needs pyarrow.*\[export\]"):
        export_labels(tmp_path / "t.parquet", labels)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_no_half_file_is_left(tmp_path, labels, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("mine")
    with pytest.raises(FileExists):
        export_labels(path, labels)

    def full(table, target, **options):
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(ExportError, match=r"t\.csv: cannot be written \(No space left"):
        export_labels(path, labels, overwrite=True)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(ExportError, match="is a folder"):
        export_labels(folder, labels, overwrite=True)


FRAMES = {"frames": True, "pixel_size": (0.5, 0.25), "unit": "um"}


@pytest.fixture
def movie(labels):
    """Three frames of labels, the second empty, and two channels; labels keep their ids."""
    frames = np.stack([labels, np.zeros_like(labels), labels[::-1]])
    return frames, np.random.default_rng(0).random((2, *frames.shape))


def test_each_frame_has_rows_of_its_own(tmp_path, movie):
    frames, image = movie
    for name in ("t.csv", "t.edges.csv", "t.graphml"):
        export_labels(tmp_path / name, frames, image, channel_axis=0, **FRAMES)
    table, pairs = (pd.read_csv(tmp_path / f"t{end}") for end in (".csv", ".edges.csv"))
    graph = nx.read_graphml(tmp_path / "t.graphml")
    size = {"pixel_size": (0.5, 0.25), "unit": "um"}
    for number in (0, 2):
        plane = described(frames[number], image[:, number], channel_axis=0, **size)
        for whole, expected in ((table, measure(plane)), (pairs, edges(plane))):
            found = whole[whole["frame"] == number].drop(columns="frame").reset_index(drop=True)
            pd.testing.assert_frame_equal(found, expected, check_dtype=False)
        for a, b in edges(plane)[["label_a", "label_b"]].to_numpy():
            assert graph.has_edge(f"{number}:{a}", f"{number}:{b}")
        assert graph.nodes[f"{number}:70"]["frame"] == number
        assert graph.nodes[f"{number}:70"]["label"] == 70
    assert set(table["frame"]) == set(pairs["frame"]) == {0, 2}
    assert graph.number_of_edges() == len(pairs)


def test_frames_of_another_pixel_size_are_told(movie):
    with pytest.raises(InvalidLabels, match=r"2 numbers above 0 \(Y, X\), or 3 in depth"):
        described(movie[0], frames=True, pixel_size=(1,))
