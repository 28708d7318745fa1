"""What a running segmentation tells its consumer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np
    from numpy.typing import NDArray

_Result = TypeVar("_Result")


class FinishReason(StrEnum):
    """Why a run ended."""

    COMPLETED = "completed"
    STOPPED = "stopped"  # the consumer asked to finish with what was there
    SETTLED = "settled"  # the labels hardly changed any more (``settle_percent``)


class Command(StrEnum):
    """What a consumer may ``send()`` into the generator of Steps."""

    FINISH = "finish"  # stop optimising now and return a valid result from the state so far


@dataclass(frozen=True, slots=True)
class Losses:
    """The terms of the objective at one iteration, unweighted except for ``total``.

    Attributes
    ----------
    total : float
        Eq. (1), clustering + alpha * smoothness + beta * reconstruction.
    clustering, smoothness, reconstruction : float
        Eqs. (2), (3) and (4).
    """

    total: float
    clustering: float
    smoothness: float
    reconstruction: float


@dataclass(frozen=True, slots=True)
class Step:
    """Progress of a run after one iteration.

    Attributes
    ----------
    iteration : int
        Iterations done, 1 to ``n_iterations``.
    n_iterations : int
        Iterations asked for.
    losses : Losses
        The objective at this iteration.
    n_superpixels : int
        Channels that win at least one pixel so far (before pieces are made connected).
    labels : ndarray of int32, shape (H, W), or None
        Preview of the labels, 0 outside the mask; only with the Steps that carry one.
    """

    iteration: int
    n_iterations: int
    losses: Losses
    n_superpixels: int
    labels: NDArray[np.int32] | None = None


def drain(
    steps: Generator[Any, Any, _Result], each: Callable[[Any], None] | None = None
) -> _Result:
    """Run a generator to its end, whatever it yields on the way.

    Parameters
    ----------
    steps : generator
        Such as `iter_superpixels` makes.
    each : callable, optional
        Gets what it yields; may raise to end it.

    Returns
    -------
    object
        What the generator returns.
    """
    try:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: _Result = end.value
                return result
            if each is not None:
                each(step)
    finally:
        steps.close()
