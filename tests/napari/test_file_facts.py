"""The dock takes over what the file behind a layer says, whoever has opened it."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import tifffile
import zarr
from npe2 import PluginManifest

from napari_superpixels._napari.input.axes import Mode, Role
from napari_superpixels.io.formats import METADATA_KEY


@pytest.fixture(autouse=True)
def _napari_s_own_reader(npe2pm):
    npe2pm.register(PluginManifest.from_distribution("napari"))


@pytest.fixture
def stack(rng):
    return rng.integers(0, 255, (5, 40, 60), dtype=np.uint8)


def write_imagej(path, stack, axes):
    metadata = {"axes": axes, "unit": "um", "spacing": 2.0}
    tifffile.imwrite(path, stack, imagej=True, resolution=(4, 4), metadata=metadata)


def write_ome(path, stack, axes):
    metadata = {"axes": axes, "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm"}
    metadata |= {"PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, stack, ome=True, metadata=metadata)


@pytest.mark.parametrize(("write", "name"), [(write_imagej, "a.tif"), (write_ome, "a.ome.tif")])
@pytest.mark.parametrize(
    ("axes", "role", "modes"),
    [
        ("TYX", Role.TIME, [Mode.SLICE, Mode.EACH, Mode.SERIES]),
        ("CYX", Role.CHANNEL, [Mode.SLICE]),
    ],
)
def test_axes_and_pixel_size(viewer, dock, tmp_path, stack, write, name, axes, role, modes):
    path = tmp_path / name
    write(path, stack, axes)
    (layer,) = viewer.open(path, plugin="napari")
    assert dock.image.axes.roles == (role, Role.Y, Role.X)
    assert dock.image.axes_are_known
    assert list(dock.image.mode_box.choices) == modes
    np.testing.assert_allclose(layer.scale, (1, 0.25, 0.25))
    assert [str(unit) for unit in layer.units[1:]] == ["micrometer", "micrometer"]
    assert dock.form.size.native.suffix().endswith("µm")


def test_levels_of_an_ome_zarr(viewer, dock, tmp_path, stack):
    path = tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    for i, level in enumerate((stack, stack[:, ::2, ::2])):
        made = group.create_array(str(i), shape=level.shape, dtype=level.dtype, chunks=level.shape)
        made[...] = level
    names = (("c", "channel", None), ("y", "space", "micrometer"), ("x", "space", "micrometer"))
    axes = [{"name": name, "type": kind, "unit": unit} for name, kind, unit in names]
    levels = [
        {
            "path": str(i),
            "coordinateTransformations": [{"type": "scale", "scale": [1, size, size]}],
        }
        for i, size in enumerate((0.25, 0.5))
    ]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    (layer,) = viewer.open(path, plugin="napari")
    assert layer.multiscale
    np.testing.assert_allclose(layer.scale, (1, 0.25, 0.25))
    assert dock.image.axes.roles == (Role.CHANNEL, Role.Y, Role.X)
    assert dock.form.size.native.suffix().endswith("µm")


def test_depth_has_its_own_size(viewer, dock, tmp_path, stack):
    write_imagej(tmp_path / "a.tif", stack, "ZYX")
    (layer,) = viewer.open(tmp_path / "a.tif", plugin="napari")
    np.testing.assert_allclose(layer.scale, (2, 0.25, 0.25))
    assert dock.image.axes.roles == (Role.Z, Role.Y, Role.X)


def test_what_lies_with_other_layers_stays_where_it_is(viewer, dock, tmp_path, stack):
    viewer.add_labels(np.zeros((5, 40, 60), int))
    write_imagej(tmp_path / "a.tif", stack, "TYX")
    (layer,) = viewer.open(tmp_path / "a.tif", plugin="napari")
    np.testing.assert_allclose(layer.scale, 1)
    assert dock.image.axes.roles == (Role.TIME, Role.Y, Role.X)


def test_what_the_user_has_set_stays(viewer, dock, tmp_path, stack):
    write_imagej(tmp_path / "a.tif", stack, "TYX")
    (layer,) = viewer.open(
        tmp_path / "a.tif", plugin="napari", axis_labels=("z", "y", "x"), scale=(1, 3, 3)
    )
    np.testing.assert_allclose(layer.scale, (1, 3, 3))
    assert dock.image.axes.roles == (Role.Z, Role.Y, Role.X)


def test_a_raster_that_napari_has_read_lies_on_the_map(viewer, dock, tmp_path, run_to_end):
    path = tmp_path / "a.tif"
    values = np.random.default_rng(0).integers(1, 255, (40, 60), dtype=np.uint8)
    values[:5] = 0
    transform = rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)
    profile = {"driver": "GTiff", "width": 60, "height": 40, "count": 1, "dtype": "uint8"}
    with rasterio.open(
        path, "w", **profile, crs="EPSG:32632", transform=transform, nodata=0
    ) as raster:
        raster.write(values, 1)
    viewer.open(path, plugin="napari")
    run_to_end(dock)
    made = viewer.layers[-1]
    assert "32632" in made.metadata[METADATA_KEY]["place"]["crs"]
    assert not made.data[:5].any()
    assert made.data[5:].all()


def test_a_file_that_is_gone_is_not_missed(viewer, dock, tmp_path, stack):
    write_imagej(tmp_path / "a.tif", stack, "TYX")
    (layer,) = viewer.open(tmp_path / "a.tif", plugin="napari")
    viewer.layers.clear()
    (tmp_path / "a.tif").unlink()
    viewer.add_layer(layer)
    assert dock.image.layer == layer


def test_unnamed_axes_are_asked_for_once_a_shape(viewer, dock, stack):
    first = viewer.add_image(stack)
    question = dock.image.axes_box.native.layout().itemAt(0).widget()
    assert question.isVisibleTo(dock.image.axes_box.native)
    assert not dock.image.axes_are_known
    dock.image.axes_box.choose(0, Role.TIME)
    assert dock.image.axes_are_known
    viewer.layers.remove(first)
    viewer.add_image(stack[::-1].copy(), name="another")
    assert dock.image.axes.roles[0] == Role.TIME
    assert dock.image.axes_are_known
    viewer.add_image(stack[:3].copy(), name="of another shape")
    assert not dock.image.axes_are_known
