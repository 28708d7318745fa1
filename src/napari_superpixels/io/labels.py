"""Label maps that the command reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def read_label_file(path: Path) -> tuple[NDArray[np.integer], bool]:
    """Read a label map of any format that is known, with depth or frames or without.

    Parameters
    ----------
    path : Path
        TIFF, NPY, PNG or OME-Zarr.

    Returns
    -------
    labels : ndarray of int, shape (H, W), (D, H, W) or (T, H, W)
        Labels.
    frames : bool
        Whether they are frames that were segmented one by one.

    Raises
    ------
    FileError
        If it cannot be read, or holds no labels.
    """
    import numpy as np

    from napari_superpixels.core.prepare.nodata import is_nodata
    from napari_superpixels.errors import FileError
    from napari_superpixels.io.ground_truth import read_palette_indices
    from napari_superpixels.io.lazy_images import open_image, read_now
    from napari_superpixels.io.spatial import holds_frames

    indices = read_palette_indices(path)
    if indices is not None:
        return indices, False
    found = open_image(path)
    array = read_now(found.array, path)
    if found.channel_axis is not None:
        raise FileError(
            f"{path}: holds {array.shape[found.channel_axis]} channels or colours, and labels have "
            "none; give the label map itself, of whole numbers"
        )
    if found.nodata is not None:
        array = np.where(is_nodata(array, found.nodata), 0, array)
    if array.dtype.kind == "f" and (array == np.round(array)).all():
        array = array.astype(np.int64)  # as ImageJ stores what is above 65535
    if array.dtype.kind not in "biu" or array.ndim not in (2, 3):
        raise FileError(
            f"{path}: a label map has two axes, or three in a volume, and whole numbers; this one "
            f"has shape {array.shape} and dtype {array.dtype}"
        )
    return array, "T" in found.axes or holds_frames(path)
