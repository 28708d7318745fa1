"""How superpixels are shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Labels

from napari_superpixels._napari.segment.appearance import (
    Look,
    Show,
    apply_look,
    contrasting_outline,
    has_outlines,
    mean_colors,
)


def table(**channels):
    n = len(next(iter(channels.values())))
    return pd.DataFrame({"index": range(1, n + 1)} | {f"mean {k}": v for k, v in channels.items()})


def test_mean_colours_of_rgb_are_those_of_the_image():
    found = mean_colors(table(red=[255, 0], green=[128, 0], blue=[0, 51]))
    np.testing.assert_allclose(found, [[1, 128 / 255, 0], [0, 0, 0.2]])
    found = mean_colors(table(red=[1.0, 0], green=[0.5, 0], blue=[0, 0.2]))
    np.testing.assert_allclose(found, [[1, 0.5, 0], [0, 0, 0.2]])


def test_mean_colours_of_other_channels_are_stretched():
    grey = mean_colors(table(intensity=[10.0, 20.0, 30.0]))
    np.testing.assert_allclose(grey[:, 0], [0, 0.5, 1], atol=0.02)
    assert (grey == grey[:, :1]).all()
    two = mean_colors(table(a=[0.0, 1.0], b=[5.0, np.nan]))
    assert two.shape == (2, 3)
    assert not two[:, 2].any()
    assert mean_colors(pd.DataFrame({"index": [1, 2]})).shape == (0, 3)


@pytest.mark.parametrize(
    "image", [[255, 255, 0], [0, 255, 255], [255, 0, 255], [255, 255, 255], [0, 0, 0], [90, 60, 40]]
)
def test_the_outline_stands_out(image):
    picture = np.empty((40, 50, 3), np.uint8)
    picture[:] = image
    color = contrasting_outline(Image(picture, rgb=True))
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(rgb - image).max() > 120


def test_the_outline_is_yellow_on_what_is_dark():
    assert contrasting_outline(Image(np.zeros((40, 50)), contrast_limits=(0, 1))) == "#ffff00"
    assert contrasting_outline(None) == "#ffff00"


def test_looks_of_a_layer():
    labels = np.repeat([[0, 1, 2]], 4, axis=0)
    layer = Labels(labels, features=table(red=[255, 0], green=[0, 0], blue=[0, 255]))
    apply_look(layer, Look(outline="#00ff00"))
    assert (layer.contour, layer.opacity) == (1, 1)
    assert has_outlines(layer)
    np.testing.assert_allclose(layer.colormap.map(np.array([0, 1, 99]))[:, 3], [0, 1, 1])
    apply_look(layer, Look(Show.MEAN))
    np.testing.assert_allclose(layer.colormap.map(np.array([1, 2]))[:, :3], [[1, 0, 0], [0, 0, 1]])
    assert not has_outlines(layer)
    apply_look(layer, Look(Show.FILLED))
    assert (layer.contour, layer.opacity) == (0, 0.5)
    apply_look(layer, Look(), is_flat=False)
    assert layer.contour == 0


def test_outlines_are_the_default_and_stay_as_chosen(viewer, dock, tiles_image, run_to_end):
    viewer.add_image(tiles_image)
    run_to_end(dock)
    assert has_outlines(viewer.layers[-1])
    dock.show_choice.choose_color("#123456")
    dock.form.control("seed").value = 3
    run_to_end(dock)
    np.testing.assert_allclose(
        viewer.layers[-1].colormap.map(1)[:3], np.array([0x12, 0x34, 0x56]) / 255, atol=1e-6
    )
    dock.show_choice.show_box.value = Show.MEAN
    found = viewer.layers[-1].colormap.map(1)
    np.testing.assert_allclose(found[:3], mean_colors(viewer.layers[-1].features)[0], atol=1e-6)


def test_mean_colours_follow_the_number(viewer, dock, tiles_image, run_to_end, qtbot):
    viewer.add_image(tiles_image)
    dock.show_choice.show_box.value = Show.MEAN
    run_to_end(dock)
    layer = viewer.layers[-1]
    dock.form.number.value = 6
    qtbot.waitUntil(lambda: layer.data.max() == 6, timeout=30_000)
    qtbot.waitUntil(lambda: len(layer.colormap.color_dict) == 6 + 2, timeout=5000)


# napari's own, before anybody else learns that 3D is shown
@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_outlines_are_filled_in_3d_and_come_back(viewer, dock, rng, run_to_end):
    viewer.add_image(rng.random((4, 20, 24)))
    run_to_end(dock)
    layer = viewer.layers[-1]
    viewer.dims.ndisplay = 3
    assert not has_outlines(layer)
    viewer.dims.ndisplay = 2
    assert has_outlines(layer)
    layer.contour = 0  # the user's own
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert layer.contour == 0
