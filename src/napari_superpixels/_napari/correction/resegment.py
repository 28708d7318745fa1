"""Pixels of an image that are segmented anew, for the correction dock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels._napari.segment.cancelling import CancelSwitch, tell_runtime_errors, watched
from napari_superpixels.events import Step
from napari_superpixels.params import SuperpixelParams

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PartRequest:
    """Pixels of an image that are to be segmented anew.

    Attributes
    ----------
    channels : array_like, shape (C, H, W)
        Part of the image; read in the worker.
    mask : ndarray of bool, shape (H, W)
        Pixels to segment.
    params : SuperpixelParams
    device : str
        Where to run.
    memory_limit_gb : float or None
        Largest estimate to run.
    """

    channels: Any
    mask: NDArray[np.bool_]
    params: SuperpixelParams
    device: str
    memory_limit_gb: float | None


def segment_part(
    request: PartRequest, switch: CancelSwitch
) -> Generator[Step, None, NDArray[np.int32] | None]:
    """Segment some pixels of an image anew.

    Parameters
    ----------
    request : PartRequest
        What to do.
    switch : CancelSwitch
        Stops the run within one iteration.

    Yields
    ------
    Step
        At most ten a second.

    Returns
    -------
    ndarray of int32, shape (H, W), or None
        Superpixels 1...K, 0 outside the mask; None if cancelled.

    Raises
    ------
    SuperpixelError
        Also for any RuntimeError, which a worker would swallow.
    ValueError
        If the image or a parameter is unusable.
    """
    return (yield from tell_runtime_errors(_segment_part(request, switch)))


def _segment_part(
    request: PartRequest, switch: CancelSwitch
) -> Generator[Step, None, NDArray[np.int32] | None]:
    from napari_superpixels.api.image import iter_superpixels  # torch takes seconds to load

    steps = iter_superpixels(
        np.asarray(request.channels),
        request.params,
        channel_axis=0,
        mask=request.mask,
        nodata=float("nan"),
        device=request.device,
        memory_limit_gb=request.memory_limit_gb,
    )
    result = yield from watched(steps, switch)
    return None if result is None else result.labels
