"""The plan of a run: the one place that decides how an image is segmented, and what that takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from napari_superpixels.errors import TilesNeedAPlane
from napari_superpixels.errors.quantities import counted, duration, gigabytes
from napari_superpixels.params.options import TilingOptions
from napari_superpixels.plan.memory import (
    DeviceInfo,
    estimate_memory,
    run_memory,
    shortage,
    tile_memory,
    tiles_that_fit,
)
from napari_superpixels.plan.resolution import Factor, finishing_factor, sides_of, working_factor
from napari_superpixels.plan.tiles import plan_tiles

if TYPE_CHECKING:
    from napari_superpixels.errors import NotEnoughMemory, SuperpixelError
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.plan.tile_grid import TileGrid

# Labels on disk before compression: tiles with their halos, the result, and its pyramid.
_BYTES_ON_DISK = 4 * (1 + 1 + 1 / 3)


class Tiles(StrEnum):
    """When an image is segmented in tiles."""

    AUTO = "if needed"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What a plan needs to know of an image.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns, or depth, rows and columns, of what is segmented.
    n_channels : int
        Channels that are read.
    itemsize : int
        Bytes of a value.
    spacing : tuple of float
        Relative size of a pixel or voxel along each axis; empty for equal sides.
    covered : float
        Share of the pixels that count, in (0, 1].
    n_labels : int
        Labels that the network starts from.
    has_walls : bool
        Whether given labels keep superpixels apart: they merge at full resolution then.
    held_bytes : int
        What is kept in memory besides, such as the image as it was read.
    copied_bytes : int
        What a run in tiles copies to disk, such as an image in memory.
    can_be_tiled : bool
        Whether it is a plane of its own.
    """

    shape: tuple[int, ...]
    n_channels: int = 1
    itemsize: int = 1
    spacing: tuple[float, ...] = ()
    covered: float = 1.0
    n_labels: int = 0
    has_walls: bool = False
    held_bytes: int = 0
    copied_bytes: int = 0
    can_be_tiled: bool = True


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run is done, as it is now.

    Attributes
    ----------
    device : DeviceInfo
        With what is free on it.
    memory_limit_gb : float or None
        The user's own limit in GB (10⁹ bytes).
    n_cores : int
        Cores of the CPU.
    """

    device: DeviceInfo
    memory_limit_gb: float | None = None
    n_cores: int = 1

    def shortage(self, needed_bytes: float) -> NotEnoughMemory | None:
        """Tell whether so much memory is too much here, see `memory.shortage`."""
        return shortage(needed_bytes, self.device, self.memory_limit_gb)


@dataclass(frozen=True, slots=True)
class TileNeeds:
    """What a run in tiles will need.

    Attributes
    ----------
    n_tiles : int
        Tiles.
    tile_px : tuple of int
        Size of one.
    memory_bytes : float
        At most, for all tiles that are worked on at once on this machine.
    disk_bytes : float
        At most, for the checkpoint and the result.
    seconds : float or None
        About; None without a trial, or if there was nothing to try it on.
    """

    n_tiles: int
    tile_px: tuple[int, ...]
    memory_bytes: float
    disk_bytes: float
    seconds: float | None = None

    @property
    def added_bytes(self) -> float:
        """Memory besides that of this process with PyTorch, as `estimate_memory` counts it."""
        return self.memory_bytes - run_memory(0, 0, 1)

    def __str__(self) -> str:
        """In a sentence."""
        size = " × ".join(map(str, self.tile_px))
        text = (
            f"{counted(self.n_tiles, 'tile')} of {size} pixels; at most "
            f"{gigabytes(self.memory_bytes)} of memory and "
            f"{math.ceil(self.disk_bytes / 1e7) / 100} GB on disk"
        )
        return text if self.seconds is None else f"{text}, about {duration(self.seconds)}"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How an image is segmented, and what that takes.

    Attributes
    ----------
    working_factor, finishing_factor : int or tuple of int
        How much smaller the network sees the image, and merging.
    n_label_maps : int
        Label maps of the network.
    n_pieces : int
        Pieces before merging; 0 without oversegmentation.
    needed_bytes : int
        Memory in one piece.
    tiles : TileNeeds or None
        What tiles would take; None where they were not asked for.
    in_tiles : bool
        Whether it is done in tiles.
    problem : SuperpixelError or None
        Why it is refused.
    """

    working_factor: Factor
    finishing_factor: Factor
    n_label_maps: int
    n_pieces: int
    needed_bytes: int
    tiles: TileNeeds | None = None
    in_tiles: bool = False
    problem: SuperpixelError | None = None


