"""Label maps to correct, and what must hold for them after any edit."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label

from napari_superpixels.editing.reference_image import EditImage
from napari_superpixels.editing.session import Session


def tiles(shape=(24, 30), size=6, dtype=np.int32):
    """Square superpixels 1...K."""
    grid = [np.arange(n) // size for n in shape]
    counts = [-(-n // size) for n in shape]
    ids = np.ravel_multi_index(np.meshgrid(*grid, indexing="ij"), counts) + 1
    return ids.astype(dtype)


def is_connected(labels, i):
    return ndimage.label(labels == i)[1] == 1


def assert_tidy(session):
    """Every superpixel is connected, and the table is what one would count anew."""
    for i in np.unique(session.labels[session.labels != 0]):
        assert is_connected(session.labels, i), i
    fresh = Session(session.labels, session.image)
    np.testing.assert_array_equal(session.statistics.ids, fresh.statistics.ids)
    np.testing.assert_array_equal(session.statistics.area, fresh.statistics.area)
    np.testing.assert_allclose(session.statistics.mean(), fresh.statistics.mean(), atol=1e-9)


def grey_image(shape, seed=0):
    values = np.random.default_rng(seed).integers(0, 255, (1, *shape)).astype(np.uint8)
    return EditImage(values, ("intensity",))


@st.composite
def label_maps(draw, max_side=16):
    """Connected superpixels with gaps in their numbers, and perhaps some unlabelled pixels."""
    shape = draw(st.tuples(st.integers(2, max_side), st.integers(2, max_side)))
    n_values = draw(st.integers(1, 6))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, n_values + 1, [-(-n // 3) for n in shape])
    values = np.kron(coarse, np.ones((3, 3), int))[: shape[0], : shape[1]]
    pieces = label(values, background=0, connectivity=1)
    return (pieces * draw(st.integers(1, 3))).astype(np.int32)
