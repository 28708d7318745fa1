"""Corrected labels to a TIFF and back, with all that is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Labels

from napari_superpixels._napari.correction.editor import CLASSES, OWNER, SESSION
from napari_superpixels._napari.correction.file_schema import Known, Place
from napari_superpixels._napari.correction.overlays import DERIVED_FROM, KIND, OUTLINES
from napari_superpixels._napari.segment.appearance import neighbour_colormap
from napari_superpixels.editing.corrected_file import read_corrected, refused, write_corrected
from napari_superpixels.io.classes import (
    CLASS,
    COLUMNS,
    LOCK,
    LabelColumns,
    columns_of,
    label_columns,
)
from napari_superpixels.io.formats import METADATA_KEY, read_provenance
from napari_superpixels.io.strict_values import check

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_superpixels.editing.session import Session

_PLACE = "placement"
# What is no plain value, is written anew, or is of overlays only.
_IN_SESSION = [CLASS, LOCK]
_NOT_PLAIN = (SESSION, OWNER, "edit_log", DERIVED_FROM, KIND, OUTLINES)


def save_corrected(path: Path, layer: Labels, session: Session, *, overwrite: bool = False) -> None:
    """Write labels, fragments, classes, locks, log and place to one TIFF.

    Parameters
    ----------
    path : Path
        TIFF; its first image is the labels, for any software.
    layer : napari.layers.Labels
    session : Session
        Its corrections.
    overwrite : bool, default False
        Replace an existing file.

    Raises
    ------
    ExportError
        If it cannot be written; no half file is left.
    """
    known = {k: v for k, v in layer.metadata.get(METADATA_KEY, {}).items() if k not in _NOT_PLAIN}
    provenance = known | {
        "name": layer.name,
        _PLACE: {
            "scale": layer.scale.tolist(),
            "translate": layer.translate.tolist(),
            "rotate": layer.rotate.tolist(),
            "shear": layer.shear.tolist(),
            "affine": np.asarray(layer.affine.affine_matrix).tolist(),
            "units": [str(unit) for unit in layer.units],
            "axis_labels": list(layer.axis_labels),
        },
    }
    others = layer.features.drop(columns=_IN_SESSION, errors="ignore")
    provenance |= label_columns(others, ()).as_plain()
    write_corrected(path, session, provenance, overwrite=overwrite)


def load_corrected(path: Path) -> Labels:
    """Read what `save_corrected` wrote, to go on with it.

    Parameters
    ----------
    path : Path
        TIFF.

    Returns
    -------
    napari.layers.Labels
        With its session in the metadata.

    Raises
    ------
    FileError
        If the file cannot be read, or holds no corrected labels.
    """
    session, known = read_corrected(path)
    session.note_reopened()
    with refused(path):
        check(Known, known)
        layer = _layer_of(session, known, path.stem)
    layer.features = features_of(session.labels, columns_of(read_provenance(path), path))
    colormap = neighbour_colormap(session.labels) if session.labels.ndim == 2 else None
    if colormap is not None:
        layer.colormap = colormap
    return layer


def features_of(labels: NDArray[np.integer], columns: LabelColumns) -> pd.DataFrame:
    """Make the table of a layer from what its file says.

    Parameters
    ----------
    labels : ndarray of int
        Data of the layer.
    columns : LabelColumns
        Of the file.

    Returns
    -------
    DataFrame
        A row a superpixel, with its id in ``index`` and ``label``.
    """
    ids = np.unique(labels)
    ids = ids[ids != 0].astype(np.int64)
    return pd.DataFrame({"index": ids, "label": ids} | columns.of(ids))


def _layer_of(session: Session, known: dict[str, Any], name: str) -> Labels:
    known = {k: v for k, v in known.items() if k not in _NOT_PLAIN}
    place = {k: known.get(_PLACE, {}).get(k) for k in Place.model_fields}
    name = str(known.get("name", name))
    for key in ("rotate", "affine"):
        if place[key] is not None:
            place[key] = np.array(place[key])
    metadata = {k: v for k, v in known.items() if k not in ("name", _PLACE, COLUMNS)}
    layer = Labels(
        session.labels.copy(),
        name=name,
        opacity=0.5,
        metadata={METADATA_KEY: metadata | {SESSION: session}},
        **place,
    )
    if not np.isfinite(layer.world_to_data((0.0,) * layer.ndim)).all():
        raise ValueError("its place is none: it has no size")
    if any(axis < -layer.ndim for axis, _ in known.get("stack", ())):
        raise ValueError(f"its stack has more than {layer.ndim} axes")
    numbers = [entry["number"] for entry in known.get(CLASSES, ())]
    if len(set(numbers)) < len(numbers):
        raise ValueError("two of its classes have one number")
    return layer
