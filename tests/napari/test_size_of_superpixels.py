"""Number and size of superpixels, either of which can be typed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_superpixels._napari.segment.controls.superpixel_size import Extent, length_text


@pytest.mark.parametrize(
    ("shape", "number"),
    [((321, 481), 250), ((402, 1112), 720), ((20, 30), 20), ((4096, 4096), 2000)],
)
def test_the_default_follows_the_size_of_the_image(shape, number):
    assert Extent(shape[0] * shape[1]).default_number() == number


def test_number_and_side_belong_together():
    plane, volume = Extent(100 * 100), Extent(30**3, 3)
    assert plane.side(100) == pytest.approx(10)
    assert plane.number(10) == 100
    assert volume.side(27) == pytest.approx(10)
    assert volume.number(10) == 27
    assert Extent(10**10).number(1) == 65535
    assert Extent(100).number(99_999) == 1


@pytest.mark.parametrize(
    ("length", "text"),
    [(12.3e-6, "12 µm"), (2.5e-7, "250 nm"), (30.0, "30 m"), (1234.0, "1.2 km"), (4e-3, "4 mm")],
)
def test_lengths_in_units_that_people_use(length, text):
    assert length_text(length) == text


@pytest.fixture
def fresh(viewer, qtbot):
    from napari_superpixels._napari.demo import open_dock

    return open_dock(viewer)


def shown(dock):
    return dock.form.number.value, dock.form.size.native.value(), dock.form.params().n_segments


def test_either_can_be_typed(viewer, fresh):
    viewer.add_image(np.zeros((100, 250)), scale=(2, 2), units=("um", "um"))
    assert shown(fresh) == (40, 25, 40)
    assert fresh.form.size.native.text() == "25 px = 50 µm"
    fresh.form.number.value = 250
    assert shown(fresh) == (250, 10, 250)
    fresh.form.size.native.setValue(5)
    assert shown(fresh) == (1000, 5, 1000)
    assert fresh.form.size.native.text() == "5 px = 10 µm"
    fresh.form.slider.native.setValue(fresh.form.slider.native.maximum())
    assert fresh.form.number.value == 10_000
    fresh.reset_button.click()
    assert shown(fresh) == (40, 25, 40)


def test_the_size_is_kept_for_the_next_image(viewer, fresh):
    viewer.add_image(np.zeros((100, 200)))
    fresh.form.number.value = 200
    viewer.add_image(np.zeros((100, 400)))
    assert shown(fresh) == (400, 10, 400)
    viewer.layers.selection.active = viewer.layers[0]
    assert shown(fresh) == (200, 10, 200)


def test_a_number_stays_in_a_part_of_the_image_and_a_size_too(viewer, fresh):
    viewer.add_image(np.zeros((100, 200)))
    fresh.form.number.value = 200
    viewer.add_shapes([[0, 0], [0, 100], [50, 100], [50, 0]])
    viewer.layers.selection.active = viewer.layers[0]
    fresh.region.where_box.value = "inside shapes"
    assert shown(fresh) == (200, 5, 200)
    fresh.form.size.native.setValue(10)
    assert shown(fresh)[0] == pytest.approx(50, abs=3)  # the box that holds the shape
    fresh.region.where_box.value = "whole image"
    assert shown(fresh) == (200, 10, 200)


def test_the_preset_keeps_the_number(viewer, fresh):
    viewer.add_image(np.zeros((100, 200)))
    fresh.form.size.native.setValue(20)
    fresh.form.preset.value = "fast"
    assert shown(fresh) == (50, 20, 50)
