"""What a tiled run will need: said before it starts."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_superpixels.api.image import iter_superpixels
from napari_superpixels.core.device import machine_here, resolve_device
from napari_superpixels.errors import DeviceUnavailableError, FileError
from napari_superpixels.events import drain
from napari_superpixels.params import SuperpixelParams, unknown_name
from napari_superpixels.params.options import PixelOptions, Resources, TilingOptions
from napari_superpixels.plan.memory import tile_memory
from napari_superpixels.plan.run_plan import (
    ImageFacts,
    TileNeeds,
    most_at_once,
    parallel_tiles,
    tile_needs,
)
from napari_superpixels.plan.tiles import plan_tiles
from napari_superpixels.tiling.reader import open_reader

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_superpixels.events import Command, Step
    from napari_superpixels.plan.tile_grid import TileGrid
    from napari_superpixels.tiling.reader import ImageReader

# A crop of this size is segmented to see how long a pixel takes; not longer than so.
_PROBE_PX, _PROBE_S = 384, 10.0
# Tiles take longer than the trial says: they are read, relabelled and written, and share the
# memory's speed. Measured in `benchmarks/scale.py`: 1.6 to 2.1 times.
_OVERHEAD_OF_TILES = 1.8
# To start a worker process, load PyTorch there, and end it again: 2 to 4 s on 2 busy cores.
_WORKER_S = 3.0


def estimate_run(
    image: Any, n_segments: int, params: SuperpixelParams, **options: Any
) -> TileNeeds:
    """Estimate what `iter_superpixels_tiled` will need.

    Parameters
    ----------
    image, n_segments, params
        See `iter_superpixels_tiled`.
    **options : object
        Fields of `PixelOptions`, `TilingOptions` and `Resources`; and ``trial=False`` to leave out
        the time.

    Returns
    -------
    TileNeeds
        Tiles, memory, disk, time.
    """
    trial = options.pop("trial", True)
    kinds = (PixelOptions, TilingOptions, Resources)
    known = [field.name for kind in kinds for field in fields(kind)]
    for name in options:
        if name not in known:
            raise unknown_name(name, known)
    pixels, tiling, resources = (
        kind(**{f.name: options[f.name] for f in fields(kind) if f.name in options})
        for kind in kinds
    )
    assert isinstance(pixels, PixelOptions)
    assert isinstance(tiling, TilingOptions)
    assert isinstance(resources, Resources)
    steps = iter_estimate(image, n_segments, params, pixels, tiling, resources, trial=trial)
    return drain(steps)


def iter_estimate(
    image: Any,
    n_segments: int,
    params: SuperpixelParams,
    pixels: PixelOptions,
    tiling: TilingOptions,
    resources: Resources,
    *,
    trial: bool = True,
) -> Generator[None, None, TileNeeds]:
    """Estimate what `iter_superpixels_tiled` will need; whoever stops iterating ends the trial.

    Parameters
    ----------
    image, n_segments, params
        See `iter_superpixels_tiled`.
    pixels : PixelOptions
        Which pixels count.
    tiling : TilingOptions
        How tiles are done.
    resources : Resources
        Where.
    trial : bool, default True
        Segment a small part to find out the time.

    Yields
    ------
    None
        After each iteration of the trial.

    Returns
    -------
    TileNeeds
        Tiles, memory, disk, time.
    """
    reader = open_reader(image, pixels.level, pixels.channel_axis, channels=pixels.channels)
    grid = plan_tiles(reader.shape, n_segments, params, tiling.tile_size_px, tiling.halo_px)
    # Workers of a cluster may have a device that this machine has not.
    is_here = tiling.scheduler is None or _is_here(resources.device)
    machine = machine_here(resources if is_here else Resources("cpu", resources.memory_limit_gb))
    needs = tile_needs(facts_of(reader), grid, n_segments, params, tiling, machine)
    if not trial or not is_here:
        return needs
    rate = yield from _seconds_a_pixel(reader, n_segments, params, pixels.nodata, resources.device)
    if rate is None:
        return needs
    tile = tile_memory(grid, (reader.n_channels, reader.dtype.itemsize), n_segments, params)
    parallel = min(parallel_tiles(tile, tiling, machine), most_at_once(grid))
    starting = _WORKER_S * (tiling.n_workers or 0)
    return replace(needs, seconds=rate * _pixels_in_turn(grid, parallel) + starting)


def facts_of(reader: ImageReader, held_bytes: int = 0) -> ImageFacts:
    """Tell a plan what it needs to know of an image.

    Parameters
    ----------
    reader : ImageReader
    held_bytes : int, default 0
        What a run in one piece keeps in memory besides.

    Returns
    -------
    ImageFacts
        Shape, channels, size in memory.
    """
    in_memory = reader.array.nbytes if isinstance(reader.array, np.ndarray) else 0
    return ImageFacts(
        shape=reader.shape,
        n_channels=reader.n_channels,
        itemsize=reader.dtype.itemsize,
        copied_bytes=in_memory,
        held_bytes=held_bytes,
    )


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
    try:
        seconds = yield from iter_seconds(steps, _PROBE_S)
    except ValueError:  # nothing but nodata there
        return None
    finally:
        torch.set_num_threads(threads)
    return _OVERHEAD_OF_TILES * seconds / size


def iter_seconds(
    steps: Generator[Step, Command | None, Any], at_most_s: float
) -> Generator[None, None, float]:
    """Find how long a run takes, by running it; whoever stops iterating ends it.

    Parameters
    ----------
    steps : generator of Step
        The run.
    at_most_s : float
        It is stopped after so many seconds, and the rest follows from its iterations.

    Yields
    ------
    None
        After each iteration.

    Returns
    -------
    float
        Seconds of the whole run.
    """
    begin, done = time.perf_counter(), 1.0
    try:
        for step in steps:
            yield
            if time.perf_counter() - begin > at_most_s:
                done = step.iteration / step.n_iterations
                break
    finally:
        steps.close()
    return (time.perf_counter() - begin) / done


def _warm_up(device: str) -> None:
    """Load what a first run loads, so that it does not count."""
    ramp = np.add.outer(np.arange(32.0), np.arange(32.0))
    drain(iter_superpixels(ramp, SuperpixelParams(n_segments=2, iterations=2), device=device))
