"""How much memory tiles take, and so how many may be worked on at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_superpixels.core.device import describe_device, estimate_memory, resolve_device

if TYPE_CHECKING:
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.plan.tile_grid import TileGrid
    from napari_superpixels.tiling.reader import ImageReader

# What a process with PyTorch takes before it does anything.
_PROCESS_BYTES = 450e6
# Tiles differ in size, so that freed memory comes in pieces that fit nothing asked for later: after
# some tens of tiles, about as much as a tile needs (`benchmarks/scale.py`).
_WITH_PIECES = 2


def tile_memory(
    reader: ImageReader, grid: TileGrid, n_segments: int, params: SuperpixelParams
) -> float:
    """Estimate what the largest tile takes.

    Parameters
    ----------
    reader : ImageReader
        The image.
    grid : TileGrid
        Its tiles.
    n_segments : int
        Superpixels of the whole image.
    params : SuperpixelParams
        The other parameters.

    Returns
    -------
    float
        Bytes.
    """
    windows = ([s.stop - s.start for s in tile.window] for tile in grid.tiles.values())
    shape = max(windows, key=math.prod)
    n_pixels: int = math.prod(shape)
    share = max(1, min(65535, round(n_segments * n_pixels / math.prod(reader.shape))))
    needed = estimate_memory(shape[-2:], reader.n_channels, params.replace(n_segments=share))
    as_read: float = n_pixels * reader.n_channels * reader.dtype.itemsize
    return _WITH_PIECES * (needed + as_read)


def run_memory(tile_bytes: float, n_tiles: int, n_processes: int) -> float:
    """Estimate what a run takes.

    Parameters
    ----------
    tile_bytes : float
        From `tile_memory`.
    n_tiles : int
        Tiles that are worked on at once.
    n_processes : int
        Processes, this one included.

    Returns
    -------
    float
        Bytes.
    """
    return n_processes * _PROCESS_BYTES + n_tiles * tile_bytes


def tiles_that_fit(tile_bytes: float, device: str, limit_gb: float | None) -> int:
    """Say how many tiles threads of this process may work on at once.

    Parameters
    ----------
    tile_bytes : float
        From `tile_memory`.
    device : str
        Where they run; see `superpixels`.
    limit_gb : float or None
        Memory that may be taken besides what the process has already, in GB (10⁹ bytes); None for
        what is free.

    Returns
    -------
    int
        1 or more: without any tile there is no result.
    """
    free = float(describe_device(resolve_device(device)).free_bytes)
    if limit_gb is not None:
        free = min(free, limit_gb * 1e9)
    return max(1, int(free / max(tile_bytes, 1)))
