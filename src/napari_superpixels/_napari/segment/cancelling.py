"""Runs in a thread that end when they are told to, and tell what goes wrong."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

from superqt.utils import GeneratorWorker

from napari_superpixels.errors import SuperpixelError
from napari_superpixels.events import Command, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_superpixels.api.result import SuperpixelResult

S = TypeVar("S")
T = TypeVar("T")
_log = logging.getLogger(__name__)

# Steps that go to the GUI; Cancel is looked at after every one.
REPORT_INTERVAL_S = 0.1


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


class CancellableWorker(GeneratorWorker[Any, None, Any]):
    """A worker that ends by itself when asked to quit.

    The inherited ``quit()``, which napari calls when its window closes, drops the generator between
    two yields; whoever still holds the worker then holds the run's tensors.

    Parameters
    ----------
    run : callable
        ``run(request, switch)`` is a generator that looks at the switch.
    request : object
        What to do.
    switch : CancelSwitch
        Stops it.
    """

    def __init__(
        self,
        run: Callable[[Any, CancelSwitch], Generator[Any, None, Any]],
        request: Any,
        switch: CancelSwitch,
    ) -> None:
        super().__init__(run, request, switch)
        self._switch = switch

    def quit(self) -> None:
        """Cancel the run; what is there is dropped."""
        self._switch.cancel(keep=False)


def tell_runtime_errors(steps: Generator[S, None, T]) -> Generator[S, None, T]:
    """Turn RuntimeErrors, which a worker would swallow, into `SuperpixelError`.

    Parameters
    ----------
    steps : generator
        What runs in the worker.

    Yields
    ------
    object
        What it yields.

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


def watched(
    steps: Generator[Step, Command | None, SuperpixelResult], switch: CancelSwitch
) -> Generator[Step, None, SuperpixelResult | None]:
    """Pass Steps on now and then, and look at the switch after every one.

    Parameters
    ----------
    steps : generator of Step
        From `iter_superpixels`.
    switch : CancelSwitch
        Ends the run.

    Yields
    ------
    Step
        At most ten a second, and all that carry a preview.

    Returns
    -------
    SuperpixelResult or None
        None if cancelled without keeping it.
    """
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
            if step.labels is not None or last or now - reported >= REPORT_INTERVAL_S:
                reported = now
                yield step
    except StopIteration as end:
        result: SuperpixelResult = end.value
    finally:
        steps.close()
    return None if switch.cancelled and not switch.keep else result
