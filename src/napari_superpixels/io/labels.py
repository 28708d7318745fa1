"""The door for label maps and ground truths, whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.errors import FileError
from napari_superpixels.io.images import (
    ImageFile,
    open_image,
    read_now,
    without_single_axes,
)
from napari_superpixels.io.problems import READ_ERRORS, unreadable
from napari_superpixels.io.readers.tiff import read_further

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_superpixels.io.metadata import FileMetadata


@dataclass(frozen=True, slots=True, eq=False)
class LabelFile:
    """A label map as its file describes it.

    Attributes
    ----------
    labels : ndarray of int, shape (..., H, W)
        Labels; 0 is outside, as is what has no data or is transparent.
    has_frames : bool
        Whether the first of three axes holds frames that were segmented one by one.
    metadata : FileMetadata
        Pixel size, georeference, how the labels were made.
    further : mapping of str to ndarray
        More label maps of the same file, see `save_labels`.
    """

    labels: NDArray[np.integer]
    has_frames: bool
    metadata: FileMetadata
    further: Mapping[str, NDArray[np.unsignedinteger]] = field(default_factory=dict)


def read_labels(path: str | Path, *, with_further: bool = False) -> LabelFile:
    """Read a label map of any format that is known.

    Parameters
    ----------
    path : str or Path
        TIFF, NPY, OME-Zarr, or a picture; of one with a palette, its indices are the labels.
    with_further : bool, default False
        Read further label maps of the file too.

    Returns
    -------
    LabelFile
        Labels, and what the file says of them.

    Raises
    ------
    FileError
        If it cannot be read, or holds no labels.
    """
    path = Path(path)
    with open_image(path) as found:
        found.refuse_lossy()
        array = read_now(_values_of(found), path)
        alpha = None if found.alpha is None else read_now(found.alpha, path)
        further = {}
        if with_further and found.source is not None:
            try:
                further = read_further(found.source)
            except READ_ERRORS as error:
                raise unreadable(path, error) from error
    outside = np.zeros(array.shape, bool) if alpha is None else alpha == 0
    if found.nodata is not None and found.indices is None:
        outside |= is_nodata(array, found.nodata)
    if array.dtype.kind == "f":
        outside |= np.isnan(array)  # as R writes what has no value
    if outside.any():
        array = np.where(outside, array.dtype.type(0), array)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.round(array)).all():
        array = array.astype(np.int64)  # as ImageJ stores what is above 65535
    if array.dtype.kind not in "biu" or array.ndim < 2:
        raise FileError(
            f"{path}: a label map has two axes, or three in a volume, and whole numbers; this one "
            f"has shape {array.shape} and dtype {array.dtype}"
        )
    has_frames = "T" in found.axes or "series" in found.metadata.provenance
    return LabelFile(array, has_frames, found.metadata, further)


def _values_of(found: ImageFile) -> Any:
    """Indices into a palette, or grey values, also where these are stored as equal colours."""
    if found.indices is not None:
        return found.indices
    if found.channel_axis is None:
        return without_single_axes(found.array)
    n = found.array.shape[found.channel_axis]
    if "S" in found.axes and n == 3:
        colors = read_now(found.array, found.path)
        if (colors == colors[..., :1]).all():
            return colors[..., 0]
    raise FileError(
        f"{found.path}: holds {n} channels or colours, and labels have none; give the label map "
        "itself, of whole numbers"
    )


def read_plane(path: str | Path) -> NDArray[np.integer]:
    """Read a label map of one plane.

    Parameters
    ----------
    path : str or Path
        See `read_labels`.

    Returns
    -------
    ndarray of int, shape (H, W)
        Labels.

    Raises
    ------
    FileError
        If it cannot be read, holds no labels, or holds a stack of planes.
    """
    labels = read_labels(path).labels
    if labels.ndim != 2:
        raise FileError(f"{path}: is a stack of {len(labels)} planes, and one plane is wanted")
    return labels


def read_ground_truths(path: str | Path) -> list[NDArray[np.integer]]:
    """Read one ground truth, or all annotators' from a BSDS500 ``.mat`` file.

    Parameters
    ----------
    path : str or Path
        Label map of one plane, or ``.mat`` file in the layout of BSDS500.

    Returns
    -------
    list of ndarray of int, shape (H, W)
        One for each annotator.

    Raises
    ------
    FileError
        If the file cannot be read or has another layout.
    """
    path = Path(path)
    if path.suffix.lower() != ".mat":
        return [read_plane(path)]
    import scipy.io
    from scipy.io.matlab import MatReadError

    try:
        cells: Any = scipy.io.loadmat(path)["groundTruth"]
        return [cells[0, k]["Segmentation"][0, 0].astype(np.int64) for k in range(cells.shape[1])]
    except (MatReadError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FileError(f"{path}: cannot be read as a BSDS500 ground truth ({error})") from error
