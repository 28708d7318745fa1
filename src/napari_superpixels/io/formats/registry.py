"""Which format a file name means."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.errors import ExportError, InvalidParameter, SuperpixelError
from napari_superpixels.io.atomic import atomic_write
from napari_superpixels.io.classes import LabelColumns, dissolved, label_columns, only_class
from napari_superpixels.io.formats.label_image import (
    LabelDescription,
    LabelImage,
    label_image_of,
)
from napari_superpixels.io.georeference import Georeference, read_georeference
from napari_superpixels.io.ome_zarr import is_zarr
from napari_superpixels.io.suffixes import OME_ZARR_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Format:
    """What can be written.

    Attributes
    ----------
    suffixes : tuple of str
        Ends of the file name.
    about : str
        What is written, in a few words.
    module, writer : str
        Function that writes it, called with a path and a `LabelImage`; loaded when it is needed.
    planes_only : bool
        Whether it cannot hold labels with a depth.
    needs_image : bool
        Whether there is nothing to write without the image.
    """

    suffixes: tuple[str, ...]
    about: str
    module: str
    writer: str
    planes_only: bool = False
    needs_image: bool = False


# The first whose suffix fits counts.
FORMATS = (
    Format((".ome.tif", ".ome.tiff"), "OME-TIFF", "ome_tiff", "write_ome"),
    Format((".tif", ".tiff"), "GeoTIFF, or TIFF for ImageJ", "registry", "write_tiff"),
    Format((".zarr",), "OME-Zarr", "ome_zarr", "write_zarr"),
    Format((".geojson",), "polygons", "polygons", "write_geojson", planes_only=True),
    Format((".gpkg",), "polygons", "polygons", "write_geopackage", planes_only=True),
    Format((".zip",), "ImageJ ROIs", "imagej_rois", "write_rois", planes_only=True),
    Format(
        (".png",),
        "picture with borders",
        "overlay",
        "write_picture",
        planes_only=True,
        needs_image=True,
    ),
    Format((".edges.csv",), "table of neighbours", "neighbour_graph", "write_edges"),
    Format((".csv",), "table of superpixels", "table", "write_csv"),
    Format((".parquet",), "table of superpixels", "table", "write_parquet"),
    Format((".graphml",), "graph of neighbours", "neighbour_graph", "write_graphml"),
)


def format_of(path: str | Path) -> Format:
    """Find the format that a file name means.

    Parameters
    ----------
    path : str or Path
        File to write.

    Returns
    -------
    Format
        One of `FORMATS`.

    Raises
    ------
    ExportError
        If none has this suffix; the message lists all.
    """
    name = Path(path).name.lower()
    for known in FORMATS:
        if name.endswith(known.suffixes) and name not in known.suffixes:
            return known
    every = ", ".join(suffix for known in FORMATS for suffix in known.suffixes)
    raise ExportError(f"{path}: the format follows the suffix, one of {every}")


def export_labels(
    path: str | Path,
    labels: ArrayLike,
    image: ArrayLike | None = None,
    *,
    channel_axis: int | None = None,
    channel_names: Sequence[str] | None = None,
    pixel_size: Sequence[float] | None = None,
    unit: str | None = None,
    place: Georeference | Mapping[str, Any] | None = None,
    like: str | Path | None = None,
    frames: bool = False,
    provenance: Mapping[str, Any] | None = None,
    translation: Sequence[float] | None = None,
    flipped: Sequence[bool] | None = None,
    time_step: tuple[float, str] | None = None,
    overwrite: bool = False,
    sheared_content: float | None = None,
    ome_zarr_version: str = OME_ZARR_VERSIONS[0],
    columns: LabelColumns | Mapping[str, Sequence[Any]] | None = None,
    classes: Sequence[Mapping[str, Any]] = (),
    of_class: str | None = None,
    dissolve_classes: bool = False,
) -> None:
    """Write a label map for other software; the format follows the suffix.

    Parameters
    ----------
    path : str or Path
        One of ``.csv``, ``.parquet`` (table of superpixels, see `table.measure`), ``.graphml``,
        ``.edges.csv`` (graph of neighbours), ``.geojson``, ``.gpkg`` (polygons), ``.zip`` (ImageJ
        ROIs), ``.tif`` (GeoTIFF where the labels lie on a map, else for ImageJ), ``.ome.tif``,
        ``.zarr`` (OME-Zarr) and ``.png`` (the image with the borders drawn in).
    labels : array_like of int, shape (H, W), (D, H, W) or (T, H, W)
        Superpixels; 0 is outside. ROIs, polygons, GeoTIFF and PNG take one plane.
    image : array_like, optional
        Image of the same shape, or with a channel axis more: for values in the table, steps in the
        graph, the PNG, and beside the labels in OME-Zarr.
    channel_axis : int, optional
        Axis of `image` that holds channels.
    channel_names : sequence of str, optional
        One name a channel.
    pixel_size : sequence of float, optional
        Size of a pixel along each axis of the labels, or of a frame. Without it, that of `place`
        counts.
    unit : str, optional
        Unit of `pixel_size`, such as ``"um"``; napari's names (``"micrometer"``) are known too.
    place : Georeference or mapping, optional
        Where on the map the labels lie, for polygons, GeoTIFF and table. The reader of GeoTIFFs
        leaves it in ``layer.metadata["napari-superpixels"]["place"]``.
    like : str or Path, optional
        In place of `place`, a GeoTIFF or any raster that GDAL reads, of the same rows and columns:
        its CRS and transform are kept.
    frames : bool, default False
        The first of three axes holds frames that were segmented one by one: tables and graphs
        describe each on its own. The axis is time (T) where `pixel_size` has two numbers or is
        missing, and depth (Z) where it has three.
    provenance : mapping, optional
        How the labels were made, as plain values; TIFF and OME-Zarr keep it,
        see `read_provenance`.
    translation : sequence of float, optional
        Where the centre of the first pixel lies, along the axes of `pixel_size` and in its unit;
        OME-Zarr keeps it.
    flipped : sequence of bool, optional
        Which of these axes run backwards; OME-Zarr keeps it, as a negative scale.
    time_step : tuple of (float, str), optional
        Time from one frame to the next, and its unit, such as ``(0.5, "s")``; OME-Zarr, OME-TIFF
        and TIFF for ImageJ keep it.
    overwrite : bool, default False
        Replace an existing file.
    sheared_content : float, optional
        Area of a pixel (volume of a voxel; in frames, area of a pixel of one) whose sides are not
        at right angles, in the unit of `pixel_size`, for tables. The product of `pixel_size`
        without it.
    ome_zarr_version : str, default "0.4"
        ``"0.4"`` (Zarr 2), which most software reads, or ``"0.5"`` (Zarr 3).
    columns : DataFrame, mapping of str to sequence, or LabelColumns, optional
        What else is known of the superpixels, such as ``layer.features``: rows belong to the labels
        in ``index`` or ``label``. ``class`` holds names of classes, ``lock`` free, edited or held.
        Every format keeps them, each in its own way.
    classes : sequence of mapping, optional
        ``number`` (1 to 255), ``name`` and ``color`` (red, green, blue from 0 to 1) of each class,
        as in ``layer.metadata["napari-superpixels"]["classes"]``.
    of_class : str, optional
        Only the superpixels of the class of this name.
    dissolve_classes : bool, default False
        One object a class in place of the superpixels: a map of classes. GeoTIFF, TIFF for ImageJ
        and PNG, which needs no image then, get the colours of the classes.

    Raises
    ------
    ExportError
        If the suffix is unknown, the file exists, the format cannot hold the labels, or no
        superpixel has a class that is asked for; nothing is left under the final name then.
    MissingLibrary
        If the format needs a library that is not installed.
    InvalidLabels
        If labels, image and pixel size do not fit together.
    """
    format_of(path)
    if like is not None:
        place = read_georeference(Path(like))
    elif place is not None and not isinstance(place, Georeference):
        place = Georeference.from_dict(place)
    if ome_zarr_version not in OME_ZARR_VERSIONS:
        raise InvalidParameter("ome_zarr_version", " or ".join(OME_ZARR_VERSIONS), ome_zarr_version)
    known = columns if isinstance(columns, LabelColumns) else label_columns(columns, classes)
    if of_class is not None:
        labels, known = only_class(np.asarray(labels), known, of_class)
    if dissolve_classes:
        labels, known = dissolved(np.asarray(labels), known)
    about = LabelDescription(
        channel_axis=channel_axis,
        channel_names=channel_names,
        pixel_size=pixel_size,
        unit=unit,
        georeference=place,
        frames=frames,
        provenance=provenance,
        translation=translation,
        flipped=flipped,
        time_step=time_step,
        sheared_content=sheared_content,
        ome_zarr_version=ome_zarr_version,
        columns=known,
    )
    export(Path(path), labels, image, about, overwrite=overwrite)


def export(
    path: Path,
    labels: ArrayLike,
    image: ArrayLike | None,
    about: LabelDescription,
    *,
    overwrite: bool,
) -> None:
    """Do what `export_labels` does, with what is known of the labels in one object.

    Parameters
    ----------
    path, labels, image, overwrite
        See `export_labels`.
    about : LabelDescription
        The rest.

    Raises
    ------
    ExportError, InvalidLabels
        See `export_labels`.
    """
    try:
        label_image = label_image_of(labels, image, about)
    except SuperpixelError as error:
        error.within(path)
        raise
    write(path, label_image, overwrite=overwrite)


def write(path: Path, label_image: LabelImage, *, overwrite: bool) -> None:
    """Write what is checked already, see `export_labels`.

    Parameters
    ----------
    path : Path
        File or folder to write.
    label_image : LabelImage
        What to write.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    ExportError
        If it cannot be written.
    """
    wanted = format_of(path)
    if path.is_dir() and not is_zarr(path):
        raise ExportError(f"{path}: is a folder; choose another name")
    writer = getattr(import_module(f"napari_superpixels.io.formats.{wanted.module}"), wanted.writer)
    with atomic_write(path, overwrite=overwrite) as partial:
        writer(partial, label_image)
    if wanted.writer == write_tiff.__name__:
        _write_names(path, label_image)


def _write_names(path: Path, label_image: LabelImage) -> None:
    """Put names of classes beside a GeoTIFF, which has no place for them; none are left of others.

    GDAL, and so QGIS, looks for them in a file of this name.
    """
    beside = path.with_name(f"{path.name}.aux.xml")
    if label_image.columns.is_class_map and label_image.georeference is not None:
        from napari_superpixels.io.formats.geotiff import class_names_xml

        with atomic_write(beside, overwrite=True) as partial:
            partial.write_bytes(class_names_xml(label_image.columns.classes))
    else:
        beside.unlink(missing_ok=True)


def write_tiff(path: Path, label_image: LabelImage) -> None:
    """Write a GeoTIFF where the labels lie on a map, else a TIFF for ImageJ.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        What to write.
    """
    if label_image.georeference is not None:
        from napari_superpixels.io.formats.geotiff import write_geotiff

        write_geotiff(path, label_image, label_image.georeference)
    else:
        from napari_superpixels.io.formats.imagej_tiff import write_imagej

        write_imagej(path, label_image)
