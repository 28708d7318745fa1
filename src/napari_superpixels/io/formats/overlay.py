"""PNG: the image with the superpixels' borders drawn in, or a map of classes in their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage.segmentation import find_boundaries

from napari_superpixels.errors import NeedsImage
from napari_superpixels.io.provenance import as_description

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_superpixels.io.formats.label_image import LabelImage

_YELLOW = (255, 230, 0)
_RANGE = (1, 99)  # percentiles that become black and white


def write_picture(path: Path, label_image: LabelImage) -> None:
    """Write a PNG of the size of the image; the first pixels past a border are yellow.

    Three channels are red, green and blue, each stretched between its 1st and 99th percentile
    unless the image holds bytes; otherwise the mean of all channels, stretched, is grey. A map of
    classes needs no image: its numbers are written, with a palette of the classes' colours.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        One plane of labels, with an image.

    Raises
    ------
    ExportError
        If there is no image, or the labels have a depth.
    """
    label_image.need_plane("PNG")
    if label_image.class_map is not None:
        _write_indexed(path, label_image.class_map, label_image)
        return
    if label_image.image is None:
        raise NeedsImage
    picture = _as_rgb(label_image.image)
    picture[find_boundaries(label_image.ranks, connectivity=1, mode="inner")] = _YELLOW
    path.write_bytes(iio.imwrite("<bytes>", picture, extension=".png"))


def _write_indexed(path: Path, classes: NDArray[np.uint8], label_image: LabelImage) -> None:
    palette = np.zeros((256, 3), np.uint8)
    for known in label_image.columns.classes:
        palette[known.number] = known.rgb
    picture = Image.fromarray(classes)
    picture.putpalette(palette.tobytes())
    about = PngInfo()
    about.add_itxt("Description", as_description(label_image.provenance))
    picture.save(path, "png", transparency=0, pnginfo=about)


def _as_rgb(channels: NDArray[np.generic]) -> NDArray[np.uint8]:
    if len(channels) == 3 and channels.dtype == np.uint8:
        return np.moveaxis(channels, 0, -1).astype(np.uint8)
    values = channels.astype(np.float64)
    if len(channels) != 3:
        stretched = np.stack([_stretch(channel) for channel in values])
        values = np.repeat(stretched.mean(0, keepdims=True), 3, axis=0)
    return np.stack([_stretch(channel) * 255 for channel in values], -1).round().astype(np.uint8)


def _stretch(channel: NDArray[np.float64]) -> NDArray[np.float64]:
    """To 0...1; what is no number becomes 0."""
    finite = np.isfinite(channel)
    if not finite.any():
        return np.zeros_like(channel)
    low, high = np.percentile(channel[finite], _RANGE)
    width = high - low or 1.0
    return np.where(finite, (channel - low) / width, 0.0).clip(0, 1)
