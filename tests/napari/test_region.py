"""Where to segment: every region lies on the pixels that the user sees in it."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes
from skimage.draw import disk

from napari_superpixels._napari.input import segmentation_input as source_module
from napari_superpixels._napari.input.axes import proposed_axes
from napari_superpixels._napari.input.plane import InputError, View, plane_grid, why_not_on_grid
from napari_superpixels._napari.input.region import (
    region_of_labels,
    region_of_shapes,
    visible_region,
)
from napari_superpixels._napari.input.segmentation_input import combine, resolve_input
from napari_superpixels._napari.segment.output_layer import new_layer

BOX = np.array([[3, 4], [3, 9], [7, 9], [7, 4]], float)


def show(*layers, step=None, order=None, zoom=None, center=None):
    viewer = ViewerModel()
    for layer in layers:
        viewer.add_layer(layer)
    if order is not None:
        viewer.dims.order = order
    if step is not None:
        viewer.dims.current_step = step
    if zoom is not None:
        viewer.canvas.size = (600, 800)
        viewer.scene.camera.zoom = zoom
        viewer.scene.camera.center = (0, *center)
    return View.of(viewer)


def mask_of(region, shape):
    """The region on the whole plane."""
    full = np.zeros(shape, bool)
    full[region.rows, region.columns] = True if region.mask is None else region.mask.pixels()
    return full


def box_mask(shape, rows=(3, 8), columns=(4, 10)):
    full = np.zeros(shape, bool)
    full[slice(*rows), slice(*columns)] = True
    return full


def shapes_mask(image, shapes, view, channel_axis=None, level=0):
    grid = plane_grid(image, view, channel_axis, level)
    return mask_of(region_of_shapes(grid, view, shapes), grid.shape)


# ---- shapes --------------------------------------------------------------------------------------


def test_a_rectangle_needs_no_mask():
    image, shapes = Image(np.zeros((20, 30))), Shapes([BOX])
    view = show(image, shapes)
    region = region_of_shapes(plane_grid(image, view), view, shapes)
    assert region.mask is None
    assert (region.rows, region.columns) == (slice(3, 8), slice(4, 10))
    assert region.description == "1 shape of “Shapes” in 5 × 6 pixels"


def test_polygon_ellipse_and_what_encloses_nothing():
    image = Image(np.zeros((60, 60)))
    shapes = Shapes(
        [
            np.array([[5, 5], [5, 25], [25, 5]]),
            np.array([[30, 30], [30, 50], [50, 50], [50, 30]]),
            np.array([[0, 0], [59, 59]]),
            np.array([[0, 59], [59, 0], [30, 0]]),
        ],
        shape_type=["polygon", "ellipse", "line", "path"],
    )
    found = shapes_mask(image, shapes, show(image, shapes))
    expected = np.zeros((60, 60), bool)
    expected[disk((40, 40), 10)] = True
    rows, columns = np.indices((60, 60))
    expected |= (rows > 5) & (columns > 5) & (rows + columns < 30)
    inner = np.abs(np.hypot(rows - 40, columns - 40) - 10) > 0.2
    on_edge = (rows == 5) | (columns == 5) | (rows + columns == 30)
    np.testing.assert_array_equal(found[inner & ~on_edge], expected[inner & ~on_edge])


@pytest.mark.parametrize(
    "transform",
    [
        {"scale": (0.5, 2)},
        {"translate": (-7, 3.25), "scale": (3, 3)},
        {"rotate": 30, "translate": (5, 9)},
        {"rotate": -75, "shear": [0.4], "scale": (0.3, 1.7)},
        {"affine": np.array([[1.2, 0.7, 4], [-0.3, 0.8, -11], [0, 0, 1]])},
    ],
)
@pytest.mark.parametrize("of_image", [True, False])
def test_any_transform_of_either_layer(transform, of_image):
    """A polygon drawn in the world marks the pixels whose centres lie in it in the world."""
    own = transform if of_image else {}
    image = Image(np.zeros((40, 50)), **own)
    corners = np.array([[8.3, 9.2], [10.1, 38.4], [33.7, 30.2], [28.2, 6.6]])
    world = np.array([image.data_to_world(corner) for corner in corners])
    shapes = Shapes(**({} if of_image else transform), ndim=2)
    drawn = np.array([shapes.world_to_data(corner) for corner in world])
    shapes.add_polygons(drawn)
    found = shapes_mask(image, shapes, show(image, shapes))
    plain = Image(np.zeros((40, 50)))
    same = Shapes([corners], shape_type="polygon")
    np.testing.assert_array_equal(found, shapes_mask(plain, same, show(plain, same)))
    assert found.sum() > 400


def test_units_of_image_and_shapes_differ():
    image = Image(np.zeros((20, 30)), scale=(500, 500), units=("nm", "nm"))
    shapes = Shapes([BOX], scale=(0.5, 0.5), units=("um", "um"))
    np.testing.assert_array_equal(
        shapes_mask(image, shapes, show(image, shapes)), box_mask((20, 30))
    )


def test_shapes_of_the_plane_that_is_shown():
    image = Image(np.zeros((5, 20, 30)), scale=(2, 1, 1))
    drawn = [np.insert(BOX, 0, 2, axis=1), np.insert(BOX + 10, 0, 3, axis=1)]
    shapes = Shapes(drawn, scale=(2, 1, 1))
    found = shapes_mask(image, shapes, show(image, shapes, step=(2, 0, 0)))
    np.testing.assert_array_equal(found, box_mask((20, 30)))
    found = shapes_mask(image, shapes, show(image, shapes, step=(3, 0, 0)))
    np.testing.assert_array_equal(found, box_mask((20, 30), (13, 18), (14, 20)))
    with pytest.raises(InputError, match="no rectangle, ellipse or polygon in the plane"):
        shapes_mask(image, shapes, show(image, shapes, step=(1, 0, 0)))


def test_flat_shapes_count_in_every_plane():
    image, shapes = Image(np.zeros((5, 20, 30))), Shapes([BOX])
    for step in (0, 4):
        found = shapes_mask(image, shapes, show(image, shapes, step=(step, 0, 0)))
        np.testing.assert_array_equal(found, box_mask((20, 30)))


def test_shapes_on_other_axes_than_the_last():
    image = Image(np.zeros((20, 5, 30)))
    shapes = Shapes([np.insert(BOX, 1, 2, axis=1)])
    view = show(image, shapes, step=(0, 2, 0), order=(1, 0, 2))
    np.testing.assert_array_equal(shapes_mask(image, shapes, view), box_mask((20, 30)))


def test_shapes_on_a_coarse_level():
    base = np.zeros((64, 96))
    image = Image([base, base[::4, ::4]], multiscale=True, scale=(0.5, 0.5))
    # Around the fine pixels 16 to 31 and 32 to 63, which are the coarse ones 4 to 7 and 8 to 15.
    corners = np.array([[15.5, 31.5], [15.5, 63.5], [31.5, 63.5], [31.5, 31.5]])
    shapes = Shapes([corners], scale=(0.5, 0.5))
    view = show(image, shapes)
    np.testing.assert_array_equal(
        shapes_mask(image, shapes, view, level=1), box_mask((16, 24), (4, 8), (8, 16))
    )
    np.testing.assert_array_equal(
        shapes_mask(image, shapes, view), box_mask((64, 96), (16, 32), (32, 64))
    )


@pytest.mark.parametrize("drawn", [BOX + 100, BOX * 0.01 + 0.3])
def test_shapes_off_the_image_or_between_pixels_are_told(drawn):
    image, shapes = Image(np.zeros((20, 30))), Shapes([drawn])
    with pytest.raises(InputError, match="enclose no pixel of “Image”"):
        shapes_mask(image, shapes, show(image, shapes))


# ---- labels --------------------------------------------------------------------------------------


def labels_mask(image, labels, view):
    grid = plane_grid(image, view)
    return mask_of(region_of_labels(grid, view, labels), grid.shape)


@pytest.mark.parametrize("lazily", [False, True])
def test_labels_as_mask(rng, lazily):
    image = Image(np.zeros((20, 30)), scale=(2, 3))
    painted = np.zeros((20, 30), int)
    painted[4:9, 5:12] = rng.integers(0, 3, (5, 7))
    data = da.from_array(painted, chunks=8) if lazily else painted
    labels = Labels(data, scale=(2, 3))
    view = show(image, labels)
    np.testing.assert_array_equal(labels_mask(image, labels, view), painted > 0)
    region = region_of_labels(plane_grid(image, view), view, labels)
    assert (region.rows.stop - region.rows.start < 20) == (not lazily)


@pytest.mark.parametrize("shift", [(3, 5), (-4, 6), (-2, -7)])
def test_a_mask_of_another_area_is_mapped(shift):
    image = Image(np.zeros((20, 30)), scale=(0.5, 0.5), translate=(7, 7), rotate=20)
    painted = np.zeros((12, 14), int)
    painted[2:10, 1:13] = 1
    corner = image.data_to_world(shift)
    labels = Labels(painted, scale=(0.5, 0.5), rotate=20, translate=corner)
    expected = np.zeros((20, 30), bool)
    rows, columns = np.nonzero(painted)
    rows, columns = rows + shift[0], columns + shift[1]
    inside = (rows >= 0) & (columns >= 0)
    expected[rows[inside], columns[inside]] = True
    np.testing.assert_array_equal(labels_mask(image, labels, show(image, labels)), expected)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (Labels(np.ones((10, 15), int), scale=(2, 2)), "has other pixels than “Image”"),
        (Labels(np.ones((20, 30), int), rotate=10), "has other pixels than “Image”"),
        (Labels(np.ones((20, 30), int), translate=(40, 0)), "do not overlap"),
        (Labels(np.zeros((20, 30), int)), "is 0 in the whole plane: paint"),
    ],
)
def test_masks_that_do_not_fit_are_told(labels, message):
    image = Image(np.zeros((20, 30)))
    with pytest.raises(InputError, match=message):
        labels_mask(image, labels, show(image, labels))


# ---- what the canvas shows -----------------------------------------------------------------------


def test_visible_region():
    image = Image(np.zeros((300, 400)), scale=(2, 4), translate=(100, 0))
    # The canvas spans 60 x 80 units of the world around the centre.
    view = show(image, zoom=10, center=(300, 800))
    region = visible_region(plane_grid(image, view), view)
    assert (region.rows, region.columns) == (slice(85, 116), slice(190, 211))
    assert region.mask is None
    image.rotate = 45
    view = show(image, zoom=10, center=image.data_to_world((150, 200)))
    region = visible_region(plane_grid(image, view), view)
    seen = mask_of(region, (300, 400))
    world = np.array([image.data_to_world(pixel) for pixel in np.argwhere(seen)])
    center = np.array(image.data_to_world((150, 200)))
    assert (np.abs(world - center) <= (30.001, 40.001)).all()
    assert seen.sum() * 8 == pytest.approx(60 * 80, rel=0.05)


def test_nothing_is_visible_or_3d():
    image = Image(np.zeros((300, 400)))
    view = show(image, zoom=10, center=(3000, 0))
    with pytest.raises(InputError, match="lies on the canvas: move or zoom"):
        visible_region(plane_grid(image, view), view)
    viewer = ViewerModel(ndisplay=3)
    viewer.add_image(np.zeros((5, 8, 9)))
    view = View.of(viewer)
    with pytest.raises(InputError, match="from 3D to 2D"):
        visible_region(plane_grid(viewer.layers[0], view), view)


# ---- what is read, and where the result lies -----------------------------------------------------


@pytest.mark.parametrize("kind", ["dask", "zarr"])
def test_only_the_chunks_of_the_region_are_read(kind, tmp_path):
    read = []

    def block(block_info=None):
        location = block_info[None]["array-location"]
        read.append(tuple(start for start, _ in location))
        return np.ones([stop - start for start, stop in location], np.float32)

    if kind == "dask":
        sizes = ((1,) * 3, (100,) * 40, (100,) * 40)
        data = da.map_blocks(block, chunks=sizes, dtype=np.float32, meta=np.empty((0, 0, 0)))
    else:
        store = zarr.storage.MemoryStore()
        data = zarr.create_array(store, shape=(3, 4000, 4000), chunks=(1, 100, 100), dtype="f4")
        data[1, 1000:1300, 2000:2300] = 1
        get = store.get

        async def counting(key, *args, **kwargs):
            if "/c/" in f"/{key}":
                read.append(key)
            return await get(key, *args, **kwargs)

        store.get = counting
    image = Image(data, contrast_limits=(0, 1), axis_labels=("z", "y", "x"))
    view = show(image, step=(1, 0, 0), zoom=4, center=(1100, 2100))
    read.clear()
    region = visible_region(plane_grid(image, view), view)
    source = resolve_input(image, view, proposed_axes(image, view), region=region)
    assert read == []
    assert source.plane_shape == (151, 201)
    values = source.read()
    assert values.shape == (151, 201)
    assert len(read) <= 9  # of 4,800
    assert values.all()


@pytest.mark.parametrize("full_grid", [True, False])
@pytest.mark.parametrize(
    ("shape", "spatial"),
    [
        ((40, 50), {"scale": (0.5, 2), "translate": (3, 4), "rotate": 25}),
        ((4, 40, 50), {"scale": (3, 0.5, 2), "translate": (1, 3, 4)}),
        ((40, 50), {"affine": np.array([[1.2, 0.7, 4], [-0.3, 0.8, -11], [0, 0, 1]])}),
    ],
)
def test_results_lie_on_the_region(monkeypatch, full_grid, shape, spatial):
    if not full_grid:
        monkeypatch.setattr(source_module, "LARGEST_FULL_GRID", 100)
    image = Image(np.zeros(shape), **spatial)
    step = [0] * (len(shape) - 2)
    view = View(tuple(image.data_to_world([*step, 0, 0])), (-2, -1))
    corners = np.array([[10, 20], [10, 29], [15, 29], [15, 20]])
    world = np.array([image.data_to_world([*step, *corner]) for corner in corners])
    shapes = Shapes(ndim=len(shape))
    shapes.add_polygons(world)
    grid = plane_grid(image, view)
    region = region_of_shapes(grid, view, shapes)
    source = resolve_input(image, view, proposed_axes(image, view), region=region)
    labels = np.arange(1, 61).reshape(source.plane_shape)
    result = new_layer(source, labels, "out")
    assert result.data.shape[-2:] == (shape[-2:] if full_grid else (6, 10))
    assert (result.data > 0).sum() == 60
    first = np.argwhere(result.data == 1)[0]
    expected = image.data_to_world([*step, 10, 20])
    np.testing.assert_allclose(result.data_to_world(first), expected, atol=1e-9)


# ---- several layers ------------------------------------------------------------------------------


def test_channels_of_several_layers(rng):
    spatial = {"scale": (0.5, 0.5), "translate": (1, 2), "rotate": 10}
    red = Image(rng.random((8, 9)), name="red", **spatial)
    photo = Image(
        rng.integers(0, 255, (8, 9, 3)).astype(np.uint8), name="photo", rgb=True, **spatial
    )
    stack = Image(rng.random((2, 8, 9)), name="stack", scale=(1, 0.5, 0.5), axis_labels="cyx")
    view = show(red, photo, stack)
    layers = (red, photo, stack)
    sources = [resolve_input(layer, view, proposed_axes(layer, view)) for layer in layers]
    source = combine(sources[0], sources[1:])
    assert source.read_axis == 0
    expected = [red.data[None], np.moveaxis(photo.data, -1, 0), stack.data]
    np.testing.assert_array_equal(source.read(), np.concatenate(expected))
    assert source.channel_names[:3] == ("red", "photo red", "photo green")
    assert source.channel_names[4:] == ("stack channel 0", "stack channel 1")
    assert source.description.endswith("6 channels of 3 layers")


@pytest.mark.parametrize(
    ("spatial", "reason"),
    [
        ({}, ""),
        ({"scale": (1, 1.02)}, "differ in scale"),
        ({"translate": (0, 0.5)}, "differ in scale, place or rotation"),
        ({"scale": (0.001, 0.001), "units": ("mm", "mm")}, ""),
    ],
)
def test_grids_are_compared_in_the_world(spatial, reason):
    image = Image(np.zeros((20, 30)), units=("um", "um"))
    other = Image(np.zeros((20, 30)), **({"units": ("um", "um")} | spatial))
    view = show(image, other)
    found = why_not_on_grid(plane_grid(image, view), plane_grid(other, view), view)
    assert reason in found
    assert bool(reason) == bool(found)


def test_grids_of_other_shape_are_told():
    image, other = Image(np.zeros((20, 30)), name="a"), Image(np.zeros((20, 31)), name="b")
    view = show(image, other)
    found = why_not_on_grid(plane_grid(image, view), plane_grid(other, view), view)
    assert found == "“b” has 20 × 31 pixels, “a” has 20 × 30"
