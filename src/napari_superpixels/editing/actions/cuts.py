"""Cut a superpixel in parts: between seeds along image edges, or along a line."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.draw import line_nd
from skimage.filters import sobel
from skimage.segmentation import random_walker, watershed

from napari_superpixels.editing.label_edit import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Above this many pixels the watershed takes over from the random walker.
_RANDOM_WALKER_PX = 60_000
# The walker's equations are solved directly: in 2D always faster, in 3D only for so many voxels.
_DIRECT_VOXELS = 5_000
# Noise must not cut a single pixel off: the image is smoothed, and a seed is a small disk.
_SMOOTHING_PX = 1.0
_SEED_RADIUS_PX = 2
# How much an edge holds the walker back; scikit-image's own default is 130 for values in [0, 1].
_BETA = 200.0
# With snapping, the cut may leave the line by this share of the superpixel's width.
_SNAP_SHARE = 0.15


def split_between(
    mask: NDArray[np.bool_],
    features: NDArray[np.floating] | None,
    seeds: Sequence[Sequence[int]],
) -> NDArray[np.int32]:
    """Cut a region between seeds, along image edges.

    The random walker of Grady (2006) decides for each pixel which seed a walker that shuns edges
    reaches first; regions above 60,000 pixels are flooded from the seeds over the image gradient
    instead (watershed).

    Parameters
    ----------
    mask : ndarray of bool, 2D or 3D
        The region, connected.
    features : ndarray of float, shape (C, *mask.shape), or None
        Image, scaled to unit variance; None cuts halfway between the seeds.
    seeds : sequence of positions
        A pixel in the mask for each part wanted.

    Returns
    -------
    ndarray of int32, shape of `mask`
        Parts 1...len(seeds), each connected; 0 outside the mask.

    Raises
    ------
    EditError
        If two seeds are on one pixel, or one lies outside the mask.
    """
    markers = np.zeros(mask.shape, np.int32)
    for part, position in enumerate(seeds, start=1):
        at = tuple(position)
        if not mask[at]:
            raise EditError("A seed lies outside the superpixel: click inside it.")
        if markers[at]:
            raise EditError("Two seeds are on the same pixel: zoom in and click further apart.")
        markers[at] = part
    if features is not None and np.count_nonzero(mask) <= _RANDOM_WALKER_PX:
        markers = _walk(mask, features, markers)
        return flood(mask, None, _seed_pieces(markers, seeds))
    return flood(mask, features, markers)


def split_along(
    mask: NDArray[np.bool_],
    line: Sequence[Sequence[float]],
    features: NDArray[np.floating] | None = None,
) -> NDArray[np.int32]:
    """Cut a region along a line, which is extended at both ends to the region's border.

    Parameters
    ----------
    mask : ndarray of bool, 2D or 3D
        The region, connected.
    line : sequence of (row, column)
        At least two different points, in the last two axes; a volume is cut through all planes.
    features : ndarray of float, shape (C, *mask.shape), optional
        Image; given, the cut leaves the line for image edges near it.

    Returns
    -------
    ndarray of int32, shape of `mask`
        Parts 1...K, each connected; 0 outside the mask.

    Raises
    ------
    EditError
        If the line does not cut the region.
    """
    barrier = np.broadcast_to(_barrier(mask.shape[-2:], line), mask.shape)
    sides, n = ndimage.label(mask & ~barrier)
    if n < 2:
        raise EditError("The line does not cut the superpixel: draw it across.")
    if features is None:
        return flood(mask, None, sides)
    # Only what is well away from the line is certain; in between, edges decide.
    away = ndimage.distance_transform_edt(~barrier)
    reach = min(_SNAP_SHARE * np.count_nonzero(mask) ** (1 / mask.ndim), float(away[mask].max()))
    certain = np.where(away > reach, sides, 0)
    for side in range(1, n + 1):
        if not (certain == side).any():  # a narrow side keeps its innermost pixels
            here = sides == side
            certain[here & (away >= away[here].max())] = side
    return flood(mask, features, certain)


def flood(
    mask: NDArray[np.bool_], features: NDArray[np.floating] | None, markers: NDArray[np.integer]
) -> NDArray[np.int32]:
    """Grow parts from markers until they fill a region.

    Parameters
    ----------
    mask : ndarray of bool
        The region, connected.
    features : ndarray of float, shape (C, *mask.shape), or None
        Image: parts meet at its edges; None for meeting halfway.
    markers : ndarray of int32, shape of `mask`
        Where each part begins; 0 for undecided.

    Returns
    -------
    ndarray of int32, shape of `mask`
        Parts, numbered anew from 1 and each of its own connected piece.
    """
    height = (
        np.zeros(mask.shape) if features is None else np.max([sobel(c) for c in features], axis=0)
    )
    parts = watershed(height, markers, mask=mask)
    return connected_parts(parts)


def connected_parts(parts: NDArray[np.integer]) -> NDArray[np.int32]:
    """Number the connected pieces of parts, in the order of the parts.

    Parameters
    ----------
    parts : ndarray of int
        Parts; 0 is outside.

    Returns
    -------
    ndarray of int32
        Pieces 1...K; parts that are connected keep their order.
    """
    out = np.zeros(parts.shape, np.int32)
    n = 0
    for part in np.unique(parts[parts != 0]):
        pieces, k = ndimage.label(parts == part)
        out += np.where(pieces > 0, pieces + n, 0).astype(np.int32)
        n += k
    return out


def _walk(
    mask: NDArray[np.bool_], features: NDArray[np.floating], markers: NDArray[np.int32]
) -> NDArray[np.int32]:
    given = np.where(mask, _disks(mask, markers), -1)
    if (given != 0).all():  # every pixel is a seed
        return np.where(mask, given, 0).astype(np.int32)
    smooth = [ndimage.gaussian_filter(channel, _SMOOTHING_PX) for channel in features]
    data = np.stack(smooth, axis=-1)
    low, high = data[mask].min(), data[mask].max()
    data = (data - low) / (high - low or 1.0)
    direct = mask.ndim == 2 or np.count_nonzero(mask) <= _DIRECT_VOXELS
    # Only the largest probability counts, so a loose solution does.
    walked = random_walker(
        data,
        given,
        beta=_BETA,
        mode="bf" if direct else "cg_j",
        prob_tol=1.0,
        channel_axis=-1,
    )
    return np.where(mask, walked, 0).astype(np.int32)


def _disks(mask: NDArray[np.bool_], markers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Widen each seed to a small disk; between two seeds, each keeps its half."""
    distance, nearest = ndimage.distance_transform_edt(markers == 0, return_indices=True)
    wide = np.where((distance <= _SEED_RADIUS_PX) & mask, markers[tuple(nearest)], 0)
    # A disk may reach a part of the superpixel that is not connected to it within the disk.
    seeds = np.argwhere(markers > 0)[np.argsort(markers[markers > 0])]
    return _seed_pieces(wide, seeds.tolist())


