"""The choice of where to segment: controls that show only when they are needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from magicgui.widgets import ComboBox, LineEdit
from napari.layers import Labels, Layer, Shapes
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import QTimer

from napari_superpixels._napari.input.plane import InputError, PlaneGrid, View, plane_axes
from napari_superpixels._napari.input.region import (
    Region,
    Where,
    region_of_labels,
    region_of_shapes,
    visible_region,
)

_KINDS: dict[Where, type[Layer]] = {Where.SHAPES: Shapes, Where.LABELS: Labels}
_KIND_NAMES = {Where.SHAPES: "Shapes", Where.LABELS: "Labels"}
_NO_NODATA = "none"
# While the view moves or somebody paints; the run itself looks anew.
_REFRESH_MS = 150


class RegionChoice:
    """Combo boxes for the region, and a field for the nodata value.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    where_box, layer_box : magicgui.widgets.ComboBox
        Kind of region, and the layer that it is made from.
    nodata_box : magicgui.widgets.LineEdit
        A number, ``none``, or nothing for what the image's metadata say.
    changed : psygnal.Signal
        Emitted when the choice, the view or the chosen layer changed.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._names: list[str] = []
        self.where_box = ComboBox(
            name="where",
            label="Where",
            choices=list(Where),
            value=Where.WHOLE,
            tooltip="The whole image, what the canvas shows now, the rectangles, ellipses and "
            "polygons of a Shapes layer, or where a Labels layer is not 0. Labels outside are 0, "
            "and no superpixel crosses the edge. In a stack the same in every slice; a mask of as "
            "many slices counts slice by slice.",
        )
        self.layer_box = ComboBox(
            name="region_layer",
            label="Inside of",
            choices=lambda _: self._names,
            tooltip="The layer with the shapes, or with the mask. Shapes may have any scale and "
            "rotation; a mask needs the pixels of the image, or a part of them.",
        )
        self.nodata_box = LineEdit(
            name="nodata",
            label="Nodata value",
            tooltip="Pixels with this value in every channel are left out, and so are NaNs. Empty: "
            "what the image's metadata say (GeoTIFFs); “none”: nothing is left out but NaN.",
        )
        self.nodata_box.native.setPlaceholderText("as the image says")
        self._layer: Layer | None = None
        self._updating = False
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self.changed.emit)
        self.where_box.changed.connect(self._on_where)
        self.layer_box.changed.connect(self._on_layer)
        self.nodata_box.changed.connect(self._on_nodata)
        layers, camera = viewer.layers.events, viewer.scene.camera.events
        self._connections: list[tuple[Any, Any]] = [
            (layers.inserted, self._on_layers),
            (layers.removed, self._on_layers),
            (layers.renamed, self._on_layers),
            (camera.zoom, self._on_view),
            (camera.center, self._on_view),
            (viewer.canvas.events.size, self._on_view),
        ]
        for emitter, callback in self._connections:
            emitter.connect(callback)

    @property
    def where(self) -> Where:
        """Kind of region."""
        return Where(self.where_box.value)

    @property
    def needs_layer(self) -> bool:
        """Whether a layer is to be chosen."""
        return self.where in _KINDS

    def region(self, grid: PlaneGrid, view: View, stack: Sequence[int] = ()) -> Region | None:
        """Find the pixels of the chosen region.

        Parameters
        ----------
        grid : PlaneGrid
            The plane.
        view : View
            What the viewer shows.
        stack : sequence of int
            Axes of the layer along which planes are segmented together.

        Returns
        -------
        Region or None
            None for the whole plane.

        Raises
        ------
        InputError
            If there are none; the message says what to do.
        """
        if self.where == Where.WHOLE:
            return None
        if sorted(grid.axes) != sorted(plane_axes(grid.layer, view)):
            raise InputError(
                f"“{self.where}” needs the plane of Y and X to be the one that the viewer shows: "
                f"change the axes, or choose “{Where.WHOLE}”."
            )
        if self.where == Where.VISIBLE:
            return visible_region(grid, view)
        if self._layer is None:
            kind = _KIND_NAMES[self.where]
            raise InputError(f"There is no {kind} layer: add one and draw where to segment.")
        if self.where == Where.SHAPES:
            return region_of_shapes(grid, view, self._layer)
        return region_of_labels(grid, view, self._layer, stack)

    def nodata(self) -> float | None:
        """Read the nodata value.

        Returns
        -------
        float or None
            NaN for none but NaN; None for what the image's metadata say.

        Raises
        ------
        InputError
            If it is no number.
        """
        text = str(self.nodata_box.value).strip()
        if not text:
            return None
        if text.lower() == _NO_NODATA:
            return math.nan
        try:
            return float(text)
        except ValueError:
            raise InputError(
                f"The nodata value must be a number, “{_NO_NODATA}” or empty, got “{text}”."
            ) from None

    def cleanup(self) -> None:
        """Let go of the viewer."""
        if isalive(self._timer):  # it may be destroyed with the dock before this
            self._timer.stop()
        for emitter, callback in self._connections:
            emitter.disconnect(callback)
        self._connections.clear()
        self._watch(None)

    def _on_where(self) -> None:
        self._on_layers()

    def _on_layers(self, event: Any = None) -> None:
        kind = _KINDS.get(self.where)
        layers = [] if kind is None else [x for x in self._viewer.layers if isinstance(x, kind)]
        chosen = self._layer if self._layer in layers else (layers[-1] if layers else None)
        self._updating = True
        self._names = [layer.name for layer in layers]
        self.layer_box.reset_choices()
        if chosen is not None:
            self.layer_box.value = chosen.name
        self._updating = False
        self._watch(chosen)
        self.changed.emit()

    def _on_layer(self, name: str | None) -> None:
        if not self._updating and name is not None:
            self._watch(self._viewer.layers[name])
            self.changed.emit()

    def _watch(self, layer: Layer | None) -> None:
        """Listen to what is drawn in the chosen layer, and to where it lies."""
        if layer == self._layer:
            return
        for emitter in _events_of(self._layer):
            emitter.disconnect(self._on_drawn)
        self._layer = layer
        for emitter in _events_of(layer):
            emitter.connect(self._on_drawn)

    def _on_drawn(self, event: Any = None) -> None:
        self._soon()

    def _on_view(self, event: Any = None) -> None:
        if self.where == Where.VISIBLE:
            self._soon()

    def _soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _on_nodata(self) -> None:
        self.changed.emit()


def _events_of(layer: Layer | None) -> list[Any]:
    if layer is None:
        return []
    events = layer.events
    drawn = [events.data, events.set_data]
    return [*drawn, events.scale, events.translate, events.rotate, events.shear, events.affine]
