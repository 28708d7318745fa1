"""Iterations as CUDA graphs: launched as a whole, where single kernels would wait for the host.

On small images the kernels of an iteration take less time than their launches. A graph is captured
once for each resolution, after some iterations as they are, and gives what they would give.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from napari_superpixels.errors import reason_of

_log = logging.getLogger(__name__)


# Does an iteration, and returns its loss terms.
Replay = Callable[[], tuple[torch.Tensor, ...]]


class _Graph:
    def __init__(self, iterate: Replay) -> None:
        self._graph = torch.cuda.CUDAGraph()
        # Of this thread alone: others may use the card meanwhile, in napari and for other tiles.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._terms = iterate()

    def __call__(self) -> tuple[torch.Tensor, ...]:
        self._graph.replay()
        return self._terms


def can_capture(device: torch.device) -> bool:
    """Tell whether iterations can be captured on a device.

    Parameters
    ----------
    device : torch.device
        Where the run is.

    Returns
    -------
    bool
        True on CUDA devices.
    """
    return device.type == "cuda"


def capture(iterate: Replay) -> Replay | None:
    """Capture an iteration; it is not done thereby.

    Parameters
    ----------
    iterate : callable
        Does an iteration with tensors only, always the same ones, and returns its loss terms. It
        has been called before: what is loaded or allocated at first cannot be captured.

    Returns
    -------
    callable or None
        Does an iteration at each call. None, with the reason in the log, where the driver or a
        kernel does not allow it, or memory does not suffice for a second set of tensors.
    """
    try:
        return _Graph(iterate)
    except RuntimeError as error:
        _log.warning("iterations are not captured as a CUDA graph (%s)", reason_of(error))
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    return None
