"""The worker: drives the API in a thread and reacts to Cancel."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from superqt.utils import GeneratorWorker

from napari_superpixels._napari.colors import neighbour_colormap
from napari_superpixels._napari.settings import Preferences
from napari_superpixels._napari.source import Source
from napari_superpixels.errors import SuperpixelError
from napari_superpixels.events import Command, Step
from napari_superpixels.graph import superpixel_table
from napari_superpixels.params import SuperpixelParams

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.utils.colormaps import CyclicLabelColormap
    from numpy.typing import NDArray

    from napari_superpixels.result import SuperpixelResult

T = TypeVar("T")
_log = logging.getLogger(__name__)

PREVIEW_INTERVAL_S = 0.5
# Steps that go to the GUI; Cancel is looked at after every one.
_REPORT_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a run needs, frozen when Segment is clicked."""

    source: Source
    params: SuperpixelParams
    device: str
    preferences: Preferences
    preset: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A finished run, with what its Labels layer needs; made in the worker."""

    request: Request
    result: SuperpixelResult
    table: dict[str, NDArray[np.generic]]
    colormap: CyclicLabelColormap


class CancelSwitch:
    """Tells the worker to stop, from any thread.

    The worker's own ``quit()`` acts only between yields and drops the generator with its tensors
    inside; this one lets the generator end by itself.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._keep = False

    def cancel(self, *, keep: bool = False) -> None:
        """Ask for the end of the run.

        Parameters
        ----------
        keep : bool, default False
            Whether to return what is there, as a valid result.
        """
        self._keep = keep
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the end was asked for."""
        return self._event.is_set()

    @property
    def keep(self) -> bool:
        """Whether what is there is wanted."""
        return self._keep


class CancellableWorker(GeneratorWorker[Step, None, Any]):
    """A worker that ends by itself when asked to quit.

    The inherited ``quit()``, which napari calls when its window closes, drops the generator between
    two yields; whoever still holds the worker then holds the run's tensors.

    Parameters
    ----------
    run : callable
        ``run(request, switch)`` is a generator of Steps that looks at the switch.
    request : object
        What to do.
    switch : CancelSwitch
        Stops it.
    """

    def __init__(
        self,
        run: Callable[[Any, CancelSwitch], Generator[Step, None, Any]],
        request: Any,
        switch: CancelSwitch,
    ) -> None:
        super().__init__(run, request, switch)
        self._switch = switch

    def quit(self) -> None:
        """Cancel the run; what is there is dropped."""
        self._switch.cancel(keep=False)


def tell_runtime_errors(steps: Generator[Step, None, T]) -> Generator[Step, None, T]:
    """Turn RuntimeErrors, which a worker would swallow, into `SuperpixelError`.

    Parameters
    ----------
    steps : generator of Step
        What runs in the worker.

    Yields
    ------
    Step
        Its Steps.

    Returns
    -------
    object
        What it returns.

    Raises
    ------
    SuperpixelError
        For a RuntimeError.
    """
    try:
        return (yield from steps)
    except RuntimeError as error:
        # As text: a log record that is kept would keep the traceback's frames and their tensors.
        _log.error("segmentation failed\n%s", traceback.format_exc())
        message = f"{type(error).__name__}: {error}"
        error.__traceback__ = None  # its frames hold tensors
    raise SuperpixelError(f"PyTorch could not go on. {message}")


def segment(request: Request, switch: CancelSwitch) -> Generator[Step, None, Delivery | None]:
    """Run a request.

    Parameters
    ----------
    request : Request
        What to do.
    switch : CancelSwitch
        Stops the run within one iteration.

    Yields
    ------
    Step
        At most ten a second, and every Step that carries a preview.

    Returns
    -------
    Delivery or None
        The result; None if cancelled without keeping it.

    Raises
    ------
    SuperpixelError
        Also for any RuntimeError, which a worker would swallow.
    ValueError
        If the image or a parameter is unusable.
    """
    return (yield from tell_runtime_errors(_segment(request, switch)))


def _segment(request: Request, switch: CancelSwitch) -> Generator[Step, None, Delivery | None]:
    # Imported here, in the worker's thread: torch takes seconds to load.
    from napari_superpixels.api import iter_superpixels
    from napari_superpixels.core.checks import as_channels

    source = request.source
    image = source.read()
    mask = source.region.mask if source.region else None
    steps = iter_superpixels(
        image,
        request.params,
        channel_axis=source.read_axis,
        mask=None if mask is None else mask.pixels(),
        nodata=source.nodata,
        device=request.device,
        preview_interval_s=PREVIEW_INTERVAL_S if request.preferences.preview else None,
        memory_limit_gb=request.preferences.memory_limit_gb,
    )
    result = yield from _watched(steps, switch)
    if result is None:
        return None
    table = superpixel_table(
        result.labels,
        as_channels(image, source.read_axis),
        channel_names=source.channel_names,
        pixel_area=source.placement.pixel_area,
    )
    return Delivery(request, result, table, neighbour_colormap(result.labels))


def _watched(
    steps: Generator[Step, Command | None, SuperpixelResult], switch: CancelSwitch
) -> Generator[Step, None, SuperpixelResult | None]:
    """Pass Steps on now and then, and look at the switch after every one."""
    reported = 0.0
    command: Command | None = None
    try:
        while True:
            step = steps.send(command)
            if switch.cancelled:
                if not switch.keep:
                    return None
                command = Command.FINISH
                continue
            now = time.monotonic()
            last = step.iteration == step.n_iterations
            if step.labels is not None or last or now - reported >= _REPORT_INTERVAL_S:
                reported = now
                yield step
    except StopIteration as end:
        result: SuperpixelResult = end.value
    finally:
        steps.close()
    return None if switch.cancelled and not switch.keep else result


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
        Parameters.
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
    from napari_superpixels.api import iter_superpixels  # torch takes seconds to load

    steps = iter_superpixels(
        np.asarray(request.channels),
        request.params,
        channel_axis=0,
        mask=request.mask,
        nodata=float("nan"),
        device=request.device,
        memory_limit_gb=request.memory_limit_gb,
    )
    result = yield from _watched(steps, switch)
    return None if result is None else result.labels
