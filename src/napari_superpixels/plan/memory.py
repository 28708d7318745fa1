"""How much memory runs take, in one piece and in tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_superpixels.errors import NotEnoughMemory
from napari_superpixels.errors.quantities import gigabytes
from napari_superpixels.plan.resolution import finishing_factor, sides_of, working_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.plan.tile_grid import TileGrid

# Pixels that principal components are found from.
PCA_SAMPLE_PX = 10_000
_OVERHEAD = 50_000_000  # bytes of buffers that do not grow with the image
# Given labels, their groups, and pieces cut along them.
_BYTES_OF_WALLS = 24
_BYTES_PER_PIECE = 3000  # of the graph of regions: neighbours, borders, queue
# What a process with PyTorch takes before it does anything.
_PROCESS_BYTES = 450e6
# Tiles differ in size, so that freed memory comes in pieces that fit nothing asked for later: after
# some tens of tiles, about as much as a tile needs (`benchmarks/scale.py`).
_FRAGMENTATION = 2


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device as a user knows it.

    Attributes
    ----------
    device : str
        PyTorch's name of it, e.g. ``cuda``, ``cuda:1``, ``mps`` or ``cpu``.
    name : str
        The hardware's name, as far as it tells.
    free_bytes, total_bytes : int
        Memory.
    """

    device: str
    name: str
    free_bytes: int
    total_bytes: int

    @property
    def where(self) -> str:
        """What a result says of the place it was made: without what changes while it runs."""
        return f"{self.device} ({self.name})"

    @property
    def is_cpu(self) -> bool:
        """Whether it is the CPU, whose memory is the machine's."""
        return self.device == "cpu"

    def __str__(self) -> str:
        return (
            f"{self.device}: {self.name}, {self.free_bytes / 1e9:.1f} of "
            f"{gigabytes(self.total_bytes)} free"
        )


def estimate_memory(
    shape: Sequence[int],
    n_channels: int,
    params: SuperpixelParams,
    *,
    n_labels: int = 0,
    covered: float = 1.0,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    has_walls: bool = False,
) -> int:
    """Estimate the peak memory of one iteration.

    Counts the tensors of an iteration, in float32, at the working resolution, and the arrays of
    preparation and refinement at full resolution; the largest of the three counts. Measured peaks
    lie within about 30 % of it (see ``benchmarks/memory.py``).

    Parameters
    ----------
    shape : sequence of int
        Height and width of the image, or depth, height and width of the volume (of the mask's
        bounding box).
    n_channels : int
        Image channels, before they are reduced to principal components.
    params : SuperpixelParams
        Parameters of the run.
    n_labels : int, default 0
        Labels that the network starts from; each needs a label map.
    covered : float, default 1.0
        Share of the pixels that the mask holds, in (0, 1].
    spacing : sequence of float
        Relative size of a voxel along each axis; does not matter for an image.
    has_walls : bool, default False
        Whether superpixels merge at full resolution, see `ImageFacts`.

    Returns
    -------
    int
        Bytes.
    """
    n_pixels = math.prod(shape)
    # Colours are converted and scaled in float64, three channels at once or one after another.
    preparing = n_pixels * (56 * min(n_channels, 3) + max(n_channels - 3, 0))
    if 0 < params.max_channels < n_channels:
        preparing += min(n_pixels, PCA_SAMPLE_PX) * n_channels * 48
    n_channels = min(n_channels, params.max_channels or n_channels)
    factor = working_factor(shape, spacing, params, covered)
    working = n_pixels / math.prod(sides_of(factor, len(shape)))
    # Kept until the backward pass: each convolution's output and the next one's input.
    hidden = 2 * sum(params.hidden_channels)
    # Besides, either the label maps and their slope, or the gradients of the widest layer.
    n_maps = max(min(params.n_label_maps, working), n_labels) + 2 * n_channels
    training = hidden + max(2.3 * n_maps, 3.5 * max(params.hidden_channels))
    if len(shape) == 3:  # the plain formulas keep more
        training = hidden + 17 * n_maps + 16 * max(params.hidden_channels)
    # In the end, without hidden layers: the maps, normalised, as probabilities.
    optimizing = working * 4 * max(training, 3.2 * n_maps)
    # Borders are refined on float32 features.
    refining = n_pixels * 4 * (4 * n_channels + 26)
    merging_factor = 1 if has_walls else finishing_factor(shape, spacing, params, covered)
    merged = n_pixels // math.prod(sides_of(merging_factor, len(shape)))
    merging = min(params.n_pieces(merged), n_pixels) * _BYTES_PER_PIECE
    merging += n_pixels * _BYTES_OF_WALLS * has_walls
    features = n_pixels * n_channels * 4
    return int(features + max(preparing, optimizing, refining + merging) + _OVERHEAD)


def shortage(
    needed_bytes: float, device: DeviceInfo, limit_gb: float | None
) -> NotEnoughMemory | None:
    """Tell whether a run cannot fit.

    Parameters
    ----------
    needed_bytes : float
        What it takes.
    device : DeviceInfo
        Where it would run, and what is free there.
    limit_gb : float or None
        The user's own limit in GB (10⁹ bytes).

    Returns
    -------
    NotEnoughMemory or None
        To raise or to show; None if it fits.
    """
    if limit_gb is not None and needed_bytes > limit_gb * 1e9:
        return NotEnoughMemory(
            needed_bytes, limit_gb * 1e9, device.where, device.is_cpu, is_limit=True
        )
    if needed_bytes > device.free_bytes:
        return NotEnoughMemory(needed_bytes, device.free_bytes, device.where, device.is_cpu)
    return None


def tile_memory(
    grid: TileGrid, pixel: tuple[int, int], n_segments: int, params: SuperpixelParams
) -> float:
    """Estimate what the largest tile takes.

    Parameters
    ----------
    grid : TileGrid
        Tiles.
    pixel : tuple of int
        Channels of the image, and bytes of a value.
    n_segments : int
        Superpixels asked for, in the whole image.
    params : SuperpixelParams
        Parameters of the run.

    Returns
    -------
    float
        Bytes, with the pieces that earlier tiles leave.
    """
    n_channels, itemsize = pixel
    windows = ([s.stop - s.start for s in tile.window] for tile in grid.tiles.values())
    shape = max(windows, key=math.prod)
    n_pixels: int = math.prod(shape)
    share = max(1, min(65535, round(n_segments * n_pixels / math.prod(grid.shape))))
    needed = estimate_memory(shape[-2:], n_channels, params.replace(n_segments=share))
    return _FRAGMENTATION * (needed + float(n_pixels * n_channels * itemsize))


def run_memory(tile_bytes: float, n_tiles: int, n_processes: int) -> float:
    """Estimate what a run in tiles takes.

    Parameters
    ----------
    tile_bytes : float
        Of a tile.
    n_tiles : int
        Worked on at the same time.
    n_processes : int
        Python processes.

    Returns
    -------
    float
        Bytes.
    """
    return n_processes * _PROCESS_BYTES + n_tiles * tile_bytes


def tiles_that_fit(tile_bytes: float, device: DeviceInfo, limit_gb: float | None) -> int:
    """Say how many tiles threads of one process may work on at once.

    Parameters
    ----------
    tile_bytes : float
        Of a tile.
    device : DeviceInfo
        Where they run.
    limit_gb : float or None
        Most memory in GB (10⁹ bytes); None for what is free.

    Returns
    -------
    int
        1 or more.
    """
    free = float(device.free_bytes)
    if limit_gb is not None:
        free = min(free, limit_gb * 1e9)
    return max(1, int(free / max(tile_bytes, 1)))
