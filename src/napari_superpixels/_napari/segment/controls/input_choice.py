"""What to segment: image, axes, mode, level and region, chosen together."""

from __future__ import annotations

from dataclasses import replace

from napari.viewer import Viewer
from psygnal import Signal

from napari_superpixels._napari.input.plane import InputError, View
from napari_superpixels._napari.input.segmentation_input import SegmentationInput, combine
from napari_superpixels._napari.segment.controls.composite_choice import CompositeChoice
from napari_superpixels._napari.segment.controls.image_choice import ImageChoice
from napari_superpixels._napari.segment.controls.more_channels import MoreChannels
from napari_superpixels._napari.segment.controls.region_choice import RegionChoice
from napari_superpixels._napari.segment.controls.start_choice import StartChoice
from napari_superpixels._napari.widgets.layout import Control, rows, set_row_visible


class InputChoice:
    """What is on the first screen, and what under *More*; rows without a choice are hidden.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    image : ImageChoice
        Layer, its axes, mode, level.
    more : MoreChannels
        Further layers.
    region : RegionChoice
        Where in the plane.
    composite : CompositeChoice
        Three channels to see by.
    start : StartChoice
        Labels that a run starts from.
    widget : QWidget
        Image and mode; the axes too while nothing says what they are.
    more_widget : QWidget
        The other controls.
    changed : psygnal.Signal
        Emitted when a choice, or what the viewer shows, changed.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.image = ImageChoice(viewer)
        self.more = MoreChannels(viewer)
        self.region = RegionChoice(viewer)
        self.start = StartChoice(viewer)
        self.composite = CompositeChoice(viewer)
        image, region, start = self.image, self.region, self.start
        self._shows_all = False
        self.widget = rows(image.layer_box, image.axes_box, image.mode_box)
        self.more_widget = rows(
            region.where_box,
            region.layer_box,
            image.channels_box,
            self.composite,
            self.more,
            image.level_box,
            start.kind_box,
            start.layer_box,
        )
        for part in (self.image, self.more, self.region, self.start):
            part.changed.connect(self._on_change)
        self._show()

    def source(self) -> SegmentationInput:
        """Resolve all choices.

        Returns
        -------
        SegmentationInput
            What is to be segmented.

        Raises
        ------
        InputError
            If there is nothing; the message says what to do.
        """
        view = View.of(self._viewer)
        grid = self.image.grid(view)
        axes, mode = self.image.axes, self.image.mode
        region = self.region.region(grid, view, axes.stack(mode))
        source = self.image.source(view, region, self.region.nodata())
        source = combine(source, self.more.sources(grid, view, region, axes, mode))
        start = self.start.start(grid, view, axes.stack(mode), mode)
        if start is None:
            return source
        start.check(source)
        text = f"{source.description}, starting from “{start.labels.layer_name}”"
        return replace(source, start=start, description=text)

    def show_all(self, shows_all: bool) -> None:
        """Show the axes, also where they are certain.

        Parameters
        ----------
        shows_all : bool
            Whether *More* is open.
        """
        self._shows_all = shows_all
        self._show()

    def cleanup(self) -> None:
        """Let go of the viewer."""
        self.image.cleanup()
        self.more.cleanup()
        self.region.cleanup()
        self.start.cleanup()

    def _show(self) -> None:
        view = View.of(self._viewer)
        try:
            grid = self.image.grid(view)
        except InputError:
            grid = None
        self.more.offer(self.image.layer, grid, view, self.image.axes)
        image, region = self.image, self.region
        # A plain image has rows and columns, and nothing to choose.
        has_axes = image.layer is not None and image.layer.ndim > 2
        first: tuple[tuple[Control, bool], ...] = (
            (image.axes_box, has_axes and (self._shows_all or not image.axes_are_known)),
            (image.mode_box, len(image.mode_box.choices) > 1),
        )
        more: tuple[tuple[Control, bool], ...] = (
            (image.channels_box, image.has_choice_of_channels),
            (self.composite, self.composite.offer(image.layer, image.channel_axis)),
            (self.more, self.more.offered),
            (image.level_box, len(image.level_box.choices) > 1),
            (region.layer_box, region.needs_layer),
            (self.start.layer_box, self.start.needs_layer),
        )
        for widget, controls in ((self.widget, first), (self.more_widget, more)):
            for control, visible in controls:
                set_row_visible(widget, control, visible)

    def _on_change(self) -> None:
        self._show()
        self.changed.emit()
