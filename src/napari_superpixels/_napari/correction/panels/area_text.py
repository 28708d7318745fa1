"""Areas and volumes in the units that people say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_superpixels._napari.input.transforms import pixel_content
from napari_superpixels.io.units import metres

if TYPE_CHECKING:
    from napari.layers import Layer

# Each with its size in square or cubic metres, and the number from which people say it.
_AREAS = (
    ("km²", 1e6, 1.0),
    ("ha", 1e4, 0.1),
    ("m²", 1.0, 0.1),
    ("cm²", 1e-4, 1.0),
    ("mm²", 1e-6, 0.1),
    ("µm²", 1e-12, 0.1),
    ("nm²", 1e-18, 0.0),
)
_VOLUMES = (
    ("km³", 1e9, 0.1),
    ("m³", 1.0, 0.1),
    ("cm³", 1e-6, 1.0),
    ("mm³", 1e-9, 0.001),
    ("µm³", 1e-18, 0.1),
    ("nm³", 1e-27, 0.0),
)


def area_text(layer: Layer, n_pixels: int, n_axes: int) -> str:
    """Write an area, or a volume, by its magnitude.

    Parameters
    ----------
    layer : napari.layers.Layer
        With scale and units.
    n_pixels : int
        Pixels, or voxels.
    n_axes : int
        2 for an area in the last two axes, 3 for a volume in the last three.

    Returns
    -------
    str
        Such as ``"340 µm²"`` or ``"2.1 ha"``; in pixels where the units are no lengths.
    """
    axes = range(layer.ndim - n_axes, layer.ndim)
    if any(metres(str(layer.units[axis])) is None for axis in axes):
        return f"{n_pixels:,} {'px' if n_axes == 2 else 'voxels'}"
    length = metres(str(layer.units[-1])) or 0.0
    content = n_pixels * pixel_content(layer, axes) * length**n_axes
    # A billionth more, so that what is computed as 0.999… of a unit is one.
    unit, size, _ = next(
        known
        for known in (_AREAS if n_axes == 2 else _VOLUMES)
        if content * (1 + 1e-9) >= known[1] * known[2]
    )
    value = content / size
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"
