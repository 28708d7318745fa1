"""The choice of what a run starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Labels
from psygnal import Signal

from napari_superpixels._napari.input.plane import InputError
from napari_superpixels._napari.input.start import StartKind, StartLabels, start_labels
from napari_superpixels._napari.widgets.layer_watch import LayerWatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.viewer import Viewer

    from napari_superpixels._napari.input.axes import Mode
    from napari_superpixels._napari.input.plane import PlaneGrid, View


class StartChoice:
    """Combo boxes for the kind of start, and for the Labels layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer

    Attributes
    ----------
    kind_box, layer_box : magicgui.widgets.ComboBox
        What is started from.
    changed : psygnal.Signal
        Emitted when the choice or the chosen layer changed.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._names: list[str] = []
        self._layer: Labels | None = None
        self._updating = False
        self.kind_box = ComboBox(
            name="start",
            label="Start from",
            choices=list(StartKind),
            value=StartKind.IMAGE,
            tooltip="Labels that you have, such as cells of Cellpose, StarDist or SAM. Refine: "
            "their borders move to the image's edges. Labels or scribbles: superpixels begin with "
            "them; what you scribbled on a small part of the image stays apart. Objects: no "
            "superpixel crosses the border of one, or only where the image says so strongly; the "
            "table tells the object of each.",
        )
        self.layer_box = ComboBox(
            name="start_layer",
            label="Labels",
            choices=lambda _: self._names,
            tooltip="The Labels layer, on the pixels of the image.",
        )
        self._watch = LayerWatch()
        self._watch.changed.connect(self.changed.emit)
        self.kind_box.changed.connect(self._on_layers)
        self.layer_box.changed.connect(self._on_layer)
        layers = viewer.layers.events
        self._connections: list[Any] = [layers.inserted, layers.removed, layers.renamed]
        for emitter in self._connections:
            emitter.connect(self._on_layers)

    @property
    def kind(self) -> StartKind:
        """What is started from."""
        return StartKind(self.kind_box.value)

    @property
    def needs_layer(self) -> bool:
        """Whether a layer is to be chosen."""
        return self.kind != StartKind.IMAGE

    def start(
        self, grid: PlaneGrid, view: View, stack: Sequence[int], mode: Mode
    ) -> StartLabels | None:
        """Find what is chosen.

        Parameters
        ----------
        grid : PlaneGrid
            The plane of the image.
        view : View
            What the viewer shows.
        stack : sequence of int
            Axes of the image along which planes are segmented together.
        mode : Mode
            What is segmented.

        Returns
        -------
        StartLabels or None
            None for the image alone.

        Raises
        ------
        InputError
            If there is no such layer, or it does not fit; the message says what to do.
        """
        if not self.needs_layer:
            return None
        if self._layer is None:
            raise InputError("There is no Labels layer to start from: add or open one.")
        return start_labels(self.kind, grid, view, self._layer, stack, mode)

    def cleanup(self) -> None:
        """Let go of the viewer."""
        for emitter in self._connections:
            emitter.disconnect(self._on_layers)
        self._connections.clear()
        self._watch.watch([])

    def _on_layers(self, event: Any = None) -> None:
        layers = [layer for layer in self._viewer.layers if isinstance(layer, Labels)]
        if self._layer not in layers:
            self._layer = layers[-1] if layers else None
        self._updating = True
        self._names = [layer.name for layer in layers]
        self.layer_box.reset_choices()
        if self._layer is not None:
            self.layer_box.value = self._layer.name
        self._updating = False
        self._watch.watch([self._layer] if self.needs_layer and self._layer is not None else [])
        self.changed.emit()

    def _on_layer(self, name: str | None) -> None:
        if not self._updating and name is not None:
            self._layer = self._viewer.layers[name]
            self._on_layers()
