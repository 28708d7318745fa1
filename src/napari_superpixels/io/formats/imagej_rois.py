"""Superpixels as ImageJ ROIs: a zip for the ROI Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_superpixels.errors.optional import need
from napari_superpixels.io.formats.polygonize import polygonize

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_superpixels.io.formats.label_image import LabelImage
    from napari_superpixels.io.formats.polygonize import Part

_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # of java.awt.geom.PathIterator


def write_rois(path: Path, label_image: LabelImage) -> None:
    """Write a ROI for each superpixel, named by its label, and by its class where it has one.

    The class is also its group, and the colour of its line; class, lock and further columns are its
    properties (in ImageJ, *Edit > Selection > Properties*).

    One part without holes is a polygon; anything else one composite ROI.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        One plane of labels.

    Raises
    ------
    ExportError
        If the labels have a depth.
    MissingLibrary
        If a library is not installed.
    """
    label_image.need_plane("a ROI zip")
    roifile = need("roifile", "export")
    width = len(str(label_image.ids[-1]))  # so that names sort as numbers do
    parts = polygonize(label_image, "export")
    classes = label_image.columns.class_of(label_image.ids)
    known = pd.DataFrame(label_image.columns.of(label_image.ids)).to_dict("records")
    rois = []
    for i, label in enumerate(label_image.ids):
        found = classes[i]
        roi = _roi(roifile, f"{label:0{width}d}{f' {found.name}' if found else ''}", parts[i])
        if found is not None:
            roi.group = found.number
            roi.stroke_color = bytes((255, *found.rgb))
        if known:
            roi.props = "".join(f"{_one_line(k)}: {_one_line(v)}\n" for k, v in known[i].items())
        rois.append(roi)
    roifile.roiwrite(path, rois, mode="w")


def _one_line(value: object) -> str:
    return str(value).replace("\n", " ").replace(": ", " ")


def _roi(roifile: Any, name: str, parts: list[Part]) -> Any:
    rings = [np.array(ring) for part in parts for ring in part]
    if len(rings) == 1:
        # ImageJ closes it by itself. “Traced” is what its wand makes: along pixels' edges.
        roi = roifile.ImagejRoi.frompoints(rings[0][:-1].astype(np.int32), name=name)
        roi.roitype = roifile.ROI_TYPE.TRACED
        return roi
    corners = np.concatenate(rings).astype(int)
    (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
    path = np.concatenate([_path(ring) for ring in rings])
    return roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.RECT,
        name=name,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        shape_roi_size=len(path),
        multi_coordinates=path,
    )


def _path(ring: NDArray[np.float64]) -> NDArray[np.float32]:
    kind = np.full(len(ring) - 1, _LINE)
    kind[0] = _MOVE
    return np.append(np.column_stack([kind, ring[:-1]]), _CLOSE).astype(np.float32)
