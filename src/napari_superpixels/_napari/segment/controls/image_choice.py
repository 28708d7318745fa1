"""The image choice: layer, axes, mode and level, following the viewer."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, LineEdit
from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal

from napari_superpixels._napari.input.axes import Axes, Mode, are_named, proposed_axes
from napari_superpixels._napari.input.file_facts import adopt_file_facts
from napari_superpixels._napari.input.plane import (
    InputError,
    PlaneGrid,
    View,
    axis_name,
    full_shape,
    plane_grid,
)
from napari_superpixels._napari.input.region import Region
from napari_superpixels._napari.input.segmentation_input import (
    PixelChoices,
    SegmentationInput,
    resolve_input,
)
from napari_superpixels._napari.segment.controls.axes_box import AxesBox
from napari_superpixels.core.prepare.channels import channel_numbers

# Of the choices of a level: the one that napari draws, whichever that is at the time.
SHOWN = "shown"
_NO_IMAGE = "Open or select an image layer to segment."


class ImageChoice:
    """Controls for the image layer, its axes, the mode and the level.

    Parameters
    ----------
    viewer : napari.Viewer
    follow : bool, default True
        Whether the image is always the one selected in the layer list.

    Attributes
    ----------
    layer_box, mode_box, level_box : magicgui.widgets.ComboBox
        Which layer, which of its planes, and at which resolution.
    axes_box : AxesBox
        What its axes are.
    channels_box : magicgui.widgets.LineEdit
        Which channels decide.
    changed : psygnal.Signal
        Emitted when the choice or what the viewer shows changed.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, *, follow: bool = True) -> None:
        self._viewer = viewer
        self._follow = follow
        # magicgui asks for the choices again when a control gets a parent.
        self._choices: dict[str, list[Any]] = {"image": [], "mode": [], "level": []}
        self._about = (
            "The image layer to segment; follows the layer that you select in the list."
            if follow
            else "The image that guides the tools, and whose values are in the table."
        )
        self.layer_box = ComboBox(
            name="image",
            label="Image",
            choices=lambda _: self._choices["image"],
            tooltip=self._about,
        )
        self.axes_box = AxesBox()
        self.mode_box = ComboBox(
            name="mode",
            label="Mode",
            choices=lambda _: self._choices["mode"],
            tooltip="Of a stack: the slice at the sliders' position; every slice, each with "
            "superpixels of its own; a time series, in which superpixels follow their objects and "
            "keep their ids; or superpixels in 3D.",
        )
        self.channels_box = LineEdit(
            name="channels",
            label="Use channels",
            tooltip="Numbers of the channels that decide, from 0, such as 0,2,5-7; empty for all.",
        )
        self.channels_box.native.setPlaceholderText("all")
        self.level_box = ComboBox(
            name="level",
            label="Level",
            choices=lambda _: self._choices["level"],
            tooltip="Level of a multiscale image: the one that is drawn now, or any other. Only "
            "what is segmented is read.",
        )
        self._axes: Axes | None = None  # chosen by the user, else proposed
        # What the user chose for unnamed axes, by the shape of the image: asked once.
        self._remembered: dict[tuple[int, ...], Axes] = {}
        self._adopted: set[str] = set()  # layers whose files were looked at
        self._updating = False
        self._layer: Image | None = None
        self._told_level = 0  # when `changed` was last emitted
        self.changed.connect(self._on_changed)
        self.layer_box.changed.connect(self._on_choice_of_layer)
        self.axes_box.changed.connect(self._on_roles)
        self.mode_box.changed.connect(self._on_choice)
        self.channels_box.changed.connect(self._on_choice)
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
    def axes(self) -> Axes:
        """What the axes of the layer are."""
        return self.axes_box.axes

    @property
    def axes_are_known(self) -> bool:
        """Whether the image, its file or the user says what the axes are."""
        layer = self.layer
        return layer is None or self._axes is not None or are_named(layer)

    @property
    def channel_axis(self) -> int | None:
        """Axis of the layer's data that is read as channels."""
        return None if self.layer is None else self.axes.channel

    @property
    def has_choice_of_channels(self) -> bool:
        """Whether there are several channels, and not just red, green and blue."""
        layer, axis = self.layer, self.channel_axis
        return layer is not None and axis is not None and not layer.rgb

    def channels(self) -> tuple[int, ...] | None:
        """Read the channels that decide.

        Returns
        -------
        tuple of int or None
            None for all.

        Raises
        ------
        InputError
            If the text is no list of numbers.
        """
        text = str(self.channels_box.value).strip()
        if not text or not self.has_choice_of_channels:
            return None
        try:
            return channel_numbers(text)
        except ValueError as error:
            raise InputError(f"Use channels: {error}.") from None

    @property
    def mode(self) -> Mode:
        """Which planes of the layer are segmented."""
        return Mode(self.mode_box.value or Mode.SLICE)

    @property
    def level(self) -> int:
        """Level of a multiscale layer; 0 for any other."""
        if self.layer is None or not self.layer.multiscale:
            return 0
        chosen = self.level_box.value
        return int(self.layer.data_level) if chosen in (None, SHOWN) else int(chosen)

    def grid(self, view: View) -> PlaneGrid:
        """Find the pixels of the plane at the sliders' position.

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
        InputError
            If there is no image, or no such plane; the message says what to do.
        """
        if self.layer is None:
            raise InputError(_NO_IMAGE)
        self.axes.check(self.layer)
        return plane_grid(self.layer, view, self.channel_axis, self.level, self.axes.plane)

    def source(
        self, view: View, region: Region | None = None, nodata: float | None = None
    ) -> SegmentationInput:
        """Resolve the choice.

        Parameters
        ----------
        view : View
            What the viewer shows.
        region : Region, optional
            Where in the plane.
        nodata : float, optional
            See `resolve_input`.

        Returns
        -------
        SegmentationInput
            What to segment.

        Raises
        ------
        InputError
            If there is no image, or no such plane; the message says what to do.
        """
        if self.layer is None:
            raise InputError(_NO_IMAGE)
        return resolve_input(
            self.layer,
            view,
            self.axes,
            self.mode,
            region,
            PixelChoices(self.level, nodata, self.channels()),
        )

    def read_channels_from(self, channel_axis: int | None) -> None:
        """Choose which axis holds channels, and leave the others as they are.

        Parameters
        ----------
        channel_axis : int or None
            Axis of the layer's data; None for no axis.
        """
        layer = self.layer
        if layer is None or layer.rgb or channel_axis == self.channel_axis:
            return
        self._axes = self.axes.with_channel(channel_axis)
        self._refresh_choices()

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
            self.layer_box.tooltip = f"{layer.name}\n\n{self._about}"  # the box cuts long names
        if layer != self._layer:
            if layer is not None and self._follow:
                self._adopt(layer)
            self._watch(layer)
            self._axes = None if layer is None else self._remembered.get(full_shape(layer))
            self._updating = True
            self.channels_box.value = ""
            self._refresh_choices()
        else:
            self.changed.emit()

    def _adopt(self, layer: Image) -> None:
        """Take over, once, what the file says of its layers, which go on to lie together."""
        path = layer.source.path
        if path is None or str(layer.unique_id) in self._adopted:
            return
        everything = list(self._viewer.layers)
        of_file = [x for x in everything if isinstance(x, Image) and x.source.path == path]
        self._adopted |= {str(x.unique_id) for x in of_file}
        have_changed = [adopt_file_facts(x, everything) for x in of_file]
        if any(have_changed):
            self._viewer.reset_view()

    def _watch(self, layer: Image | None) -> None:
        """Listen to the data of the chosen layer, and of no other."""
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_axes)
            self._layer.events.set_data.disconnect(self._on_drawn)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._on_axes)
            layer.events.set_data.connect(self._on_drawn)

    def _on_drawn(self, event: Any = None) -> None:
        """Napari draws another level after a zoom."""
        if self.level != self._told_level:
            self.changed.emit()

    def _on_changed(self) -> None:
        self._told_level = self.level

    def _on_axes(self, event: Any = None) -> None:
        self._refresh_choices()

    def _on_roles(self) -> None:
        self._axes = self.axes_box.axes
        if self.layer is not None and not are_named(self.layer):
            self._remembered[full_shape(self.layer)] = self._axes
        self._refresh_choices()

    def _refresh_choices(self) -> None:
        layer = self.layer
        self._updating = True
        if layer is None:
            self.axes_box.show_axes(Axes(()), [], [])
            self._offer(self.mode_box, [])
            self._offer(self.level_box, [])
        else:
            if self._axes is None or len(self._axes.roles) != layer.ndim:
                self._axes = None
                axes = proposed_axes(layer, View.of(self._viewer))
            else:
                axes = self._axes
            names = [axis_name(layer, axis) for axis in range(layer.ndim)]
            self.axes_box.show_axes(axes, names, full_shape(layer))
            self.axes_box.ask(not self.axes_are_known)
            self._offer(self.mode_box, axes.modes())
            self._refresh_levels(layer)
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
