"""What workers do: look at a tile, segment it, write it, shrink it. Each may be repeated."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import ndimage

from napari_superpixels.core.prepare.checks import is_wanted
from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.plan.tile_grid import common, inside
from napari_superpixels.tiling.checkpoint import Checkpoint, step_between
from napari_superpixels.tiling.segment_tile import segment_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels.plan.tile_grid import Box, Tile
    from napari_superpixels.tiling.run_spec import RunSpec

    Index = tuple[int, ...]

# Pixels that a tile contributes to the statistics of the whole image.
_SAMPLE_PX = 4096


def scan(folder: str, index: Index) -> None:
    """Count the pixels of a tile that count, and keep a sample of their values.

    Parameters
    ----------
    folder : str
    index : tuple of int
    """
    checkpoint, spec, tile = _at(folder, index)
    if checkpoint.file("scan", tile).exists():
        return
    image, wanted = _read(spec, tile.core)
    channels = _channels_first(image, spec)
    finite = np.isfinite(channels).all(axis=0)
    values = channels[:, wanted & finite & _has_data(channels, spec)]
    sample = values[:, :: max(1, values.shape[1] // _SAMPLE_PX)]
    arrays = {
        "n_valid": np.array(values.shape[1]),
        "n_not_finite": np.array((wanted & ~finite).sum()),
        "n_sample": np.array(sample.shape[1]),
        "sample": sample,
    }
    checkpoint.save("scan", tile, arrays)


def segment(folder: str, index: Index, *_earlier: None) -> None:
    """Segment a tile, once its earlier neighbours are done.

    Parameters
    ----------
    folder : str
    index : tuple of int
    *_earlier : None
        What the neighbours' tasks returned: the scheduler waits for them.
    """
    checkpoint, spec, tile = _at(folder, index)
    if checkpoint.file("tiles", tile).exists():
        return
    # Sums differ in the last digits with the number of threads; tiles shall not.
    torch.set_num_threads(1)
    statistics = checkpoint.statistics()
    image, free = _read(spec, tile.window)
    channels = _channels_first(image, spec)
    free &= np.isfinite(channels).all(axis=0) & _has_data(channels, spec)
    for neighbour in tile.earlier:
        done = checkpoint.load_labels(spec.grid.tiles[neighbour])
        shared = common(done.box, tile.window)
        if shared is not None:
            free[inside(shared, tile.window)] &= done.labels[inside(shared, done.box)] == 0
    result = segment_tile(image, free, spec, tile, statistics, checkpoint.check)
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


def _read(spec: RunSpec, box: Box) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Pixels of the image, and which of them are asked for; others are 0 where not read."""
    wanted = spec.image.read_opaque(box)
    if spec.mask is not None:
        wanted &= is_wanted(spec.mask.read(box))
    masked = spec.mask is not None
    if wanted.all():
        return spec.image.read(box, masked=masked), wanted
    # Not the others, as far as that goes: the mask may leave out what cannot be read.
    (used,) = ndimage.find_objects(wanted.astype(np.uint8)) or [(slice(0, 0),) * wanted.ndim]
    pairs = zip(box, used, strict=True)
    inner = [slice(b.start + u.start, b.start + u.stop) for b, u in pairs]
    image = spec.image.read(inner, masked=masked)
    around = [(u.start, n - u.stop) for u, n in zip(used, wanted.shape, strict=True)]
    if spec.image.channel_axis is not None:
        around.insert(spec.image.channel_axis % image.ndim, (0, 0))
    return np.pad(image, around), wanted


def _channels_first(image: NDArray[Any], spec: RunSpec) -> NDArray[Any]:
    axis = spec.image.channel_axis
    return image[None] if axis is None else np.moveaxis(image, axis, 0)


def _has_data(channels: NDArray[Any], spec: RunSpec) -> NDArray[np.bool_]:
    if spec.nodata is None:
        return np.ones(channels.shape[1:], bool)
    return np.asarray(~is_nodata(channels, spec.nodata).all(axis=0))
