"""Sample data in napari's File > Open Sample menu."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.filters import threshold_otsu
from skimage.measure import regionprops
from skimage.segmentation import slic

from napari_superpixels.io import sample_images as samples

_CLASSES = (
    {"number": 1, "name": "nucleus", "color": (0.2, 0.6, 1.0)},
    {"number": 2, "name": "background", "color": (0.9, 0.6, 0.1)},
)
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


def volume() -> list[LayerTuple]:
    """Nuclei in a confocal stack, in micrometres."""
    return [
        (
            samples.nuclei_3d(),
            {
                "name": "nuclei in 3D (synthetic)",
                "scale": samples.NUCLEI_3D_UM,
                "units": ("um", "um", "um"),
                "axis_labels": ("z", "y", "x"),
            },
            "image",
        )
    ]


def classified() -> list[LayerTuple]:
    """The fluorescence image with superpixels in two classes, for the correction dock."""
    # Here: the menu shows all samples, and few people open this one.
    from napari_superpixels._napari.readers.own_labels import labels_options
    from napari_superpixels.io.classes import label_columns

    ((image, options, kind),) = nuclei()
    bright = np.log(image.astype(np.float32))
    labels = slic(bright, 400, compactness=0.3, start_label=1, channel_axis=0)
    regions = regionprops(labels, image[0])
    brightness = np.array([region.intensity_mean for region in regions])
    is_nucleus = brightness > threshold_otsu(brightness)
    table = {
        "index": [region.label for region in regions],
        "class": ["nucleus" if yes else "background" for yes in is_nucleus],
    }
    columns = label_columns(table, _CLASSES)
    about = {"classes": [dict(known) for known in _CLASSES]}
    where = {name: options[name][1:] for name in ("scale", "units", "axis_labels")}
    own = {"name": "superpixels (classified)", **labels_options(labels, columns, about), **where}
    return [(image, options, kind), (labels, own, "labels")]


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
