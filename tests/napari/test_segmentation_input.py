"""Layers of every kind resolve to the plane that is shown, at the right place."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_superpixels._napari.correction.target import scope_of
from napari_superpixels._napari.input.axes import Axes, Mode, Role, proposed_axes
from napari_superpixels._napari.input.placement import place_plane
from napari_superpixels._napari.input.segmentation_input import (
    Frames,
    InputError,
    PixelChoices,
    View,
    resolve_input,
)
from napari_superpixels._napari.segment.output_layer import new_layer
from napari_superpixels.errors import FileError
from tests.fixtures.roles import axes_with


def show(layer, step=None, order=None):
    viewer = ViewerModel()
    viewer.add_layer(layer)
    if order is not None:
        viewer.dims.order = order
    if step is not None:
        viewer.dims.current_step = step
    return View.of(viewer)


def resolve(layer, step=None, level=0, order=None):
    view = show(layer, step, order)
    return resolve_input(layer, view, proposed_axes(layer, view), pixels=PixelChoices(level))


def slider_at(layer, wanted):
    """Where the first slider shows a slice: by itself, also where a transform mixes axes."""
    start = layer.world_to_data(np.zeros(layer.ndim))[0]
    return (wanted - start) / (layer.world_to_data(np.eye(layer.ndim)[0])[0] - start)


def resolve_in(viewer, layer):
    view = View.of(viewer)
    return resolve_input(layer, view, proposed_axes(layer, view))


def test_grey_and_rgb(rng):
    grey = resolve(Image(rng.random((8, 9))))
    assert grey.data.shape == grey.plane_shape == (8, 9)
    assert grey.channel_axis is None
    assert grey.expression == ""
    rgb = resolve(Image(rng.random((8, 9, 3)), rgb=True))
    assert rgb.plane_shape == (8, 9)
    assert rgb.channel_axis == 2
    assert rgb.channel_names == ("red", "green", "blue")


def test_transparency_is_dropped(rng):
    assert resolve(Image(rng.random((8, 9, 4)), rgb=True)).data.shape == (8, 9, 3)


def test_a_stack_is_not_read_as_channels_unasked(rng):
    data = rng.random((6, 8, 9))
    source = resolve(Image(data), step=(4, 0, 0))
    np.testing.assert_array_equal(source.data, data[4])
    assert "this plane only (axis 0: 5 of 6)" in source.description


def test_time_and_channels(rng):
    data = rng.random((6, 3, 8, 9))
    layer = Image(data, axis_labels=("t", "c", "y", "x"))
    source = resolve(layer, step=(5, 1, 0, 0))
    np.testing.assert_array_equal(source.data, data[5])
    assert source.channel_axis == 0
    np.testing.assert_array_equal(eval(f"data{source.expression}"), source.data)
    assert len(source.channel_names) == 3


def test_other_axes_shown(rng):
    data = rng.random((6, 8, 9))
    source = resolve(Image(data), step=(0, 3, 0), order=(1, 0, 2))
    np.testing.assert_array_equal(source.data, data[:, 3])
    assert source.placement.singleton_axes == (1,)


def test_slider_is_read_in_world_coordinates(rng):
    data = rng.random((6, 8, 9))
    layer = Image(data, scale=(2.5, 1, 1), translate=(10, 0, 0))
    viewer = ViewerModel()
    viewer.add_layer(layer)
    viewer.dims.set_point(0, 10 + 2.5 * 3)
    source = resolve_in(viewer, layer)
    np.testing.assert_array_equal(source.data, data[3])


def test_viewer_outside_the_layer(rng):
    viewer = ViewerModel()
    viewer.add_layer(Image(rng.random((20, 8, 9))))
    short = viewer.add_layer(Image(rng.random((5, 8, 9)), name="short"))
    viewer.dims.current_step = (15, 0, 0)
    with pytest.raises(InputError, match=r"outside “short”.*position 15 of 5.*slider"):
        resolve_in(viewer, short)


def test_layer_of_fewer_axes_than_the_viewer(rng):
    viewer = ViewerModel()
    viewer.add_layer(Image(rng.random((20, 8, 9))))
    flat = viewer.add_layer(Image(rng.random((8, 9))))
    assert resolve_in(viewer, flat).plane_shape == (8, 9)


def test_lazy_data_stay_lazy():
    computed = []

    def plane(block, block_info=None):
        computed.append(block_info[None]["chunk-location"][0])
        return block

    data = da.zeros((6, 80, 90), chunks=(1, 80, 90)).map_blocks(plane, dtype=float)
    layer = Image(data, contrast_limits=(0, 1))
    view = show(layer, step=(2, 0, 0))
    computed.clear()
    source = resolve_input(layer, view, proposed_axes(layer, view))
    assert source.plane_shape == (80, 90)
    assert not computed
    np.asarray(source.data)
    assert computed == [2]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_multiscale_levels(rng, level):
    base = rng.random((64, 96))
    pyramid = [base, base[::2, ::2], base[::4, ::4]]
    source = resolve(Image(pyramid, multiscale=True), level=level)
    np.testing.assert_array_equal(source.data, pyramid[level])
    assert source.expression == f"[{level}]"
    assert f"level {level} of 3" in source.description


def world_layers(rng):
    """Layers with every kind of transform, and the channel axis to use."""
    yield Image(rng.random((8, 9)), scale=(2, 3), translate=(4, 5)), None
    yield Image(rng.random((8, 9)), rotate=30, shear=[0.2], scale=(0.5, 2)), None
    affine = np.eye(3)
    affine[:2] = [[0.9, -0.3, 4], [0.3, 0.9, -2]]
    yield Image(rng.random((8, 9)), affine=affine, translate=(1, 2)), None
    yield Image(rng.random((5, 8, 9)), scale=(4, 0.3, 0.3), translate=(7, 0, 1)), None
    yield Image(rng.random((5, 8, 9)), rotate=(20, 30, 40), shear=(0.1, 0.2, 0.3)), None
    yield Image(rng.random((3, 8, 9)), scale=(1, 0.3, 0.2), translate=(0, 5, 6)), 0
    yield Image(rng.random((5, 3, 8, 9)), scale=(4, 1, 0.3, 0.2), translate=(1, 0, 5, 6)), 1


# A rotation out of the slice is odd to look at, but the result must still lie right.
@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize("case", range(7))
def test_every_pixel_of_the_result_lies_on_its_source_pixel(rng, case):
    layer, channel_axis = list(world_layers(rng))[case]
    step = [0] * layer.ndim
    if layer.ndim > 2 and channel_axis != 0:
        step[0] = 2
    point = np.array(layer.data_to_world([*step[:-2], 3, 4]))
    if step[0]:
        point[0] = slider_at(layer, step[0])
    view = View(tuple(point), (-2, -1))
    source = resolve_input(layer, view, axes_with(layer, view, channel_axis))
    result = new_layer(source, np.ones((8, 9), np.int32), "out")
    assert isinstance(result, Labels)
    for y, x in [(0, 0), (7, 8), (3, 4)]:
        position = [*step[:-2], y, x]
        if channel_axis:  # the result is as thick as all channels: its centre is the middle one
            position[channel_axis] = (layer.data.shape[channel_axis] - 1) / 2
        at_source = layer.data_to_world(position)
        singles = [0] * (result.ndim - 2)
        at_result = result.data_to_world([*singles, y, x])
        if channel_axis == 0:
            at_source = np.delete(at_source, channel_axis)
        np.testing.assert_allclose(at_result, at_source, atol=1e-9)


def test_coarse_level_covers_the_same_area(rng):
    base = rng.random((64, 96))
    layer = Image([base, base[::4, ::4]], multiscale=True, scale=(0.5, 0.5), translate=(3, 4))
    source = resolve(layer, level=1)
    result = new_layer(source, np.ones((16, 24), np.int32), "out")

    def outline(layer):  # extents are pixel centres; a pixel reaches half its size further
        return layer.extent.world + 0.5 * np.outer([-1, 1], layer.scale)

    np.testing.assert_allclose(outline(result), outline(layer))


def test_units_and_axis_labels_are_kept(rng):
    layer = Image(
        rng.random((3, 8, 9)),
        scale=(1, 0.5, 0.25),
        units=("pixel", "um", "um"),
        axis_labels=("channel", "y", "x"),
    )
    source = resolve(layer)
    result = new_layer(source, np.ones((8, 9), np.int32), "out")
    assert [str(unit) for unit in result.units] == ["micrometer", "micrometer"]
    assert result.axis_labels == ("y", "x")
    assert source.placement.pixel_area == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("spatial", "spacing"),
    [
        ({"scale": (-2, 3, 3)}, (2, 3, 3)),
        ({"scale": (1, 200, 200), "units": ("um", "nm", "nm")}, (1000, 200, 200)),
        ({"affine": np.diag((5, 0.2, 0.2, 1))}, (5, 0.2, 0.2)),
        ({"scale": (2, 1, 1), "rotate": 30}, (2, 1, 1)),
    ],
)
def test_size_of_a_voxel(rng, spatial, spacing):
    layer = Image(rng.random((4, 8, 9)), **spatial)
    placement = place_plane(layer, (0, 1, 2), {}, (1, 1, 1))
    np.testing.assert_allclose(placement.spacing, spacing)


def test_units_of_pixels_with_channels_last(rng):
    layer = Image(rng.random((8, 9, 3)), scale=(2, 2, 1), units=("um", "um", "pixel"), rgb=False)
    placement = place_plane(layer, (0, 1), {}, (1, 1, 1), channel_axis=2)
    assert placement.spacing == (2, 2)
    assert placement.unit == "micrometer"


def test_a_turned_zarr_can_be_copied_as_python(rng):
    data = rng.random((4, 8, 9))
    layer = Image(zarr.create_array({}, data=data, chunks=(4, 4, 4)))
    roles = Axes((Role.Y, Role.Z, Role.X))
    source = resolve_input(layer, View((0, 0, 0), (-3, -1)), roles, mode=Mode.VOLUME)
    copied = eval(f"data{source.expression}", {"data": layer.data})
    np.testing.assert_array_equal(copied, data.transpose(1, 0, 2))
    np.testing.assert_array_equal(source.data, copied)


def test_the_slice_of_a_sheared_stack_is_the_one_shown(rng):
    transform = {"scale": (3, 0.5, 0.5), "rotate": 25, "shear": (0.1, 0.2, 0.3)}
    viewer = ViewerModel()
    layer = viewer.add_image(rng.random((4, 30, 40)), translate=(5, -4, 3), **transform)
    for wanted in range(4):
        viewer.dims.set_point(0, slider_at(layer, wanted))
        np.testing.assert_array_equal(resolve_in(viewer, layer).read(), layer.data[wanted])


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_the_correction_works_on_the_slice_of_a_sheared_stack_that_is_shown():
    transform = {"scale": (3, 0.5, 0.5), "rotate": 25, "shear": (0.1, 0.2, 0.3)}
    viewer = ViewerModel()
    layer = viewer.add_labels(np.ones((4, 30, 40), np.uint16), translate=(5, -4, 3), **transform)
    for wanted in range(4):
        viewer.dims.set_point(0, slider_at(layer, wanted))
        assert scope_of(viewer, layer, volume=False).index[0] == wanted


def test_area_and_volume_of_sheared_pixels(rng):
    plane = Image(rng.random((6, 7)), scale=(0.5, 0.5), shear=[1.0], units=("um", "um"))
    placement = resolve(plane).placement
    assert placement.pixel_area == pytest.approx(0.25)
    volume = Image(rng.random((5, 6, 7)), scale=(3, 0.5, 0.5), rotate=25, shear=(0.1, 0.2, 0.3))
    placement = place_plane(volume, (0, 1, 2), {}, (1, 1, 1))
    assert placement.voxel_volume == pytest.approx(0.75)
    mixed = Image(rng.random((6, 7)), scale=(0.5, 200), units=("um", "nm"))
    assert resolve(mixed).placement.pixel_area == pytest.approx(500 * 200)


def test_one_slice_of_a_zarr_reads_its_own_chunks_only(tmp_path, rng):
    stored = zarr.create_array(
        tmp_path / "stack.zarr", shape=(6, 32, 32), chunks=(1, 32, 32), dtype="f4"
    )
    stored[:] = rng.random((6, 32, 32))
    (tmp_path / "stack.zarr" / "c" / "5" / "0" / "0").write_bytes(b"broken")
    layer = Image(stored, contrast_limits=(0, 1))
    view = show(layer)
    frames = Frames(resolve_input(layer, view, proposed_axes(layer, view), mode=Mode.EACH))
    for number in range(5):
        np.testing.assert_array_equal(frames[number], stored[number])
    with pytest.raises(RuntimeError):
        frames[5]
    volume = resolve_input(layer, view, proposed_axes(layer, view), mode=Mode.VOLUME)
    with pytest.raises(FileError, match=f"“{layer.name}” cannot be read .* copy or export"):
        volume.read()