def plan_run(
    image: ImageFacts,
    params: SuperpixelParams,
    machine: Machine,
    tiles: Tiles = Tiles.NEVER,
    tiling: TilingOptions | None = None,
    n_segments: int | None = None,
) -> RunPlan:
    """Decide how an image is segmented: in one piece, in tiles, or not at all.

    Parameters
    ----------
    image : ImageFacts
        What is segmented.
    params : SuperpixelParams
    machine : Machine
        Where.
    tiles : Tiles, default Tiles.NEVER
        What the user wants.
    tiling : TilingOptions, optional
        How tiles are done.
    n_segments : int, optional
        Superpixels of a run in tiles; those of `params` if None.

    Returns
    -------
    RunPlan
        The decision, with what it takes.
    """
    shape, spacing = image.shape, image.spacing or (1.0,) * len(image.shape)
    merging = finishing_factor(shape, spacing, params, image.covered)
    if image.has_walls:
        merging = 1
    n_merged = math.prod(shape) // math.prod(sides_of(merging, len(shape)))
    plan = RunPlan(
        working_factor=working_factor(shape, spacing, params, image.covered),
        finishing_factor=merging,
        n_label_maps=params.n_label_maps,
        n_pieces=params.n_pieces(n_merged),
        needed_bytes=image.held_bytes
        + estimate_memory(
            shape,
            image.n_channels,
            params,
            n_labels=image.n_labels,
            covered=image.covered,
            spacing=spacing,
            has_walls=image.has_walls,
        ),
    )
    too_much = machine.shortage(plan.needed_bytes)
    if too_much is not None:
        too_much = replace(too_much, has_walls=image.has_walls)
    if tiles == Tiles.NEVER or (tiles == Tiles.AUTO and too_much is None):
        return replace(plan, problem=too_much)
    if not image.can_be_tiled or len(shape) != 2:
        return replace(plan, problem=TilesNeedAPlane() if tiles == Tiles.ALWAYS else too_much)
    tiling = tiling or TilingOptions()
    n = params.n_segments if n_segments is None else n_segments
    grid = plan_tiles(shape, n, params, tiling.tile_size_px, tiling.halo_px)
    needs = tile_needs(image, grid, n, params, tiling, machine)
    plan = replace(plan, tiles=needs)
    if tiles == Tiles.AUTO and needs.added_bytes >= plan.needed_bytes:
        # Tiles would not help: refused as it is, with what does.
        return replace(plan, problem=too_much)
    # What a cluster has is not known here.
    too_much_in_tiles = None if tiling.scheduler else tiles_shortage(needs, machine)
    return replace(plan, in_tiles=True, problem=too_much_in_tiles)


def tiles_shortage(needs: TileNeeds, machine: Machine) -> SuperpixelError | None:
    """Tell whether even a run in tiles is too much for this machine.

    Parameters
    ----------
    needs : TileNeeds
    machine : Machine
        Where.

    Returns
    -------
    NotEnoughMemory or None
        To raise or to show; None if it fits.
    """
    found = shortage(needs.added_bytes, machine.device, machine.memory_limit_gb)
    return None if found is None else replace(found, in_tiles=True)


def tile_needs(
    image: ImageFacts,
    grid: TileGrid,
    n_segments: int,
    params: SuperpixelParams,
    tiling: TilingOptions,
    machine: Machine,
) -> TileNeeds:
    """Estimate what a run in tiles takes, but for its time.

    Parameters
    ----------
    image : ImageFacts
        What is segmented.
    grid : TileGrid
        Tiles.
    n_segments : int
        Superpixels of the whole image.
    params : SuperpixelParams
    tiling : TilingOptions
        How tiles are done.
    machine : Machine
        Where.

    Returns
    -------
    TileNeeds
        Without the time.
    """
    tile = tile_memory(grid, (image.n_channels, image.itemsize), n_segments, params)
    return TileNeeds(
        n_tiles=len(grid),
        tile_px=grid.tile_px,
        memory_bytes=run_memory(
            tile,
            min(parallel_tiles(tile, tiling, machine), most_at_once(grid)),
            1 + (tiling.n_workers or 0),
        ),
        disk_bytes=math.prod(image.shape) * _BYTES_ON_DISK + image.copied_bytes,
    )


def most_at_once(grid: TileGrid) -> int:
    """Count the tiles that may be worked on at once: neighbours never are."""
    return math.prod(-(-n // 2) for n in grid.counts)


def parallel_tiles(tile_bytes: float, tiling: TilingOptions, machine: Machine) -> int:
    """Say how many tiles run at once on this machine.

    Parameters
    ----------
    tile_bytes : float
        Memory that a tile takes.
    tiling : TilingOptions
        How tiles are done.
    machine : Machine
        Where.

    Returns
    -------
    int
        1 or more; 1 for a cluster: what it has is not known here.
    """
    if tiling.n_workers is not None:
        return tiling.n_workers
    if tiling.scheduler is not None or not machine.device.is_cpu:
        return 1
    return min(machine.n_cores, tiles_that_fit(tile_bytes, machine.device, machine.memory_limit_gb))
