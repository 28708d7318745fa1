"""A natural-looking raster of any size: regions of many sizes with colour, texture and noise.

Every block is computed from its coordinates, so a raster larger than memory is written tile by
tile.

    python benchmarks/raster.py raster.tif --megapixels 64
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterator

TILE = 512
N_COLORS = 12


class Raster:
    """Value noise in octaves; its bands are regions.

    Parameters
    ----------
    side : int
        Rows and columns.
    seed : int
        Of everything random.
    """

    def __init__(self, side: int, seed: int = 0) -> None:
        self.side = side
        rng = np.random.default_rng(seed)
        self._grids = {
            cell: rng.random((3, *(side // cell + 6,) * 2), np.float32)
            for cell in (512, 128, 32, 6)
        }
        self._colors = rng.integers(30, 225, (N_COLORS, 3))
        self._roughness = rng.uniform(2, 30, N_COLORS)
        self._seed = seed

    def block(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Pixels of a block.

        Parameters
        ----------
        top, left, height, width : int
            Which.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            RGB.
        """
        rows, columns = np.arange(top, top + height), np.arange(left, left + width)

        def noise(cell: int, layer: int) -> np.ndarray:
            at = np.meshgrid(rows / cell + 1, columns / cell + 1, indexing="ij")
            lo = [int(a.min()) - 1 for a in at]
            hi = [int(a.max()) + 4 for a in at]
            grid = self._grids[cell][layer, lo[0] : hi[0], lo[1] : hi[1]]
            shifted = [a - low for a, low in zip(at, lo, strict=True)]
            return ndimage.map_coordinates(grid, shifted, order=1)

        height_map = 4 * noise(512, 0) + 1.6 * noise(128, 0) + 0.5 * noise(32, 0)
        region = (height_map * 4).astype(int) % N_COLORS
        fields = noise(128, 1) + 0.25 * noise(32, 1)
        region = np.where(fields > 0.85, (region + 5) % N_COLORS, region)
        image = self._colors[region] + 40 * (noise(512, 2) - 0.5)[..., None]
        image += (self._roughness[region] * (noise(6, 2) - 0.5))[..., None]
        rng = np.random.default_rng((self._seed, top, left))
        image += rng.normal(0, 4, image.shape)
        return image.clip(0, 255).astype(np.uint8)

    def tiles(self) -> Iterator[np.ndarray]:
        """All tiles of `TILE` pixels, row by row; those beyond the edge are filled up."""
        for top in range(0, self.side, TILE):
            for left in range(0, self.side, TILE):
                yield self.block(top, left, TILE, TILE)


def write(path: Path, megapixels: float, seed: int = 0) -> int:
    """Write a tiled TIFF; return its side."""
    side = round(math.sqrt(megapixels * 1e6))
    raster = Raster(math.ceil(side / TILE) * TILE, seed)
    raster.side = side
    tifffile.imwrite(
        path,
        raster.tiles(),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="zlib",
        bigtiff=True,
    )
    return side


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--megapixels", type=float, default=64)
    given = parser.parse_args()
    print(given.path, write(given.path, given.megapixels))
