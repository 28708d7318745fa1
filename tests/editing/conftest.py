"""A label map to correct."""

from __future__ import annotations

import pytest
from maps import grey_image, tiles

from napari_superpixels.editing.session import Session


@pytest.fixture
def session():
    labels = tiles()
    return Session(labels, grey_image(labels.shape))
