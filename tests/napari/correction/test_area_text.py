"""Areas are written in the units that people say."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels

from napari_superpixels._napari.correction.panels.area_text import area_text

UM, M, PX = "micrometer", "metre", "pixel"


@pytest.mark.parametrize(
    ("scale", "unit", "n", "text"),
    [
        (1, PX, 1234567, "1,234,567 px"),
        (0.5, PX, 8, "8 px"),
        (1, "degree", 5, "5 px"),
        (0.5, UM, 1360, "340 µm²"),
        (0.65, UM, 0, "0 nm²"),
        (1, UM, 99_999, "99,999 µm²"),
        (1, UM, 340_000, "0.34 mm²"),
        (1, UM, 20_000_000, "20 mm²"),
        (1, UM, 250_000_000, "2.5 cm²"),
        (4, "nanometer", 2, "32 nm²"),
        (10, M, 1, "100 m²"),
        (10, M, 21, "0.21 ha"),
        (10, M, 9_000, "90 ha"),
        (10, M, 12_345, "1.23 km²"),
        (10, M, 123_456_789, "12,346 km²"),
        (1, "foot", 10_764, "0.1 ha"),
    ],
)
def test_areas(scale, unit, n, text):
    layer = Labels(np.ones((4, 4), int), scale=(scale,) * 2, units=(unit,) * 2)
    assert area_text(layer, n, 2) == text


@pytest.mark.parametrize(
    ("units", "n", "text"),
    [
        ((UM, UM, UM), 100, "200 µm³"),
        ((UM, UM, "nanometer"), 1_000_000, "0.002 mm³"),
        ((PX, UM, UM), 100, "100 voxels"),
        ((M, M, M), 3, "6 m³"),
    ],
)
def test_volumes(units, n, text):
    scale = (2, 1, 1000 if units[-1] == "nanometer" else 1)
    layer = Labels(np.ones((2, 4, 4), int), scale=scale, units=units)
    assert area_text(layer, n, 3) == text


def test_the_unit_of_frames_does_not_matter():
    layer = Labels(np.ones((2, 4, 4), int), scale=(5, 2, 2), units=("second", UM, UM))
    assert area_text(layer, 25, 2) == "100 µm²"
