"""Sample data in napari's File > Open Sample menu."""

from __future__ import annotations

from typing import Any

from napari_superpixels.io import sample_images as samples

LayerTuple = tuple[Any, dict[str, Any], str]


def photo() -> list[LayerTuple]:
    """RGB photograph."""
    return [(samples.photo(), {"name": "coffee", "rgb": True}, "image")]


def histology() -> list[LayerTuple]:
    """RGB histology section."""
    return [(samples.histology(), {"name": "histology", "rgb": True}, "image")]


def nuclei() -> list[LayerTuple]:
    """Three fluorescence channels in one layer, in micrometres."""
    pixel = samples.NUCLEI_PIXEL_UM
    return [
        (
            samples.nuclei(),
            {
                "name": "nuclei (synthetic)",
                "scale": (1, pixel, pixel),
                "units": ("pixel", "um", "um"),
                "axis_labels": ("channel", "y", "x"),
            },
            "image",
        )
    ]


def raster() -> list[LayerTuple]:
    """Six spectral bands in one layer, in metres, NaN where there are no data."""
    pixel = samples.RASTER_PIXEL_M
    return [
        (
            samples.raster(),
            {
                "name": "multispectral (synthetic)",
                "scale": (1, pixel, pixel),
                "units": ("pixel", "m", "m"),
                "axis_labels": ("band", "y", "x"),
                # NaNs make napari's own contrast limits undefined.
                "contrast_limits": (0, 0.5),
            },
            "image",
        )
    ]


def time_series() -> list[LayerTuple]:
    """Frames over time in one layer."""
    pixel = samples.TIME_SERIES_PIXEL_UM
    return [
        (
            samples.time_series(),
            {
                "name": "growing cells (synthetic)",
                "scale": (60, pixel, pixel),
                "units": ("s", "um", "um"),
                "axis_labels": ("time", "y", "x"),
            },
            "image",
        )
    ]
