"""What to segment: image, axes, mode, level and region, chosen together."""

from __future__ import annotations

from napari.viewer import Viewer
from psygnal import Signal

from napari_superpixels._napari.input.plane import InputError, View
from napari_superpixels._napari.input.segmentation_input import SegmentationInput, combine
from napari_superpixels._napari.segment.controls.image_choice import ImageChoice
from napari_superpixels._napari.segment.controls.more_channels import MoreChannels
from napari_superpixels._napari.segment.controls.region_choice import RegionChoice
from napari_superpixels._napari.widgets.layout import rows, set_row_visible


class InputChoice:
    """The controls above the parameters; rows that have nothing to choose are hidden.

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
    widget : QWidget
        All of them.
    changed : psygnal.Signal
        Emitted when a choice, or what the viewer shows, changed.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.image = ImageChoice(viewer)
        self.more = MoreChannels(viewer)
        self.region = RegionChoice(viewer)
        image, region = self.image, self.region
        self.widget = rows(
            image.layer_box,
            image.axes_box,
            image.mode_box,
            image.channels_box,
            self.more,
            image.level_box,
            region.where_box,
            region.layer_box,
        )
        for part in (self.image, self.more, self.region):
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
        return combine(source, self.more.sources(grid, view, region, axes, mode))

    def cleanup(self) -> None:
        """Let go of the viewer."""
        self.image.cleanup()
        self.more.cleanup()
        self.region.cleanup()

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
        for control, visible in (
            (image.axes_box, has_axes),
            (image.mode_box, len(image.mode_box.choices) > 1),
            (image.channels_box, image.has_choice_of_channels),
            (self.more, self.more.offered),
            (image.level_box, len(image.level_box.choices) > 1),
            (region.layer_box, region.needs_layer),
        ):
            set_row_visible(self.widget, control, visible)

    def _on_change(self) -> None:
        self._show()
        self.changed.emit()
