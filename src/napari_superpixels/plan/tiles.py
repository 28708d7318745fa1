"""How large tiles are, and what a run will need."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_superpixels.errors import InvalidParameter
from napari_superpixels.plan.tile_grid import TileGrid

if TYPE_CHECKING:
    from napari_superpixels.params import SuperpixelParams

DEFAULT_TILE_PX = 512
# A tile sees so many superpixels beyond its edge; with fewer, borders along the edge show.
_HALO_SUPERPIXELS = 3
# A tile is at least twice its halo. With this one, both together are 4096 pixels, and take 3 GB;
# what has so large superpixels is better segmented at a lower level of its pyramid.
_MOST_HALO_PX = 1024
_STEP_PX = 16
_MOST_SEGMENTS = 2**32 - 1  # as labels are stored


def plan_tiles(
    shape: tuple[int, ...],
    n_segments: int,
    params: SuperpixelParams,
    tile_size_px: int | None = None,
    halo_px: int | None = None,
) -> TileGrid:
    """Choose tiles for an image.

    Parameters
    ----------
    shape : tuple of int
        Of the image, without channels.
    n_segments : int
        Superpixels asked for; with the parameters it says how large they become.
    params : SuperpixelParams
        The other parameters.
    tile_size_px, halo_px : int, optional
        As wanted; chosen if None.

    Returns
    -------
    TileGrid
        Tiles of nearly the same size, at most `tile_size_px` (rounded up to 16); if chosen, 512 to
        2048, the larger the superpixels.

    Raises
    ------
    ValueError
        If sizes or the number of superpixels are out of range, or the halo is above half a tile.
    """
    if tile_size_px is not None and tile_size_px < _STEP_PX:
        raise ValueError(f"tiles of {tile_size_px} pixels are too small: take {_STEP_PX} or more")
    if halo_px is not None and halo_px < 0:
        raise ValueError(f"the halo must be 0 or more pixels, got {halo_px}")
    if not 1 <= n_segments <= _MOST_SEGMENTS:
        raise InvalidParameter("n_segments", f"1 to {_MOST_SEGMENTS}", n_segments)
    diameter = (math.prod(shape) / n_segments) ** (1 / len(shape))
    # The lower lambda, the larger the superpixels that merging leaves: see postprocess.py.
    growth = 10 ** (0.4 * max(0.0, 2 - params.lam)) if params.count == "adaptive" else 1
    chosen = min(_rounded(_HALO_SUPERPIXELS * diameter * growth), _MOST_HALO_PX)
    halo = halo_px if halo_px is not None else chosen
    size = tile_size_px if tile_size_px is not None else max(DEFAULT_TILE_PX, 2 * halo)
    if halo_px is None:
        halo = min(halo, size // 2)
    tiles = []
    for n in shape:
        count = -(-n // size)
        tiles.append(_rounded(max(-(-n // count), 2 * halo)) if count > 1 else max(n, 2 * halo))
    return TileGrid(shape, tuple(tiles), (halo,) * len(shape))


def _rounded(size: float) -> int:
    return math.ceil(size / _STEP_PX) * _STEP_PX
