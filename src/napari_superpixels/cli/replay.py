"""The command ``napari-superpixels replay``: repeat hand corrections from their log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_superpixels.errors import FileExists, SuperpixelError, cannot_read
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    import argparse

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.editing.reference_image import EditImage


def add_replay(commands: Any) -> None:
    """Add the command to the parser.

    Parameters
    ----------
    commands : argparse subparsers
        Of the main parser.
    """
    command = commands.add_parser(
        "replay", help="repeat the hand corrections that a log holds, on the labels it began with"
    )
    command.add_argument("image", type=Path, help="the image that the labels were corrected on")
    command.add_argument(
        "labels",
        type=Path,
        help="the labels before correction; of a TIFF that the correction dock saved, those that "
        "its log began with",
    )
    command.add_argument(
        "log", type=Path, help="the log: JSON, or a TIFF that the correction dock saved"
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT", help="label TIFF to write"
    )
    command.add_argument(
        "--channel-axis", type=int, help="axis of the channels, where the file does not say"
    )
    command.add_argument("--force", action="store_true", help="overwrite OUT")
    command.set_defaults(run=_replay)


def _replay(arguments: argparse.Namespace) -> int:
    # Here, so that the command line starts without the libraries that only this command needs.
    from napari_superpixels.editing.corrected_file import write_corrected
    from napari_superpixels.editing.history.replay import replay
    from napari_superpixels.errors import ExportError

    output: Path = arguments.output
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise ExportError(f"{output}: corrected labels are written as .tif")
    if output.exists() and not arguments.force:
        raise FileExists(str(output))
    log = _read_log(arguments.log)
    labels = _read_start(arguments.labels)
    image = _read_edit_image(arguments.image, labels.shape, arguments.channel_axis)
    try:
        session = replay(labels, image, log)
    except SuperpixelError as error:
        error.within(arguments.log)
        raise
    known = _known_of(arguments.labels, arguments.image, labels.ndim)
    write_corrected(output, session, known, overwrite=arguments.force)
    n = len(session.statistics.ids)
    print(f"{output}: {counted(n, 'superpixel')} after {counted(len(log), 'step')}")
    return 0


def _known_of(labels: Path, image: Path, ndim: int) -> dict[str, Any]:
    """How the labels were made, and where they lie or how large their pixels are."""
    from napari_superpixels.errors import ExportError
    from napari_superpixels.io.formats import carried, read_provenance
    from napari_superpixels.io.spatial import read_origin

    known = read_provenance(labels)
    known = carried(known, frames="series" in known) | {"source": image.name}
    for path in (labels, image):
        try:
            found = read_origin(path, ndim).to_dict()
        except ExportError:  # without rasterio, labels are made all the same
            continue
        if found:
            return known | found
    return known


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


def _read_start(path: Path) -> NDArray[np.integer]:
    from napari_superpixels.editing.corrected_file import read_corrected
    from napari_superpixels.errors import FileError
    from napari_superpixels.io.images import read_image

    try:
        return read_corrected(path)[0].start
    except FileError:  # any other label file
        array: NDArray[np.generic] = read_image(path).array
    if array.dtype.kind not in "iu":
        raise FileError(f"{path}: labels are whole numbers, these are {array.dtype}")
    return array.astype("int64")


def _read_edit_image(path: Path, shape: tuple[int, ...], channel_axis: int | None) -> EditImage:
    import numpy as np

    from napari_superpixels.editing.reference_image import EditImage
    from napari_superpixels.io.images import read_image

    found = read_image(path)
    axis = found.channel_axis if channel_axis is None else channel_axis
    array = found.array[None] if axis is None else np.moveaxis(found.array, axis, 0)
    if array[0].size != np.prod(shape):
        raise ValueError(
            f"{path}: the image {array.shape[1:]} and the labels {shape} differ in shape"
        )
    names = tuple(f"channel {i}" for i in range(len(array)))
    return EditImage(array.reshape(len(array), *shape), names)
