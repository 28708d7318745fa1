"""Stacks in ``napari-superpixels segment``: one plane, every plane, a series, a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_superpixels.channels import chosen_channels
from napari_superpixels.cli_words import complain
from napari_superpixels.core.checks import check_axis
from napari_superpixels.errors import SuperpixelError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from napari_superpixels.files import ImageFile
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.series import SeriesStep


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


def segment_series(
    image: Path,
    targets: list[Path],
    params: SuperpixelParams,
    arguments: argparse.Namespace,
    known: dict[str, Any],
) -> str:
    """Segment every plane of a file.

    Parameters
    ----------
    image : Path
        The file.
    targets : list of Path
        What to write: .tif or .npy.
    params : SuperpixelParams
        Parameters of each plane.
    arguments : argparse.Namespace
        Of ``segment``.
    known : dict
        What the file says of a plane, as `Origin` has it.

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

    from napari_superpixels.events import drain
    from napari_superpixels.export import ExportError, save_labels
    from napari_superpixels.lazy_files import open_image, read_now
    from napari_superpixels.result import versions
    from napari_superpixels.series import iter_series, spelled_problems

    if any(target.suffix.lower() not in (".tif", ".tiff", ".npy") for target in targets):
        raise ExportError(f"{targets[0]}: write the labels of a series as .tif or .npy")
    found = open_image(image)
    array, axis = found.array, getattr(arguments, "channel_axis", found.channel_axis)
    axis = None if axis is None else check_axis(axis, array.ndim)
    planes = [i for i in range(array.ndim) if i != axis]
    if len(planes) != 3:
        raise ValueError(
            f"--series takes one axis of frames besides rows, columns and channels; this has the "
            f"shape {array.shape}: say with --channel-axis which axis holds channels"
        )
    chosen = getattr(arguments, "channels", None)
    frames = np.moveaxis(chosen_channels(array, axis, chosen), planes[0], 0)
    if axis is not None and axis > planes[0]:
        axis -= 1
    mask = None
    if "mask" in arguments:
        mask = read_now(open_image(arguments.mask).array, arguments.mask)
    steps = iter_series(
        frames,
        params,
        channel_axis=axis,
        mask=mask,
        nodata=getattr(arguments, "nodata", found.nodata),
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
        files = [target.with_suffix(f".incomplete{target.suffix}") for target in targets]
        for file in files:
            save_labels(file, labels, provenance | {"left out": problems}, overwrite=True)
        raise SuperpixelError(
            f"{len(problems)} of {len(frames)} frames failed, the others are in "
            f"{', '.join(map(str, files))}: {spelled_problems(problems)}"
        )
    for target in targets:
        save_labels(target, labels, provenance, overwrite=arguments.force)
    told = f"{len(frames)} frames, {len(np.unique(labels[labels > 0]))} superpixels in all"
    return f"{told}; {n_new} frames segmented anew" if arguments.series == "follow" else told


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
        sizes = zip(image.axes, image.array.shape, strict=True)
        axes = ", ".join(f"{name} ({n})" for name, n in sizes)
        raise ValueError(
            f"it is a stack with the axes {axes}: choose one plane with --plane, take all with "
            "--series, all as one with --volume, or say with --channel-axis which holds channels"
        )


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
