"""The choice of three channels to show in colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy, QWidget

from napari_superpixels._napari.input.composite import rgb_layer
from napari_superpixels._napari.input.plane import channel_names, full_shape
from napari_superpixels._napari.widgets.layout import button, row

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

_COLORS = ("red", "green", "blue")
_SHOWN = "{} as {}"


class CompositeChoice:
    """Boxes for the channels that are red, green and blue, and a button that adds the picture.

    Parameters
    ----------
    viewer : napari.viewer.Viewer

    Attributes
    ----------
    native : QWidget
        The control.
    label, tooltip : str
        For its row.
    boxes : list of QComboBox
        For red, green and blue.
    add_button : QPushButton
        Adds a layer.
    """

    label = ""  # it takes the whole width, and holds its own
    tooltip = (
        "Three channels as red, green and blue, in a layer of their own, to see by. All channels "
        "go on to decide on the superpixels."
    )

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layer: Image | None = None
        self._axis: int | None = None
        self._names: tuple[str, ...] = ()
        self.boxes = [QComboBox() for _ in _COLORS]
        for box, color in zip(self.boxes, _COLORS, strict=True):
            box.setToolTip(f"Shown in {color}. {self.tooltip}")
            box.setAccessibleName(_SHOWN.format("channel", color))
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.add_button = button("Add", self.tooltip, self._add)
        self.native = QWidget()
        line = row(QLabel("View in RGB"), *self.boxes, self.add_button)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(2)
        self.native.setLayout(line)

    def offer(self, layer: Image | None, channel_axis: int | None) -> bool:
        """Show the channels that there are.

        Parameters
        ----------
        layer : napari.layers.Image or None
        channel_axis : int or None
            Of its data.

        Returns
        -------
        bool
            Whether there are three or more, and not red, green and blue already.
        """
        self._layer, self._axis = layer, channel_axis
        if layer is None or channel_axis is None or layer.rgb:
            return False
        names = channel_names(layer, full_shape(layer)[channel_axis])
        if len(names) < len(_COLORS):
            return False
        if names != self._names:
            self._names = names
            for i, box in enumerate(self.boxes):
                box.clear()
                # Where channels have no names of their own, their numbers do.
                box.addItems([name.removeprefix("channel ") for name in names])
                # Satellites' bands begin with blue; fluorescence has no such order.
                box.setCurrentIndex(len(_COLORS) - 1 - i if len(names) > len(_COLORS) else i)
        return True

    def _add(self) -> None:
        layer, axis = self._layer, self._axis
        if layer is None or axis is None:
            return
        picture = rgb_layer(layer, axis, [box.currentIndex() for box in self.boxes])
        self._viewer.layers.insert(self._viewer.layers.index(layer) + 1, picture)
        # What is segmented stays the layer with all channels.
        self._viewer.layers.selection.active = layer
