"""What a run returns, and its provenance."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.events import FinishReason, Losses
    from napari_superpixels.params import SuperpixelParams


@dataclass(frozen=True, slots=True)
class SuperpixelResult:
    """Superpixels of one image.

    Attributes
    ----------
    labels : ndarray of int32, shape (H, W)
        Connected superpixels 1...K; 0 outside the mask.
    params : SuperpixelParams
        Parameters of the run.
    n_obtained : int
        K, at most ``params.n_segments``; equal to it for ``count="exact"``.
    losses : tuple of Losses
        The objective over the run, one for each Step; empty where there was nothing to optimise.
    iterations : int
        Iterations done.
    seconds : float
        Wall-clock time of the whole run.
    device : str
        Device and its name.
    reason : FinishReason
        Whether the run completed, settled before, or was stopped early.
    weights : dict of str to ndarray of float32
        The network's, to start a run on a similar image from (``initial``); empty where there was
        nothing to optimise.
    """

    labels: NDArray[np.int32]
    params: SuperpixelParams
    n_obtained: int
    losses: tuple[Losses, ...]
    iterations: int
    seconds: float
    device: str
    reason: FinishReason
    weights: dict[str, NDArray[np.float32]]

    @property
    def n_requested(self) -> int:
        """N, the number asked for."""
        return self.params.n_segments

    def provenance(self) -> dict[str, Any]:
        """How the labels were made, as plain values for a file or a layer's metadata."""
        return {
            "parameters": self.params.to_dict(),
            "n_requested": self.n_requested,
            "n_obtained": self.n_obtained,
            "iterations": self.iterations,
            "final_loss": self.losses[-1].total if self.losses else None,
            "seconds": round(self.seconds, 3),
            "device": self.device,
            "finish_reason": str(self.reason),
            "versions": versions(),
        }


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    packages = ("napari-superpixels", "torch", "numpy", "scikit-image", "scipy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
