"""The image under a Labels layer, on the labels' own pixel grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from napari_superpixels._napari.input.plane import channel_names, full_shape, lazy
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.reference_image import ReferenceImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Labels
    from numpy.typing import NDArray

# How far pixels may lie from the labels' pixels anywhere in the layer, in pixels.
_TOLERANCE_PX = 0.1


def aligned_image(
    labels: Labels, image: Image, channel_axis: int | None, point: Sequence[float]
) -> ReferenceImage:
    """Cut out of an image layer what lies under a Labels layer.

    Parameters
    ----------
    labels : napari.layers.Labels
    image : napari.layers.Image
        The image; may have more axes, be larger, lazy, or multiscale: the level counts
        whose pixels are those of the labels.
    channel_axis : int or None
        Axis of the image's data that holds channels.
    point : sequence of float
        Where the viewer stands, in world coordinates; decides on axes that the labels lack.

    Returns
    -------
    ReferenceImage
        Lazy where the image is.

    Raises
    ------
    EditError
        If the pixels of the two do not lie on each other.
    """
    matrix, offset = _pixel_map(labels, image, point)
    for level in image.data if image.multiscale else [image.data]:
        # A coarse pixel's centre lies (f - 1) / 2 past that of the first that it covers.
        factors = np.divide(full_shape(image), level.shape)[: image.ndim]
        fine = matrix / factors[:, None], (offset - (factors - 1) / 2) / factors
        found = _index(full_shape(labels), level.shape, *fine, image.ndim, channel_axis)
        if found is not None:
            return _cut_out(labels, image, lazy(level), channel_axis, *found)
    raise _mismatch(labels, image)


def aligned_images(
    labels: Labels,
    images: Sequence[tuple[Image, int | None]],
    point: Sequence[float],
    part: tuple[int | slice, ...] = (),
    names: Sequence[str] | None = None,
) -> ReferenceImage:
    """Take the channels of several image layers under a Labels layer together.

    Parameters
    ----------
    labels : napari.layers.Labels
    images : sequence of (napari.layers.Image, int or None)
        The images, and the channel axis of the data of each.
    point : sequence of float
        Where the viewer stands, in world coordinates.
    part : tuple of int or slice, optional
        What of the labels; all of them if empty.
    names : sequence of str, optional
        What to call the layers in the names of channels; their names if None.

    Returns
    -------
    ReferenceImage
        With the channels of all, named as a run over these layers names them.

    Raises
    ------
    EditError
        If the pixels of one of them do not lie on those of the labels.
    """
    parts = [aligned_image(labels, image, axis, point) for image, axis in images]
    channels = [found.channels[(slice(None), *part)] for found in parts]
    first = parts[0]
    if len(parts) == 1:
        return ReferenceImage(channels[0], first.names, first.is_rgb, first.name)
    layers = names or [image.name for image, _ in images]
    combined = tuple(
        layer if len(found.names) == 1 else f"{layer} {name}"
        for found, layer in zip(parts, layers, strict=True)
        for name in found.names
    )
    is_lazy = any(not isinstance(x, np.ndarray) for x in channels)
    together = da.concatenate(channels) if is_lazy else np.concatenate(channels)
    return ReferenceImage(together, combined, name=first.name)


def _index(
    shape: tuple[int, ...],
    image_shape: tuple[int, ...],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    ndim: int,
    channel_axis: int | None,
) -> tuple[list[int | slice], dict[int, int]] | None:
    """What of the image lies under the labels, and its axis for each of theirs; None if nothing."""
    index: list[int | slice] = [slice(None)] * len(image_shape)
    source_axis: dict[int, int] = {}
    for axis in range(ndim):
        if axis == channel_axis:
            continue
        along = np.flatnonzero(np.abs(matrix[axis]) > 1e-6)
        place = round(float(offset[axis]))
        if len(along) == 0:
            if not 0 <= place < image_shape[axis]:
                return None
            index[axis] = place
            continue
        n = shape[along[0]]
        slack = abs(matrix[axis, along[0]] - 1) * n + abs(offset[axis] - place)
        fits = place >= 0 and place + n <= image_shape[axis]
        if len(along) > 1 or slack > _TOLERANCE_PX or not fits or along[0] in source_axis:
            return None
        source_axis[int(along[0])] = axis
        index[axis] = slice(place, place + n)
    lacking = [a for a in range(len(shape)) if a not in source_axis]
    return None if any(shape[a] > 1 for a in lacking) else (index, source_axis)


def _cut_out(
    labels: Labels,
    image: Image,
    data: Any,
    channel_axis: int | None,
    index: list[int | slice],
    source_axis: dict[int, int],
) -> ReferenceImage:
    lacking = [a for a in range(labels.ndim) if a not in source_axis]
    if image.rgb:
        index[-1] = slice(0, 3)  # transparency is not colour
    cut = data[tuple(index)]
    kept = [a for a in range(data.ndim) if isinstance(index[a], slice)]
    channels = [] if channel_axis is None else [kept.index(channel_axis % data.ndim)]
    order = channels + [kept.index(source_axis[a]) for a in sorted(source_axis)]
    cut = cut.transpose(order)
    if channel_axis is None:
        cut = cut[None]
    for axis in lacking:
        cut = np.expand_dims(cut, axis + 1)
    return ReferenceImage(
        cut, channel_names(image, len(cut)), is_rgb=bool(image.rgb), name=image.name
    )


def _pixel_map(
    labels: Labels, image: Image, point: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Affine map from pixels of the labels to pixels of the image."""
    ndim = max(labels.ndim, image.ndim, len(point))

    def into_image(pixel: NDArray[np.float64]) -> NDArray[np.float64]:
        world = np.zeros(ndim)
        world[ndim - len(point) :] = point
        world[ndim - labels.ndim :] = labels.data_to_world(pixel)
        return np.asarray(image.world_to_data(world[ndim - image.ndim :]), float)

    origin = into_image(np.zeros(labels.ndim))
    steps = [into_image(unit) - origin for unit in np.eye(labels.ndim)]
    return np.stack(steps, axis=1), origin


def _mismatch(labels: Labels, image: Image) -> EditError:
    return EditError(
        f"The pixels of “{image.name}” do not lie on those of “{labels.name}” (other shape, scale, "
        "rotation or place), so it cannot guide the tools: choose the image that the labels were "
        "made from."
    )
