"""What ``napari-superpixels segment`` writes: its own label files, or other software's formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.io.spatial import Origin

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
    provenance: Mapping[str, Any],
    origin: Origin,
    *,
    image: NDArray[np.generic] | None = None,
    channel_axis: int | None = None,
    frames: bool = False,
    overwrite: bool,
) -> None:
    """Write labels in the format of the file's name.

    Parameters
    ----------
    target : Path
        What to write.
    labels : ndarray of int
        Superpixels.
    provenance : mapping
        How they were made.
    origin : Origin
        Where they lie, or how large their pixels are.
    image : ndarray, optional
        Pixels for tables and graphs; an OME-Zarr holds the labels only.
    channel_axis : int, optional
        Axis of `image` that holds channels.
    frames : bool, default False
        Whether the first axis of the labels holds frames.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    ExportError, SubjectError
        If it cannot be written.
    """
    from napari_superpixels.io.formats import export_labels, save_labels
    from napari_superpixels.io.formats.label_image import PIXEL

    if is_plain(target) and not _is_for_others(target, labels, origin):
        save_labels(target, labels, provenance, overwrite=overwrite)
        return
    size, unit = origin.pixel_size, origin.unit
    if target.suffix.lower() == ".zarr":
        image = channel_axis = None
        unit = unit or PIXEL  # a scale alone says something there
    elif unit is None:
        size = None
    export_labels(
        target,
        labels,
        image,
        channel_axis=channel_axis,
        pixel_size=size,
        unit=unit,
        place=origin.place,
        frames=frames,
        provenance=provenance,
        overwrite=overwrite,
    )


def _is_for_others(target: Path, labels: NDArray[np.integer], origin: Origin) -> bool:
    """Whether to write a TIFF as maps or ImageJ have it, as all that is known fits into one."""
    if target.suffix.lower() not in (".tif", ".tiff"):
        return False
    if origin.place is not None:
        return labels.ndim == 2
    return origin.unit is not None and int(labels.max(initial=0)) < _IMAGEJ_LABELS
