"""The command ``napari-superpixels export``: a label map for other software."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.messages import complain, text_of
from napari_superpixels.errors import FileExists, SuperpixelError
from napari_superpixels.errors.quantities import counted
from napari_superpixels.io.labels import read_label_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.io.spatial import Origin


def add_export(commands: Any) -> None:
    """Add the command to the parser.

    Parameters
    ----------
    commands : argparse subparsers
        Of the main parser.
    """
    command = commands.add_parser(
        "export",
        help="write labels as a table, graph, polygons, ROIs, GeoTIFF, OME-TIFF, OME-Zarr, picture",
        description="The format follows the suffix. Table of superpixels: .csv, .parquet. "
        "Neighbours: .edges.csv, .graphml. Polygons: .geojson, .gpkg. ImageJ ROIs: .zip. GeoTIFF "
        "where the labels lie on a map, else TIFF for ImageJ: .tif. OME: .ome.tif, .zarr. Image "
        "with borders: .png.",
    )
    command.add_argument("labels", type=Path, metavar="LABELS", help="label TIFF, NPY, PNG or Zarr")
    command.add_argument(
        "-o", "--output", required=True, type=Path, nargs="+", metavar="OUT", help="files to write"
    )
    command.add_argument("--image", type=Path, help="the image that the labels lie on")
    command.add_argument(
        "--channel-axis", type=int, help="axis of the channels, where the image does not say"
    )
    command.add_argument("--channel-names", nargs="+", metavar="NAME", help="one a channel")
    command.add_argument(
        "--pixel-size",
        type=float,
        nargs="+",
        metavar="SIZE",
        help="of a pixel along each axis, Y X or Z Y X (default: as LABELS or IMAGE says)",
    )
    command.add_argument("--unit", help="of the pixel size, such as um, nm or m")
    command.add_argument(
        "--like",
        type=Path,
        metavar="RASTER",
        help="raster whose CRS and transform to keep (default: LABELS or IMAGE, if a GeoTIFF)",
    )
    command.add_argument(
        "--plane", type=int, metavar="I", help="of a volume of labels, the plane to write"
    )
    command.add_argument(
        "--frames",
        action="store_true",
        help="LABELS hold frames that were segmented one by one, so that each is described on its "
        "own (default: as LABELS says)",
    )
    command.add_argument("--force", action="store_true", help="overwrite files")
    command.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> int:
    # Here, so that the command line starts without the libraries that only this command needs.
    from napari_superpixels.errors import ExportError
    from napari_superpixels.io.formats import carried, read_provenance
    from napari_superpixels.io.formats.label_image import subject_of
    from napari_superpixels.io.formats.registry import format_of, write

    inputs = [path for path in (arguments.labels, arguments.image, arguments.like) if path]
    if bool(arguments.unit) != bool(arguments.pixel_size):
        raise ValueError("--pixel-size needs --unit, such as um or m, and the other way round")
    for i, output in enumerate(arguments.output):
        format_of(output)
        if output in arguments.output[:i]:
            raise ExportError(f"{output}: is named twice")
        if output.exists() and not arguments.force:
            raise FileExists(str(output))
        if any(output.exists() and path.exists() and output.samefile(path) for path in inputs):
            raise ExportError(f"{output}: is an input; write to another file")
    labels, frames = read_label_file(arguments.labels)
    frames = frames or arguments.frames
    image, axis = _read_image(arguments.image, arguments.channel_axis)
    if arguments.plane is not None:
        labels, image, axis = _plane(labels, image, axis, arguments.plane)
        origin = _find_origin(arguments, (2,))
    else:
        origin = _find_origin(arguments, (3, 2) if frames else (labels.ndim,))
    size = arguments.pixel_size or origin.pixel_size
    if arguments.plane is not None:
        size = size and size[-2:]
    if labels.ndim == 3:  # now, not after some files are written
        for output in arguments.output:
            if format_of(output).planes_only:
                raise ExportError(
                    f"{output}: this format holds one plane, and the labels are a stack of "
                    f"{len(labels)}: choose one with --plane, or leave the format out"
                )
    try:
        subject = subject_of(
            labels,
            image,
            channel_axis=axis,
            channel_names=arguments.channel_names,
            pixel_size=size,
            unit=arguments.unit or origin.unit,
            place=origin.place,
            frames=frames,
            provenance=carried(
                read_provenance(arguments.labels), frames=frames and labels.ndim == 3
            ),
        )
    except SuperpixelError as error:
        files = str(arguments.labels)
        if arguments.image is not None:
            files += f" with the image {arguments.image}"
        error.within(files)
        raise
    failures: list[str] = []
    for output in arguments.output:
        try:
            write(output, subject, overwrite=arguments.force)
        except SuperpixelError as error:  # one that cannot be written must not stop the others
            failures.append(text_of(error))
            continue
        print(f"{output}: {counted(len(subject.ids), 'superpixel')}")
    if len(arguments.output) > 1 and failures:
        n_files = counted(len(arguments.output), "file")
        complain(f"{len(failures)} of {n_files} could not be written:")
    for text in failures:
        complain(f"  {text}" if len(arguments.output) > 1 else text)
    return 1 if failures else 0


def _plane(
    labels: NDArray[np.integer], image: NDArray[np.generic] | None, axis: int | None, plane: int
) -> tuple[NDArray[np.integer], NDArray[np.generic] | None, int | None]:
    """Cut a plane out of a volume of labels, and of its image with the channel axis `axis`."""
    import numpy as np

    from napari_superpixels.core.prepare.checks import check_axis

    if labels.ndim != 3 or not 0 <= plane < len(labels):
        wanted = f"0 to {len(labels) - 1}" if labels.ndim == 3 else "no number: this is no volume"
        raise ValueError(f"--plane takes {wanted}; got {plane}")
    if image is None:
        return labels[plane], None, None
    channels = None if axis is None else check_axis(axis, image.ndim)
    if image.ndim - (channels is not None) == 2:
        return labels[plane], image, channels  # of this plane
    depth = 1 if channels == 0 else 0
    cut = np.take(image, plane, depth)
    return labels[plane], cut, None if channels is None else channels - (depth < channels)


def _read_image(
    path: Path | None, channel_axis: int | None
) -> tuple[NDArray[np.generic] | None, int | None]:
    from napari_superpixels.io.images import without_nodata
    from napari_superpixels.io.lazy_images import open_image, read_now

    if path is None:
        return None, None
    found = open_image(path)
    array = without_nodata(read_now(found.array, path), found.nodata)
    return array, found.channel_axis if channel_axis is None else channel_axis


def _find_origin(arguments: argparse.Namespace, ndims: Sequence[int]) -> Origin:
    """The place, if a file says it, or else the pixel size, of the first number of axes."""
    from napari_superpixels.io.formats.label_image import PIXEL
    from napari_superpixels.io.georeference import read_place
    from napari_superpixels.io.spatial import Origin, read_origin

    if arguments.like is not None:
        return Origin(read_place(arguments.like))
    paths = [path for path in (arguments.labels, arguments.image) if path is not None]
    found = [read_origin(path, ndim) for path in paths for ndim in ndims]
    placed = [origin for origin in found if origin.place is not None]
    # A scale without a unit says something in OME-Zarr only.
    is_enough = all(output.suffix.lower() == ".zarr" for output in arguments.output)
    sized = [
        replace(origin, unit=origin.unit or PIXEL)
        for origin in found
        if origin.pixel_size is not None and (origin.unit or is_enough)
    ]
    return next(iter(placed + sized), Origin())
