"""From the winning labels to superpixels: connected, merged to the count, refined."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_superpixels.core.prepare.blocks import enlarge, shrink
from napari_superpixels.core.regions.connectivity import connected_superpixels
from napari_superpixels.core.regions.merge import merge_regions
from napari_superpixels.core.regions.refine import refine_boundaries
from napari_superpixels.core.regions.split import split_to_count
from napari_superpixels.plan.resolution import Factor, sides_of

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.core.prepare.prepared_image import PreparedImage
    from napari_superpixels.params import SuperpixelParams

# A piece of a single pixel joins a neighbour: it carries hardly a colour of its own.
_MIN_PIECE_PX = 2
# Automatic minimum size, as a share of the mean area of N superpixels.
_AUTO_MIN_SHARE = 1 / 20
# Merging goes on below N while a pair costs less than 10^(1 - lambda). On photographs lambda = 3
# leaves N, 2 nearly N, 1 about a half and 0 a tenth (benchmarks/lambda_count.py).
_STOP_BASE = 10.0


def postprocess(
    winners: NDArray[np.integer], prepared: PreparedImage, factor: Factor, params: SuperpixelParams
) -> Generator[None, None, NDArray[np.int32]]:
    """Turn winning labels into superpixels, with pauses to give up at.

    With ``oversegmentation`` pieces: the connected pieces of the labels, the least homogeneous of
    them split up to that number, are refined, merged to N and refined again on the image reduced
    by `factor`, then refined at full resolution. Without: pieces below ``min_size_px`` join their
    neighbours, the most alike merge to N, and borders are refined.

    Parameters
    ----------
    winners : ndarray of int, shape (h / factor, w / factor), rounded up
        Winning channel + 1; 0 outside the mask.
    prepared : PreparedImage
        The image at full resolution.
    factor : int, or tuple of int for a volume
        By which `winners` is reduced, >= 1.
    params : SuperpixelParams
        Parameters of the run.

    Yields
    ------
    None
        Every now and then.

    Returns
    -------
    ndarray of int32, shape (h, w)
        Superpixels 1...K, each 4-connected (6-connected in a volume); K <= N, or K = N for
        ``count="exact"``. 0 outside.

    Raises
    ------
    ValueError
        If the mask has more separate regions than ``n_segments``.
    """
    n = params.n_segments
    prepared = prepared.balanced()
    small = shrink(prepared, factor)
    min_size = params.min_size_px or round(prepared.mask.sum() / n * _AUTO_MIN_SHARE)
    sides = sides_of(factor, prepared.mask.ndim)
    small_min = max(1, round(min_size / math.prod(sides)))
    if params.oversegmentation:
        labels = yield from _merged_pieces(winners, small, small_min, params)
    else:
        labels = connected_superpixels(winners, small.features, n_segments=n, min_size_px=small_min)
    labels = yield from _refined(labels, small, params, params.refine_iterations)
    if max(sides) > 1:
        labels = _enlarged(labels, prepared, factor, n)
        labels = yield from _refined(labels, prepared, params, params.refine_iterations // 2)
    if params.count == "exact":
        labels = yield from _exact(labels, prepared, params)
    return labels


def _merged_pieces(
    winners: NDArray[np.integer], image: PreparedImage, min_size_px: int, params: SuperpixelParams
) -> Generator[None, None, NDArray[np.int32]]:
    n_pieces = params.n_pieces(int(image.mask.sum()))
    pieces = connected_superpixels(
        winners,
        image.features,
        n_segments=max(n_pieces, image.n_regions),
        min_size_px=_MIN_PIECE_PX,
    )
    pieces = yield from _refined(pieces, image, params, params.refine_iterations // 2)
    # A piece that holds more than one object cannot be mended by merging.
    pieces = split_to_count(pieces, image.features, n_pieces, spacing=image.spacing)
    pieces = yield from _refined(pieces, image, params, params.refine_iterations)
    return merge_regions(
        pieces,
        image.features,
        params.n_segments,
        min_size_px=min_size_px,
        stop_cost=_STOP_BASE ** (1 - params.lam) if params.count == "adaptive" else 0.0,
    )


def _refined(
    labels: NDArray[np.int32], image: PreparedImage, params: SuperpixelParams, iterations: int
) -> Generator[None, None, NDArray[np.int32]]:
    return refine_boundaries(
        labels,
        image.features,
        iterations=iterations,
        compactness=params.refine_compactness,
        smoothness=params.refine_smoothness,
        spacing=image.spacing,
    )


def _enlarged(
    labels: NDArray[np.int32], prepared: PreparedImage, factor: Factor, n_segments: int
) -> NDArray[np.int32]:
    large = enlarge(labels, prepared.mask, factor)
    if prepared.mask.all():
        return large
    # The mask's own outline is finer than the blocks, and may cut a superpixel in pieces.
    return connected_superpixels(large, prepared.features, n_segments=n_segments, min_size_px=1)


def _exact(
    labels: NDArray[np.int32], prepared: PreparedImage, params: SuperpixelParams
) -> Generator[None, None, NDArray[np.int32]]:
    n = params.n_segments
    if labels.max() == n:
        return labels
    labels = split_to_count(labels, prepared.features, n, spacing=prepared.spacing)
    return (yield from _refined(labels, prepared, params, params.refine_iterations // 2))
