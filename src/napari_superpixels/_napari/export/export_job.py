"""What of a Labels layer goes into a file, found out in the viewer's thread; without Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_superpixels._napari.export.known import Choice, Known
from napari_superpixels._napari.input.axes import Role, named_role
from napari_superpixels._napari.input.grid_alignment import aligned_images
from napari_superpixels._napari.input.plane import (
    View,
    axis_name,
    full_shape,
    lazy,
    plane_axes,
    plane_grid,
)
from napari_superpixels._napari.input.transforms import (
    origin_in_one_unit,
    pixel_content,
    pixel_size_in_one_unit,
    time_step,
)
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.reference_image import ReferenceImage
from napari_superpixels.errors import ExportError
from napari_superpixels.io.formats import METADATA_KEY, carried, export_labels, format_of

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_superpixels.io.classes import LabelColumns


@dataclass(frozen=True, slots=True, eq=False)
class ExportJob:
    """A file to write, frozen when its name was given.

    Attributes
    ----------
    path : Path
        File or folder.
    layer_name : str
    labels : array_like of int, shape (H, W) or (D, H, W)
        Superpixels; may be lazy.
    image : ReferenceImage or None
        What lies under them; may be lazy.
    pixel_size : tuple of float or None
        Size of a pixel along each axis.
    unit : str
        Its unit.
    content : float or None
        Of a sheared layer, area of a pixel (volume of a voxel, area of a pixel of a frame): less
        than the product of `pixel_size`.
    place : dict or None
        Where the labels lie on the map.
    translation, flipped, time_step
        See `export_labels`.
    frames : bool
        Whether the first axis holds frames, each described on its own.
    provenance : dict
        How the labels were made.
    columns : LabelColumns
        Classes, locks and columns of others.
    choice : Choice
        Which objects.
    note : str
        What the user may not expect: which plane, which values.
    """

    path: Path
    layer_name: str
    labels: Any
    image: ReferenceImage | None
    pixel_size: tuple[float, ...] | None
    unit: str
    content: float | None
    place: dict[str, Any] | None
    translation: tuple[float, ...] | None
    flipped: tuple[bool, ...] | None
    time_step: tuple[float, str] | None
    frames: bool
    provenance: dict[str, Any]
    columns: LabelColumns
    choice: Choice
    note: str

    def write(self, *, overwrite: bool) -> str:
        """Write the file; runs in a worker.

        Parameters
        ----------
        overwrite : bool
            Replace an existing file.

        Returns
        -------
        str
            What was done, in words.

        Raises
        ------
        ExportError
            If it cannot be written; no half file is left.
        """
        image = self.image
        channel_axis = 0
        values = None if image is None else image.values()
        if values is not None and image is not None and image.is_rgb:
            values, channel_axis = np.moveaxis(values, 0, -1), -1
        export_labels(
            self.path,
            np.asarray(self.labels),
            values,
            channel_axis=None if values is None else channel_axis,
            channel_names=None if image is None else image.names,
            pixel_size=self.pixel_size,
            unit=self.unit,
            place=self.place,
            translation=self.translation,
            flipped=self.flipped,
            time_step=self.time_step,
            frames=self.frames,
            # The name marks a file as labels, also where nothing else is known.
            provenance={"layer": self.layer_name} | carried(self.provenance, frames=self.frames),
            overwrite=overwrite,
            sheared_content=self.content,
            columns=self.columns,
            of_class=self.choice.of_class,
            dissolve_classes=self.choice.dissolve,
        )
        about = format_of(self.path).about
        if self.columns.is_class_map or self.choice.dissolve:
            about = about.replace("picture with borders", "picture of the classes")
        note = f"{self.choice.note}{self.note}"
        return f"Exported “{self.layer_name}” to {self.path.name} ({about}){note}."


def made_from(layer: Labels, layers: Sequence[Any]) -> list[tuple[Image, int | None]]:
    """Find the image layers that a result was made from.

    Parameters
    ----------
    layer : napari.layers.Labels
        A result of ours, or any other.
    layers : sequence of napari.layers.Layer
        Layers of the viewer.

    Returns
    -------
    list of (napari.layers.Image, int or None)
        They, and the channel axis of their data; empty unless all of them are still there.
    """
    known = layer.metadata.get(METADATA_KEY, {}).get("source_layers", [])
    images = [x for x in layers if isinstance(x, Image)]
    by_name = {x.name: x for x in images}
    by_id = {str(x.unique_id): x for x in images}  # it may have another name now
    found = [by_id.get(part.get("id")) or by_name.get(part["name"]) for part in known]
    pairs = zip(found, known, strict=True)
    used = [
        (image, part["channel_axis"])
        for image, part in pairs
        # It may have other data now.
        if image is not None and (part["channel_axis"] or 0) < image.ndim + image.rgb
    ]
    return used if len(used) == len(known) else []


def is_always_a_plane(layer: Labels, about: Known) -> bool:
    """Tell whether any format takes just the plane shown.

    Parameters
    ----------
    layer : napari.layers.Labels
    about : Known
        What is known of it.

    Returns
    -------
    bool
        True for labels on a map, and for stacks of more than three axes.
    """
    return about.metadata.get("place") is not None or sum(n > 1 for n in full_shape(layer)) > 3


def plane_note(layer: Labels, view: View) -> str:
    """Say which plane goes into a format that holds planes.

    Parameters
    ----------
    layer : napari.layers.Labels
    view : View
        What the viewer shows.

    Returns
    -------
    str
        Such as “the plane shown, axis 0 = 3”; empty where the layer is a plane.
    """
    index = _index_of_plane(layer, view)
    many = [axis for axis in index if full_shape(layer)[axis] > 1]
    where = ", ".join(f"{axis_name(layer, axis)} = {index[axis]}" for axis in many)
    return f"the plane shown, {where}" if many else ""


def export_job(
    path: Path,
    layer: Labels,
    images: Sequence[tuple[Image, int | None]],
    view: View,
    about: Known,
    choice: Choice,
) -> ExportJob:
    """Find out what goes into a file.

    Parameters
    ----------
    path : Path
        File or folder; the format follows its suffix.
    layer : napari.layers.Labels
    images : sequence of (napari.layers.Image, int or None)
        Layers whose values go along, and the channel axis of their data.
    view : View
        What the viewer shows; decides on the plane for formats that hold planes.
    about : Known
        What is known of the layer.
    choice : Choice
        Which objects.

    Returns
    -------
    ExportJob
        The work for a worker.

    Raises
    ------
    ExportError
        If the format is unknown, or lacks the image.
    InputError
        If the viewer stands outside the layer.
    """
    wanted = format_of(path)
    place = about.metadata.get("place")
    shape = full_shape(layer)
    frames, step = None, None
    if wanted.planes_only or is_always_a_plane(layer, about):
        index, note = _index_of_plane(layer, view), plane_note(layer, view)
        note = f", {note}" if note else ""
    else:
        rows_columns = plane_axes(layer, view)
        index = {a: 0 for a, n in enumerate(shape) if n == 1 and a not in rows_columns}
        frames = _frame_axis(layer, about, [a for a in range(layer.ndim) if a not in index])
        note = "" if frames is None else ", frame by frame"
    kept = [axis for axis in range(layer.ndim) if axis not in index]
    if kept[-2:] != [layer.ndim - 2, layer.ndim - 1]:
        place = None
    slices = tuple(index.get(axis, slice(None)) for axis in range(layer.ndim))
    image, missing = _image_under(layer, images, view, slices)
    is_class_map = about.columns.is_class_map or choice.dissolve
    if image is None and wanted.needs_image and not is_class_map:
        raise ExportError(f"{path}: a picture shows the borders on the image, and {missing}")
    if image is None:
        note += f", without values of the image: {missing}"
    data = layer.data[0] if layer.multiscale else layer.data
    labels = lazy(data)[slices]
    if frames is not None:
        axis, in_time = frames
        first = kept.index(axis)
        labels = np.moveaxis(labels, first, 0)
        if image is not None:
            image = replace(image, channels=np.moveaxis(image.channels, first + 1, 1))
        kept.remove(axis)
        step = time_step(layer, axis) if in_time else None
        if not in_time and pixel_size_in_one_unit(layer, [axis, *kept]):
            kept.insert(0, axis)
    # Somebody may go on painting while the file is written.
    labels = labels.copy() if isinstance(labels, np.ndarray) else labels
    known_size = None if place is not None else pixel_size_in_one_unit(layer, kept)
    size, unit = known_size or (None, "pixel")
    content, moved, flipped = None, None, None
    if size is not None:
        moved, flipped = origin_in_one_unit(layer, kept)
        spanned = kept if frames is None else kept[-2:]
        content = pixel_content(layer, spanned)
        if math.isclose(content, math.prod(size[-len(spanned) :])):
            content = None
    return ExportJob(
        path,
        layer.name,
        labels,
        image,
        size,
        unit,
        content,
        place,
        moved,
        flipped,
        step,
        frames is not None,
        about.metadata,
        about.columns,
        choice,
        note,
    )


def _frame_axis(layer: Labels, about: Known, kept: Sequence[int]) -> tuple[int, bool] | None:
    """The axis, of three, whose planes were segmented one by one, and whether it is time."""
    known = about.metadata
    if "mode" in known:
        roles = {axis + layer.ndim: Role(role) for axis, role in known.get("stack", ())}
    else:  # from elsewhere: the layer says at most which axis is time
        roles = {a: Role.TIME for a in kept if named_role(layer, a) == Role.TIME}
    found = [(axis, roles[axis] == Role.TIME) for axis in kept if axis in roles]
    return found[0] if len(kept) == 3 and len(found) == 1 else None


def _index_of_plane(layer: Labels, view: View) -> dict[int, int]:
    shape, shown = full_shape(layer), plane_axes(layer, view)
    cut = [axis for axis in range(layer.ndim) if axis not in shown]
    if all(shape[axis] == 1 for axis in cut):  # wherever the viewer stands
        return dict.fromkeys(cut, 0)
    return plane_grid(layer, view).index


def _image_under(
    layer: Labels,
    images: Sequence[tuple[Image, int | None]],
    view: View,
    slices: tuple[int | slice, ...],
) -> tuple[ReferenceImage | None, str]:
    """The image on the labels' pixels, or why there is none."""
    if not images:
        return None, "the image that they were made from is not in the viewer"
    try:
        return aligned_images(layer, images, view.point, slices), ""
    except EditError:
        return None, "its pixels do not lie on those of the labels"
