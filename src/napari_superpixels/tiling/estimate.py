"""What a tiled run will need: said before it starts."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_superpixels.api.image import iter_superpixels
from napari_superpixels.core.device import check_memory, resolve_device
from napari_superpixels.errors import DeviceUnavailableError, FileError, NotEnoughMemory
from napari_superpixels.errors.quantities import duration
from napari_superpixels.events import drain
from napari_superpixels.params import SuperpixelParams
from napari_superpixels.plan.tiles import plan_tiles
from napari_superpixels.tiling.cluster import Engine
from napari_superpixels.tiling.memory import run_memory, tile_memory
from napari_superpixels.tiling.reader import open_reader

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_superpixels.plan.tile_grid import TileGrid
    from napari_superpixels.tiling.reader import ImageReader

# A crop of this size is segmented to see how long a pixel takes; not longer than so.
_PROBE_PX, _PROBE_S = 384, 10.0
# Tiles take longer than the trial says: they are read, numbered and written, and share the memory's
# speed. Measured in `benchmarks/scale.py`: 1.6 to 2.1 times.
_OTHER_WORK = 1.8
# To start a worker process, load PyTorch there, and end it again: 2 to 4 s on 2 busy cores.
_WORKER_S = 3.0
# Labels on disk before compression: tiles with their halos, the result, and its pyramid.
_BYTES_ON_DISK = 4 * (1 + 1 + 1 / 3)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will need.

    Attributes
    ----------
    n_tiles : int
        Tiles.
    tile_px : tuple of int
        Size of one.
    memory_bytes : float
        At most, for all tiles that are worked on at once on this machine.
    disk_bytes : float
        At most, for the checkpoint folder and the result.
    seconds : float or None
        About; None without a trial, or if there was nothing to try it on.
    """

    n_tiles: int
    tile_px: tuple[int, ...]
    memory_bytes: float
    disk_bytes: float
    seconds: float | None

    @property
    def added_bytes(self) -> float:
        """Of the memory, what this process does not have already: as `estimate_memory` counts."""
        return self.memory_bytes - run_memory(0, 0, 1)

    def __str__(self) -> str:
        """In a sentence."""
        size = " × ".join(map(str, self.tile_px))
        tiles = "1 tile" if self.n_tiles == 1 else f"{self.n_tiles} tiles"
        text = (
            f"{tiles} of {size} pixels; at most {self.memory_bytes / 1e9:.1f} GB of memory and "
            f"{math.ceil(self.disk_bytes / 1e7) / 100} GB on disk"
        )
        return text if self.seconds is None else f"{text}, about {duration(self.seconds)}"


def estimate_run(image: Any, n_segments: int, params: SuperpixelParams, **options: Any) -> Estimate:
    """Estimate what `iter_superpixels_tiled` will need.

    Parameters
    ----------
    image, n_segments, params
        As for `iter_superpixels_tiled`.
    **options
        Other arguments of `iter_estimate`.

    Returns
    -------
    Estimate
        Of a cluster it counts one worker.
    """
    return drain(iter_estimate(image, n_segments, params, **options))


