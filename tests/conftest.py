"""Fixtures that several tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pytest
from skimage.measure import label

from napari_superpixels.params import SuperpixelParams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def quick() -> SuperpixelParams:
    """Parameters that run in a blink; the method is the same."""
    return SuperpixelParams(
        n_segments=12, iterations=8, downscale=2, hidden_channels=(8, 8), refine_iterations=3
    )


@pytest.fixture
def tiles_image() -> NDArray[np.uint8]:
    """RGB image of 3 x 4 squares of 16 pixels, each of another colour, with a little noise."""
    rng = np.random.default_rng(1)
    colors = rng.integers(20, 235, (3, 4, 3))
    image = colors.repeat(16, 0).repeat(16, 1) + rng.normal(0, 3, (48, 64, 3))
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def photo(tmp_path: Path, tiles_image: NDArray[np.uint8]) -> Path:
    """That image, as a PNG."""
    path = tmp_path / "photo.png"
    iio.imwrite(path, tiles_image)
    return path


@pytest.fixture
def assert_superpixels() -> Callable[..., None]:
    """Check what every result promises: ids 1...K, K <= N, connected, 0 outside the mask."""

    def check(
        labels: NDArray[np.integer], n_segments: int, mask: NDArray[np.bool_] | None = None
    ) -> None:
        inside = np.ones(labels.shape, bool) if mask is None else mask
        np.testing.assert_array_equal(labels > 0, inside)
        ids = np.unique(labels[inside])
        np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
        assert len(ids) <= n_segments
        assert label(labels, background=0, connectivity=1).max() == len(ids)

    return check
