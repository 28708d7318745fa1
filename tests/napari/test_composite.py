"""Three channels in colours."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_superpixels._napari.input.composite import rgb_layer


@pytest.fixture
def bands(rng):
    values = rng.uniform(0, 1, (6, 30, 40))
    values[:, :3] = np.nan
    return values


def test_a_raster_is_seen_in_colours_and_segmented_with_all_bands(viewer, dock, bands, run_to_end):
    spatial = {"scale": (1, 10, 10), "translate": (0, 5, 7), "axis_labels": ("band", "y", "x")}
    layer = viewer.add_image(bands, name="raster", **spatial, contrast_limits=(0, 1))
    dock.more_section.expand(animate=False)
    dock.choice.composite.add_button.click()
    picture = viewer.layers[1]
    assert picture.rgb
    assert picture.name == "raster (channel 2, channel 1, channel 0)"
    np.testing.assert_allclose(picture.scale, (10, 10))
    np.testing.assert_allclose(picture.translate, (5, 7))
    assert not picture.data[:3].any()
    order = np.argsort(bands[2, 5])
    assert (np.diff(picture.data[5, order, 0].astype(int)) >= 0).all()
    assert dock.image.layer == layer
    run_to_end(dock)
    assert len([c for c in viewer.layers[-1].features if c.startswith("mean ")]) == 6


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_whichever_axis_holds_the_channels(viewer, bands, axis):
    data = np.moveaxis(bands, 0, axis)
    layer = viewer.add_image(data, scale=(2, 3, 4), contrast_limits=(0, 1))
    picture = rgb_layer(layer, axis, [0, 1, 2])
    expected = rgb_layer(viewer.add_image(bands, contrast_limits=(0, 1)), 0, [0, 1, 2])
    np.testing.assert_array_equal(np.squeeze(picture.data), np.squeeze(expected.data))
    kept = [i for i in range(3) if i != axis]
    np.testing.assert_allclose(
        picture.scale[-2:] if axis == 0 else picture.scale[kept], np.array([2, 3, 4])[kept]
    )


def test_levels_stay_lazy(viewer, bands):
    lazy = da.from_array(np.nan_to_num(bands), chunks=(6, 15, 20))
    layer = viewer.add_image([lazy, lazy[:, ::2, ::2]], multiscale=True, contrast_limits=(0, 1))
    picture = rgb_layer(layer, 0, [5, 3, 1])
    assert picture.multiscale
    assert isinstance(picture.data[0], da.Array)
    assert picture.data[1].shape == (15, 20, 3)


def test_it_is_offered_only_where_there_are_three_channels(viewer, dock, rng):
    layout = dock.choice.more_widget.layout()
    native = dock.choice.composite.native
    viewer.add_image(rng.random((30, 40)))
    assert not layout.isRowVisible(native)
    viewer.add_image(rng.random((30, 40, 3)), rgb=True)
    assert not layout.isRowVisible(native)
    viewer.add_image(rng.random((3, 30, 40)), axis_labels=("c", "y", "x"))
    assert layout.isRowVisible(native)
    assert [box.currentText() for box in dock.choice.composite.boxes] == [
        "0",
        "1",
        "2",
    ]
