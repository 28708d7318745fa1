"""Superpixels of one tile, next to those that its earlier neighbours already have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_superpixels.api.image import iter_superpixels
from napari_superpixels.core.prepare.prepared_image import prepare_image
from napari_superpixels.core.regions.merge import merge_order
from napari_superpixels.events import drain
from napari_superpixels.params.options import ColorOptions
from napari_superpixels.plan.tile_grid import common, inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_superpixels.plan.tile_grid import Box, Tile, TileGrid
    from napari_superpixels.tiling.run_spec import RunSpec, Statistics

# Tiles make somewhat more superpixels than their share, so that the cheapest merges of the whole
# image, not of each tile, bring them down to N.
_HEADROOM = 1.1
_MOST_SEGMENTS = 65535


@dataclass(frozen=True, slots=True, eq=False)
class TileLabels:
    """Superpixels that a tile keeps.

    Attributes
    ----------
    box : tuple of slice
        Where in the image they lie.
    labels : ndarray of int32
        In the box: 1...n, each connected; 0 where other tiles have theirs, and outside.
    n : int
        How many.
    merges : ndarray of int32, shape (m, 2)
        Which could merge, the most alike first: the id that goes on and the one that joins it.
    costs : ndarray of float64, shape (m,)
        What each merge costs, ascending; comparable among tiles.
    """

    box: Box
    labels: NDArray[np.int32]
    n: int
    merges: NDArray[np.int32]
    costs: NDArray[np.float64]


def segment_tile(
    image: NDArray[np.generic],
    free: NDArray[np.bool_],
    spec: RunSpec,
    tile: Tile,
    statistics: Statistics,
    check: Callable[[], None] = lambda: None,
) -> TileLabels:
    """Segment what is free in a tile's window, and keep the superpixels that are the tile's.

    A superpixel is left to a later neighbour if most of it lies in that one's core, and all of it
    in its window: the neighbour sees more of what is around it. So no border follows a tile's edge.

    Parameters
    ----------
    image : ndarray
        The window's pixels.
    free : ndarray of bool, shape of the window
        Pixels that count and that no earlier neighbour has labelled.
    spec : RunSpec
        The run; the number of superpixels of its parameters does not count.
    tile : Tile
        This one.
    statistics : Statistics
        Of the whole image.
    check : callable, optional
        Called now and then; raises to give up.

    Returns
    -------
    TileLabels
        Superpixels that it keeps.
    """
    origin = tuple(s.start for s in tile.window)
    n_free = int(free.sum())
    if n_free == 0:
        return _nothing(origin)
    n_regions = int(ndimage.label(free)[1])
    mean_area_px = statistics.n_valid / spec.n_segments
    share = math.ceil(_HEADROOM * n_free / mean_area_px)
    asked = spec.params.replace(n_segments=min(max(share, n_regions), n_free, _MOST_SEGMENTS))
    pixels: dict[str, Any] = {
        "channel_axis": spec.image.channel_axis,
        "nodata": spec.nodata,
        "scaling": statistics.scaling,
    }
    steps = iter_superpixels(image, asked, mask=free, device=spec.device, **pixels)
    labels = drain(steps, each=lambda _: check()).labels
    new_ids = _kept(labels, spec.grid, tile)
    labels, n = new_ids[labels], int(new_ids.max())
    if n == 0:
        return _nothing(origin)
    colors = ColorOptions(color_space=spec.params.color_space)
    prepared = prepare_image(image, mask=free, colors=colors, **pixels)
    merges = merge_order(
        labels[prepared.window],
        prepared.balanced().features,
        mean_area_px=mean_area_px,
    )
    pairs = np.array([(i, j) for i, j, _ in merges], np.int32).reshape(-1, 2)
    # A cheap merge may only become possible by a dear one; then it costs as much.
    costs = np.maximum.accumulate(np.array([cost for _, _, cost in merges], np.float64))
    (used,) = ndimage.find_objects((labels > 0).astype(np.uint8))
    box = tuple(slice(s.start + o, s.stop + o) for s, o in zip(used, origin, strict=True))
    return TileLabels(box, labels[used], n, pairs, costs)


def _nothing(origin: tuple[int, ...]) -> TileLabels:
    empty = tuple(slice(i, i) for i in origin)
    labels = np.zeros((0,) * len(origin), np.int32)
    return TileLabels(empty, labels, 0, np.zeros((0, 2), np.int32), np.zeros(0))


def _kept(labels: NDArray[np.int32], grid: TileGrid, tile: Tile) -> NDArray[np.int32]:
    """For each superpixel of the window its id among those that the tile keeps, or 0."""
    k = int(labels.max())
    near = [tile.index, *grid.around(tile.index)]
    pixels = np.zeros((len(near), k + 1), np.int64)
    for row, index in enumerate(near):
        shared = common(grid.tiles[index].core, tile.window)
        if shared is not None:
            pixels[row] = np.bincount(labels[inside(shared, tile.window)].ravel(), minlength=k + 1)
    home = pixels.argmax(axis=0)
    new_ids = np.zeros(k + 1, np.int32)
    n = 0
    for i, box in enumerate(ndimage.find_objects(labels), start=1):
        index = near[home[i]]
        is_left = tile.index in grid.tiles[index].earlier and _within(
            inside(grid.tiles[index].window, tile.window), box
        )
        if not is_left:
            n += 1
            new_ids[i] = n
    return new_ids


def _within(window: Box, box: Box) -> bool:
    return all(w.start <= b.start and b.stop <= w.stop for w, b in zip(window, box, strict=True))
