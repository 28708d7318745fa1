"""How long a run in tiles will take: tried on a small part of the image, in a thread."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_superpixels.errors import SuperpixelError
from napari_superpixels.errors.quantities import duration

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.params.options import Resources

_log = logging.getLogger(__name__)

# The user goes on choosing.
_WAIT_MS = 700


class TileEstimate(QObject):
    """Finds the time, once for each choice.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    found : Signal
        Emitted when `text` has changed.
    """

    found = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._known: dict[Hashable, str] = {}
        self._wanted: _Trial | None = None
        self._running: _Trial | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._look)

    def text(
        self,
        source: SegmentationInput,
        params: SuperpixelParams,
        resources: Resources,
    ) -> str:
        """Say how long a run takes, or that it is being found out.

        Parameters
        ----------
        source : SegmentationInput
            One plane.
        params : SuperpixelParams
        resources : Resources
            Device, and the limit in the preferences.

        Returns
        -------
        str
            To stand after what else the run needs.
        """
        key = (
            source.layer_id,
            source.shape,
            source.expression,
            source.channel_names,
            params,
            resources,
        )
        if key not in self._known:
            self._wanted = _Trial(key, source, params, resources)
            self._timer.start()
        return self._known.get(key, "; finding out how long it takes…")

    def cleanup(self) -> None:
        """End the trial: the dock is going away."""
        if self._running is not None:
            self._running.stop()

    def _look(self) -> None:
        """Take note of a trial that is done, and start the next."""
        if self._running is not None:
            if self._running.is_alive():
                return
            seconds = self._running.seconds
            text = "" if seconds is None else f", about {duration(seconds)}"
            self._known[self._running.key] = text
            self._running = None
            self.found.emit()
        if self._wanted is not None and self._wanted.key not in self._known:
            self._running = self._wanted
            self._running.start()
        else:
            self._timer.stop()
        self._wanted = None


class _Trial(Thread):
    """Segments a small part of the image."""

    def __init__(
        self,
        key: Hashable,
        source: SegmentationInput,
        params: SuperpixelParams,
        resources: Resources,
    ) -> None:
        super().__init__()
        self.key = key
        self.seconds: float | None = None
        self._choices = source, params, resources
        self._stop_asked = Event()

    def stop(self) -> None:
        """End within one iteration, and wait for that."""
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        from napari_superpixels._napari.segment.tiled_run import iter_needs

        steps = iter_needs(*self._choices)
        try:
            while not self._stop_asked.is_set():
                next(steps)
        except StopIteration as end:
            self.seconds = end.value.seconds
        except (ValueError, RuntimeError, OSError, MemoryError, SuperpixelError) as error:
            _log.info("no estimate of time: %s", error)  # the run itself will tell the user
        finally:
            steps.close()
