"""What ``napari-superpixels segment`` writes: its own label files, or other software's formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_superpixels.io.suffixes import is_tiff

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from napari_superpixels.io.formats.label_image import LabelDescription

# ImageJ has no whole numbers above these.
_IMAGEJ_LABELS = 2**16


def is_plain(target: Path) -> bool:
    """Tell whether a file is one of ours, which needs to know nothing of the image.

    Parameters
    ----------
    target : Path
        What to write.

    Returns
    -------
    bool
        Whether `save_labels` writes it.
    """
    name = target.name.lower()
    return name.endswith((".tif", ".tiff", ".png", ".npy")) and not name.endswith(
        (".ome.tif", ".ome.tiff")
    )


def write_output(
    target: Path,
    labels: NDArray[np.integer],
    image: ArrayLike | None,
    about: LabelDescription,
    *,
    overwrite: bool,
) -> None:
    """Write labels in the format of the file's name.

    Parameters
    ----------
    target : Path
        What to write.
    labels : ndarray of int
        Superpixels.
    image : array_like or None
        Pixels for tables and graphs; an OME-Zarr holds the labels only.
    about : LabelDescription
        How the labels were made, where they lie, or how large their pixels are.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    ExportError, InvalidLabels
        If it cannot be written.
    """
    from dataclasses import replace

    from napari_superpixels.io.formats import save_labels
    from napari_superpixels.io.formats.label_image import PIXEL
    from napari_superpixels.io.formats.registry import export

    if is_plain(target) and not _is_for_others(target, labels, about):
        known = dict(about.provenance or {}) | about.columns.as_plain()
        save_labels(target, labels, known, overwrite=overwrite)
        return
    if target.suffix.lower() == ".zarr":
        image = None
        # A scale alone says something there.
        about = replace(about, channel_axis=None, unit=about.unit or PIXEL)
    elif about.unit is None:
        about = replace(about, pixel_size=None)
    export(target, labels, image, about, overwrite=overwrite)


def _is_for_others(target: Path, labels: NDArray[np.integer], about: LabelDescription) -> bool:
    """Whether to write a TIFF as maps or ImageJ have it, as all that is known fits into one."""
    if not is_tiff(target):
        return False
    if about.georeference is not None:
        return labels.ndim == 2
    return about.unit is not None and int(labels.max(initial=0)) < _IMAGEJ_LABELS
