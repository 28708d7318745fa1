"""The command ``napari-superpixels replay``: repeat hand corrections from their log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_superpixels.errors import FileExists, SuperpixelError, cannot_read
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.cli.options import ReplayOptions
    from napari_superpixels.editing.reference_image import ReferenceImage
    from napari_superpixels.io.metadata import FileMetadata


def replay_log(options: ReplayOptions) -> int:
    """Run the command.

    Parameters
    ----------
    options : ReplayOptions

    Returns
    -------
    int
        Exit code.
    """
    # Here, so that the command line starts without the libraries that only this command needs.
    from napari_superpixels.editing.corrected_file import write_corrected
    from napari_superpixels.editing.history.replay import replay
    from napari_superpixels.errors import ExportError
    from napari_superpixels.io.provenance import carried

    output: Path = options.output
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise ExportError(f"{output}: corrected labels are written as .tif")
    if output.exists() and not options.force:
        raise FileExists(str(output))
    log = _read_log(options.log)
    start, label_metadata = _read_start(options.labels)
    image, image_metadata = _read_edit_image(options.image, start.shape, options.channel_axis)
    try:
        session = replay(start, image, log)
    except SuperpixelError as error:
        error.within(options.log)
        raise
    provenance = label_metadata.provenance
    known = carried(provenance, frames="series" in provenance) | {"source": options.image.name}
    known |= _spatial_of((label_metadata, image_metadata), start.ndim)
    write_corrected(output, session, known, overwrite=options.force)
    n = len(session.statistics.ids)
    print(f"{output}: {counted(n, 'superpixel')} after {counted(len(log), 'step')}")
    return 0


def _spatial_of(files: Sequence[FileMetadata], ndim: int) -> dict[str, Any]:
    """Where the labels lie or how large their pixels are, by the first file that says it."""
    from napari_superpixels.errors import ExportError, MissingLibrary

    for file in files:
        try:
            found = file.spatial(ndim).to_dict()
        except (ExportError, MissingLibrary):  # without rasterio, labels are made all the same
            continue
        if found:
            return found
    return {}


def _read_log(path: Path) -> list[dict[str, Any]]:
    from napari_superpixels.editing.corrected_file import read_corrected
    from napari_superpixels.errors import FileError

    if path.suffix.lower() in (".tif", ".tiff"):
        return read_corrected(path)[0].log
    try:
        log = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(cannot_read(path, error)) from error
    except ValueError as error:
        raise FileError(
            f"{path}: is no log ({error}): give the JSON that the correction dock wrote, or the "
            "TIFF that it saved"
        ) from error
    if not isinstance(log, list) or not all(isinstance(entry, dict) for entry in log):
        raise FileError(f"{path}: is no log: it must hold a list of steps")
    return log


def _read_start(path: Path) -> tuple[NDArray[np.integer], FileMetadata]:
    """The labels that corrections began with."""
    from napari_superpixels.editing.corrected_file import start_of
    from napari_superpixels.io.labels import read_labels

    found = read_labels(path, with_further=True)
    return start_of(found).astype("int64"), found.metadata


def _read_edit_image(
    path: Path, shape: tuple[int, ...], channel_axis: int | None
) -> tuple[ReferenceImage, FileMetadata]:
    import numpy as np

    from napari_superpixels.editing.reference_image import ReferenceImage
    from napari_superpixels.io.images import open_image

    with open_image(path) as found:
        pixels = found.read()
    axis = found.channel_axis if channel_axis is None else channel_axis
    array = pixels[None] if axis is None else np.moveaxis(pixels, axis, 0)
    if array[0].size != np.prod(shape):
        raise ValueError(
            f"{path}: the image {array.shape[1:]} and the labels {shape} differ in shape"
        )
    names = tuple(f"channel {i}" for i in range(len(array)))
    return ReferenceImage(array.reshape(len(array), *shape), names), found.metadata
