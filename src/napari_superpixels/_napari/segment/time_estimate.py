"""How long a run will take: from the last one like it, or tried on a small part of the image."""

from __future__ import annotations

import logging
import math
from threading import Event, Thread
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels.errors import SuperpixelError

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput
    from napari_superpixels._napari.segment.worker import Delivery
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.params.options import Resources

_log = logging.getLogger(__name__)

# The user goes on choosing.
_WAIT_MS = 700
# A trial in one piece: so many pixels along an edge at most, and not longer than so.
_TRIAL_PX, _TRIAL_S = 192, 2.0
# Frames that follow from the one before take a third of the time of the first one.
_LATER_FRAMES = 1 / 3
# Seconds a pixel of runs in one piece, of all docks: a second dock need not try again.
_rates: dict[Hashable, float] = {}


class TimeEstimate(QObject):
    """Finds the time, once for each choice.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    found : Signal
        Emitted when more is known.
    """

    found = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._in_tiles: dict[Hashable, float | None] = {}  # seconds of a run in tiles
        self._tried: set[Hashable] = set()
        self._wanted: _Trial | None = None
        self._running: _Trial | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._look)

    def seconds(
        self,
        source: SegmentationInput,
        params: SuperpixelParams,
        resources: Resources,
        *,
        in_tiles: bool,
    ) -> float | None:
        """Say how long a run takes; what is not known is found out, and told by `found`.

        Parameters
        ----------
        source : SegmentationInput
            What is segmented.
        params : SuperpixelParams
        resources : Resources
            Device, and the limit in the preferences.
        in_tiles : bool
            Whether it is done in tiles.

        Returns
        -------
        float or None
            None while that is not known, and for volumes before the first run.
        """
        if in_tiles:
            key: Hashable = (
                *(source.layer_id, source.shape, source.expression, source.channel_names),
                *(params, resources),
            )
            if key not in self._in_tiles:
                self._want(_TrialOfTiles(key, source, params, resources))
            return self._in_tiles.get(key)
        key = _kind_of(source, params, resources.device)
        if key in _rates:
            return _rates[key] * _pixels_to_do(source)
        if source.mode != Mode.VOLUME and key not in self._tried:
            self._want(_Trial(key, source, params, resources))
        return None

    def learn(self, delivery: Delivery) -> None:
        """Take note of how long a run in one piece has taken.

        Parameters
        ----------
        delivery : Delivery
            Of a run that went to its end.
        """
        request = delivery.request
        if request.tiled_output is None and not delivery.stopped and delivery.result.seconds:
            key = _kind_of(request.source, request.params, request.device)
            _rates[key] = delivery.result.seconds / _pixels_to_do(request.source)

    def stop(self) -> None:
        """Leave the processor to the run that starts; a trial ends within one iteration."""
        self._wanted = None
        if self._running is not None:
            self._running.ask_to_stop()

    def cleanup(self) -> None:
        """End the trial: the dock is going away."""
        self.stop()
        if self._running is not None:
            self._running.join()

    def _want(self, trial: _Trial) -> None:
        self._wanted = trial
        self._timer.start()

    def _look(self) -> None:
        """Take note of a trial that is done, and start the next."""
        if self._running is not None:
            if self._running.is_alive():
                return
            self._note(self._running)
            self._running = None
            self.found.emit()
        wanted, self._wanted = self._wanted, None
        if wanted is None or wanted.key in self._tried or wanted.key in self._in_tiles:
            self._timer.stop()
            return
        self._running = wanted
        wanted.start()

    def _note(self, trial: _Trial) -> None:
        if trial.stopped:
            return
        if isinstance(trial, _TrialOfTiles):
            self._in_tiles[trial.key] = trial.found
            return
        self._tried.add(trial.key)
        if trial.found is not None:
            _rates.setdefault(trial.key, trial.found)


def _kind_of(source: SegmentationInput, params: SuperpixelParams, device: str) -> Hashable:
    """What runs have in common that take equally long a pixel."""
    # Where the network has a label map for each superpixel, their number counts.
    n = params.n_segments if params.label_maps == 0 else 1
    return params.replace(n_segments=n), device, len(source.channel_names), source.mode


def _pixels_to_do(source: SegmentationInput) -> float:
    """Pixels of all planes; those of frames that follow count for less."""
    n = math.prod(source.plane_shape)
    if source.mode == Mode.SERIES:
        return n * (1 + (source.n_frames - 1) * _LATER_FRAMES)
    return float(n * source.n_frames)


class _Trial(Thread):
    """Segments a small part of the image in one piece, and finds the seconds a pixel."""

    def __init__(
        self,
        key: Hashable,
        source: SegmentationInput,
        params: SuperpixelParams,
        resources: Resources,
    ) -> None:
        super().__init__()
        self.key = key
        self.found: float | None = None
        self._choices = source, params, resources
        self._stop_asked = Event()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop before it had an answer."""
        return self._stop_asked.is_set() and self.found is None

    def ask_to_stop(self) -> None:
        """End within one iteration."""
        self._stop_asked.set()

    def run(self) -> None:
        steps = self._steps()
        try:
            while not self._stop_asked.is_set():
                next(steps)
        except StopIteration as end:
            self.found = end.value
        except (ValueError, RuntimeError, OSError, MemoryError, SuperpixelError) as error:
            _log.info("no estimate of time: %s", error)  # the run itself will tell the user
        finally:
            steps.close()

    def _steps(self) -> Generator[None, None, float | None]:
        from napari_superpixels.api.image import iter_superpixels
        from napari_superpixels.tiling.estimate import iter_seconds

        source, params, resources = self._choices
        part, n_pixels = _middle(source)
        share = max(2, round(params.n_segments * n_pixels / math.prod(source.plane_shape)))
        steps = iter_superpixels(
            part,
            params.replace(n_segments=min(share, n_pixels // 16 + 2)),
            channel_axis=source.frame_axis,
            nodata=source.nodata,
            device=resources.device,
        )
        seconds = yield from iter_seconds(steps, _TRIAL_S)
        return seconds / n_pixels


class _TrialOfTiles(_Trial):
    """Does the same as tiles do, and finds the seconds of the whole run."""

    def _steps(self) -> Generator[None, None, float | None]:
        from napari_superpixels._napari.segment.tiled_run import iter_needs

        needs = yield from iter_needs(*self._choices)
        return needs.seconds


def _middle(source: SegmentationInput) -> tuple[np.ndarray, int]:
    """The middle of a plane, and how many pixels that is."""
    plane = source.part((0,) * source.n_stack)
    axis = None if source.frame_axis is None else source.frame_axis % np.ndim(plane)
    sides = [n for i, n in enumerate(np.shape(plane)) if i != axis]
    cut = [slice(max(0, (n - _TRIAL_PX) // 2), (n + _TRIAL_PX) // 2) for n in sides]
    n_pixels = math.prod(min(n, _TRIAL_PX) for n in sides)
    if axis is not None:
        cut.insert(axis, slice(None))
    return np.asarray(plane[tuple(cut)]), n_pixels
