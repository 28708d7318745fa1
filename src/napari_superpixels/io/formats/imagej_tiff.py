"""Label TIFFs as ImageJ writes them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_superpixels.errors import ExportError
from napari_superpixels.io.provenance import as_description

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.io.formats.label_image import LabelImage


def write_imagej(path: Path, label_image: LabelImage) -> None:
    """Write a TIFF as ImageJ writes it, with the pixel size.

    A map of classes has bytes, and the colours of the classes. ImageJ has no whole numbers of 32
    bits: labels above 65535 become float32, which is exact up to 2^24.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        What to write.

    Raises
    ------
    ExportError
        If a label is above 2^24.
    """
    classes = label_image.class_map
    labels: np.ndarray[Any, Any] = label_image.labels if classes is None else classes
    if labels.dtype == np.uint32:
        if label_image.ids[-1] > 2**24:
            raise ExportError(
                "TIFF for ImageJ holds labels up to 16777216; write .ome.tif, or number them anew"
            )
        labels = labels.astype(np.float32)
    about: dict[str, Any] = {
        "axes": label_image.axes.upper(),
        "min": 0,
        "max": int(label_image.ids[-1]),
    }
    if classes is not None:
        colors = np.zeros((3, 256), np.uint8)
        for known in label_image.columns.classes:
            colors[:, known.number] = known.rgb
        about |= {"max": 255, "LUTs": [colors]}  # so that each value has its own colour
    if label_image.provenance:
        about["Info"] = as_description(label_image.provenance)  # ImageJ: Image > Show Info…
    resolution = None
    if label_image.pixel_size is not None:
        *depth, height, width = label_image.pixel_size  # no depth of frames in time
        resolution = (1 / width, 1 / height)
        # ImageJ reads Java's escapes; the file holds nothing but ASCII.
        about["unit"] = "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in label_image.unit)
        if depth:
            about["spacing"] = depth[0]
    if label_image.axes[0] == "t" and label_image.time_step is not None:
        about["finterval"], about["tunit"] = label_image.time_step
    # By way of the memory: on a full disk, pixels that are not compressed may end too early.
    file = io.BytesIO()
    tifffile.imwrite(file, labels, imagej=True, resolution=resolution, metadata=about)
    path.write_bytes(file.getbuffer())
