"""Where the network starts when it does not start at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_superpixels.core.inputs import PreparedImage
    from napari_superpixels.core.network import SuperpixelNet


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Weights of an earlier run, or labels to imitate first; one of the two.

    Attributes
    ----------
    weights : mapping of str to ndarray, or None
        ``SuperpixelResult.weights`` of a run with the same channels and network.
    labels : ndarray of int, shape (h, w), or None
        Channel + 1 for each pixel of the window, 0 where there is no label.
    """

    weights: Mapping[str, NDArray[np.float32]] | None = None
    labels: NDArray[np.int64] | None = None

    @property
    def n_labels(self) -> int:
        """Number of label maps that the labels need."""
        return 0 if self.labels is None else int(self.labels.max(initial=0))


def labels_to_imitate(labels: NDArray[np.integer], prepared: PreparedImage) -> NDArray[np.int64]:
    """Check labels for a warm start and number them 1...K.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Labels of the whole image; 0 is "no label".
    prepared : PreparedImage
        The image.

    Returns
    -------
    ndarray of int64, shape (h, w)
        Of the window.

    Raises
    ------
    ValueError
        If they are no integers, differ from the image in shape, or are 0 everywhere.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"the labels to start from must be integers, got {labels.dtype}")
    if labels.shape != prepared.shape:
        raise ValueError(
            f"the labels to start from {labels.shape} and the image {prepared.shape} differ in "
            "shape"
        )
    window = labels[prepared.window] * prepared.mask
    ids = np.unique(window[window != 0])
    if not ids.size:
        raise ValueError("the labels to start from are 0 everywhere in the image or mask")
    return np.asarray((np.searchsorted(ids, window) + 1) * (window != 0), np.int64)


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
            "the weights to start from belong to another network: use the same number of channels, "
            "label maps and network widths as the run that they come from"
        )
    net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})


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


def imitation_loss(log_p: Tensor, labels: NDArray[np.int64]) -> Tensor:
    """Cross-entropy between the network's labels and those to imitate.

    Parameters
    ----------
    log_p : Tensor, shape (N, h', w')
        Log-probabilities at some resolution.
    labels : ndarray of int64, shape (h, w)
        Channel + 1 at full resolution, 0 for none; the nearest pixel counts.

    Returns
    -------
    Tensor
        Scalar, mean over pixels with a label.
    """
    rows, cols = log_p.shape[1:]
    y = ((np.arange(rows) + 0.5) / rows * labels.shape[0]).astype(int)
    x = ((np.arange(cols) + 0.5) / cols * labels.shape[1]).astype(int)
    target = torch.from_numpy(labels[np.ix_(y, x)]).to(log_p.device) - 1
    return F.nll_loss(log_p[None], target[None], ignore_index=-1)
