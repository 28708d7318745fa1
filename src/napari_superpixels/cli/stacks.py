"""Stacks in ``napari-superpixels segment``: one plane, every plane, a series, a volume."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.messages import complain
from napari_superpixels.cli.output import is_plain, write_output
from napari_superpixels.cli.pixels import left_out, mask_of, nodata_of
from napari_superpixels.core.prepare.channels import chosen_channels
from napari_superpixels.core.prepare.checks import check_axis
from napari_superpixels.errors import (
    FormatForPlanes,
    NotASeries,
    SuperpixelError,
    UnchosenPlane,
)
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari_superpixels.api.series import SeriesStep
    from napari_superpixels.io.images import ImageFile
    from napari_superpixels.params import SuperpixelParams


def is_volume(arguments: argparse.Namespace) -> bool:
    """Whether supervoxels are asked for.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    bool
        With ``--volume`` or ``--spacing``.
    """
    return bool(arguments.volume or "spacing" in arguments)


def voxel_size(
    image: Path, known: dict[str, Any], arguments: argparse.Namespace
) -> tuple[float, ...]:
    """Find the size of a voxel: as given, as the file says, or that of a cube.

    Parameters
    ----------
    image : Path
        The file, for messages.
    known : dict
        What the file says, as `Origin` has it.
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    tuple of float
        Depth, height and width.
    """
    if "spacing" in arguments:
        return tuple(arguments.spacing)
    if "pixel_size" in known:
        return tuple(known["pixel_size"])
    complain(
        f"{image}: does not say how large a voxel is, so it is taken for a cube; see --spacing"
    )
    return (1.0, 1.0, 1.0)


def has_frames(image: Path, arguments: argparse.Namespace) -> bool:
    """Tell whether a file holds more than one plane.

    Parameters
    ----------
    image : Path
        The file.
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    bool
        False if its axes are rows, columns and perhaps channels.
    """
    from napari_superpixels.io.lazy_images import open_image

    return len(_axes(bands_as_planes(open_image(image), arguments), arguments)[1]) != 2


def bands_as_planes(found: ImageFile, arguments: argparse.Namespace) -> ImageFile:
    """Take what a file calls channels, bands or samples for planes, where the user says so.

    Parameters
    ----------
    found : ImageFile
        As it was opened.
    arguments : argparse.Namespace
        Of ``segment``.

    Returns
    -------
    ImageFile
        With ``--channel-axis none``, what were channels comes first and is an axis like others.
    """
    import numpy as np

    if getattr(arguments, "channel_axis", 0) is not None or found.channel_axis is None:
        return found
    axis = found.channel_axis % found.array.ndim
    axes = found.axes and "Q" + found.axes[:axis] + found.axes[axis + 1 :]
    return replace(found, array=np.moveaxis(found.array, axis, 0), channel_axis=None, axes=axes)


def _axes(found: ImageFile, arguments: argparse.Namespace) -> tuple[int | None, list[int]]:
    """The axis of channels, and the others."""
    axis = getattr(arguments, "channel_axis", found.channel_axis)
    axis = None if axis is None else check_axis(axis, found.array.ndim)
    return axis, [i for i in range(found.array.ndim) if i != axis]


def refuse_formats_of_planes(targets: list[Path]) -> None:
    """Say which of the formats cannot hold a stack, before it is segmented.

    Parameters
    ----------
    targets : list of Path
        What is to be written.

    Raises
    ------
    ExportError
        If there is one.
    """
    from napari_superpixels.io.formats import format_of

    for target in targets:
        if target.suffix.lower() == ".png" or (
            not is_plain(target) and format_of(target).planes_only
        ):
            raise FormatForPlanes(str(target))


def segment_series(
    image: Path,
    targets: list[Path],
    params: SuperpixelParams,
    arguments: argparse.Namespace,
    origin_of: Callable[[Path, int], Mapping[str, Any]],
) -> str:
    """Segment every plane of a file.

    Parameters
    ----------
    image : Path
        The file.
    targets : list of Path
        What to write; formats of planes cannot hold frames.
    params : SuperpixelParams
        Parameters of each plane.
    arguments : argparse.Namespace
        Of ``segment``.
    origin_of : callable
        Reads what a file says of its pixels along 2 or 3 axes, as `Origin` has it.

    Returns
    -------
    str
        What to tell the user.

    Raises
    ------
    ExportError
        If a target is of another kind.
    ValueError
        If the file is no series, or no frame is usable.
    SuperpixelError
        If some frames fail; those that do not are in a file beside the target.
    """
    import numpy as np
    from tqdm import tqdm

    from napari_superpixels.api.result import versions
    from napari_superpixels.api.series import iter_series, spelled_problems
    from napari_superpixels.events import drain
    from napari_superpixels.io.formats import save_labels
    from napari_superpixels.io.images import without_nodata
    from napari_superpixels.io.lazy_images import open_image, read_now
    from napari_superpixels.io.spatial import Origin

    refuse_formats_of_planes(targets)
    found = bands_as_planes(open_image(image), arguments)
    array, axis, planes = found.array, *_axes(found, arguments)
    if len(planes) != 3:
        is_deeper = bool(found.axes) and len(planes) > 3
        raise NotASeries(found.axes or "?" * array.ndim, array.shape, is_deeper)
    chosen = getattr(arguments, "channels", None)
    frames = np.moveaxis(chosen_channels(array, axis, chosen), planes[0], 0)
    values = np.moveaxis(array, planes[0], 0)
    if axis is not None and axis > planes[0]:
        axis -= 1
    mask = mask_of(image, found.alpha, arguments)  # frames are first, as it has no channels
    nodata = nodata_of(found, arguments)
    steps = iter_series(
        frames,
        params,
        channel_axis=axis,
        mask=mask,
        nodata=nodata,
        device=arguments.device,
        follow=arguments.series == "follow",
        memory_limit_gb=getattr(arguments, "memory_limit_gb", None),
        skip_failing=True,
    )
    n_new = 0
    problems: dict[str, str] = {}
    hide = arguments.quiet or None
    with tqdm(total=len(frames), desc=image.name, disable=hide, leave=False, unit="frame") as bar:

        def show(step: SeriesStep) -> None:
            nonlocal n_new
            if step.problem:
                problems[str(step.frame)] = step.problem
            if step.step is None:
                n_new += step.is_new
                bar.update()

        labels = drain(steps, show)
    is_deep = found.axes[planes[0] : planes[0] + 1] == "Z"
    known = (origin_of(image, 3) if is_deep else {}) or origin_of(image, 2)
    provenance = {
        **known,
        "parameters": params.to_dict(),
        "series": arguments.series,
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
    for target in targets:
        write_output(
            target,
            labels,
            provenance,
            Origin.from_dict(known),
            image=None if is_plain(target) else without_nodata(read_now(values, image), nodata),
            channel_axis=None if axis is None else axis + 1,
            frames=True,
            overwrite=arguments.force,
        )
    n = len(np.unique(labels[labels > 0]))
    told = f"{counted(len(frames), 'frame')}, {counted(n, 'superpixel')} in all"
    if arguments.series == "follow":
        told += f"; {counted(n_new, 'frame')} segmented anew"
    return told + left_out(labels)


def refuse_stack(image: ImageFile) -> None:
    """Say what to do with the depths or times of a file that says that it holds some.

    Parameters
    ----------
    image : ImageFile
        As it was read.

    Raises
    ------
    ValueError
        If it does.
    """
    if set("ZT") & set(image.axes):
        raise UnchosenPlane(image.axes, image.array.shape)


def plane_of(array: Any, channel_axis: int | None, position: list[int]) -> tuple[Any, int | None]:
    """Cut a plane out of a stack; rows and columns are its last axes besides the channels.

    Parameters
    ----------
    array : ndarray or dask array
        The stack.
    channel_axis : int or None
        Axis that holds channels.
    position : list of int
        On each of the other axes.

    Returns
    -------
    ndarray or dask array
        The plane.
    int or None
        Its channel axis.

    Raises
    ------
    ValueError
        If the position does not fit.
    """
    channels = None if channel_axis is None else check_axis(channel_axis, array.ndim)
    others = [axis for axis in range(array.ndim) if axis != channels][:-2]
    sizes = [array.shape[axis] for axis in others]
    if len(position) != len(others) or any(
        not 0 <= i < n for i, n in zip(position, sizes, strict=True)
    ):
        wanted = ", ".join(f"0 to {n - 1}" for n in sizes) or "no number: this is no stack"
        raise ValueError(f"--plane takes {wanted}; got {', '.join(map(str, position))}")
    index: list[int | slice] = [slice(None)] * array.ndim
    for axis, i in zip(others, position, strict=True):
        index[axis] = i
    cut = array[tuple(index)]
    return cut, None if channels is None else channels - sum(axis < channels for axis in others)