def iter_estimate(
    image: Any,
    n_segments: int,
    params: SuperpixelParams,
    *,
    channel_axis: int | None = None,
    channels: Sequence[int] | None = None,
    level: int = 0,
    nodata: float | None = None,
    tile_size_px: int | None = None,
    halo_px: int | None = None,
    device: str = "auto",
    scheduler: str | None = None,
    n_workers: int | None = None,
    memory_limit_gb: float | None = None,
    trial: bool = True,
) -> Generator[None, None, Estimate]:
    """Estimate what `iter_superpixels_tiled` will need; whoever stops iterating ends the trial.

    Parameters
    ----------
    image, n_segments, params
        As for `iter_superpixels_tiled`.
    channel_axis, channels, level, nodata, tile_size_px, halo_px
        As for `iter_superpixels_tiled`.
    device, scheduler, n_workers, memory_limit_gb
        As for `iter_superpixels_tiled`.
    trial : bool, default True
        Whether to segment a small part of the image, which tells how long the run takes; not done
        where only the workers of a cluster have the device.

    Yields
    ------
    None
        After each iteration of the trial.

    Returns
    -------
    Estimate
        Of a cluster it counts one worker.
    """
    reader = open_reader(image, level, channel_axis, channels=channels)
    grid = plan_tiles(reader.shape, n_segments, params, tile_size_px, halo_px)
    tile = tile_memory(reader, grid, n_segments, params)
    engine = Engine(scheduler, n_workers, tile, memory_limit_gb)
    # Neighbours never run at the same time.
    most = math.prod(-(-n // 2) for n in grid.counts)
    parallel = min(engine.parallel_tiles(device), most)
    rate = None
    if trial and (scheduler is None or _is_here(device)):
        rate = yield from _seconds_a_pixel(reader, n_segments, params, nodata, device)
    return Estimate(
        n_tiles=len(grid),
        tile_px=grid.tile_px,
        memory_bytes=run_memory(tile, parallel, 1 + (n_workers or 0)),
        disk_bytes=math.prod(reader.shape) * _BYTES_ON_DISK
        + (reader.array.nbytes if isinstance(reader.array, np.ndarray) else 0),
        seconds=None
        if rate is None
        else rate * _pixels_in_turn(grid, parallel) + _WORKER_S * (n_workers or 0),
    )


def too_much(estimate: Estimate, device: str, limit_gb: float | None) -> NotEnoughMemory | None:
    """Say why a run on this machine would not fit.

    Parameters
    ----------
    estimate : Estimate
        Of the run.
    device : str
        Where it would run; see `superpixels`.
    limit_gb : float or None
        The user's own limit in GB (10⁹ bytes).

    Returns
    -------
    NotEnoughMemory or None
        To raise or to show; None if it fits.
    """
    try:
        check_memory(int(estimate.added_bytes), resolve_device(device), limit_gb)
    except NotEnoughMemory as error:
        return replace(error, in_tiles=True)
    return None


def _is_here(device: str) -> bool:
    try:
        resolve_device(device)
    except DeviceUnavailableError:
        return False
    return True


def _n_pixels(box: tuple[slice, ...]) -> int:
    return math.prod(s.stop - s.start for s in box)


def _pixels_in_turn(grid: TileGrid, parallel: int) -> float:
    """Pixels that are segmented one after another, the others at the same time.

    Of a tile's window, earlier neighbours have labelled about half of the halo. Neighbours never
    run at once, so that few tiles keep few workers busy.
    """
    seen = [(_n_pixels(t.core) + _n_pixels(t.window)) / 2 for t in grid.tiles.values()]
    phases = Counter(tuple(i % 2 for i in index) for index in grid.tiles)
    rounds = sum(-(-n // parallel) for n in phases.values())
    return rounds * sum(seen) / len(seen)


def _seconds_a_pixel(
    reader: ImageReader,
    n_segments: int,
    params: SuperpixelParams,
    nodata: float | None,
    device: str,
) -> Generator[None, None, float | None]:
    box = [slice(max(0, (n - _PROBE_PX) // 2), min(n, (n + _PROBE_PX) // 2)) for n in reader.shape]
    size = _n_pixels(tuple(box))
    try:
        part = reader.read(box)
    except FileError:  # the run itself says so, and may leave it out
        return None
    share = max(2, min(size // 16, round(n_segments * size / math.prod(reader.shape))))
    steps = iter_superpixels(
        part,
        params.replace(n_segments=min(share, 65535)),
        channel_axis=reader.channel_axis,
        nodata=np.nan if nodata is None else nodata,
        device=device,
    )
    _warm_up(device)
    threads = torch.get_num_threads()
    if resolve_device(device).type == "cpu":
        torch.set_num_threads(1)  # as tiles do
    begin = time.perf_counter()
    done = 1.0
    try:
        for step in steps:
            yield
            if time.perf_counter() - begin > _PROBE_S:
                done = step.iteration / step.n_iterations
                break
    except ValueError:  # nothing but nodata there
        return None
    finally:
        steps.close()
        torch.set_num_threads(threads)
    return _OTHER_WORK * (time.perf_counter() - begin) / done / size


def _warm_up(device: str) -> None:
    """Load what a first run loads, so that it does not count."""
    ramp = np.add.outer(np.arange(32.0), np.arange(32.0))
    drain(iter_superpixels(ramp, SuperpixelParams(n_segments=2, iterations=2), device=device))
