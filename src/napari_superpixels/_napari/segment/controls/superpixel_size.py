"""How many superpixels, and how large they are: two numbers of which either can be typed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from magicgui.widgets import SpinBox
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSlider, QSpinBox

from napari_superpixels.io.units import metres
from napari_superpixels.params import SuperpixelParams

if TYPE_CHECKING:
    from napari_superpixels._napari.input.segmentation_input import SegmentationInput

DEFAULT_SIDE = 25  # pixels: small enough for the borders of most cells, fields and faces
_FEWEST, _MOST = 20, 2000
_LARGEST_SIDE = 99_999
_SLIDER_LOGS, _SLIDER_STEPS = (math.log(5), math.log(10_000)), 200
_LENGTHS = (("km", 1e3), ("m", 1.0), ("mm", 1e-3), ("µm", 1e-6), ("nm", 1e-9))


class Extent(NamedTuple):
    """What is divided into superpixels.

    Attributes
    ----------
    n_pixels : int
        Of a plane or its region; or voxels of a volume.
    n_axes : int
        2 or 3.
    pixel_metres : float or None
        Length of a pixel, where it is known.
    image : str
        Tells the image from others.
    """

    n_pixels: int
    n_axes: int = 2
    pixel_metres: float | None = None
    image: str = ""

    def side(self, number: float) -> float:
        """Width of a superpixel in pixels, if `number` of them have equal size."""
        return float((self.n_pixels / max(1.0, number)) ** (1 / self.n_axes))

    def number(self, side: float) -> int:
        """How many superpixels of a width in pixels there are, within what can be asked for."""
        info = SuperpixelParams.info("n_segments")
        assert info.maximum is not None
        return int(min(max(1, round(self.n_pixels / side**self.n_axes)), info.maximum))

    def default_number(self) -> int:
        """How many to propose, to two digits: `DEFAULT_SIDE` wide, and more so in large images."""
        number = min(max(_FEWEST, self.number(DEFAULT_SIDE)), _MOST)
        return int(float(f"{number:.2g}"))


def extent_of(source: SegmentationInput) -> Extent:
    """Tell what a run divides into superpixels.

    Parameters
    ----------
    source : SegmentationInput
        What is chosen.

    Returns
    -------
    Extent
        Of a volume, or of one plane; a region counts with its bounding box.
    """
    shape = source.shape if source.spacing else source.plane_shape
    if source.region is not None:
        rows, columns = source.region.rows, source.region.columns
        shape = (*shape[:-2], rows.stop - rows.start, columns.stop - columns.start)
    unit = metres(source.placement.unit)
    spacing = source.placement.spacing[-len(shape) :]
    mean = math.prod(spacing) ** (1 / len(spacing))
    length = None if unit is None else unit * mean
    return Extent(math.prod(shape), len(shape), length, source.layer_id)


def length_text(length: float) -> str:
    """Write a length in the unit that people would use: "12 µm".

    Parameters
    ----------
    length : float
        In metres, above 0.

    Returns
    -------
    str
        With two digits.
    """
    unit, factor = next((x for x in _LENGTHS if length >= x[1]), _LENGTHS[-1])
    return f"{float(f'{length / factor:.2g}'):g} {unit}"


class SuperpixelSize:
    """A spin box for the width of a superpixel, kept in step with that of their number.

    What the user typed last, number or width, stays in other regions of the image. For another
    image the width is kept, so that images of one kind are divided alike.

    Parameters
    ----------
    number_box : magicgui.widgets.SpinBox
        The control of `SuperpixelParams.n_segments`.

    Attributes
    ----------
    native : QSpinBox
        The control: width in pixels; says the length too, where a pixel has one.
    label, tooltip : str
        For its row.
    changed : psygnal.Signal
        Emitted when the user has typed another width, after the number has followed.
    """

    changed = Signal()
    label = "Size, about"
    tooltip = (
        "Width of a superpixel in pixels, if all were equal: it and the number follow each other. "
        "The next image is divided into superpixels of the same width."
    )

    def __init__(self, number_box: SpinBox) -> None:
        self._number_box = number_box
        self.native = QSpinBox()
        self.native.setRange(1, _LARGEST_SIDE)
        self.native.setValue(DEFAULT_SIDE)
        self.native.setSuffix(" px")
        self.native.setToolTip(self.tooltip)
        self._extent: Extent | None = None
        self._side: float | None = None  # what the user wants; None for what is proposed
        self._is_number = False  # whether that was typed as a number
        self._updating = False
        self.native.valueChanged.connect(self._on_size)
        number_box.changed.connect(self._on_number)

    def fit(self, extent: Extent) -> None:
        """Show the number for another image, or another part of it.

        Parameters
        ----------
        extent : Extent
            What is to be divided.
        """
        if extent == self._extent:
            return
        before, self._extent = self._extent, extent
        # A number that was set before there was an image is meant for the first one.
        if self._is_number and (before is None or before.image == extent.image):
            self._side = extent.side(self._number_box.value)
        elif self._side is None:
            self._set_number(extent.default_number())
        else:
            self._set_number(extent.number(self._side))
        self._show_size()

    def propose(self) -> None:
        """Forget what the user typed, and propose a number again."""
        self._side, self._is_number = None, False
        if self._extent is not None:
            self._set_number(self._extent.default_number())
            self._show_size()

    def _on_number(self) -> None:
        if self._updating:
            return
        self._is_number = True
        if self._extent is not None:
            self._side = self._extent.side(self._number_box.value)
            self._show_size()

    def _on_size(self, side: int) -> None:
        if self._updating:
            return
        self._side, self._is_number = float(side), False
        if self._extent is not None:
            self._set_number(self._extent.number(side))
            self._show_length(side)
        self.changed.emit()

    def _set_number(self, number: int) -> None:
        self._updating = True
        self._number_box.value = number
        self._updating = False

    def _show_size(self) -> None:
        assert self._extent is not None
        side = self._extent.side(self._number_box.value)
        self._updating = True
        self.native.setValue(min(max(1, round(side)), _LARGEST_SIDE))
        self._updating = False
        self._show_length(side)

    def _show_length(self, side: float) -> None:
        pixel = None if self._extent is None else self._extent.pixel_metres
        text = "" if pixel is None else f" = {length_text(side * pixel)}"
        self.native.setSuffix(f" px{text}")


class NumberSlider:
    """A slider for the number of superpixels, to drag while the result follows.

    Each step changes the number by the same share of it.

    Parameters
    ----------
    number_box : magicgui.widgets.SpinBox
        The control of `SuperpixelParams.n_segments`.

    Attributes
    ----------
    native : QSlider
        The control.
    label, tooltip : str
        For its row.
    """

    label = "Fewer or more"
    tooltip = "Drag to change the number; the superpixels follow without another run."

    def __init__(self, number_box: SpinBox) -> None:
        self._number_box = number_box
        self.native = QSlider(Qt.Orientation.Horizontal)
        self.native.setToolTip(self.tooltip)
        self.native.setRange(0, _SLIDER_STEPS)
        self._updating = False
        self.native.valueChanged.connect(self._on_slide)
        number_box.changed.connect(self._on_number)
        self._on_number()

    def _on_slide(self, position: int) -> None:
        if self._updating:
            return
        low, high = _SLIDER_LOGS
        number = math.exp(low + (high - low) * position / _SLIDER_STEPS)
        self._updating = True
        self._number_box.value = int(float(f"{number:.2g}"))
        self._updating = False

    def _on_number(self) -> None:
        if self._updating:
            return
        low, high = _SLIDER_LOGS
        share = (math.log(self._number_box.value) - low) / (high - low)
        self._updating = True
        self.native.setValue(round(_SLIDER_STEPS * share))
        self._updating = False
