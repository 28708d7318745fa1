"""What workers do: look at a tile, segment it, write it, shrink it. Each may be repeated."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.errors import TilingError, UnfinishedRun
from napari_superpixels.plan.tile_grid import common, inside
from napari_superpixels.tiling.checkpoint import Checkpoint, step_between
from napari_superpixels.tiling.identity import other_pixels
from napari_superpixels.tiling.segment_tile import segment_tile
from napari_superpixels.tiling.tile_pixels import read_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels.plan.tile_grid import Box, Tile
    from napari_superpixels.tiling.run_spec import RunSpec

    Index = tuple[int, ...]

# Pixels that a tile contributes to the statistics of the whole image.
_SAMPLE_PX = 4096


def scan(folder: str, index: Index) -> None:
    """Count the pixels of a tile that count, and keep a sample of their values and their digest.

    Where that was done before, see whether the pixels are still the same.

    Parameters
    ----------
    folder : str
    index : tuple of int

    Raises
    ------
    UnfinishedRun
        If they are not.
    """
    checkpoint, spec, tile = _at(folder, index)
    pixels = read_tile(spec, tile.core)
    digests = pixels.digests()
    before: dict[str, str] | None = None
    if checkpoint.file("scan", tile).exists():
        before = checkpoint.digests(tile)
        if before == digests:
            return
        # With another mask, other pixels of the image count.
        if before and before.get("mask") != digests.get("mask"):
            raise UnfinishedRun(folder, (other_pixels("mask"),))
        if before:
            raise UnfinishedRun(folder, (other_pixels("image"),))
    channels, wanted = pixels.channels, pixels.wanted
    finite = np.isfinite(channels).all(axis=0)
    values = channels[:, wanted & finite & _has_data(channels, spec)]
    sample = values[:, :: max(1, values.shape[1] // _SAMPLE_PX)]
    arrays = {
        "n_valid": np.array(values.shape[1]),
        "n_not_finite": np.array((wanted & ~finite).sum()),
        "n_sample": np.array(sample.shape[1]),
        "sample": sample,
    }
    if before is not None:  # version 0.1 kept no digest: what it kept must do
        stored = checkpoint.load("scan", tile)
        if any(not np.array_equal(arrays[name], stored[name]) for name in arrays):
            raise UnfinishedRun(folder, (other_pixels("image"),))
    checkpoint.save_scan(tile, arrays, digests)


def segment(folder: str, index: Index, *_earlier: None) -> None:
    """Segment a tile, once its earlier neighbours are done.

    Parameters
    ----------
    folder : str
    index : tuple of int
    *_earlier : None
        What the neighbours' tasks returned: the scheduler waits for them.

    Raises
    ------
    TilingError
        If the tile has other pixels than when it was looked at.
    """
    checkpoint, spec, tile = _at(folder, index)
    if checkpoint.file("tiles", tile).exists():
        return
    # Sums differ in the last digits with the number of threads; tiles shall not.
    torch.set_num_threads(1)
    statistics = checkpoint.statistics()
    pixels = read_tile(spec, tile.window)
    if pixels.part(inside(tile.core, tile.window)).digests() != checkpoint.digests(tile):
        raise TilingError(
            f"{spec.image.name}: has changed since this run began to look at it; bring back the "
            "image and the mask as they were, or begin a new run"
        )
    channels, free = pixels.channels, pixels.wanted
    free &= np.isfinite(channels).all(axis=0) & _has_data(channels, spec)
    for neighbour in tile.earlier:
        done = checkpoint.load_labels(spec.grid.tiles[neighbour])
        shared = common(done.box, tile.window)
        if shared is not None:
            free[inside(shared, tile.window)] &= done.labels[inside(shared, done.box)] == 0
    result = segment_tile(pixels.image, free, spec, tile, statistics, checkpoint.check)
    checkpoint.save_labels(tile, result)
    _give_memory_back()


def write(folder: str, index: Index) -> None:
    """Write the final labels of a tile's core.

    Parameters
    ----------
    folder : str
    index : tuple of int
    """
    checkpoint, spec, tile = _at(folder, index)
    if checkpoint.file("written", tile).exists():
        return
    checkpoint.check()
    checkpoint.level(0)[tile.core] = checkpoint.compose(spec, index, tile.core)
    checkpoint.save("written", tile, {})
    _give_memory_back()


def shrink(folder: str, level: int, box: Box) -> None:
    """Write a part of a level of the pyramid: every second pixel of the one below.

    Parameters
    ----------
    folder : str
    level : int
        Above 0.
    box : tuple of slice
        Which part.
    """
    checkpoint = Checkpoint(Path(folder))
    checkpoint.check()
    below, here = checkpoint.level(level - 1), checkpoint.level(level)
    step = step_between(below.shape, here.shape)
    reader = tuple(
        slice(s.start * k, min(s.stop * k, n))
        for s, k, n in zip(box, step, below.shape, strict=True)
    )
    here[box] = np.asarray(below[reader])[tuple(slice(None, None, k) for k in step)]
    _give_memory_back()


def _give_memory_back() -> None:
    """Hand what is free to the system: glibc keeps it, in pieces, and takes more for each tile."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries do not have it
        if trim is not None:
            trim(0)


def _at(folder: str, index: Index) -> tuple[Checkpoint, RunSpec, Tile]:
    checkpoint = Checkpoint(Path(folder))
    checkpoint.check()
    spec = checkpoint.spec()
    return checkpoint, spec, spec.grid.tiles[index]


def _has_data(channels: NDArray[Any], spec: RunSpec) -> NDArray[np.bool_]:
    if spec.nodata is None:
        return np.ones(channels.shape[1:], bool)
    return np.asarray(~is_nodata(channels, spec.nodata).all(axis=0))
