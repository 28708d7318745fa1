"""What a user gives to start a run from: labels, scribbles, objects, an earlier result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.api.result import INITIAL, OBJECT, SuperpixelResult
from napari_superpixels.core.network.warm_start import WarmStart, start_from
from napari_superpixels.core.prepare.given_labels import check_labels
from napari_superpixels.core.regions.limits import NO_LIMITS, Limits
from napari_superpixels.errors import InvalidParameter
from napari_superpixels.params.options import WALLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from napari_superpixels.core.prepare.prepared_image import PreparedImage

    Initial = SuperpixelResult | Mapping[str, NDArray[np.float32]] | ArrayLike

# Initial labels on fewer of the pixels are scribbles.
_DENSE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a run is given besides the image; see `iter_superpixels`.

    Attributes
    ----------
    initial : SuperpixelResult, mapping, array_like or None
        Where to start.
    objects : array_like or None
        Labels whose borders superpixels respect.
    object_walls : str
        ``"hard"`` or ``"soft"``.
    """

    initial: Initial | None = None
    objects: ArrayLike | None = None
    object_walls: str = "hard"

    def __post_init__(self) -> None:
        """Check the kind of walls."""
        if self.object_walls not in WALLS:
            allowed = " or ".join(map(repr, WALLS))
            raise InvalidParameter("object_walls", allowed, self.object_walls)


@dataclass(frozen=True, slots=True)
class Start:
    """What is made of it.

    Attributes
    ----------
    network : WarmStart
        Where the network starts.
    limits : Limits
        What keeps superpixels apart.
    labels : dict of str to ndarray of int, shape (H, W)
        ``"initial"`` and ``"object"``: labels of the whole image, as they were given.
    about : dict
        For the provenance, plain values.
    """

    network: WarmStart
    limits: Limits = NO_LIMITS
    labels: dict[str, NDArray[np.integer]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def start_of(given: Given, prepared: PreparedImage) -> Start:
    """Check what a run is given, and find what follows for the network and the superpixels.

    Parameters
    ----------
    given : Given
    prepared : PreparedImage

    Returns
    -------
    Start

    Raises
    ------
    ValueError
        If it does not fit the image, or cannot be started from.
    """
    initial = given.initial
    if isinstance(initial, SuperpixelResult):
        initial = initial.weights or initial.labels
    network = start_from(initial, prepared)
    hard: list[NDArray[np.int32]] = []
    soft: list[NDArray[np.int32]] = []
    labels: dict[str, NDArray[np.integer]] = {}
    about: dict[str, Any] = {}
    if network.weights is not None:
        about["initial"] = {"kind": "network"}
    elif network.labels is not None:
        is_dense = np.count_nonzero(network.labels) >= _DENSE * np.count_nonzero(prepared.mask)
        (soft if is_dense else hard).append(network.labels.astype(np.int32))
        labels[INITIAL] = check_labels(initial, prepared.shape, "initial")  # type: ignore[arg-type]
        kind = "labels" if is_dense else "scribbles"
        about["initial"] = {"kind": kind, "number": int(network.labels.max())}
    if given.objects is not None:
        objects = check_labels(given.objects, prepared.shape, "objects")
        window = objects[prepared.window]
        # What lies between objects is a group as well.
        ids, groups = np.unique(np.where(prepared.mask, window, 0), return_inverse=True)
        walls = hard if given.object_walls == "hard" else soft
        walls.append((groups.reshape(window.shape) + 1).astype(np.int32))
        labels[OBJECT] = objects
        about["objects"] = {"number": int(np.count_nonzero(ids)), "walls": given.object_walls}
    return Start(network, Limits(tuple(hard), tuple(soft)), labels, about)
