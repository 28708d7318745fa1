"""What a run returns, and its provenance."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.core.regions.graph import most_frequent
from napari_superpixels.errors import InvalidParameter, TooFewPixels
from napari_superpixels.events import drain
from napari_superpixels.params.parameter_info import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_superpixels.core.regions.postprocess import Levels
    from napari_superpixels.events import FinishReason, Losses
    from napari_superpixels.params import SuperpixelParams

# Columns of `SuperpixelResult.table`.
INITIAL, OBJECT = "initial", "object"


@dataclass(frozen=True, slots=True)
class SuperpixelResult:
    """Superpixels of one image.

    Attributes
    ----------
    labels : ndarray of int32, shape (H, W)
        Connected superpixels 1...K; 0 outside the mask.
    params : SuperpixelParams
        Parameters of these superpixels.
    n_obtained : int
        K, at most ``params.n_segments``; equal to it for ``count="exact"``.
    losses : tuple of Losses
        The objective over the run, one for each Step; empty where there was nothing to optimise.
    iterations : int
        Iterations done.
    seconds : float
        Wall-clock time of the whole run, or of finding this level of it.
    device : str
        Device and its name.
    reason : FinishReason
        Whether the run completed, settled before, or was stopped early.
    weights : dict of str to ndarray of float32
        The network's, to start a run on a similar image from (``initial``); empty where there was
        nothing to optimise.
    run_params : SuperpixelParams or None
        Those of the run, where `at` has found these superpixels and they are other ones than the
        run's; else None.
    levels : Levels or None
        Superpixels of every number, for `at`; None where there was nothing to optimise, or planes
        of a stack were segmented.
    given : dict of str to ndarray of int, shape of `labels`
        Labels that the run started from, for `table`: ``"initial"``, ``"object"``.
    started_from : dict
        What the run started from, as plain values for the provenance; empty for a random start.
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
    run_params: SuperpixelParams | None = None
    levels: Levels | None = field(default=None, repr=False, compare=False)
    given: dict[str, NDArray[np.integer]] = field(default_factory=dict, repr=False, compare=False)
    started_from: dict[str, Any] = field(default_factory=dict)

    @property
    def n_requested(self) -> int:
        """N, the number asked for."""
        return self.params.n_segments

    @property
    def n_most(self) -> int:
        """Largest N that `at` takes: the number of pieces of the run, or its own N."""
        of_run = (self.run_params or self.params).n_segments
        return of_run if self.levels is None else max(self.levels.tree.n_regions, of_run)

    @property
    def table(self) -> dict[str, NDArray[np.int64]]:
        """What is known of each superpixel from the labels that the run started from.

        Columns of length K: ``index``, the superpixel; ``object``, the given object that most of
        its pixels lie in, 0 outside of all; ``initial``, the initial label or scribble that most of
        its labelled pixels have, 0 where it has none. The latter two where such labels were given.
        """
        index = np.arange(1, self.n_obtained + 1)
        return {"index": index} | given_columns(self.labels, self.given)

    def at(
        self,
        n_segments: int | None = None,
        *,
        lam: float | None = None,
        smoothness: float | str | None = None,
        count: str | None = None,
    ) -> SuperpixelResult:
        """Find another number of superpixels, from the same run and without the network.

        Before their borders are refined, superpixels of a higher number lie in those of a lower
        one.

        Parameters
        ----------
        n_segments : int, optional
            N, 1 to `n_most`, or with an exact count to the number of pixels; that of this result
            if None.
        lam : float, optional
            Lambda, 0 to 3: lower leaves fewer than N, see `SuperpixelParams`.
        smoothness : float or "auto", optional
            Weight of the border's length, 0 to 100, see ``refine_smoothness``.
        count : {"adaptive", "exact"}, optional
            Whether lambda may leave fewer than N, see `SuperpixelParams`.

        Returns
        -------
        SuperpixelResult
            With these parameters; ``seconds`` is the time that this took.

        Raises
        ------
        ValueError
            If a parameter is unusable, or the result keeps no levels.

        Examples
        --------
        >>> from skimage.data import coffee
        >>> from napari_superpixels import iter_superpixels
        >>> from napari_superpixels.events import drain
        >>> result = drain(iter_superpixels(coffee(), channel_axis=-1))
        >>> few, many = result.at(30), result.at(300)
        """
        if self.levels is None:
            raise ValueError("this result keeps no levels: segment with the other number")
        begin = time.perf_counter()
        changes = {
            "n_segments": n_segments,
            "lam": lam,
            "refine_smoothness": smoothness,
            "count": count,
        }
        params = self.params.replace(**{k: v for k, v in changes.items() if v is not None})
        of_run = self.run_params or self.params
        if params.count == "adaptive" and params.n_segments > self.n_most:
            raise InvalidParameter(
                "n_segments", f"at most {self.n_most}, the pieces of this run", params.n_segments
            )
        n_pixels = int(self.levels.image.mask.sum())
        if params.count == "exact" and params.n_segments > n_pixels:
            raise TooFewPixels(params.n_segments, n_pixels)
        labels = drain(self.levels.superpixels(params))
        return replace(
            self,
            labels=self.levels.image.embed(labels),
            params=params,
            n_obtained=int(labels.max()),
            seconds=time.perf_counter() - begin,
            run_params=None if params == of_run else of_run,
        )

    def provenance(self) -> dict[str, Any]:
        """How the labels were made, as plain values for a file or a layer's metadata."""
        found: dict[str, Any] = {}
        if self.run_params is not None:
            found["run_parameters"] = self.run_params.to_dict()
        if self.levels is not None and self.params.refine_smoothness == AUTO:
            found["border_smoothness"] = round(self.levels.auto_smoothness, 4)
        return {
            "parameters": self.params.to_dict(),
            **found,
            "n_requested": self.n_requested,
            "n_obtained": self.n_obtained,
            "iterations": self.iterations,
            "final_loss": self.losses[-1].total if self.losses else None,
            "seconds": round(self.seconds, 3),
            "device": self.device,
            "finish_reason": str(self.reason),
            **self.started_from,
            "versions": versions(),
        }


def given_columns(
    labels: NDArray[np.integer], given: Mapping[str, NDArray[np.integer]]
) -> dict[str, NDArray[np.int64]]:
    """Tell which of the given labels each superpixel belongs to.

    Parameters
    ----------
    labels : ndarray of int
        Superpixels; 0 is outside.
    given : mapping of str to ndarray of int, of the same shape
        See `SuperpixelResult.given`.

    Returns
    -------
    dict of str to ndarray of int64, shape (K,)
        A column for each, in ascending order of the superpixels that are there; see
        `SuperpixelResult.table`.
    """
    ids = np.unique(labels)
    ids = ids[ids > 0]
    ranks = np.searchsorted(ids, labels) + 1
    ranks[labels <= 0] = 0
    return {
        name: most_frequent(ranks, values, above_0=name == INITIAL)[1:]
        for name, values in given.items()
    }


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    packages = ("napari-superpixels", "torch", "numpy", "scikit-image", "scipy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
