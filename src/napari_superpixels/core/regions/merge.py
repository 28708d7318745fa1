"""Merge neighbouring superpixels, the most alike first."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_superpixels.core.regions.graph import adjacency, border_steps, superpixel_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How alike two neighbours are was chosen by ablation on photographs (benchmarks/ablation.py).
_SIZE_POWER = 1.25
_BORDER_POWER = 0.75
_SMOOTHING_PX = 0.75
# Added to the squared colour difference, in variances of the image: even regions then merge into
# compact superpixels instead of by noise, and not without end.
_NOISE = 0.05


def merge_regions(
    labels: NDArray[np.integer],
    features: NDArray[np.floating],
    n_segments: int,
    *,
    min_size_px: int = 1,
    stop_cost: float = 0.0,
) -> NDArray[np.int32]:
    r"""Merge the most alike neighbours until at most `n_segments` superpixels are left.

    The pair with the lowest
    :math:`\left(\frac{a_i a_j}{(a_i + a_j) A}\right)^{1.25} (\|\mu_i - \mu_j\|^2 + c_{ij} + 0.05)
    \left(\frac{\min(l_i, l_j)}{l_{ij}}\right)^{0.75}` goes first: area a, mean colour mu, mean
    colour step c across the common border, length l of the borders, A the mean area of
    `n_segments` superpixels. The first factor is Ward's criterion, the last prefers neighbours
    that enclose each other. Superpixels below `min_size_px` go before all others.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        4-connected superpixels with ids 1...K; 0 is outside.
    features : ndarray of float, shape (C, H, W)
        Colour per pixel, scaled to unit variance.
    n_segments : int
        Largest number to leave; separate islands cannot merge and may leave more.
    min_size_px : int, default 1
        Smaller superpixels merge even when fewer than `n_segments` are left.
    stop_cost : float, default 0.0
        Merge on below `n_segments` while a pair costs less than this, no unit. At the right number
        of superpixels the cost is about 0.4 on a photograph, and it grows as they get fewer.

    Returns
    -------
    ndarray of int32, shape (H, W)
        4-connected superpixels 1...K', in the order of the ids that they come from.
    """
    n = int(labels.max(initial=0)) + 1
    smooth = _smoothed(features, labels != 0)
    area, sums = superpixel_sums(labels, smooth, n)
    area[0] = 0
    parent = _Merger(labels, smooth, area, sums, n_segments, min_size_px, stop_cost).run()
    kept = np.unique(parent[labels[labels != 0]])
    new_id = np.zeros(n, np.int32)
    new_id[kept] = np.arange(1, len(kept) + 1)
    return np.asarray(new_id[parent[labels]] * (labels != 0), np.int32)


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
        Mean area A in the cost, see `merge_regions`; that of `n_segments` superpixels if None.

    Returns
    -------
    list of (int, int, float)
        In the order of merging: the id that goes on, the higher id that joins it, and the cost.
        Without its last n steps it gives n superpixels more.
    """
    smooth = _smoothed(features, labels != 0)
    area, sums = superpixel_sums(labels, smooth, int(labels.max(initial=0)) + 1)
    area[0] = 0
    merger = _Merger(labels, smooth, area, sums, n_segments, 1, 0.0)
    if mean_area_px is not None:
        merger.mean_area = mean_area_px
    merger.run()
    return merger.merges


def _smoothed(features: NDArray[np.floating], inside: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Blur each channel by means over the pixels inside, so that what lies outside stays out."""

    def blur(plane: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(ndimage.gaussian_filter(plane, _SMOOTHING_PX))

    if inside.all():
        return np.stack([blur(channel) for channel in features])
    weight = blur(inside.astype(features.dtype))
    weight[~inside] = 1  # may be 0 there, and does not count
    return np.stack([blur(channel * inside) / weight for channel in features])


class _Merger:
    """State of the greedy merging; regions are known by the id of their first superpixel."""

    def __init__(
        self,
        labels: NDArray[np.integer],
        smooth: NDArray[np.floating],
        area: NDArray[np.int64],
        sums: NDArray[np.float64],
        n_segments: int,
        min_size_px: int,
        stop_cost: float,
    ) -> None:
        self.n_segments = n_segments
        self.mean_area = area.sum() / n_segments
        self.min_size = min_size_px
        self.stop_cost = stop_cost
        self.size = area.astype(float).tolist()
        self.total = list(sums)
        self.parent = np.arange(len(area))
        self.n_left = int((area > 0).sum())
        pairs, border = adjacency(labels)
        step = border_steps(labels, smooth, pairs)
        self.merges: list[tuple[int, int, float]] = []
        # For each neighbour: length of the common border, sum of the colour steps across it.
        self.links: list[dict[int, tuple[float, float]]] = [{} for _ in area]
        self.border = [0.0] * len(area)
        self.version = [0] * len(area)
        for (i, j), length, steps in zip(
            pairs.tolist(), border.tolist(), step.tolist(), strict=True
        ):
            self.links[i][j] = self.links[j][i] = (length, steps)
            self.border[i] += length
            self.border[j] += length
        self.heap = [self._entry(i, j) for i, j in pairs.tolist()]
        heapq.heapify(self.heap)

    def run(self) -> NDArray[np.int64]:
        """Merge; return for each id the id that it has become."""
        while self.heap:
            large, cost, i, j, version_i, version_j = heapq.heappop(self.heap)
            if self.version[i] != version_i or self.version[j] != version_j:
                continue  # one of the two has changed since
            if large and self.n_left <= self.n_segments and cost >= self.stop_cost:
                break
            self._merge(i, j, cost)
        # A parent has always a lower id, so one pass in ascending order resolves chains.
        for i in range(len(self.parent)):
            self.parent[i] = self.parent[self.parent[i]]
        return self.parent

    def _entry(self, i: int, j: int) -> tuple[bool, float, int, int, int, int]:
        i, j = min(i, j), max(i, j)
        size_i, size_j = self.size[i], self.size[j]
        length, steps = self.links[i][j]
        gap = self.total[i] / size_i - self.total[j] / size_j
        cost = (size_i * size_j / (size_i + size_j) / self.mean_area) ** _SIZE_POWER
        cost *= float(gap @ gap) + steps / length + _NOISE
        cost *= (min(self.border[i], self.border[j]) / length) ** _BORDER_POWER
        large = min(size_i, size_j) >= self.min_size
        return large, cost, i, j, self.version[i], self.version[j]

    def _merge(self, i: int, j: int, cost: float) -> None:
        links, border = self.links, self.border
        self.parent[j] = i
        self.merges.append((i, j, cost))
        self.size[i] += self.size[j]
        self.total[i] = self.total[i] + self.total[j]
        border[i] += border[j] - 2 * links[i][j][0]
        self.version[i] += 1
        self.version[j] += 1
        for k, link in links[j].items():
            del links[k][j]
            if k != i:
                known = links[i].get(k, (0.0, 0.0))
                links[i][k] = links[k][i] = (known[0] + link[0], known[1] + link[1])
        links[j].clear()
        for k in links[i]:
            heapq.heappush(self.heap, self._entry(i, k))
        self.n_left -= 1
