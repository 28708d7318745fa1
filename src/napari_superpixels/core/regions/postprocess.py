"""From the winning labels to superpixels: connected, merged to the count, refined."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.core.prepare.blocks import enlarge, shrink
from napari_superpixels.core.regions.connectivity import (
    connected_pieces,
    connected_superpixels,
    join_small_pieces,
    too_many_regions,
)
from napari_superpixels.core.regions.limits import NO_LIMITS, Limits
from napari_superpixels.core.regions.merge import MergeTree, merge_tree
from napari_superpixels.core.regions.refine import refine_boundaries
from napari_superpixels.core.regions.smoothness import auto_smoothness
from napari_superpixels.core.regions.split import split_to_count
from napari_superpixels.errors import TooFewSegments
from napari_superpixels.params.parameter_info import AUTO
from napari_superpixels.plan.resolution import Factor, sides_of

if TYPE_CHECKING:
    from collections.abc import Generator

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


@dataclass(frozen=True, eq=False)
class Levels:
    """Superpixels of every number, from one run.

    Attributes
    ----------
    tree : MergeTree
        Pieces, and how they merge, on the image reduced by `factor`.
    image : PreparedImage
        The image at full resolution, colours balanced.
    small : PreparedImage
        The same, reduced by `factor`.
    factor : int, or tuple of int for a volume
        Sides of the blocks of pixels that were one while pieces merged.
    auto_smoothness : float
        Weight of the border's length that suits the image.
    limits : Limits
        What keeps superpixels apart; with `factor` 1 only.
    """

    tree: MergeTree
    image: PreparedImage
    small: PreparedImage
    factor: Factor
    auto_smoothness: float
    limits: Limits = NO_LIMITS

    def superpixels(self, params: SuperpixelParams) -> Generator[None, None, NDArray[np.int32]]:
        """Find the superpixels of a number, lambda and smoothness, with pauses to give up at.

        Merged to that number and refined; where that was on a reduced image, refined once more at
        full resolution.

        Parameters
        ----------
        params : SuperpixelParams
            Those of the run, but for ``n_segments``, ``count``, ``lam`` and what refines borders.

        Yields
        ------
        None
            Every now and then.

        Returns
        -------
        ndarray of int32, shape (h, w)
            Superpixels 1...K, each 4-connected (6-connected in a volume); K <= N, or K = N for
            ``count="exact"``, but more where hard walls keep more apart. 0 outside.

        Raises
        ------
        ValueError
            If the mask has more separate regions than ``n_segments``.
        TooFewSegments
            If hard walls keep more apart than an exact count allows.
        """
        n, image, limits = params.n_segments, self.image, self.limits
        params = _with_smoothness(params, self.auto_smoothness)
        merges_on = params.oversegmentation and params.count == "adaptive"
        labels = self.tree.cut(n, _STOP_BASE ** (1 - params.lam) if merges_on else 0.0)
        if labels.max() > n and not limits.hard:
            raise too_many_regions(int(labels.max()), n)
        if labels.max() > n and params.count == "exact":
            raise TooFewSegments(n, int(labels.max()))
        labels = yield from _refined(labels, self.small, params, params.refine_iterations, limits)
        if max(sides_of(self.factor, image.mask.ndim)) > 1:
            labels = _enlarged(labels, image, self.factor, n)
            labels = yield from _refined(
                labels, image, params, params.refine_iterations // 2, limits
            )
        if params.count == "exact":
            labels = yield from _exact(labels, image, params, limits)
        return labels


def find_levels(
    winners: NDArray[np.integer],
    prepared: PreparedImage,
    factor: Factor,
    params: SuperpixelParams,
    limits: Limits = NO_LIMITS,
) -> Generator[None, None, Levels]:
    """Turn winning labels into pieces, and find how these merge, with pauses to give up at.

    With ``oversegmentation`` pieces: the connected pieces of the labels, the least homogeneous of
    them split up to that number, are refined on the image reduced by `factor`. Without: pieces
    below ``min_size_px`` join their neighbours.

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
    limits : Limits, optional
        What keeps superpixels apart, pixel by pixel: `factor` must be 1 then.

    Yields
    ------
    None
        Every now and then.

    Returns
    -------
    Levels
        Superpixels of every number up to that of the pieces.
    """
    n = params.n_segments
    image = prepared.balanced()
    small = shrink(image, factor)
    smoothness = auto_smoothness(image)
    params = _with_smoothness(params, smoothness)
    min_size = params.min_size_px or round(image.mask.sum() / n * _AUTO_MIN_SHARE)
    min_size = max(1, round(min_size / math.prod(sides_of(factor, image.mask.ndim))))
    mean_area_px = small.mask.sum() / n
    if params.oversegmentation:
        pieces = yield from _pieces(winners, small, params, limits)
        tree = merge_tree(pieces, small.features, mean_area_px, min_size_px=min_size, limits=limits)
    else:
        joined = connected_pieces(limits.cut(winners, small.features))
        joined = join_small_pieces(joined, small.features, min_size, limits)
        tree = merge_tree(joined.astype(np.int32), small.features, mean_area_px, limits=limits)
    return Levels(tree, image, small, factor, smoothness, limits)


def _with_smoothness(params: SuperpixelParams, auto: float) -> SuperpixelParams:
    return params.replace(refine_smoothness=auto) if params.refine_smoothness == AUTO else params


def _pieces(
    winners: NDArray[np.integer], image: PreparedImage, params: SuperpixelParams, limits: Limits
) -> Generator[None, None, NDArray[np.int32]]:
    n_pieces = params.n_pieces(int(image.mask.sum()))
    pieces = connected_superpixels(
        winners,
        image.features,
        n_segments=max(n_pieces, image.n_regions),
        min_size_px=_MIN_PIECE_PX,
        limits=limits,
    )
    # A piece that holds more than one object cannot be mended by merging.
    pieces = split_to_count(pieces, image.features, n_pieces, spacing=image.spacing)
    return (yield from _refined(pieces, image, params, params.refine_iterations // 2, limits))


def _refined(
    labels: NDArray[np.int32],
    image: PreparedImage,
    params: SuperpixelParams,
    iterations: int,
    limits: Limits,
) -> Generator[None, None, NDArray[np.int32]]:
    assert not isinstance(params.refine_smoothness, str)
    return refine_boundaries(
        labels,
        image.features,
        iterations=iterations,
        compactness=params.refine_compactness,
        smoothness=params.refine_smoothness,
        limits=limits,
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
    labels: NDArray[np.int32], prepared: PreparedImage, params: SuperpixelParams, limits: Limits
) -> Generator[None, None, NDArray[np.int32]]:
    n = params.n_segments
    if labels.max() == n:
        return labels
    labels = split_to_count(labels, prepared.features, n, spacing=prepared.spacing)
    return (yield from _refined(labels, prepared, params, params.refine_iterations // 2, limits))
