"""Labels of ours as a layer, with classes, locks, columns, place, and how they were made."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from napari_superpixels._napari.correction.editor import SESSION
from napari_superpixels._napari.correction.file_schema import Known
from napari_superpixels._napari.correction.files import features_of, load_corrected
from napari_superpixels._napari.readers.geotiff import read_geotiffs, spatial_of
from napari_superpixels._napari.segment.appearance import neighbour_colormap
from napari_superpixels._napari.segment.tiled_run import labels_of
from napari_superpixels.editing.attributes import DEFAULT, LabelAttributes, Lock
from napari_superpixels.editing.corrected_file import refused
from napari_superpixels.editing.session import Session
from napari_superpixels.io.classes import COLUMNS, CORRECTION, LOCK, LabelColumns, columns_of
from napari_superpixels.io.formats import METADATA_KEY, read_provenance
from napari_superpixels.io.georeference import is_georeferenced
from napari_superpixels.io.images import open_image
from napari_superpixels.io.labels import read_labels
from napari_superpixels.io.ome_zarr import holds_labels
from napari_superpixels.io.provenance import BESIDE_IMAGE, holds_own_labels
from napari_superpixels.io.strict_values import check
from napari_superpixels.io.units import full_name, time_name

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels._napari.readers.geotiff import LayerTuple
    from napari_superpixels.io.metadata import FileMetadata


def is_own(path: Path) -> bool:
    """Tell whether a file or folder holds labels that this package wrote.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    bool
        True for label TIFFs (GeoTIFF, for ImageJ, OME-TIFF, corrected) and OME-Zarrs of ours.
    """
    if path.is_dir():
        return _labels_in(path) is not None and bool(read_provenance(path))
    return holds_own_labels(path)


def read_own(path: Path) -> LayerTuple:
    """Read labels of ours.

    Parameters
    ----------
    path : Path
        For which `is_own` holds.

    Returns
    -------
    (data, dict, "labels")
        With a row for each superpixel in ``features``; classes, place, and how the labels were made
        in ``metadata["napari-superpixels"]``. The correction dock goes on with classes and locks;
        with all of its work where it has saved the file.

    Raises
    ------
    FileError
        If it cannot be read, or what it says of its labels cannot be used.
    """
    known = read_provenance(path)
    if CORRECTION in known:
        data, options, kind = load_corrected(path).as_layer_data_tuple()
        return data, options, kind
    columns = columns_of(known, path)
    with refused(path):
        check(Known, known)
    data, options = _placed_labels(path, known)
    known.pop(COLUMNS, None)  # they are in the table
    metadata = known | options.pop("metadata", {}).get(METADATA_KEY, {})
    return data, {"name": path.stem, **options, **labels_options(data, columns, metadata)}, "labels"


def labels_options(
    data: Any, columns: LabelColumns, metadata: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Give what a layer of superpixels with classes needs besides its place.

    Parameters
    ----------
    data : array_like of int, or list of them
        Labels, or the levels of labels that are not in memory.
    columns : LabelColumns
        Classes, locks and other columns.
    metadata : dict, optional
        What else is known of the labels, as plain values.

    Returns
    -------
    dict
        Opacity, colours, features and metadata for `napari.layers.Labels`; the correction dock goes
        on with classes and locks.
    """
    metadata = dict(metadata or {})
    options: dict[str, Any] = {"opacity": 0.5}
    if isinstance(data, np.ndarray):
        options["features"] = features_of(data, columns)
        session = None if columns.is_class_map else _session(data, columns)
        if session is not None:
            metadata[SESSION] = session
    elif columns.table.shape[1]:  # only what the file says: nobody counts the pixels
        options["features"] = features_of(columns.table.index.to_numpy(np.int64), columns)
    if columns.is_class_map:
        none = (0.0, 0.0, 0.0, 0.0)
        colors = {known.number: (*known.color, 1.0) for known in columns.classes}
        options["colormap"] = DirectLabelColormap(color_dict={None: none, 0: none} | colors)
    elif isinstance(data, np.ndarray) and data.ndim == 2:
        options["colormap"] = neighbour_colormap(data)
    return options | {"metadata": {METADATA_KEY: metadata}}


def _labels_in(folder: Path) -> Path | None:
    """Where an OME-Zarr has its labels: in its root, or beside its image."""
    return next((p for p in (folder, folder / BESIDE_IMAGE) if holds_labels(p)), None)


def _placed_labels(path: Path, known: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Labels, and where their layer lies; those that do not fit into the memory are lazy."""
    if path.is_dir():
        folder = _labels_in(path)
        assert folder is not None
        data: Any = labels_of(folder)
        with open_image(folder) as found:
            metadata, has_frames = found.metadata, "T" in found.axes or "series" in known
        ndim = data[0].ndim if isinstance(data, list) else data.ndim
        return data, _spatial(metadata, ndim, has_frames=has_frames)
    if is_georeferenced(path):
        ((data, options, _),) = read_geotiffs(str(path))
        return data, {k: v for k, v in options.items() if k != "contrast_limits"}
    file = read_labels(path)
    labels = np.asarray(file.labels)
    return labels, _spatial(file.metadata, labels.ndim, has_frames=file.has_frames)


def _spatial(metadata: FileMetadata, ndim: int, *, has_frames: bool) -> dict[str, Any]:
    """Size, place, units and names of the axes, as far as the file says."""
    found = metadata.spatial(ndim)
    if found.pixel_size is None and has_frames:
        found = metadata.spatial(2)
    if found.georeference is not None and ndim == 2:
        place = found.georeference
        about = {METADATA_KEY: {"place": asdict(place)}}
        return {**spatial_of(place, has_band_axis=False), "metadata": about}
    n_sized = len(found.pixel_size or ())
    in_time = has_frames and ndim == 3 and n_sized < 3
    names = "tyx" if in_time else "zyx"[-ndim:]
    if found.pixel_size is None:
        return {"axis_labels": tuple(names)} if in_time else {}
    flipped = found.flipped or (False,) * n_sized
    scale = [-n if back else n for n, back in zip(found.pixel_size, flipped, strict=True)]
    translate = list(found.translation or (0.0,) * n_sized)
    units = [full_name(found.unit or "") or "pixel"] * n_sized
    if in_time:
        step, unit = metadata.time_step or (1.0, "")
        scale, translate = [step, *scale], [0.0, *translate]
        units = [time_name(unit) or "pixel", *units]
    missing = ndim - len(scale)
    return {
        "scale": (1.0,) * missing + tuple(scale),
        "translate": (0.0,) * missing + tuple(translate),
        "units": ("pixel",) * missing + tuple(units),
        "axis_labels": tuple(names),
    }


def _session(data: np.ndarray[Any, Any], columns: LabelColumns) -> Session | None:
    """What the correction dock goes on with; None where there is neither class nor lock."""
    ids = np.unique(data)
    ids = ids[ids != 0].astype(np.int64)
    locks = columns.of(ids).get(LOCK, [""] * len(ids))
    records = {
        label: LabelAttributes(
            0 if known is None else known.number,
            Lock(lock) if lock in list(Lock) else Lock.FREE,
        )
        for label, known, lock in zip(ids.tolist(), columns.class_of(ids), locks, strict=True)
    }
    special = {label: record for label, record in records.items() if record != DEFAULT}
    if not special:
        return None
    session = Session(data)
    session.attributes.by_id.update(special)
    return session
