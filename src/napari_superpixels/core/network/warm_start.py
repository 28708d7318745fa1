"""Where the network starts when it does not start at random."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from napari_superpixels.core.prepare.given_labels import check_labels
from napari_superpixels.errors import NoLabels
from napari_superpixels.plan.resolution import Factor, sides_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from napari_superpixels.core.network.model import SuperpixelNet
    from napari_superpixels.core.prepare.prepared_image import PreparedImage


_EXPECTED = (
    "initial must be a result of an earlier run, its weights, or a map of integer labels, one for "
    "each pixel"
)
# Each label map takes memory and time: more labels than this share them. Superpixels are cut along
# the labels all the same.
_MOST_MAPS = 256


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Weights of an earlier run, or labels to imitate first; one of the two.

    Attributes
    ----------
    weights : mapping of str to ndarray, or None
        ``SuperpixelResult.weights`` of a run with the same channels and network.
    labels : ndarray of int, shape (h, w) or (d, h, w), or None
        Labels 1...K of the pixels of the window, 0 where there is none.
    """

    weights: Mapping[str, NDArray[np.float32]] | None = None
    labels: NDArray[np.int64] | None = None

    @property
    def n_labels(self) -> int:
        """Number of label maps that the labels need."""
        return 0 if self.labels is None else min(int(self.labels.max(initial=0)), _MOST_MAPS)

    @property
    def channels(self) -> NDArray[np.int64] | None:
        """Channel + 1 that imitates the label of each pixel, 0 where there is none."""
        if self.labels is None:
            return None
        return np.where(self.labels > 0, (self.labels - 1) % _MOST_MAPS + 1, 0)


def start_from(
    initial: Mapping[str, NDArray[np.float32]] | ArrayLike | None,
    prepared: PreparedImage,
) -> WarmStart:
    """Tell what a caller wants to start from.

    Parameters
    ----------
    initial : mapping of str to ndarray, array_like of int, or None
        Weights of an earlier run, or labels of the whole image; None for a random start.
    prepared : PreparedImage

    Returns
    -------
    WarmStart
        Weights or labels; weights are checked when the network that they must fit is there.

    Raises
    ------
    ValueError
        If it is none of these, with what is expected.
    """
    if initial is None:
        return WarmStart()
    try:
        if isinstance(initial, Mapping):
            weights = {name: np.asarray(value, np.float32) for name, value in initial.items()}
            return WarmStart(weights=weights)
        labels = np.asarray(initial)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError is what PyTorch raises
        raise ValueError(f"{_EXPECTED}, got {type(initial).__name__}: {error}") from None
    return WarmStart(labels=labels_to_imitate(labels, prepared))


def labels_to_imitate(labels: NDArray[np.integer], prepared: PreparedImage) -> NDArray[np.int64]:
    """Check labels for a warm start and number them 1...K.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Labels of the whole image; 0 is "no label".
    prepared : PreparedImage

    Returns
    -------
    ndarray of int64, shape (h, w) or (d, h, w)
        Of the window.

    Raises
    ------
    ValueError
        If they are no whole numbers from 0, differ from the image in shape, or none is above 0.
    """
    if labels.dtype.kind not in "biuf":
        raise ValueError(f"{_EXPECTED}, got values of type {labels.dtype}")
    checked = check_labels(labels, prepared.shape, "initial")
    window = checked[prepared.window] * prepared.mask
    ids = np.unique(window[window > 0])
    if not ids.size:
        raise NoLabels("initial")
    return np.asarray((np.searchsorted(ids, window) + 1) * (window > 0), np.int64)


def load_weights(net: SuperpixelNet, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Put the weights of an earlier run into a network.

    Parameters
    ----------
    net : SuperpixelNet
        Changed in place.
    weights : mapping of str to ndarray
        From `weights_of`.

    Raises
    ------
    ValueError
        If they belong to another network.
    """
    own = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in weights.items()}
    if own != given:
        raise ValueError(
            "the weights to start from belong to another network: pass those of a result whose run "
            "had the same number of channels, label maps and network widths"
        )
    net.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})


def weights_of(net: SuperpixelNet) -> dict[str, NDArray[np.float32]]:
    """Copy a network's weights.

    Parameters
    ----------
    net : SuperpixelNet
        The network.

    Returns
    -------
    dict of str to ndarray of float32
        On the CPU.
    """
    return {name: value.detach().cpu().numpy().copy() for name, value in net.state_dict().items()}


def shrink_labels(labels: NDArray[np.int64], factor: Factor) -> NDArray[np.int64]:
    """Reduce labels to the most frequent one of each block, so that no scribble is lost.

    Parameters
    ----------
    labels : ndarray of int64, shape (h, w) or (d, h, w)
        Labels, 0 for none.
    factor : int, or tuple of int for a volume
        Sides of the blocks, >= 1; those at the far borders may be smaller.

    Returns
    -------
    ndarray of int64, shape of `labels` / factor, rounded up
        The label above 0 that most pixels of the block have, of equally frequent ones the lowest;
        0 where no pixel has one.
    """
    sides = sides_of(factor, labels.ndim)
    shape = [-(-n // side) for n, side in zip(labels.shape, sides, strict=True)]
    places = np.nonzero(labels)
    block = np.ravel_multi_index(
        tuple(place // side for place, side in zip(places, sides, strict=True)), shape
    )
    pairs, count = np.unique(np.stack([block, labels[places]]), axis=1, return_counts=True)
    order = np.lexsort((-count, pairs[0]))  # stable: the lowest label first among equals
    found, first = np.unique(pairs[0, order], return_index=True)
    small = np.zeros(math.prod(shape), np.int64)
    small[found] = pairs[1, order[first]]
    return small.reshape(shape)


def imitation_loss(log_p: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy between the network's labels and those to imitate.

    Parameters
    ----------
    log_p : Tensor, shape (N, h, w) or (N, d, h, w)
        Log-probabilities.
    target : Tensor of int64, shape (h, w) or (d, h, w)
        Channel + 1, 0 for none; not 0 everywhere.

    Returns
    -------
    Tensor
        Scalar, mean over pixels with a label.
    """
    return F.nll_loss(log_p[None], target[None] - 1, ignore_index=-1)
