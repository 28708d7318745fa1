"""Other superpixels of the last run, while its number, λ or border smoothness is moved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_superpixels._napari.messages import text_of
from napari_superpixels._napari.segment.cancelling import (
    CancellableWorker,
    CancelSwitch,
    tell_runtime_errors,
)
from napari_superpixels._napari.segment.controls.parameter_form import preset_of
from napari_superpixels._napari.segment.output_layer import finish_layer, is_as_delivered
from napari_superpixels._napari.segment.worker import Delivery, delivery_of
from napari_superpixels.api.result import SuperpixelResult
from napari_superpixels.params import SuperpixelParams

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_superpixels._napari.input.segmentation_input import SegmentationInput

# What can change without the network.
LIVE_FIELDS = ("n_segments", "count", "lam", "refine_smoothness")


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
        self._wanted: SuperpixelParams | None = None
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

    def release(self) -> None:
        """Let go of the result, and of the memory that its levels take."""
        if self._switch is not None:
            self._switch.cancel()
        self._delivery = self._layer = self._wanted = None

    @property
    def is_live(self) -> bool:
        """Whether there is a result whose layer is in the viewer as it was delivered."""
        delivery, layer = self._delivery, self._layer
        if delivery is None or layer is None or layer not in self._viewer.layers:
            return False
        return is_as_delivered(layer, delivery)

    def show(self, params: SuperpixelParams, source: SegmentationInput) -> None:
        """Show the superpixels of other parameters, if they can be had without another run.

        Parameters
        ----------
        params : SuperpixelParams
            What the controls say.
        source : SegmentationInput
            What they would segment.
        """
        if self._delivery is None:
            return
        has = self._delivery.request.params
        others = params.replace(**{name: getattr(has, name) for name in LIVE_FIELDS})
        is_other_run = others != has or not source.is_same(self._delivery.request.source)
        self._wanted = None if is_other_run or params == has else params
        if self._switch is None:
            self._start()

    def _start(self) -> None:
        if self._wanted is None or not self.is_live:
            return
        assert self._delivery is not None
        switch = CancelSwitch()
        worker = CancellableWorker(_at, (self._delivery, self._wanted), switch)
        worker.returned.connect(self._on_returned)
        worker.errored.connect(lambda error: self.failed.emit(text_of(error)))
        worker.finished.connect(self._on_finished)
        self._wanted, self._switch = None, switch
        worker.start()

    def _on_returned(self, delivery: Delivery | None) -> None:
        layer = self._layer
        # A cancelled one may belong to the result before.
        is_due = self._switch is not None and not self._switch.cancelled
        if delivery is None or layer is None or not is_due or not self.is_live:
            return
        self._delivery = delivery
        finish_layer(layer, delivery, layer.name)
        self.shown.emit(delivery, layer)

    def _on_finished(self, _nothing: None = None) -> None:
        self._switch = None
        self._start()  # the controls may have moved meanwhile


def _at(
    job: tuple[Delivery, SuperpixelParams], switch: CancelSwitch
) -> Generator[None, None, Delivery | None]:
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
