"""The command ``napari-superpixels export``: a label map for other software."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.messages import complain, text_of
from napari_superpixels.errors import FileExists, SuperpixelError
from napari_superpixels.errors.quantities import counted
from napari_superpixels.io.atomic import is_taken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.cli.options import ExportOptions
    from napari_superpixels.io.metadata import FileMetadata
    from napari_superpixels.io.spatial import Spatial


def export_files(options: ExportOptions) -> int:
    """Run the command.

    Parameters
    ----------
    options : ExportOptions

    Returns
    -------
    int
        Exit code: 1 if a file could not be written.
    """
    # Here, so that the command line starts without the libraries that only this command needs.
    from napari_superpixels.errors import ExportError
    from napari_superpixels.io.classes import columns_of, dissolved, only_class
    from napari_superpixels.io.formats.label_image import LabelDescription, label_image_of
    from napari_superpixels.io.formats.registry import format_of, write
    from napari_superpixels.io.images import check_same_grid
    from napari_superpixels.io.labels import read_labels
    from napari_superpixels.io.provenance import carried

    inputs = [path for path in (options.labels, options.image, options.like) if path]
    if bool(options.unit) != bool(options.pixel_size):
        raise ValueError("--pixel-size needs --unit, such as um or m, and the other way round")
    for i, output in enumerate(options.output):
        format_of(output)
        if output in options.output[:i]:
            raise ExportError(f"{output}: is named twice")
        if is_taken(output) and not options.force:
            raise FileExists(str(output))
        if any(output.exists() and path.exists() and output.samefile(path) for path in inputs):
            raise ExportError(f"{output}: is an input; write to another file")
    label_file = read_labels(options.labels)
    labels, frames = label_file.labels, label_file.has_frames or options.frames
    image, axis, metadata = _read_image(options.image, options.channel_axis)
    for found in metadata:
        check_same_grid(found, label_file.metadata)
    metadata.insert(0, label_file.metadata)
    if options.plane is not None:
        labels, image, axis = _plane(labels, image, axis, options.plane)
        spatial = _find_spatial(options, metadata, (2,))
    else:
        spatial = _find_spatial(options, metadata, (3, 2) if frames else (labels.ndim,))
    size = options.pixel_size or spatial.pixel_size
    if options.plane is not None:
        size = size and size[-2:]
    if labels.ndim == 3:  # now, not after some files are written
        for output in options.output:
            if format_of(output).planes_only:
                raise ExportError(
                    f"{output}: this format holds one plane, and the labels are a stack of "
                    f"{len(labels)}: choose one with --plane, or leave the format out"
                )
    columns = columns_of(label_file.metadata.provenance, options.labels)
    try:
        if options.of_class is not None:
            labels, columns = only_class(labels, columns, options.of_class)
        if options.dissolve_classes:
            labels, columns = dissolved(labels, columns)
        label_image = label_image_of(
            labels,
            image,
            LabelDescription(
                channel_axis=axis,
                channel_names=options.channel_names,
                pixel_size=size,
                unit=options.unit or spatial.unit,
                georeference=spatial.georeference,
                translation=_last(spatial.translation, size),
                flipped=_last(spatial.flipped, size),
                frames=frames,
                time_step=label_file.metadata.time_step,
                provenance=carried(
                    label_file.metadata.provenance, frames=frames and labels.ndim == 3
                ),
                ome_zarr_version=options.ome_zarr_version,
                columns=columns,
            ),
        )
    except SuperpixelError as error:
        files = str(options.labels)
        if options.image is not None:
            files += f" with the image {options.image}"
        error.within(files)
        raise
    failures: list[str] = []
    for output in options.output:
        try:
            write(output, label_image, overwrite=options.force)
        except SuperpixelError as error:  # one that cannot be written must not stop the others
            failures.append(text_of(error))
            continue
        n = len(label_image.ids)
        n_objects = f"objects of classes: {n}" if columns.is_class_map else counted(n, "superpixel")
        print(f"{output}: {n_objects}")
    if len(options.output) > 1 and failures:
        n_files = counted(len(options.output), "file")
        complain(f"{len(failures)} of {n_files} could not be written:")
    for text in failures:
        complain(f"  {text}" if len(options.output) > 1 else text)
    return 1 if failures else 0


def _last(values: Any, size: Sequence[float] | None) -> Any:
    """Those along the axes of the pixel size."""
    return values and size and values[-len(size) :]


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
) -> tuple[NDArray[np.generic] | None, int | None, list[FileMetadata]]:
    """Pixels, their channel axis, and what the file says of them; nothing without an image."""
    from napari_superpixels.io.images import open_image, without_nodata

    if path is None:
        return None, None, []
    with open_image(path) as found:
        array = without_nodata(found.read(), found.nodata)
    axis = found.channel_axis if channel_axis is None else channel_axis
    return array, axis, [found.metadata]


def _find_spatial(
    options: ExportOptions, files: Sequence[FileMetadata], ndims: Sequence[int]
) -> Spatial:
    """The georeference, if a file says it, or else the pixel size, of the first number of axes."""
    from napari_superpixels.io.formats.label_image import PIXEL
    from napari_superpixels.io.georeference import read_georeference
    from napari_superpixels.io.spatial import Spatial

    if options.like is not None:
        return Spatial(read_georeference(options.like))
    found = [file.spatial(ndim) for file in files for ndim in ndims]
    placed = [spatial for spatial in found if spatial.georeference is not None]
    # A scale without a unit says something in OME-Zarr only.
    is_enough = all(output.suffix.lower() == ".zarr" for output in options.output)
    sized = [
        replace(spatial, unit=spatial.unit or PIXEL)
        for spatial in found
        if spatial.pixel_size is not None and (spatial.unit or is_enough)
    ]
    return next(iter(placed + sized), Spatial())
