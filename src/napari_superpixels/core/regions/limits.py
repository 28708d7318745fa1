"""What keeps superpixels apart besides the image: walls of objects, scribbles, held pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from napari_superpixels.core.regions.graph import most_frequent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# A soft wall counts as a step of colour that large across the border, in the units of balanced
# colours: twice a strong edge. More hardly brings more.
_WALL_STEP = 8.0
# Scribbles are seeds; between two of them the border follows edges of this scale.
_EDGE_SCALE_PX = 1.0


@dataclass(frozen=True, eq=False)
class Limits:
    """What superpixels may not join, pixel by pixel.

    Attributes
    ----------
    hard : tuple of ndarray of int32, shape (H, W) or (D, H, W)
        Groups of pixels: no superpixel holds pixels of two groups. 0 is a pixel of no group, which
        may belong to any superpixel.
    soft : tuple of ndarray of int32, of the same shape
        Groups of pixels: to merge superpixels that lie mostly in different ones costs more. Here, 0
        is a group as well.
    frozen : ndarray of bool, of the same shape, or None
        Pixels without a colour: they keep their superpixel, hold it together, and do not count in
        its mean.
    """

    hard: tuple[NDArray[np.int32], ...] = ()
    soft: tuple[NDArray[np.int32], ...] = ()
    frozen: NDArray[np.bool_] | None = None

    @property
    def has_walls(self) -> bool:
        """Whether there are groups of pixels."""
        return bool(self.hard or self.soft)

    def groups_of(self, labels: NDArray[np.integer]) -> NDArray[np.int32]:
        """Find the groups that superpixels belong to.

        Parameters
        ----------
        labels : ndarray of int
            Superpixels with ids 0...K, none of which holds pixels of two hard groups.

        Returns
        -------
        ndarray of int32, shape (M, K + 1)
            For each of the hard maps; 0 where a superpixel holds no pixel of a group.
        """
        groups = np.zeros((len(self.hard), int(labels.max(initial=0)) + 1), np.int32)
        for row, of_pixels in zip(groups, self.hard, strict=True):
            inside = (of_pixels > 0) & (labels > 0)
            row[labels[inside]] = of_pixels[inside]
        return groups

    def padded_groups(self, shape: Sequence[int]) -> NDArray[np.int32]:
        """Put the hard groups into rows, with one ring of 0 around them.

        Parameters
        ----------
        shape : sequence of int
            With that ring.

        Returns
        -------
        ndarray of int32, shape (M, P)
            P pixels, the ring included.
        """
        rows = np.zeros((len(self.hard), math.prod(shape)), np.int32)
        for row, of_pixels in zip(rows, self.hard, strict=True):
            row[:] = np.pad(of_pixels, 1).ravel()
        return rows

    def cut(
        self, labels: NDArray[np.integer], features: NDArray[np.floating]
    ) -> NDArray[np.integer]:
        """Cut labels along all walls.

        Parameters
        ----------
        labels : ndarray of int
            0 is outside.
        features : ndarray of float, shape (C, *labels.shape)
            Colour per pixel: where a label holds several scribbles, it is cut along edges.

        Returns
        -------
        ndarray of int
            Labels, not yet connected, of which none holds pixels of two groups.
        """
        inside = labels > 0
        seeds = [groups for groups in self.hard if not groups[inside].all()]
        for groups in (*self.soft, *self.hard):
            if not any(groups is one for one in seeds):
                labels = _crossed(labels, groups)
        # Cut last: what holds one seed now may be connected through what another wall cuts off.
        for groups in seeds:
            labels = _cut_between_seeds(labels, groups, features)
        return labels

    def wall_steps(
        self,
        labels: NDArray[np.integer],
        pairs: NDArray[np.int64],
        border: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Tell what soft walls add to the steps of colour across borders.

        Parameters
        ----------
        labels : ndarray of int
            Superpixels with ids 0...K.
        pairs, border
            From `adjacency`.

        Returns
        -------
        ndarray of float64, shape (E,)
            Sum over the border of each pair.
        """
        added = np.zeros(len(pairs))
        for groups in self.soft:
            of_label = most_frequent(labels, groups)
            is_wall = of_label[pairs[:, 0]] != of_label[pairs[:, 1]]
            added += _WALL_STEP * border * is_wall
        return added


NO_LIMITS = Limits()


def _crossed(labels: NDArray[np.integer], groups: NDArray[np.int32]) -> NDArray[np.int64]:
    """Labels that tell both the label and the group of a pixel; 0 outside."""
    both = labels.astype(np.int64) * (int(groups.max(initial=0)) + 1) + groups
    return np.asarray(np.where(labels > 0, both, 0))


def _cut_between_seeds(
    labels: NDArray[np.integer], seeds: NDArray[np.int32], features: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Cut connected pieces that hold several seeds along the edges between these."""
    pieces = label(labels, background=0, connectivity=1)
    is_seed = (seeds > 0) & (pieces > 0)
    n = int(pieces.max(initial=0)) + 1
    lowest, highest = np.full(n, np.iinfo(np.int32).max), np.zeros(n, np.int64)
    np.minimum.at(lowest, pieces[is_seed], seeds[is_seed])
    np.maximum.at(highest, pieces[is_seed], seeds[is_seed])
    shared = (lowest < highest)[pieces]
    if not shared.any():
        return np.asarray(pieces, np.int64)
    edges = np.zeros(labels.shape, np.float32)
    for channel in features:
        edges += ndimage.gaussian_gradient_magnitude(channel, _EDGE_SCALE_PX) ** 2
    basins = watershed(edges, np.where(shared, seeds, 0), mask=shared)
    return _crossed(pieces, basins)
