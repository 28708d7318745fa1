"""Axes in words, and what is made of stacks: each slice, time series, volumes; in a real viewer."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtGui import QGuiApplication

from napari_superpixels._napari.input.axes import Axes, Mode, Role, proposed_axes
from napari_superpixels._napari.input.plane import InputError, View
from napari_superpixels._napari.input.region import Where
from napari_superpixels.io.formats import METADATA_KEY
from tests.fixtures.roles import set_roles


def proposed(layer, order=None):
    viewer = ViewerModel()
    viewer.add_layer(layer)
    viewer.dims.order = order or viewer.dims.order
    return [str(role) for role in proposed_axes(layer, View.of(viewer)).roles]


def zeros(*shape, **fields):
    return Image(np.zeros(shape), **fields)


def result(viewer):
    (layer,) = [layer for layer in viewer.layers if isinstance(layer, Labels)]
    return layer


@pytest.fixture
def movie(rng):
    """Four frames of blocks that move by two pixels a frame, shape (4, 40, 50)."""
    frame = np.kron(rng.integers(0, 255, (5, 7)), np.ones((10, 10)))
    noise = rng.normal(size=(4, 40, 50))
    return np.stack([frame[:40, 2 * t : 2 * t + 50] for t in range(4)]) + noise


def test_roles_are_proposed_by_label_unit_and_place():
    assert proposed(zeros(5, 8, 9)) == ["Z", "Y", "X"]
    assert proposed(zeros(4, 5, 8, 9)) == ["time", "Z", "Y", "X"]
    assert proposed(zeros(3, 4, 5, 8, 9)) == ["other", "time", "Z", "Y", "X"]
    labels = ("t", "c", "z", "y", "x")
    assert proposed(zeros(2, 3, 4, 8, 9, axis_labels=labels)) == ["time", "channel", "Z", "Y", "X"]
    assert proposed(zeros(5, 8, 9, axis_labels=("Frames", "y", "x"))) == ["time", "Y", "X"]
    assert proposed(zeros(5, 8, 9, units=("s", "um", "um"))) == ["time", "Y", "X"]
    assert proposed(zeros(5, 8, 9, units=("um", "um", "um"))) == ["Z", "Y", "X"]
    assert proposed(Image(np.zeros((4, 8, 9, 3)), rgb=True)) == ["Z", "Y", "X"]
    assert proposed(zeros(5, 4, 8, 9, scale=(2, 1, 0.5, 0.5))) == ["Z", "time", "Y", "X"]
    assert proposed(zeros(16, 18, 5), order=(2, 0, 1)) == ["Y", "X", "channel"]
    assert proposed(zeros(8, 5, 9), order=(1, 0, 2)) == ["Y", "Z", "X"]


def test_a_short_axis_is_proposed_as_channels_unless_it_looks_like_depth():
    channels, depth = ["channel", "Y", "X"], ["Z", "Y", "X"]
    assert proposed(zeros(4, 623, 502)) == channels
    assert proposed(zeros(6, 443, 489, scale=(0.5, 0.5, 0.5))) == channels
    assert proposed(zeros(2, 64, 64)) == channels
    # Another spacing, a unit of length, channels that are layers already, too many, not that short.
    assert proposed(zeros(4, 623, 502, scale=(2, 1, 1))) == depth
    assert proposed(zeros(4, 623, 502, scale=(1, 0.5, 0.5))) == depth
    assert proposed(zeros(4, 623, 502, units=("um", "um", "um"))) == depth
    assert proposed(zeros(4, 623, 502, blending="additive")) == depth
    assert proposed(zeros(11, 623, 502)) == depth
    assert proposed(zeros(1, 623, 502)) == depth
    assert proposed(zeros(10, 159, 502)) == depth
    assert proposed(zeros(4, 623, 502, axis_labels=("z", "y", "x"))) == depth
    assert proposed(zeros(4, 623, 502, axis_labels=("t", "y", "x"))) == ["time", "Y", "X"]
    assert proposed(Image(np.zeros((4, 623, 502, 3), np.uint8), rgb=True)) == depth
    # Of several axes, the short one may be anything.
    assert proposed(zeros(2, 4, 123, 202)) == ["time", "Z", "Y", "X"]
    assert proposed(zeros(2, 4, 123, 202, axis_labels=("t", "", "y", "x")))[:2] == [
        "time",
        "channel",
    ]


@pytest.mark.parametrize(
    ("shape", "order", "labels", "expected"),
    [
        ((30, 48, 64), (2, 0, 1), None, ["Y", "X", "Z"]),  # rolled
        ((30, 48, 64), (1, 2, 0), None, ["Y", "Z", "X"]),
        ((64, 64, 64), (2, 0, 1), None, ["Y", "X", "Z"]),
        ((610, 340, 103), (2, 0, 1), None, ["Y", "X", "channel"]),  # spectra
        ((610, 340, 114), (2, 0, 1), None, ["Y", "X", "Z"]),
        ((145, 145, 220), (2, 0, 1), ("y", "x", ""), ["Y", "X", "channel"]),
        ((7, 30, 48, 64), (3, 0, 1, 2), None, ["time", "Y", "X", "Z"]),
        ((7, 300, 480, 5), (3, 0, 1, 2), None, ["Z", "Y", "X", "channel"]),
        ((30, 48, 64), (2, 0, 1), ("t", "", ""), ["time", "Y", "X"]),
    ],
)
def test_a_turned_stack_is_not_made_of_channels(shape, order, labels, expected):
    names = {} if labels is None else {"axis_labels": labels}
    assert proposed(zeros(*shape, **names), order) == expected


def test_the_dock_after_rolling_dimensions(viewer, dock, rng):
    viewer.add_image(rng.random((30, 48, 64)), name="stack")
    viewer.dims.roll()
    assert [str(role) for role in dock.image.axes.roles] == ["Y", "X", "Z"]
    assert dock.choice.source().channel_names == ("intensity",)


def test_labels_win_over_the_display_order():
    labels = ("z", "y", "x")
    for order in ((0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)):
        assert proposed(zeros(5, 8, 9, axis_labels=labels), order) == ["Z", "Y", "X"]
    assert proposed(zeros(5, 8, 9, axis_labels=("c", "", "")), (2, 0, 1)) == ["channel", "Y", "X"]
    assert proposed(zeros(5, 8, 9, axis_labels=("", "", "z")), (0, 1, 2)) == ["Y", "X", "Z"]
    # An image has rows and columns, whatever its axes are called.
    assert proposed(zeros(8, 9, axis_labels=("t", "x"))) == ["Y", "X"]
    assert proposed(zeros(5, 8, 9, axis_labels=("c", "t", "z"))) == ["channel", "Y", "X"]
    assert proposed(zeros(5, 8, 9, axis_labels=("z", "t", "x"))) == ["Z", "Y", "X"]


def test_roles_given_twice_and_not_at_all():
    layer = zeros(4, 5, 8, 9, name="cells")
    with pytest.raises(InputError, match="Axis 0 and axis 1 of “cells” are both “Z”: give each"):
        Axes((Role.Z, Role.Z, Role.Y, Role.X)).check(layer)
    with pytest.raises(InputError, match="No axis of “cells” is “X”: say which holds the columns"):
        Axes((Role.TIME, Role.Z, Role.Y, Role.OTHER)).check(layer)
    rgb = Image(np.zeros((4, 8, 9, 3)), rgb=True, name="photos")
    with pytest.raises(InputError, match=r"“photos” holds RGB.*axis 0 another role"):
        Axes((Role.CHANNEL, Role.Y, Role.X), rgb=True).check(rgb)
    Axes((Role.OTHER, Role.OTHER, Role.Y, Role.X)).check(layer)


def test_the_dock_asks_only_where_there_is_a_choice(viewer, dock, rng):
    viewer.add_image(rng.random((8, 9)))
    assert not dock.image.axes_box.native.isVisibleTo(dock)
    assert not dock.image.mode_box.native.isVisibleTo(dock)
    viewer.add_image(rng.random((4, 5, 8, 9)), name="stack")
    assert dock.image.axes_box.native.isVisibleTo(dock)
    assert list(dock.image.mode_box.choices) == list(Mode)
    set_roles(dock, "channel", "other", "Y", "X")
    assert list(dock.image.mode_box.choices) == [Mode.SLICE, Mode.EACH]
    set_roles(dock, "channel", "channel", "Y", "X")
    assert "Axis 0 and axis 1 of “stack” are both “channel”" in dock.status_label.text()
    assert not dock.segment_button.isEnabled()


def test_time_series_keeps_ids_with_objects(viewer, dock, movie, run_to_end):
    viewer.add_image(movie, name="movie", axis_labels=("t", "y", "x"), scale=(1, 0.5, 0.5))
    dock.image.mode_box.value = Mode.SERIES
    assert dock.source_label.text() == "4 frames (along t) of 40 × 50 pixels"
    run_to_end(dock)
    layer = result(viewer)
    assert layer.data.shape == movie.shape
    np.testing.assert_allclose(layer.scale, (1, 0.5, 0.5))
    inner = (slice(5, 35), slice(5, 40))
    same = [(layer.data[t][inner] == layer.data[0][5:35, 5 + 2 * t : 40 + 2 * t]) for t in (1, 2)]
    assert np.mean(same) > 0.7
    assert "in 4 frames" in dock.result_label.text()
    features = layer.features
    assert set(features["index"]) == set(np.unique(layer.data)) - {0}
    assert features["frames"].max() == 4
    np.testing.assert_allclose((features["area_px"] * features["frames"]).sum(), movie.size)
    assert layer.metadata[METADATA_KEY]["mode"] == "time series"
    layer.data_setitem((np.array([1]), np.array([2]), np.array([3])), 1)
    layer.undo()


def test_every_slice_on_its_own_shares_no_id(viewer, dock, rng, run_to_end):
    viewer.add_image(rng.random((2, 3, 3, 20, 24)), axis_labels=("t", "c", "z", "y", "x"))
    dock.image.mode_box.value = Mode.EACH
    run_to_end(dock)
    layer = result(viewer)
    assert layer.data.shape == (2, 1, 3, 20, 24)
    planes = layer.data.reshape(6, -1)
    ids = [set(plane) for plane in planes]
    assert sum(map(len, ids)) == len(set.union(*ids)) == layer.data.max()
    assert 0 not in ids[0]
    # One pixel that is as thick as all channels: seen whichever of them is shown.
    for channel in range(3):
        viewer.dims.set_point((0, 1, 2), (1, channel, 2))
        assert layer.get_value((1, channel, 2, 5, 5), world=True) == layer.data[1, 0, 2, 5, 5]


def test_supervoxels(viewer, dock, rng, run_to_end):
    block = np.kron(rng.integers(0, 255, (2, 4, 4)), np.ones((4, 8, 8)))
    viewer.add_image(block, name="block", scale=(2, 0.5, 0.5), units=("um", "um", "um"))
    dock.image.mode_box.value = Mode.VOLUME
    assert "a volume 8 planes deep" in dock.source_label.text()
    run_to_end(dock)
    layer = result(viewer)
    assert layer.data.shape == block.shape
    assert "supervoxels" in dock.result_label.text()
    deep = [np.flatnonzero((layer.data == i).any(axis=(1, 2))) for i in range(1, 4)]
    assert max(len(planes) for planes in deep) > 1
    assert layer.features["area"].sum() == pytest.approx(block.size * 0.5)


def test_preview_fills_frame_by_frame_and_cancel_keeps_them(viewer, dock, movie, qtbot):
    viewer.add_image(np.concatenate([movie] * 5), axis_labels=("t", "y", "x"))
    dock.image.mode_box.value = Mode.EACH
    dock.segment()
    preview = result(viewer)
    assert preview.name.endswith("(preview)")
    qtbot.waitUntil(lambda: bool(preview.data[1].any()), timeout=60_000)
    dock.stop_and_keep()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    layer = result(viewer)
    n = int((layer.data.max(axis=(1, 2)) > 0).sum())
    assert 2 <= n < 20
    assert layer.data[:n].all()
    assert f"(stopped after {n} of 20 slices)" in dock.result_label.text()


def test_frames_are_read_one_at_a_time(viewer, dock, movie, run_to_end):
    shapes = []

    def note(block):
        if block.size:
            shapes.append(block.shape)
        return block

    lazy = da.from_array(movie, chunks=(1, 40, 50)).map_blocks(note, dtype=float, meta=movie[:0])
    viewer.add_image(lazy, contrast_limits=(0, 255), axis_labels=("t", "y", "x"))
    dock.image.mode_box.value = Mode.SERIES
    shapes.clear()
    assert dock.source_label.text().startswith("4 frames")
    assert not shapes
    run_to_end(dock)
    assert shapes == [(1, 40, 50)] * 4  # each frame once, for labels and table


def test_a_mask_counts_slice_by_slice(viewer, dock, movie, run_to_end):
    image = viewer.add_image(movie, name="movie", axis_labels=("t", "y", "x"))
    mask = np.zeros(movie.shape, np.uint8)
    for t in range(4):
        mask[t, 5:35, 10 * t : 10 * t + 20] = 1
    painted = viewer.add_labels(mask, name="mask")
    viewer.layers.selection.active = image
    dock.image.mode_box.value = Mode.EACH
    dock.region.where_box.value = Where.LABELS
    run_to_end(dock)
    layer = viewer.layers["movie superpixels"]
    np.testing.assert_array_equal(layer.data > 0, mask > 0)
    viewer.layers.remove(layer)
    painted.data = mask[1]
    viewer.layers.selection.active = image
    run_to_end(dock)
    layer = viewer.layers["movie superpixels"]
    np.testing.assert_array_equal(layer.data > 0, np.broadcast_to(mask[1] > 0, movie.shape))
    painted.data = mask[:3]
    viewer.layers.selection.active = image
    assert "has other slices than “movie”" in dock.status_label.text()


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Mode.EACH, Mode.VOLUME])
@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1)])
def test_a_mask_of_a_turned_stack(viewer, dock, rng, run_to_end, mode, order):
    image = viewer.add_image(rng.random((14, 14, 14)), name="cube")
    mask = np.zeros((14, 14, 14), np.uint8)
    mask[:9, 1:, 2:13] = 1
    viewer.add_labels(mask, name="mask")
    viewer.dims.order = order
    viewer.layers.selection.active = image
    dock.image.axes_box.choose(order[0], Role.Z)
    dock.image.mode_box.value = mode
    dock.region.where_box.value = Where.LABELS
    run_to_end(dock)
    labels = viewer.layers["cube superpixels"].data
    np.testing.assert_array_equal(labels > 0, mask > 0)
    dock.copy_button.click()
    space = {"viewer": viewer}
    exec(QGuiApplication.clipboard().text(), space)
    inside = np.moveaxis(labels, order[0], 0)
    rows, columns = (np.flatnonzero(inside.any((0, 2))), np.flatnonzero(inside.any((0, 1))))
    cut = inside[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    np.testing.assert_array_equal((space["labels"] > 0).sum(), (cut > 0).sum())


@pytest.mark.parametrize("mode", [Mode.EACH, Mode.SERIES])
def test_slices_without_a_pixel(viewer, dock, movie, run_to_end, mode):
    movie[0] = movie[2] = np.nan
    viewer.add_image(movie, name="movie", axis_labels=("t", "y", "x"), contrast_limits=(0, 255))
    dock.image.mode_box.value = mode
    run_to_end(dock)
    labels = result(viewer).data
    assert [bool(frame.all()) for frame in labels] == [False, True, False, True]
    assert not labels[::2].any()
    if mode == Mode.SERIES:  # objects are found again after the gap
        assert set(np.unique(labels[1])) & set(np.unique(labels[3]))


def test_a_frame_that_fails_loses_no_other(viewer, dock, movie, run_to_end):
    def block(part, block_info):
        if block_info[0]["chunk-location"][0] == 2:
            raise OSError("chunk is truncated")
        return part

    meta = np.empty((0, 0, 0))
    lazy = da.from_array(movie, chunks=(1, 40, 50)).map_blocks(block, dtype=float, meta=meta)
    viewer.add_image(lazy, name="movie", axis_labels=("t", "y", "x"), contrast_limits=(0, 255))
    dock.image.mode_box.value = Mode.EACH
    run_to_end(dock)
    told = dock.result_label.text()
    assert "in 3 slices" in told
    assert "Left out:</b> slice 2: it cannot be read (chunk is truncated)" in told
    labels = result(viewer)
    assert [bool(frame.all()) for frame in labels.data] == [True, True, False, True]
    assert labels.features["frames"].tolist() == [1] * len(labels.features)


def test_a_mask_of_a_volume(viewer, dock, rng, run_to_end):
    volume = rng.random((6, 16, 18))
    image = viewer.add_image(volume, name="volume")
    mask = np.zeros(volume.shape, np.uint8)
    mask[1:4, 2:14, 3:15] = 1
    viewer.add_labels(mask, name="mask")
    viewer.layers.selection.active = image
    dock.image.mode_box.value = Mode.VOLUME
    dock.region.where_box.value = Where.LABELS
    run_to_end(dock)
    np.testing.assert_array_equal(viewer.layers["volume superpixels"].data > 0, mask > 0)


def test_further_layers_follow_the_stack(viewer, dock, movie, run_to_end):
    viewer.add_image(movie[:3], name="short", axis_labels=("t", "y", "x"))
    viewer.add_image(-movie, name="second", axis_labels=("t", "y", "x"))
    viewer.add_image(movie, name="first", axis_labels=("t", "y", "x"))
    dock.image.mode_box.value = Mode.SERIES
    dock.more.boxes["second"].click()
    run_to_end(dock)
    assert {"mean first", "mean second"} <= set(result(viewer).features)
    viewer.layers.selection.active = viewer.layers["first"]
    dock.more.boxes["short"].click()
    assert "“short” has not the 4 slices of “first”" in dock.status_label.text()
    dock.more.boxes["short"].click()
    viewer.layers["second"].translate = (1, 0, 0)
    viewer.dims.set_current_step(0, 2)
    assert "slices of “second” do not lie on those of “first”" in dock.status_label.text()


def test_some_channels_decide(viewer, dock, rng, run_to_end):
    cube = rng.random((6, 30, 40))
    viewer.add_image(rng.random((30, 40)), name="other")
    dock.more_section.expand(animate=False)
    assert not dock.image.channels_box.native.isVisibleTo(dock)
    viewer.add_image(cube, name="cube", axis_labels=("band", "y", "x"))
    assert dock.image.channels_box.native.isVisibleTo(dock)
    for text, message in (
        ("1,x", "'1,x' is no list of channels"),
        ("1,1", "channel 1 is given twice"),
        ("2-6", "“cube” has the channels 0 to 5: there is no 6."),
    ):
        dock.image.channels_box.value = text
        assert message in dock.status_label.text()
        assert not dock.segment_button.isEnabled()
    dock.image.channels_box.value = "0, 4-5"
    assert dock.source_label.text() == "3 of 6 channels, 30 × 40 pixels"
    dock.more.boxes["other"].click()
    run_to_end(dock)
    layer = result(viewer)
    names = [name for name in layer.features if name.startswith("mean ")]
    assert names == [f"mean cube channel {i}" for i in (0, 4, 5)] + ["mean other"]
    expected = cube[4][layer.data == 1].mean()
    assert layer.features["mean cube channel 4"][0] == pytest.approx(expected)
    assert layer.metadata[METADATA_KEY]["channels"] == [0, 4, 5]
    dock.copy_button.click()
    space = {"viewer": viewer}
    exec(QGuiApplication.clipboard().text(), space)
    np.testing.assert_array_equal(space["labels"], layer.data)


def test_another_image_starts_with_all_channels(viewer, dock, rng):
    flat = viewer.add_image(rng.random((8, 9)), name="flat")
    viewer.add_image(rng.random((6, 8, 9)), axis_labels=("band", "y", "x"))
    dock.image.channels_box.value = "0,2"
    viewer.layers.selection.active = flat
    assert dock.source_label.text() == "8 × 9 pixels"
    assert dock.image.channels_box.value == ""
    assert dock.segment_button.isEnabled()


def test_some_channels_of_a_series(viewer, dock, movie, run_to_end):
    viewer.add_image(np.stack([movie, 0 * movie, -movie], axis=1), name="m", axis_labels="tcyx")
    dock.image.mode_box.value = Mode.SERIES
    dock.image.channels_box.value = "0,2"
    run_to_end(dock)
    layer = result(viewer)
    assert "mean channel 1" not in layer.features
    dock.copy_button.click()
    space = {"viewer": viewer}
    exec(QGuiApplication.clipboard().text(), space)
    np.testing.assert_array_equal(space["labels"], layer.data[:, 0])


def test_channels_last_by_choice_of_roles(viewer, dock, rng, run_to_end):
    data = rng.random((20, 24, 4))
    viewer.add_image(data, name="bands")
    set_roles(dock, "Y", "X", "channel")
    run_to_end(dock)
    layer = result(viewer)
    assert layer.data.shape == (20, 24, 1)
    assert "mean channel 3" in layer.features
    dock.region.where_box.value = Where.VISIBLE
    viewer.layers.selection.active = viewer.layers["bands"]
    set_roles(dock, "Y", "X", "channel")
    assert "the one that the viewer shows" in dock.status_label.text()


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Mode.EACH, Mode.SERIES, Mode.VOLUME])
@pytest.mark.parametrize("masked", [False, True])
def test_copy_as_python_repeats_it(viewer, dock, movie, run_to_end, mode, masked):
    viewer.add_image(np.stack([movie, movie + 1]), name="m", axis_labels=("z", "t", "y", "x"))
    if masked:
        mask = np.zeros((2, 4, 40, 50), np.uint8)
        mask[..., 5:30, 8:40] = 1
        labels = viewer.add_labels(mask, name="mask")
        viewer.layers.selection.active = viewer.layers["m"]
        dock.region.where_box.value = Where.LABELS
    dock.image.mode_box.value = mode
    run_to_end(dock)
    made = viewer.layers["m superpixels"].data
    dock.copy_button.click()
    clipboard = QGuiApplication.clipboard()
    space = {"viewer": viewer}
    exec(clipboard.text(), space)
    np.testing.assert_array_equal(space["labels"].ravel(), made.ravel())
    if masked:
        assert not made[..., :5, :].any()
        assert labels.data.any()
