"""Listening to where layers lie and what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer

_EVENTS = ("data", "scale", "translate", "rotate", "shear", "affine", "units")


class LayerWatch:
    """Tells when one of some layers gets other data or another place.

    Attributes
    ----------
    changed : psygnal.Signal
        Emitted after each change.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._layers: list[Layer] = []

    def watch(self, layers: Sequence[Layer]) -> None:
        """Listen to these layers from now on, and to no other.

        Parameters
        ----------
        layers : sequence of napari.layers.Layer
            The layers; may be empty.
        """
        if list(layers) == self._layers:
            return
        for layer in self._layers:
            for name in _EVENTS:
                layer.events[name].disconnect(self._on_change)
        self._layers = list(layers)
        for layer in self._layers:
            for name in _EVENTS:
                layer.events[name].connect(self._on_change)

    def _on_change(self, event: Any = None) -> None:
        self.changed.emit()