def _seed_pieces(parts: NDArray[np.int32], seeds: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Keep what is connected to a seed: rounding can leave single pixels of a part astray."""
    kept = np.zeros_like(parts)
    for part, position in enumerate(seeds, start=1):
        pieces, _ = ndimage.label(parts == part)
        kept[pieces == pieces[tuple(position)]] = part
    return kept


def _barrier(shape: Sequence[int], line: Sequence[Sequence[float]]) -> NDArray[np.bool_]:
    """Rasterise a line, extended to the border of the array; no 4-connected path crosses it."""
    points = [np.asarray(p, float)[-2:] for p in line]
    points = [points[0], *[p for q, p in pairwise(points) if not np.array_equal(p, q)]]
    if len(points) < 2:
        raise EditError("The line has no length: press, drag across the superpixel, release.")
    far = float(sum(shape))
    # The direction of a hand-drawn end: over a few pixels and not over the last one.
    begin, end = _direction(points), _direction(points[::-1])
    points = [points[0] + begin * far, *points, points[-1] + end * far]
    barrier = np.zeros(shape, bool)
    for p, q in pairwise(points):
        path = np.stack(line_nd(p, q, endpoint=True))
        path = path[:, ((path >= 0) & (path < np.array(shape)[:, None])).all(0)]
        barrier[tuple(path)] = True
        # Steps along a diagonal are closed on one side.
        barrier[path[0, :-1], path[1, 1:]] |= np.abs(np.diff(path)).sum(0) == 2
    return barrier


def _direction(points: Sequence[NDArray[np.float64]], reach: float = 5.0) -> NDArray[np.float64]:
    """Unit vector that points outwards at the first point."""
    for point in points[1:]:
        inner = point
        if np.linalg.norm(points[0] - point) >= reach:
            break
    step = points[0] - inner
    length = float(np.linalg.norm(step))
    if length == 0:
        return np.zeros(2)
    return np.asarray(step / length)
