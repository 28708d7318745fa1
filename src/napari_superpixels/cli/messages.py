"""Errors as the command tells them: with its options, where the errors name Python's arguments."""

from __future__ import annotations

import sys
from functools import singledispatch

from napari_superpixels import errors
from napari_superpixels.errors.quantities import gigabytes

PREFIX = "napari-superpixels: "
# What ends a file, or the command, with a message. RuntimeError is what PyTorch raises.
EXPECTED = (
    errors.SuperpixelError,
    ValueError,
    TypeError,
    OSError,
    RuntimeError,
    MemoryError,
)
# Arguments of Python whose options have another name.
_OPTIONS = {"n_workers": "--workers"}


def complain(message: str) -> None:
    """Print a message for the user, not part of the output."""
    print(f"{PREFIX}{message}", file=sys.stderr)


def text_of(error: BaseException) -> str:
    """Say what went wrong and what to do about it, with options of the command.

    Parameters
    ----------
    error : BaseException
        Any error.

    Returns
    -------
    str
        One or more sentences, without a full stop.
    """
    if isinstance(error, errors.SuperpixelError):
        return ": ".join((*error.context, _problem(error)))
    return str(error) or type(error).__name__


def _option(argument: str) -> str:
    return _OPTIONS.get(argument, f"--{'-'.join(argument.split('_'))}")


@singledispatch
def _problem(error: errors.SuperpixelError) -> str:
    return error.problem()


@_problem.register
def _(error: errors.InvalidParameter) -> str:
    in_file = any(where.endswith(".toml") for where in error.context)  # names are Python's there
    name = error.name if in_file else _option(error.name)
    return f"{name} must be {error.allowed}, got {error.value!r}"


@_problem.register
def _(error: errors.TooFewPixels) -> str:
    return (
        f"exactly {error.n_segments} superpixels are asked for, but there are only "
        f"{error.n_pixels} pixels: ask for fewer, or for --count adaptive"
    )


@_problem.register
def _(error: errors.TooFewSegments) -> str:
    return f"{error.shortage()}, or for --count adaptive"


@_problem.register
def _(error: errors.NotRGB) -> str:
    return (
        f"--color-space lab needs 3 channels (RGB), the image has {error.n_channels}: use "
        "--color-space channels"
    )


@_problem.register
def _(error: errors.DeviceUnavailableError) -> str:
    return f"{error.reason}. Use --device auto" if error.has_automatic else error.reason


@_problem.register
def _(error: errors.AmbiguousAxes) -> str:
    return (
        f"the image has 3 axes {error.shape}: say which holds the channels, for example "
        "--channel-axis -1 for RGB; or that it is a volume, with --volume; or choose one plane of "
        "a stack with --plane"
    )


@_problem.register
def _(error: errors.WrongAxes) -> str:
    if error.n_axes == 3 and len(error.shape) > error.wanted:
        remedy = "choose one volume, for example by its time, with --plane"
    elif error.n_axes == 3:
        remedy = "it is no volume, leave out --volume and --spacing"
    elif len(error.shape) > error.wanted:
        remedy = "choose one plane of a stack with --plane"
    else:
        remedy = error.too_few
    given = "with --channel-axis " if error.has_channels else ""
    return (
        f"{given}the image must have {error.wanted} axes, got {len(error.shape)} {error.shape}: "
        f"{remedy}"
    )


@_problem.register
def _(error: errors.UnknownChannelAxis) -> str:
    return (
        f"channels are chosen, but none of the axes {error.shape} is known to hold channels: say "
        "which, for example --channel-axis 0"
    )


@_problem.register
def _(error: errors.UnchosenPlane) -> str:
    return (
        f"{error.problem()} with --plane, take all with --series, all as one with --volume, or say "
        "with --channel-axis which holds channels"
    )


@_problem.register
def _(error: errors.NotASeries) -> str:
    remedy = "say with --channel-axis which axis holds channels"
    if error.is_deeper:
        remedy = "save the planes along one of the others as a file of their own"
    return (
        "--series takes one axis of frames besides rows, columns and channels; this has the axes "
        f"{error.axes_text}: {remedy}"
    )


@_problem.register
def _(error: errors.NotEnoughMemory) -> str:
    if error.in_tiles:
        return f"{error.shortage()}: take smaller tiles (--tile-size-px) or fewer --workers"
    limit = " (--memory-limit-gb)" if error.is_limit else ""
    return f"{error.shortage()}{limit}. {_less(error)}{', or raise the limit' if limit else ''}"


@_problem.register
def _(error: errors.OutOfMemory) -> str:
    return (
        f"{error.device}: out of memory. The estimate for this run was "
        f"{gigabytes(error.estimated_bytes)}. {_less(error)}"
    )


def _less(error: errors.NotEnoughMemory | errors.OutOfMemory) -> str:
    """What takes less memory."""
    tiles = "" if error.has_walls else " (a plane: in smaller tiles, with --tile-size-px)"
    less = (
        f"Ask for fewer superpixels, segment a smaller region{tiles}, choose the balanced or fast "
        "preset (or a larger --downscale)"
    )
    return less if error.is_cpu else f"{less}, or run on the CPU"


@_problem.register
def _(error: errors.FileExists) -> str:
    return f"{error.path}: exists already; use --force to replace it"


@_problem.register
def _(error: errors.MadeOtherwise) -> str:
    return f"{error.problem()}: give another folder, or --force to replace it"


@_problem.register
def _(error: errors.NotTold) -> str:
    return f"{error.problem()}: give another folder, or delete it, or --force to make all anew"


@_problem.register
def _(error: errors.NotGeoreferenced) -> str:
    return (
        f"{error.path}: does not say where on the map it lies (no CRS, no transform); name the "
        "raster that does with --like"
    )


@_problem.register
def _(error: errors.HoldsPlanes) -> str:
    return (
        f"{error.format_name} holds planes, and the labels have the shape {error.shape}: choose "
        "one plane with --plane"
    )


@_problem.register
def _(error: errors.FormatForPlanes) -> str:
    return f"{error.problem()} from the labels with export --plane"


@_problem.register
def _(error: errors.NeedsImage) -> str:
    return "a picture shows the borders on the image: give it with --image"


@_problem.register
def _(error: errors.UnitNotKnown) -> str:
    return (
        f"{error.format_name} has no unit “{error.unit}”; give the pixel size in another, with "
        "--pixel-size and --unit, such as um or m"
    )


@_problem.register
def _(error: errors.ColumnsDifferByCase) -> str:
    return (
        f"GeoPackage does not tell columns apart by their case ({', '.join(error.names)}); name "
        "the channels with --channel-names"
    )


@_problem.register
def _(error: errors.LabelsNotInTiles) -> str:
    return (
        f"{error.problem()}, without options of tiles (--tile-size-px, --halo-px, --workers, "
        "--scheduler, --level)"
    )


@_problem.register
def _(error: errors.UnfinishedRun) -> str:
    if error.differences:
        return error.problem()
    return (
        f"{error.folder}: holds a run that was not finished; go on with it (--resume), or delete "
        "the folder"
    )


@_problem.register
def _(error: errors.RunBrokenOff) -> str:
    return (
        f"{error.reason}. What is done is kept in {error.folder}: mend the cause, and go on with "
        "--resume"
    )


@_problem.register
def _(error: errors.LabelsKept) -> str:
    return (
        f"{text_of(error.cause).rstrip('.')}; the labels are kept in {error.labels}: the same "
        f"command with --resume goes on from there to {error.target}"
    )
