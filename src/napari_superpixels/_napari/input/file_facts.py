"""What the file behind a layer says, and the reader that opened it has left out."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels._napari.input.plane import full_shape, is_labelled
from napari_superpixels.errors import SuperpixelError
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.io.images import open_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.layers import Image, Layer

    from napari_superpixels.io.images import ImageFile

_log = logging.getLogger(__name__)
# Of the letters of a file's axes; samples are channels that lie together.
_LABELS = {"Y": "y", "X": "x", "Z": "z", "T": "t", "C": "c", "S": "c"}


def adopt_file_facts(layer: Image, others: Iterable[Layer]) -> bool:
    """Give a layer the axes, pixel size and place on the map that its file states.

    Nothing that the layer has already is changed. The command reads files in the same way.

    Parameters
    ----------
    layer : napari.layers.Image
        Gets names for axes without one; place, nodata value and bands of a GeoTIFF in
        ``metadata["napari-superpixels"]``; scale and units where it has none.
    others : iterable of napari.layers.Layer
        The other layers in the viewer: where one comes from elsewhere, scale and units stay as they
        are, so that what lies on top of each other goes on to.

    Returns
    -------
    bool
        Whether the layer has got another scale.
    """
    path = layer.source.path
    if path is None or METADATA_KEY in layer.metadata or not Path(path).exists():
        return False
    try:
        with open_image(path) as file:
            axes = _axes_of(layer, file)
            if axes is None:
                return False
            _name_axes(layer, axes)
            spatial = file.metadata.spatial(3 if "Z" in axes else 2)
            if spatial.georeference is not None:
                place = {"place": asdict(spatial.georeference), "nodata": file.nodata}
                layer.metadata = layer.metadata | {METADATA_KEY: place}
                return False
            is_alone = all(other.source.path == path for other in others)
            return is_alone and _scale(layer, axes, spatial.pixel_size or (), spatial.unit)
    except SuperpixelError as error:
        _log.info("%s: nothing is known of its axes (%s)", path, error)
        return False


def _axes_of(layer: Image, file: ImageFile) -> Sequence[str] | None:
    """A letter for each axis of the layer, empty where it has length 1 and the file drops it."""
    letters, shape = file.axes, tuple(file.array.shape)
    if layer.rgb and file.channel_axis is not None:
        letters, shape = file.plane_axes, _without(shape, file.channel_axis)
    own = full_shape(layer)
    kept = [axis for axis, n in enumerate(own) if n > 1]
    candidates = [(letters, shape)]
    if file.channel_axis is not None and not layer.rgb:  # channels that were split into layers
        candidates.append((file.plane_axes, _without(shape, file.channel_axis)))
    for known, lengths in candidates:
        if known and tuple(own[axis] for axis in kept) == tuple(n for n in lengths if n > 1):
            found = [letter for letter, n in zip(known, lengths, strict=True) if n > 1]
            named = dict(zip(kept, found, strict=True))
            return [named.get(axis, "") for axis in range(len(own))]
    return None


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(shape) if i != axis % len(shape))


def _name_axes(layer: Image, axes: Sequence[str]) -> None:
    labels = list(layer.axis_labels)
    for axis, letter in enumerate(axes):
        if letter in _LABELS and not is_labelled(layer, axis):
            labels[axis] = _LABELS[letter]
    if len(set(labels)) == len(labels):
        layer.axis_labels = labels


def _scale(layer: Image, axes: Sequence[str], sizes: tuple[float, ...], unit: str | None) -> bool:
    has_scale = not np.allclose(layer.scale, 1) or any(str(u) != "pixel" for u in layer.units)
    if not sizes or has_scale:
        return False
    in_space = [axis for axis, letter in enumerate(axes) if letter in ("Z", "Y", "X")]
    if [axes[axis] for axis in in_space] != list("ZYX")[-len(sizes) :]:
        return False
    scale, units = list(layer.scale), [str(u) for u in layer.units]
    for axis, size in zip(in_space, sizes, strict=True):
        scale[axis], units[axis] = size, unit or "pixel"
    layer.scale, layer.units = scale, units
    return True
