"""Other superpixels of the last run, while its number, λ or border smoothness is moved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.segment.cancelling import (
    CancellableWorker,
    CancelSwitch,
    tell_runtime_errors,
)
from napari_superpixels._napari.segment.controls.parameter_form import preset_of
from napari_superpixels._napari.segment.output_layer import is_as_delivered, update_layer
from napari_superpixels._napari.segment.worker import Delivery, delivery_of
from napari_superpixels.api.result import SuperpixelResult
from napari_superpixels.params import SuperpixelParams

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput

# What can change without the network. Without pieces that merge, lambda is the network's alone.
_LIVE_FIELDS = ("n_segments", "count", "refine_smoothness")
_LIVE_WHERE_PIECES_MERGE = (*_LIVE_FIELDS, "lam")


class LiveLevels(QObject):
    """Keeps the layer of a result in step with the controls, until somebody edits it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Holds the layer.
    parent : QObject
        Owner.
    """

    shown = Signal(object, object)  # Delivery, layer
    failed = Signal(str)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._delivery: Delivery | None = None
        self._layer: Labels | None = None
        self._region: tuple[Any, ...] | None = None
        # What the controls say; None where that takes another run.
        self._asked: SuperpixelParams | None = None
        self._switch: CancelSwitch | None = None

    def follow(self, delivery: Delivery, layer: Labels) -> None:
        """Take over a result.

        Parameters
        ----------
        delivery : Delivery
            Of a run that has ended.
        layer : napari.layers.Labels
            Holds its labels.
        """
        self.release()
        if isinstance(delivery.result, SuperpixelResult) and delivery.result.levels is not None:
            self._delivery, self._layer = delivery, layer
            # Now: a mask that is painted changes in place, in the request too.
            self._region = _region_of(delivery.request.source)

    def release(self) -> None:
        """Let go of the result, and of the memory that its levels take."""
        if self._switch is not None:
            self._switch.cancel()
        self._delivery = self._layer = self._asked = None

    @property
    def is_live(self) -> bool:
        """Whether there is a result whose layer is in the viewer as it was delivered."""
        delivery, layer = self._delivery, self._layer
        if delivery is None or layer is None or layer not in self._viewer.layers:
            return False
        return is_as_delivered(layer, delivery)

    def show(self, params: SuperpixelParams, source: SegmentationInput) -> bool:
        """Show the superpixels of other parameters, if they can be had without another run.

        Parameters
        ----------
        params : SuperpixelParams
            What the controls say.
        source : SegmentationInput
            What they would segment.

        Returns
        -------
        bool
            Whether the layer follows the controls.
        """
        if self._delivery is None:
            return False
        if self._layer not in self._viewer.layers:
            self.release()
            return False
        follows = self._is_of_this_run(params, source) and self.is_live
        self._asked = params if follows else None
        if self._switch is None:
            self._start()
        return follows

    def _is_of_this_run(self, params: SuperpixelParams, source: SegmentationInput) -> bool:
        assert self._delivery is not None
        has = self._delivery.request.params
        live = _LIVE_WHERE_PIECES_MERGE if has.oversegmentation else _LIVE_FIELDS
        others = params.replace(**{name: getattr(has, name) for name in live})
        is_same = others == has and source.is_same(self._delivery.request.source)
        return is_same and _region_of(source) == self._region

    def _start(self) -> None:
        """Compute what is asked for, unless it is shown already."""
        asked, delivery = self._asked, self._delivery
        if asked is None or delivery is None or asked == delivery.request.params:
            return
        if not self.is_live:
            return
        assert isinstance(delivery.result, SuperpixelResult)
        most = delivery.result.n_most
        if asked.count == "adaptive" and asked.n_segments > most:
            self._asked = None
            self.failed.emit(f"More than {most:,} superpixels need another run: press Segment.")
            return
        switch = CancelSwitch()
        worker = CancellableWorker(_at, (delivery, asked), switch)
        worker.returned.connect(self._on_returned)
        worker.errored.connect(self._on_error)
        worker.finished.connect(self._on_finished)
        self._switch = switch
        worker.start()

    @property
    def _is_due(self) -> bool:
        """Whether what a worker brings is still wanted, and not of the result before."""
        return self._switch is not None and not self._switch.cancelled

    def _on_returned(self, delivery: Delivery | None) -> None:
        layer, before = self._layer, self._delivery
        if delivery is None or layer is None or before is None or not self._is_due:
            return
        # The controls may say something else by now; and an edit wins.
        if delivery.request.params != self._asked or not self.is_live:
            return
        self._delivery = delivery
        update_layer(layer, delivery, before)
        self.shown.emit(delivery, layer)

    def _on_error(self, error: Exception) -> None:
        if self._is_due:
            self._asked = None
            self.failed.emit(text_of(error))

    def _on_finished(self, _nothing: None = None) -> None:
        self._switch = None
        self._start()  # the controls may have moved meanwhile


def _region_of(source: SegmentationInput) -> tuple[Any, ...] | None:
    return None if source.region is None else source.region.fingerprint()


def _at(
    job: tuple[Delivery, SuperpixelParams], switch: CancelSwitch
) -> Generator[None, None, Delivery | None]:
    """Find the superpixels of other parameters; runs in the worker."""
    return (yield from tell_runtime_errors(_delivered(job, switch)))


def _delivered(
    job: tuple[Delivery, SuperpixelParams], switch: CancelSwitch
) -> Generator[None, None, Delivery | None]:
    delivery, params = job
    assert isinstance(delivery.result, SuperpixelResult)
    assert delivery.channels is not None
    result = delivery.result.at(
        params.n_segments,
        lam=params.lam,
        smoothness=params.refine_smoothness,
        count=params.count,
    )
    yield
    if switch.cancelled:
        return None
    request = replace(delivery.request, params=params, preset=preset_of(params))
    return delivery_of(request, result, delivery.channels)
