"""A label map and its image that several exports share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def labels(rng):
    """Labels 5, 7, 9 and 70: a hole, a part that touches by a corner, one apart; 0 outside."""
    array = np.full((12, 16), 5, np.int64)
    array[:, 8:] = 70
    array[3:6, 3:6] = 7  # a hole in 5
    array[4, 4] = 0  # and one in the hole
    array[6, 6] = 7  # touches by a corner
    array[1:3, 12:14] = 9
    array[9:11, 2:4] = 9  # far apart
    array[:, -1] = 0
    return array


@pytest.fixture
def image(rng):
    """Two channels, last axis."""
    return rng.normal(100, 20, (12, 16, 2))
