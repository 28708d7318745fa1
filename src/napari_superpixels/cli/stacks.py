"""Stacks in ``napari-superpixels segment``: one plane, every plane, a series, a volume."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.messages import complain, text_of
from napari_superpixels.cli.output import is_plain
from napari_superpixels.cli.pixels import labels_on, left_out, mask_of
from napari_superpixels.cli.subject import Pixels, Subject, write_all
from napari_superpixels.core.prepare.checks import check_axis
from napari_superpixels.errors import FormatForPlanes, NotASeries, SuperpixelError, UnchosenPlane
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_superpixels.api.series import SeriesStep
    from napari_superpixels.cli.options import InputOptions, SegmentOptions
    from napari_superpixels.io.images import ImageFile
    from napari_superpixels.io.spatial import Spatial
    from napari_superpixels.params import SuperpixelParams


def voxel_size(image: Path, spatial: Spatial, options: InputOptions) -> tuple[float, ...]:
    """Find the size of a voxel: as given, as the file says, or that of a cube.

    Parameters
    ----------
    image : Path
    spatial : Spatial
        What it says of its pixels.
    options : InputOptions

    Returns
    -------
    tuple of float
        Along planes, rows and columns.
    """
    if options.spacing is not None:
        return options.spacing
    if spatial.pixel_size is not None:
        return spatial.pixel_size
    complain(
        f"{image}: does not say how large a voxel is, so it is taken for a cube; see --spacing"
    )
    return (1.0, 1.0, 1.0)


def has_frames(found: ImageFile, options: InputOptions) -> bool:
    """Tell whether a file holds more than one plane.

    Parameters
    ----------
    found : ImageFile
        From `bands_as_planes`.
    options : InputOptions

    Returns
    -------
    bool
        Whether there is an axis besides rows, columns and channels.
    """
    return len(_axes(found, options)[1]) != 2


def bands_as_planes(found: ImageFile, options: InputOptions) -> ImageFile:
    """Take what a file calls channels, bands or samples for planes, where the user says so.

    Parameters
    ----------
    found : ImageFile
    options : InputOptions

    Returns
    -------
    ImageFile
        With ``--channel-axis none``, without channels: planes come first. Else as it is.
    """
    import numpy as np

    if options.channel_axis is not None or found.channel_axis is None:
        return found
    axis = found.channel_axis % found.array.ndim
    axes = found.axes and "Q" + found.axes[:axis] + found.axes[axis + 1 :]
    return replace(found, array=np.moveaxis(found.array, axis, 0), channel_axis=None, axes=axes)


def _axes(found: ImageFile, options: InputOptions) -> tuple[int | None, list[int]]:
    """The axis of channels, and the others."""
    axis = options.axis_of(found)
    axis = None if axis is None else check_axis(axis, found.array.ndim)
    return axis, [i for i in range(found.array.ndim) if i != axis]


def refuse_formats_of_planes(targets: list[Path]) -> None:
    """Say which of the formats cannot hold a stack, before it is segmented.

    Parameters
    ----------
    targets : list of Path
        What to write.

    Raises
    ------
    FormatForPlanes
        If one of them holds a plane only.
    """
    from napari_superpixels.io.formats import format_of

    for target in targets:
        if target.suffix.lower() == ".png" or (
            not is_plain(target) and format_of(target).planes_only
        ):
            raise FormatForPlanes(str(target))


def segment_series(
    found: ImageFile, targets: list[Path], params: SuperpixelParams, options: SegmentOptions
) -> str:
    """Segment every plane of a file.

    Parameters
    ----------
    found : ImageFile
        From `bands_as_planes`.
    targets : list of Path
        What to write.
    params : SuperpixelParams
    options : SegmentOptions

    Returns
    -------
    str
        What to tell the user.

    Raises
    ------
    NotASeries
        If the file does not hold one axis of frames.
    SuperpixelError
        If frames failed; the others are in a file that says so by its name.
    """
    import numpy as np
    from tqdm import tqdm

    from napari_superpixels.api.result import versions
    from napari_superpixels.api.series import iter_series, spelled_problems
    from napari_superpixels.events import drain
    from napari_superpixels.io.formats import save_labels

    refuse_formats_of_planes(targets)
    image, chosen = found.path, options.input.channels
    subject = series_of(found, options.input)
    axis, spatial = subject.channel_axis, subject.spatial
    frames = Pixels(subject, chosen, keep=not all(map(is_plain, targets)))
    steps = iter_series(
        frames,
        params,
        channel_axis=None if axis is None else axis - 1,
        mask=subject.mask,
        nodata=subject.nodata,
        device=options.resources.device,
        follow=options.input.series == "follow",
        memory_limit_gb=options.resources.memory_limit_gb,
        skip_failing=True,
        initial=subject.given.get("initial"),
        objects=subject.given.get("objects"),
        object_walls=options.input.object_walls,
    )
    n_new = 0
    problems: dict[str, str] = {}
    hide = options.output.quiet or None
    with tqdm(total=len(frames), desc=image.name, disable=hide, leave=False, unit="frame") as bar:

        def show(step: SeriesStep) -> None:
            nonlocal n_new
            if step.error is not None:
                problems[str(step.frame)] = text_of(step.error)
            if step.step is None:
                n_new += step.is_new
                bar.update()

        labels = drain(steps, show)
    provenance: dict[str, Any] = {
        **spatial.to_dict(),
        **subject.started_from(options.input),
        "parameters": params.to_dict(),
        "series": options.input.series,
        "source": image.name,
        "versions": versions(),
    }
    if chosen is not None:
        provenance["channels"] = list(chosen)
    if problems:
        # Not under the final name, so that nobody takes it for whole and a batch does it again.
        stem = targets[0].stem.removesuffix(".ome").removesuffix(".edges")
        file = targets[0].with_name(f"{stem}.incomplete.tif")
        save_labels(file, labels, provenance | {"left out": problems}, overwrite=True)
        raise SuperpixelError(
            f"{len(problems)} of {counted(len(frames), 'frame')} failed, the others are in {file}: "
            f"{spelled_problems(problems)}"
        )
    provenance["run"] = subject.run(frames, options.input)
    about = subject.described(provenance, subject.columns(labels))
    write_all(targets, labels, frames, about, overwrite=options.output.force)
    n = len(np.unique(labels[labels > 0]))
    told = f"{counted(len(frames), 'frame')}, {counted(n, 'superpixel')} in all"
    if options.input.series == "follow":
        told += f"; {counted(n_new, 'frame')} segmented anew"
    return told + left_out(labels)


def subject_of(found: ImageFile, asked: InputOptions) -> Subject:
    """Take every plane of a file if that is asked for, or else what `whole_of` takes.

    Parameters
    ----------
    found : ImageFile
        From `bands_as_planes`.
    asked : InputOptions

    Returns
    -------
    Subject
    """
    if asked.series is not None and has_frames(found, asked):
        return series_of(found, asked)
    return whole_of(found, asked)


def whole_of(found: ImageFile, asked: InputOptions) -> Subject:
    """Take what is segmented at once: an image, a plane of a stack, or a volume.

    Parameters
    ----------
    found : ImageFile
        From `bands_as_planes`.
    asked : InputOptions

    Returns
    -------
    Subject
        Without frames.

    Raises
    ------
    UnchosenPlane
        If the file says that it is a stack, and nothing is said of its planes.
    """
    array, channel_axis, alpha = found.array, asked.axis_of(found), found.alpha
    n_kept = 3 if asked.is_volume else 2
    spatial = spatial_of(found, n_kept)
    spacing = voxel_size(found.path, spatial, asked) if asked.is_volume else None
    if asked.plane is not None:
        array, channel_axis = plane_of(array, channel_axis, asked.plane, found.axes, n_kept)
        if alpha is not None:
            alpha, _ = plane_of(alpha, None, asked.plane, found.plane_axes, n_kept)
    elif not asked.is_volume and isinstance(asked.channel_axis, str):  # as the file says
        refuse_stack(found)
    given = {role: labels_on(found, path) for role, path in asked.given.items()}
    for role, labels in given.items():
        if asked.plane is not None and labels.ndim > n_kept:  # of the whole stack
            given[role], _ = plane_of(labels, None, asked.plane, found.plane_axes, n_kept)
    return Subject(
        found=found,
        array=array,
        channel_axis=channel_axis,
        mask=mask_of(found, alpha, asked.mask),
        nodata=asked.nodata_of(found),
        spatial=spatial,
        spacing=spacing,
        given=given,
    )


def series_of(found: ImageFile, asked: InputOptions) -> Subject:
    """Take every plane of a file.

    Parameters
    ----------
    found : ImageFile
        From `bands_as_planes`.
    asked : InputOptions

    Returns
    -------
    Subject
        Frames come first.

    Raises
    ------
    NotASeries
        If the file does not hold one axis of frames.
    """
    import numpy as np

    array, axis, planes = found.array, *_axes(found, asked)
    if len(planes) != 3:
        is_deeper = bool(found.axes) and len(planes) > 3
        raise NotASeries(found.axes or "?" * array.ndim, array.shape, is_deeper)
    values = np.moveaxis(array, planes[0], 0)
    if axis is not None and axis < planes[0]:
        axis += 1
    # Frames are first in it, as it has no channels.
    mask = mask_of(found, found.alpha, asked.mask)
    is_deep = found.axes[planes[0] : planes[0] + 1] == "Z"
    spatial = spatial_of(found, 3) if is_deep else None
    spatial = spatial if spatial and spatial.to_dict() else spatial_of(found, 2)
    return Subject(
        found=found,
        array=values,
        channel_axis=axis,
        mask=mask,
        nodata=asked.nodata_of(found),
        spatial=spatial,
        frames=True,
        given={role: labels_on(found, path) for role, path in asked.given.items()},
    )


def spatial_of(found: ImageFile, ndim: int) -> Spatial:
    """What `export` will need to know of the image.

    Parameters
    ----------
    found : ImageFile
    ndim : int
        2 for the size of a pixel, 3 for that of a voxel.

    Returns
    -------
    Spatial
        Empty where rasterio is missing: labels are made all the same.
    """
    from napari_superpixels.errors import ExportError, MissingLibrary
    from napari_superpixels.io.spatial import Spatial

    try:
        return found.metadata.spatial(ndim)
    except (ExportError, MissingLibrary):
        return Spatial()


def refuse_stack(image: ImageFile) -> None:
    """Say what to do with the depths or times of a file that says that it holds some.

    Parameters
    ----------
    image : ImageFile

    Raises
    ------
    UnchosenPlane
        If its axes are named and one is depth or time.
    """
    if set("ZT") & set(image.axes):
        raise UnchosenPlane(image.axes, image.array.shape)


def plane_of(
    array: Any, channel_axis: int | None, position: Sequence[int], axes: str = "", n_kept: int = 2
) -> tuple[Any, int | None]:
    """Cut a plane, or a volume, out of a stack.

    Parameters
    ----------
    array : array_like
        The stack.
    channel_axis : int or None
        Its channel axis.
    position : sequence of int
        Where to cut, for each other axis.
    axes : str
        A letter for each axis, where it is known.
    n_kept : int, default 2
        Axes to keep besides the channels: 2 for a plane, 3 for a volume. They are the last ones,
        or those that are called depth, rows and columns.

    Returns
    -------
    array : array_like
        What was cut out, with its channels if it has some.
    channel_axis : int or None
        Its channel axis.

    Raises
    ------
    ValueError
        If the position does not fit the stack.
    """
    channels = None if channel_axis is None else check_axis(channel_axis, array.ndim)
    inner = [axis for axis in range(array.ndim) if axis != channels]
    kept = [axis for axis in inner if axes[axis : axis + 1] in {*"ZYX"[-n_kept:]}]
    others = [
        axis for axis in inner if axis not in (kept if len(kept) == n_kept else inner[-n_kept:])
    ]
    sizes = [array.shape[axis] for axis in others]
    if len(position) != len(others) or any(
        not 0 <= i < n for i, n in zip(position, sizes, strict=True)
    ):
        kind = "stack" if n_kept == 2 else "series of volumes"
        wanted = ", ".join(f"0 to {n - 1}" for n in sizes) or f"no number: this is no {kind}"
        raise ValueError(f"--plane takes {wanted}; got {', '.join(map(str, position))}")
    index: list[int | slice] = [slice(None)] * array.ndim
    for axis, i in zip(others, position, strict=True):
        index[axis] = i
    cut = array[tuple(index)]
    return cut, None if channels is None else channels - sum(axis < channels for axis in others)
