"""Axes, pixel size, origin and time step: read as a file states them, and written again."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr

from napari_superpixels.cli.main import main
from napari_superpixels.errors import FileError
from napari_superpixels.io.formats import export_labels
from napari_superpixels.io.images import open_image
from napari_superpixels.io.metadata import PixelSizes
from napari_superpixels.io.spatial import Spatial
from tests.fixtures.files import labels_in

QUICK = ["--iterations", "4", "--hidden-channels", "4", "4", "--n-segments", "9", "--force"]
SHAPE = {"t": 2, "c": 3, "z": 4, "y": 20, "x": 30}


def write_zarr(path, array, axes, *steps, zarr_format=2, **more):
    """An OME-Zarr of one level with the axes, as plain values, and the transformations."""
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    group.create_array("0", shape=array.shape, dtype=array.dtype, chunks=array.shape)[...] = array
    image = {"datasets": [{"path": "0", "coordinateTransformations": list(steps)}], **more}
    image |= {} if axes is None else {"axes": axes}
    if zarr_format == 2:
        group.attrs["multiscales"] = [image]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    return path


def axis(name, kind=None, unit=None):
    return {"name": name} | ({"type": kind} if kind else {}) | ({"unit": unit} if unit else {})


def scale(*numbers):
    return {"type": "scale", "scale": list(numbers)}


def translation(*numbers):
    return {"type": "translation", "translation": list(numbers)}


def transform_in(path, group="."):
    """Scale and translation of the finest level, and its units, by the name of the axis."""
    node = (
        zarr.open_group(path, mode="r")[group] if group != "." else zarr.open_group(path, mode="r")
    )
    attributes = node.attrs.asdict()
    image = attributes.get("ome", attributes)["multiscales"][0]
    names = [axis["name"] for axis in image["axes"]]
    found = {step["type"]: step for step in image["datasets"][0]["coordinateTransformations"]}
    sizes = dict(zip(names, found["scale"]["scale"], strict=True))
    moved = found.get("translation", {}).get("translation")
    units = {axis["name"]: axis.get("unit") for axis in image["axes"]}
    return sizes, None if moved is None else dict(zip(names, moved, strict=True)), units


# ---- axes of OME-Zarr --------------------------------------------------------------------------


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ("yx", "YX"),
        ("xy", "YX"),
        ("zyx", "ZYX"),
        ("xyz", "ZYX"),
        ("tyx", "TYX"),
        ("cxy", "CYX"),
        ("xyc", "YXC"),
        ("tczyx", "TCZYX"),
        ("tzcyx", "TZCYX"),
    ],
)
@pytest.mark.parametrize("spelling", ["plain", "capital", "text"])
def test_axes_in_any_order(tmp_path, rng, zarr_format, axes, expected, spelling):
    array = rng.random([SHAPE[name] for name in axes])
    kinds = {"t": "time", "c": "channel"}
    described = [axis(name, kinds.get(name, "space")) for name in axes]
    if spelling == "capital":
        described = [known | {"name": known["name"].upper()} for known in described]
    if spelling == "text":
        described = list(axes)
    sizes = [{"t": 1, "c": 1, "z": 4.0, "y": 2.0, "x": 0.5}[name] for name in axes]
    path = tmp_path / "a.zarr"
    write_zarr(path, array, described, scale(*sizes), zarr_format=zarr_format)
    with open_image(path) as image:
        assert image.axes == expected
        order = [axes.index(name) for name in expected.lower()]
        np.testing.assert_array_equal(image.read(), array.transpose(order))
        assert image.metadata.pixel_size(2).pixel_size == (2.0, 0.5)
        assert image.channel_axis == (expected.index("C") if "C" in expected else None)


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ([axis("c", "space"), axis("row", "space"), axis("col", "space")], "ZYX"),
        ([axis("height", "space"), axis("width", "space")], "YX"),
        ([axis("z", "time"), axis("y", "space"), axis("x", "space")], "TYX"),
        ([axis("x", "channel"), axis("y", "space"), axis("x2", "space")], "CYX"),
        ([axis("lambda", "wavelength"), axis("y", "space"), axis("x", "space")], "QYX"),
    ],
)
def test_the_type_of_an_axis_counts(tmp_path, described, expected):
    array = np.zeros([5, 20, 30][-len(described) :])
    path = write_zarr(tmp_path / "a.zarr", array, described, scale(*[1] * array.ndim))
    assert open_image(path).axes == expected


@pytest.mark.parametrize("names", [("y", "y", "x"), ("t", "y", "x", "t"), ("Y", "y", "x", "z")])
def test_an_axis_named_twice_is_refused(tmp_path, names):
    array = np.zeros([2, 3, 20, 30][-len(names) :])
    path = write_zarr(tmp_path / "a.zarr", array, list(names), scale(*[1] * array.ndim))
    with pytest.raises(FileError, match=r"a\.zarr.*two axes the same name"):
        open_image(path)


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_first_versions(tmp_path, rng, version):
    array = rng.random((1, 3, 1, 20, 30))
    axes = ["t", "c", "z", "y", "x"] if version == "0.3" else None
    path = write_zarr(tmp_path / "a.zarr", array, axes, version=version)
    group = zarr.open_group(path, mode="a", zarr_format=2)
    image = group.attrs["multiscales"]
    del image[0]["datasets"][0]["coordinateTransformations"]
    group.attrs["multiscales"] = image
    with open_image(path) as found:
        assert found.axes == "CYX"
        np.testing.assert_array_equal(found.read(), array[0, :, 0])
        assert found.metadata.pixel_size(2) is None


def test_an_array_of_xarray_names_its_axes(tmp_path, rng):
    array = rng.random((20, 30, 3))
    options = {"shape": array.shape, "dtype": array.dtype}
    new = zarr.create_array(tmp_path / "a", dimension_names=["y", "x", "band"], **options)
    old = zarr.create_array(tmp_path / "b", zarr_format=2, **options)
    old.attrs["_ARRAY_DIMENSIONS"] = ["y", "x", "band"]
    for node, name in ((new, "a"), (old, "b")):
        node[...] = array
        with open_image(tmp_path / name) as image:
            assert (image.axes, image.channel_axis) == ("YXC", 2)
            np.testing.assert_array_equal(image.read(), array)


def test_the_first_image_of_a_converter(tmp_path, rng):
    plane = rng.random((20, 30))
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    described = [axis("y", "space"), axis("x", "space")]
    write_zarr(tmp_path / "a.zarr" / "0", plane, described, scale(1, 1))
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr").read(), plane)


def test_a_group_of_arrays_names_them(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for name in ("first", "second"):
        group.create_array(name, shape=(4, 5), dtype="u1")
    with pytest.raises(FileError, match="name one of the folders in it: first, second"):
        open_image(tmp_path / "a.zarr")


# ---- from the image to the labels --------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (-1, -1)])
def test_where_an_image_lies_goes_along(tmp_path, rng, version, signs):
    sizes, moved = [2.0 * signs[0], 0.5 * signs[1]], [100.0, -200.0]
    described = [axis("y", "space", "micrometer"), axis("x", "space", "micrometer")]
    image = tmp_path / "image.zarr"
    write_zarr(image, rng.random((40, 60)), described, scale(*sizes), translation(*moved))
    expected = (
        dict(zip("yx", sizes, strict=True)),
        dict(zip("yx", moved, strict=True)),
        {"y": "micrometer", "x": "micrometer"},
    )
    labels, copy = tmp_path / "labels.tif", tmp_path / "copy.zarr"
    for out in (tmp_path / "direct.zarr", labels):
        assert main(["segment", str(image), "-o", str(out), *QUICK]) == 0
    assert transform_in(tmp_path / "direct.zarr") == expected
    export = ["export", str(labels), "-o", str(copy), "--ome-zarr-version", version]
    assert main([*export, "--image", str(image)]) == 0
    assert transform_in(copy) == expected
    assert transform_in(copy, "labels/superpixels") == expected


def test_transformations_of_all_levels_come_after_those_of_each(tmp_path, rng):
    described = [axis("y", "space", "meter"), axis("x", "space", "meter")]
    both = {"coordinateTransformations": [scale(10, 10), translation(1, 2)]}
    steps = scale(2, 0.5), translation(100, 200)
    write_zarr(tmp_path / "a.zarr", rng.random((4, 5)), described, *steps, **both)
    stated = open_image(tmp_path / "a.zarr").metadata.pixel_size(2)
    assert stated == Spatial(None, (20, 5), "m", (1001, 2002))


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.tif", "a.tif"])
def test_the_time_step_goes_along(tmp_path, rng, name):
    described = [axis("t", "time", "minute"), axis("y", "space", "micrometer")]
    described.append(axis("x", "space", "micrometer"))
    movie, steps = tmp_path / "movie.zarr", (scale(5, 2, 0.5), translation(0, 7, 9))
    write_zarr(movie, rng.random((2, 40, 60)), described, *steps)
    labels, out = tmp_path / "labels.zarr", tmp_path / name
    assert main(["segment", str(movie), "--series", "follow", "-o", str(labels), *QUICK]) == 0
    sizes, moved, units = transform_in(labels)
    assert sizes == {"t": 5, "y": 2, "x": 0.5}
    assert moved == {"t": 0, "y": 7, "x": 9}
    assert units == {"t": "minute", "y": "micrometer", "x": "micrometer"}
    assert main(["export", str(labels), "-o", str(out), "--frames", "--force"]) == 0
    with open_image(out) as found:
        step, unit = found.metadata.time_step
        assert (step, unit) in ((5, "minute"), (5, "min"))
    np.testing.assert_array_equal(labels_in(out), labels_in(labels))


def test_values_that_do_not_fit_the_axes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="translation and flipped need 2 values"):
        export_labels(
            tmp_path / "a.zarr",
            np.ones((4, 5), int),
            pixel_size=(1, 1),
            unit="um",
            translation=(1,),
        )


# ---- pixel sizes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "units", "ndim", "expected"),
    [
        ((500, 0.2, 0.2), ("nm", "µm", "µm"), 3, ((0.5, 0.2, 0.2), "um")),
        ((0.2, 200), ("µm", "nm"), 2, ((200, 200), "nm")),
        ((1, 2), ("inch", "mm"), 2, ((25.4, 2), "mm")),
        ((1, 2), ("um", ""), 2, None),
        ((1, 2), ("um", "frames"), 2, None),
        ((1, None), ("um", "um"), 2, None),
        ((1, 2), ("pixel", "Pixel"), 2, None),
        ((1, 2), ("px", "px"), 2, None),
        ((1, 2), ("?m", "?m"), 2, None),
        ((1, 2), ("\ufffdm", "\ufffdm"), 2, None),
        ((1, 2), ("gray value", "gray value"), 2, None),
        ((1, 2), ("Âµm", "碌m"), 2, ((1, 2), "um")),
        (("0.5", "0.25"), ("um", "um"), 2, ((0.5, 0.25), "um")),
    ],
)
def test_units_that_differ_are_converted(sizes, units, ndim, expected):
    found = PixelSizes(sizes, units).along(ndim)
    if expected is None:
        assert found is None
    else:
        np.testing.assert_allclose(found.pixel_size, expected[0])
        assert found.unit == expected[1]


def test_a_volume_with_its_depth_in_another_unit(tmp_path, rng):
    about = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 500}
    about |= {"PhysicalSizeZUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", rng.random((3, 20, 30)), metadata=about)
    assert open_image(tmp_path / "a.ome.tif").metadata.pixel_size(3).pixel_size == (0.5, 0.2, 0.2)


@pytest.mark.parametrize("size", ["wide", float("nan"), float("inf"), [1, 2]])
def test_sizes_that_are_none(size):
    with pytest.raises((ValueError, TypeError)):
        PixelSizes((size, 1.0), ("um", "um"))


def test_units_of_imagej_that_differ(tmp_path, rng):
    units = {"unit": "um", "yunit": "nm", "zunit": "mm", "spacing": 0.5, "axes": "ZYX"}
    data = rng.random((3, 20, 30)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, resolution=(2, 0.01), metadata=units)
    stated = open_image(tmp_path / "a.tif").metadata.pixel_size(3)
    np.testing.assert_allclose(stated.pixel_size, (500, 0.1, 0.5))
    assert stated.unit == "um"
