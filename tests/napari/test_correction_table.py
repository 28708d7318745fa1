"""The correction dock updates the table of a result after an edit, and keeps further columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_superpixels._napari.correction.dock import CorrectionWidget
from napari_superpixels._napari.input.axes import Mode
from napari_superpixels.editing.actions.operations import lock, merge
from napari_superpixels.editing.frame_counts import FrameCounts
from napari_superpixels.editing.label_edit import LabelEdit
from napari_superpixels.io.formats import METADATA_KEY
from tests.fixtures.roles import set_roles


@pytest.fixture
def correct(viewer):
    """Open the correction dock on a layer."""

    def open_it(layer):
        viewer.layers.selection.active = layer
        _, widget = viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")
        assert isinstance(widget, CorrectionWidget)
        return widget

    return open_it


@pytest.fixture
def noticed(qtbot):
    """Wait until an editor has noticed what napari did."""

    def wait(editor):
        qtbot.waitUntil(lambda: np.array_equal(editor.session.labels, editor.layer.data))

    return wait


def result(viewer):
    return next(x for x in viewer.layers if METADATA_KEY in x.metadata)


def same_table(layer, before):
    """Nothing is lost, and nothing has another value."""
    after = layer.features
    assert list(before.columns) == [name for name in after.columns if name in before.columns]
    for name in before.columns:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-6, err_msg=name)


def test_a_time_series_keeps_its_frames(viewer, dock, rng, run_to_end, correct, noticed):
    viewer.add_image(rng.random((3, 24, 32)), axis_labels=("t", "y", "x"), name="movie")
    dock.image.mode_box.value = Mode.SERIES
    run_to_end(dock)
    layer = result(viewer)
    before = layer.features.copy()
    assert before["frames"].max() == 3
    corrected = correct(layer)
    same_table(layer, before)
    # Out of one frame, by napari's own brush: the table follows.
    label = int(before["index"][before["frames"].idxmax()])
    there = np.nonzero(layer.data == label)
    gone = tuple(i[there[0] == there[0][0]] for i in there)
    layer.data_setitem(gone, 0)
    noticed(corrected.editor)
    row = layer.features.set_index("index").loc[label]
    assert row["frames"] == 2
    assert row["area_px"] == (layer.data == label).sum() / 2


def test_a_run_over_layers_keeps_all_means(viewer, dock, rng, run_to_end, correct):
    first = viewer.add_image(rng.random((3, 24, 32)), channel_axis=None, name="bands")
    viewer.add_image(rng.random((24, 32)), name="other")
    viewer.layers.selection.active = first
    set_roles(dock, "channel", "Y", "X")
    dock.image.channels_box.value = "0,2"
    dock.more.boxes["other"].click()
    run_to_end(dock)
    layer = result(viewer)
    before = layer.features.copy()
    assert [name for name in before if name.startswith("mean")] == [
        "mean bands channel 0",
        "mean bands channel 2",
        "mean other",
    ]
    first.name = "renamed"
    corrected = correct(layer)
    same_table(layer, before)
    assert corrected.image_label.text() == "Together with “other”, as in the run."
    assert len(corrected.editor.session.image.names) == 3
    # An image of one's own choice counts alone.
    corrected.image.layer_box.value = "other"
    assert [name for name in layer.features if name.startswith("mean")] == ["mean intensity"]


def test_bands_are_read_as_in_the_run(viewer, dock, rng, run_to_end, correct):
    viewer.add_image(rng.random((24, 32, 5)).transpose(2, 0, 1), scale=(2, 1, 1), name="bands")
    set_roles(dock, "channel", "Y", "X")
    run_to_end(dock)
    layer = result(viewer)
    before = layer.features.copy()
    assert "mean channel 4" in before
    correct(layer)
    same_table(layer, before)


def test_columns_of_others_follow_their_superpixels(
    viewer, dock, tiles_image, run_to_end, correct, noticed
):
    viewer.add_image(tiles_image, rgb=True)
    run_to_end(dock)
    layer = result(viewer)
    ids = list(layer.features["index"])
    layer.features["score"] = np.array(ids) * 10
    layer.features["note"] = [f"no {i}" for i in ids]
    editor = correct(layer).editor

    def column(name):
        return dict(zip(layer.features["index"], layer.features[name], strict=True))

    assert column("score") == {i: i * 10 for i in ids}
    # A lock is another id for the same superpixel.
    change = editor.run(lock, positions=[place(layer.data, ids[0])], on=True)
    locked = change.entry["fresh_ids"][0]
    assert column("score")[locked] == ids[0] * 10
    assert column("note")[locked] == f"no {ids[0]}"
    # What is merged is new.
    pair = neighbours(layer.data, locked)
    change = editor.run(merge, positions=[place(layer.data, i) for i in pair])
    merged = change.entry["fresh_ids"][0]
    assert np.isnan(column("score")[merged])
    assert pd.isna(column("note")[merged])
    layer.undo()
    noticed(editor)
    assert {i: v for i, v in column("score").items() if i in pair} == {i: i * 10 for i in pair}


def test_ids_are_in_label_too_before_and_after_an_edit(
    viewer, dock, tiles_image, run_to_end, correct, noticed
):
    viewer.add_image(tiles_image, rgb=True)
    run_to_end(dock)
    layer = result(viewer)
    assert list(layer.features)[:2] == ["index", "label"]
    assert set(layer.features["label"]) == set(np.unique(layer.data)) - {0}
    editor = correct(layer).editor
    pair = neighbours(layer.data, 0)
    editor.run(merge, positions=[place(layer.data, i) for i in pair])
    layer.undo()
    noticed(editor)
    layer.data_setitem(np.nonzero(layer.data == pair[0]), 0)
    noticed(editor)
    assert list(layer.features["label"]) == list(layer.features["index"])
    assert set(layer.features["label"]) == set(np.unique(layer.data)) - {0}


def test_tables_of_other_plugins_are_matched_by_label(viewer, correct):
    data = np.repeat([[3, 8]], 4, 0)
    layer = viewer.add_labels(data, name="measured")
    layer.features = pd.DataFrame({"label": [8, 3], "roundness": [0.8, 0.3]})
    correct(layer)
    assert layer.features.set_index("label")["roundness"].to_dict() == {3: 0.3, 8: 0.8}
    named = {"index": [3, 8], "label": ["cell", "debris"]}
    other = viewer.add_labels(data, name="named", features=named)
    correct(other)
    assert list(other.features["label"]) == [3, 8]
    assert list(other.features["label text"]) == ["cell", "debris"]


def place(data, label):
    return tuple(np.argwhere(data == label)[0].tolist())


def neighbours(data, but):
    across = (data[:, 1:] != data[:, :-1]) & (data[:, 1:] != but) & (data[:, :-1] != but)
    row, column = np.argwhere(across)[0]
    return int(data[row, column]), int(data[row, column + 1])


def test_frames_are_counted_edit_by_edit(rng):
    labels = rng.integers(0, 4, (2, 3, 4, 5))
    counts = FrameCounts(labels, (0, 2))
    ids = np.arange(1, 4)

    def expected():
        planes = np.moveaxis(labels, 2, 1).reshape(8, -1)
        return [sum(i in plane for plane in planes) for i in ids]

    assert counts.of(ids).tolist() == expected()
    where = np.nonzero(labels[:, :, :2] == 2)
    edit = LabelEdit(where, labels[where], np.full(len(where[0]), 3))
    counts.update(edit)
    edit.apply(labels)
    assert counts.of(ids[[0, 2]]).tolist() == [expected()[0], expected()[2]]
