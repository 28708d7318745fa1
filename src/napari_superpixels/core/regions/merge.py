"""Merge neighbouring superpixels, the most alike first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_superpixels.core.regions.graph import adjacency, border_steps, superpixel_sums
from napari_superpixels.core.regions.kernels import merge_greedily
from napari_superpixels.core.regions.limits import NO_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How alike two neighbours are was chosen by ablation on photographs (benchmarks/ablation.py).
_SIZE_POWER = 1.25
_SMOOTHING_PX = 0.75
# Added to the squared colour difference, in variances of the image: even regions then merge into
# compact superpixels instead of by noise, and not without end.
_NOISE = 0.02


@dataclass(frozen=True, eq=False)
class MergeTree:
    """Which neighbours merge, in their order: superpixels of every number, one within the other.

    Attributes
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Connected superpixels with ids 1...K; 0 is outside.
    merges : ndarray of int64, shape (M, 2)
        In their order: the id that goes on, and the higher id that joins it.
    costs : ndarray of float64, shape (M,)
        What each costs, by `mean_area_px`; -1 where one of the two was too small.
    mean_area_px : float
        Mean area of the superpixels that the costs are for.
    """

    labels: NDArray[np.integer]
    merges: NDArray[np.int64]
    costs: NDArray[np.float64]
    mean_area_px: float

    @property
    def n_regions(self) -> int:
        """K, the largest number of superpixels."""
        return int(self.labels.max(initial=0))

    def cut(self, n_segments: int, stop_cost: float = 0.0) -> NDArray[np.int32]:
        """Return the superpixels of one level.

        Parameters
        ----------
        n_segments : int
            Largest number to leave; separate islands cannot merge and may leave more.
        stop_cost : float, default 0.0
            Merge on below `n_segments` while a pair costs less than this, no unit. At the right
            number of superpixels the cost is about 0.4 on a photograph, and it grows as they get
            fewer.

        Returns
        -------
        ndarray of int32, shape of `labels`
            Connected superpixels 1...K', in the order of the ids that they come from.
        """
        n_left = self.n_regions - np.arange(len(self.merges))
        n_pixels = int(np.count_nonzero(self.labels))
        mean_area_px = max(n_pixels, 1) / n_segments
        costs = self.costs * (self.mean_area_px / mean_area_px) ** _SIZE_POWER
        may_end = (n_left <= n_segments) & (self.costs >= 0) & (costs >= stop_cost)
        n_merges = int(may_end.argmax()) if may_end.any() else len(self.merges)
        parent = np.arange(self.n_regions + 1)
        merges = self.merges[:n_merges]
        parent[merges[:, 1]] = merges[:, 0]
        # A parent has always a lower id, so one pass in ascending order resolves chains.
        for i in np.sort(merges[:, 1]):
            parent[i] = parent[parent[i]]
        is_kept = parent == np.arange(len(parent))
        new_id = np.where(is_kept, np.cumsum(is_kept) - 1, 0).astype(np.int32)
        return np.asarray(new_id[parent[self.labels]])


def merge_tree(
    labels: NDArray[np.integer],
    features: NDArray[np.floating],
    mean_area_px: float,
    *,
    min_size_px: int = 1,
    end: int = 1,
    limits: Limits = NO_LIMITS,
) -> MergeTree:
    r"""Merge the most alike neighbours, again and again.

    The pair with the lowest
    :math:`\left(\frac{a_i a_j}{(a_i + a_j) A}\right)^{1.25} (\|\mu_i - \mu_j\|^2 +
    \|\sigma_i - \sigma_j\|^2 + c_{ij} + 0.02) \left(\frac{\min(l_i, l_j)}{l_{ij}}\right)^{0.75}`
    goes first: area a, mean mu and spread sigma of each channel, mean colour step c across the
    common border, length l of the borders, A the mean area of a superpixel. The first factor is
    that of Ward's criterion; the squared distances are those of the Wasserstein metric of normal
    distributions, so that texture counts besides colour; the last factor prefers neighbours that
    enclose each other. mu and c are of a slightly smoothed image, sigma is the root of the mean
    square of the image as it is, less mu squared: thin lines count as texture too. Superpixels
    below `min_size_px` go before all others.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Connected superpixels with ids 1...K; 0 is outside.
    features : ndarray of float, shape (C, *labels.shape)
        Colour per pixel, scaled to unit variance.
    mean_area_px : float
        A: it scales the costs, and does not change their order.
    min_size_px : int, default 1
        Smaller superpixels merge first.
    end : int, default 1
        Merge until so many are left.
    limits : Limits, optional
        What keeps superpixels apart; soft walls are steps of colour added to c.

    Returns
    -------
    MergeTree
        All merges.
    """
    smooth = _smoothed(features, labels != 0)
    n_ids = int(labels.max(initial=0)) + 1
    area, sums = superpixel_sums(labels, smooth, n_ids)
    # The spread is that of the pixels as they are: the finest texture would be smoothed away. One
    # channel at a time: the squares of all would take as much memory as the image.
    squares = [superpixel_sums(labels, channel[np.newaxis] ** 2, n_ids)[1] for channel in features]
    area[0] = 0
    pairs, border = adjacency(labels)
    steps = border_steps(labels, smooth, pairs) + limits.wall_steps(labels, pairs, border)
    merges, costs = merge_greedily(
        (area.astype(np.float64), np.hstack([sums, *squares])),
        pairs,
        (border.astype(np.float64), steps),
        float(mean_area_px),
        _NOISE,
        (end, float(min_size_px)),
        limits.groups_of(labels),
    )
    return MergeTree(labels, merges, costs, float(mean_area_px))


def merge_regions(
    labels: NDArray[np.integer],
    features: NDArray[np.floating],
    n_segments: int,
    *,
    min_size_px: int = 1,
    stop_cost: float = 0.0,
    limits: Limits = NO_LIMITS,
) -> NDArray[np.int32]:
    """Merge the most alike neighbours until at most `n_segments` superpixels are left.

    Parameters
    ----------
    labels, features, min_size_px, limits
        See `merge_tree`.
    n_segments, stop_cost
        See `MergeTree.cut`.

    Returns
    -------
    ndarray of int32, shape of `labels`
        Connected superpixels 1...K', in the order of the ids that they come from.
    """
    end = 1 if stop_cost > 0 else n_segments
    mean_area_px = np.count_nonzero(labels) / n_segments
    tree = merge_tree(
        labels, features, mean_area_px, min_size_px=min_size_px, end=end, limits=limits
    )
    return tree.cut(n_segments, stop_cost)


def merge_order(
    labels: NDArray[np.integer],
    features: NDArray[np.floating],
    *,
    n_segments: int = 1,
    mean_area_px: float | None = None,
) -> list[tuple[int, int, float]]:
    """Merge the most alike neighbours, and return who joined whom: nested levels of detail.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Connected superpixels with ids 1...K; 0 is outside.
    features : ndarray of float, shape (C, *labels.shape)
        Colour per pixel, scaled to unit variance.
    n_segments : int, default 1
        End when so many are left.
    mean_area_px : float, optional
        Mean area A in the cost, see `merge_tree`; that of `n_segments` superpixels if None.

    Returns
    -------
    list of (int, int, float)
        In the order of merging: the id that goes on, the higher id that joins it, and the cost.
        Without its last n steps it gives n superpixels more.
    """
    if mean_area_px is None:
        mean_area_px = np.count_nonzero(labels) / n_segments
    tree = merge_tree(labels, features, mean_area_px, end=n_segments)
    merged = zip(tree.merges.tolist(), tree.costs.tolist(), strict=True)
    return [(i, j, cost) for (i, j), cost in merged]


def _smoothed(features: NDArray[np.floating], inside: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Blur each channel by means over the pixels inside, so that what lies outside stays out."""

    def blur(plane: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(ndimage.gaussian_filter(plane, _SMOOTHING_PX))

    if inside.all():
        return np.stack([blur(channel) for channel in features])
    weight = blur(inside.astype(features.dtype))
    weight[~inside] = 1  # may be 0 there, and does not count
    return np.stack([blur(channel * inside) / weight for channel in features])
