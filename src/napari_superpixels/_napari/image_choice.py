"""The image choice: layer, channels and level, following the viewer."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox
from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal

from napari_superpixels._napari.plane import PlaneGrid, SourceError, View, plane_grid
from napari_superpixels._napari.region import Region
from napari_superpixels._napari.source import (
    Source,
    channel_choices,
    proposed_channel_axis,
    resolve_source,
)

# Of the choices of a level: the one that napari draws, whichever that is at the time.
SHOWN = "shown"


class ImageChoice:
    """Combo boxes for the image layer, its channels and its level.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer.
    follow : bool, default True
        Whether the image is always the one selected in the layer list.

    Attributes
    ----------
    layer_box, channel_box, level_box : magicgui.widgets.ComboBox
        The controls.
    changed : psygnal.Signal
        Emitted when the choice or what the viewer shows changed.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, *, follow: bool = True) -> None:
        self._viewer = viewer
        self._follow = follow
        # magicgui asks for the choices again when a control gets a parent.
        self._choices: dict[str, list[Any]] = {"image": [], "channels": [], "level": []}
        self.layer_box = ComboBox(
            name="image",
            label="Image",
            choices=lambda _: self._choices["image"],
            tooltip="The image layer to segment; follows the layer that you select in the list."
            if follow
            else "The image that guides the tools, and whose values are in the table.",
        )
        self.channel_box = ComboBox(
            name="channels",
            label="Channels",
            choices=lambda _: self._choices["channels"],
            tooltip="How the layer's axes are read. All channels together decide the superpixels; "
            "other axes (time, depth) are segmented at the position of their slider.",
        )
        self.level_box = ComboBox(
            name="level",
            label="Level",
            choices=lambda _: self._choices["level"],
            tooltip="Level of a multiscale image: the one that is drawn now, or any other. Only "
            "what is segmented is read.",
        )
        self._channel_axes: dict[str, int | None] = {}
        self._updating = False
        self._layer: Image | None = None
        self.layer_box.changed.connect(self._on_choice_of_layer)
        self.channel_box.changed.connect(self._on_choice)
        self.level_box.changed.connect(self._on_choice)
        events = viewer.layers.events
        self._connections: list[tuple[Any, Any]] = [
            (events.inserted, self._on_layers),
            (events.removed, self._on_layers),
            (events.reordered, self._on_layers),
            (events.renamed, self._on_layers),
            (viewer.layers.selection.events.active, self._on_active),
            (viewer.dims.events.current_step, self._on_view),
            (viewer.dims.events.order, self._on_axes),
            (viewer.dims.events.ndim, self._on_axes),
            (viewer.dims.events.ndisplay, self._on_axes),
        ]
        for emitter, callback in self._connections:
            emitter.connect(callback)
        self._on_layers()
        self._on_active()

    @property
    def layer(self) -> Image | None:
        """The chosen layer."""
        return self._layer

    @property
    def channel_axis(self) -> int | None:
        """Axis of the layer's data that is read as channels."""
        return self._channel_axes.get(self.channel_box.value)

    @property
    def level(self) -> int:
        """Level of a multiscale layer; 0 for any other."""
        if self.layer is None or not self.layer.multiscale:
            return 0
        chosen = self.level_box.value
        return int(self.layer.data_level) if chosen in (None, SHOWN) else int(chosen)

    def grid(self, view: View) -> PlaneGrid:
        """Find the pixels of the plane that is shown.

        Parameters
        ----------
        view : View
            What the viewer shows.

        Returns
        -------
        PlaneGrid
            Of the chosen layer and level.

        Raises
        ------
        SourceError
            If there is no image, or no such plane; the message says what to do.
        """
        if self.layer is None:
            raise SourceError("Open or select an image layer to segment.")
        return plane_grid(self.layer, view, self.channel_axis, self.level)

    def source(
        self, view: View, region: Region | None = None, nodata: float | None = None
    ) -> Source:
        """Resolve the choice.

        Parameters
        ----------
        view : View
            What the viewer shows.
        region : Region, optional
            Where in the plane.
        nodata : float, optional
            See `resolve_source`.

        Returns
        -------
        Source
            The plane to segment.

        Raises
        ------
        SourceError
            If there is no image, or no such plane; the message says what to do.
        """
        if self.layer is None:
            raise SourceError("Open or select an image layer to segment.")
        return resolve_source(self.layer, view, self.channel_axis, self.level, region, nodata)

    def cleanup(self) -> None:
        """Let go of the viewer."""
        for emitter, callback in self._connections:
            emitter.disconnect(callback)
        self._connections.clear()
        self._watch(None)

    # Layers are compared with == and chosen by name: through napari's viewer proxy the same layer
    # is another object at each access.

    def _on_layers(self, event: Any = None) -> None:
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        layer = self._layer if self._layer in images else (images[-1] if images else None)
        self._updating = True
        self._offer(self.layer_box, [image.name for image in images])
        self._updating = False
        self._choose(layer)

    def _on_active(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if isinstance(active, Image) and self._follow:
            self._choose(active)

    def _on_choice_of_layer(self, name: str | None) -> None:
        if not self._updating and name is not None:
            self._choose(self._viewer.layers[name])

    def _choose(self, layer: Image | None) -> None:
        """Show a layer in the box; start anew with its channels if it is another one."""
        if layer is not None:
            self._updating = True
            self.layer_box.value = layer.name
            self._updating = False
        if layer != self._layer:
            self._watch(layer)
            self._refresh_choices(keep_channels=False)
        else:
            self.changed.emit()

    def _watch(self, layer: Image | None) -> None:
        """Listen to the data of the chosen layer, and of no other."""
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_axes)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._on_axes)

    def _on_axes(self, event: Any = None) -> None:
        self._refresh_choices(keep_channels=True)

    def _refresh_choices(self, *, keep_channels: bool) -> None:
        layer = self.layer
        chosen = self.channel_axis
        self._updating = True
        if layer is None:
            self._offer(self.channel_box, [])
            self._offer(self.level_box, [])
        else:
            view = View.of(self._viewer)
            self._channel_axes = dict(channel_choices(layer, view))
            self._offer(self.channel_box, list(self._channel_axes))
            if not keep_channels or chosen not in self._channel_axes.values():
                chosen = proposed_channel_axis(layer, view)
            self.channel_box.value = next(
                text for text, axis in self._channel_axes.items() if axis == chosen
            )
            self._refresh_levels(layer)
        self.channel_box.enabled = len(self.channel_box.choices) > 1
        self._updating = False
        self.changed.emit()

    def _refresh_levels(self, layer: Image) -> None:
        if not layer.multiscale:
            self._offer(self.level_box, [])
            return
        chosen = self.level_box.value
        size = [" × ".join(str(n) for n in level.shape) for level in layer.data]
        choices: list[tuple[str, Any]] = [("the level shown", SHOWN)]
        choices += [(f"level {i} ({text})", i) for i, text in enumerate(size)]
        choices[1] = (f"full resolution ({size[0]})", 0)
        self._offer(self.level_box, choices)
        if chosen in [level for _, level in choices]:
            self.level_box.value = chosen

    def _offer(self, box: ComboBox, choices: list[Any]) -> None:
        self._choices[box.name] = choices
        box.reset_choices()

    def _on_view(self, event: Any = None) -> None:
        self.changed.emit()

    def _on_choice(self) -> None:
        if not self._updating:
            self.changed.emit()
