"""Corrected labels to a TIFF and back, with all that is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

from napari_superpixels._napari.correction.editor import OWNER, SESSION
from napari_superpixels._napari.segment.colors import neighbour_colormap
from napari_superpixels._napari.segment.output_layer import OPACITY
from napari_superpixels.editing.corrected_file import read_corrected, write_corrected
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.editing.session import Session

_PLACE = "placement"
# Above this a colour for each id costs more than it helps.
_LARGEST_COLORED = 100_000
# What a session holds that is no plain value, or is written anew.
_NOT_PLAIN = (SESSION, OWNER, "edit_log")


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
    place = dict(known.pop(_PLACE, {}))
    name = str(known.pop("name", path.stem))
    for key in ("rotate", "affine"):
        if key in place:
            place[key] = np.array(place[key])
    known[SESSION] = session
    layer = Labels(
        session.labels.copy(),
        name=name,
        opacity=OPACITY,
        metadata={METADATA_KEY: known},
        **place,
    )
    if session.labels.ndim == 2 and 0 < session.labels.max() < _LARGEST_COLORED:
        layer.colormap = neighbour_colormap(session.labels)
    return layer
