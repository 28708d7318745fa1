"""A label map to correct."""

from __future__ import annotations

import pytest

from napari_superpixels.editing.session import Session
from tests.fixtures.maps import grey_image, tiles


@pytest.fixture
def session():
    labels = tiles()
    return Session(labels, grey_image(labels.shape))
