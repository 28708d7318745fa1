"""What the docks say: errors with their buttons and fields, where they name arguments of Python."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from napari_superpixels import errors
from napari_superpixels._napari.input.axes import Mode
from napari_superpixels.errors import reason_of
from napari_superpixels.errors.quantities import gigabytes
from napari_superpixels.plan.run_plan import Tiles

if TYPE_CHECKING:
    from napari_superpixels.plan.run_plan import RunPlan

_LIMIT = "under Preferences > Plugins"


def text_of(error: BaseException, *, batch: bool = False) -> str:
    """Say what went wrong and what to do about it, with buttons and fields of the docks.

    Parameters
    ----------
    error : BaseException
        Any error.
    batch : bool, default False
        Whether it comes from the batch section, of a file.

    Returns
    -------
    str
        One or more sentences, plain text.
    """
    if isinstance(error, errors.SuperpixelError):
        said = _problem(error) if not batch else _in_batch(error)
        return ": ".join((*error.context, said))
    return str(error) or type(error).__name__


def not_added(error: Exception) -> str:
    """Say that a layer could not be added, which is the fault of whoever listens to new layers.

    Parameters
    ----------
    error : Exception
        What they raised.

    Returns
    -------
    str
        A sentence or two.
    """
    return (
        f"Another plugin failed when the preview layer was added ({reason_of(error)}). Close it, "
        "or switch the preview off under Preferences > Plugins, and press Segment again."
    )


def of_plan(plan: RunPlan, tiles: Tiles) -> tuple[str, str]:
    """Say what a run needs, how it is done, and why it cannot start.

    Parameters
    ----------
    plan : RunPlan
        From `plan_run`.
    tiles : Tiles
        What the user wants.

    Returns
    -------
    text, problem : str
        The problem is empty where the run can start.
    """
    text = f"this run needs about {gigabytes(plan.needed_bytes)}"
    problem = "" if plan.problem is None else text_of(plan.problem)
    if plan.in_tiles:
        why = "so it is done in" if tiles == Tiles.AUTO else "but is done in"
        if isinstance(plan.problem, errors.NotEnoughMemory):
            why = "or"
        return f"{text} in one piece, {why} {plan.tiles}", problem
    if plan.tiles is not None:
        problem += (
            f" Tiles would need about {gigabytes(plan.tiles.added_bytes)}; with more superpixels "
            "they are smaller."
        )
    return text, problem


# ---- one image, one layer ------------------------------------------------------------------------


@singledispatch
def _problem(error: errors.SuperpixelError) -> str:
    return error.problem()


@_problem.register
def _(error: errors.TooFewPixels) -> str:
    return (
        f"exactly {error.n_segments} superpixels are asked for, but there are only "
        f"{error.n_pixels} pixels: ask for fewer, or for the count “adaptive”"
    )


@_problem.register
def _(error: errors.TooFewSegments) -> str:
    return f"{error.shortage()}, or choose the count “adaptive”."


@_problem.register
def _(error: errors.NotRGB) -> str:
    return (
        f"the colour space “lab” needs 3 channels (RGB), the image has {error.n_channels}: choose "
        "“channels”"
    )


@_problem.register
def _(error: errors.DeviceUnavailableError) -> str:
    return f"{error.reason}. Choose the device “auto”" if error.has_automatic else error.reason


@_problem.register
def _(error: errors.NotEnoughMemory) -> str:
    limit = f" (raise it {_LIMIT})" if error.is_limit else ""
    if error.in_tiles:
        shortage = error.shortage()
        return (
            f"{shortage[0].upper()}{shortage[1:]}{limit}: segment a part of the image, or ask for "
            "more superpixels: tiles grow with their size."
        )
    return f"{error.shortage()}{f' ({_LIMIT})' if error.is_limit else ''}. {_less(error)}."


@_problem.register
def _(_: errors.TilesNeedAPlane) -> str:
    return f"Tiles are for a single plane: choose the mode “{Mode.SLICE}”, or no tiles."


@_problem.register
def _(error: errors.OutOfMemory) -> str:
    return (
        f"{error.device}: out of memory. The estimate for this run was "
        f"{gigabytes(error.estimated_bytes)}. {_less(error)}."
    )


def _less(error: errors.NotEnoughMemory | errors.OutOfMemory) -> str:
    """What takes less memory."""
    tiles = "" if error.has_walls else " (a plane: in tiles)"
    less = (
        f"Ask for fewer superpixels, segment a smaller region{tiles}, choose the balanced or fast "
        "preset (or a larger “Working resolution 1/”)"
    )
    less += "" if error.is_cpu else ", or run on the CPU"
    is_limit = isinstance(error, errors.NotEnoughMemory) and error.is_limit
    return f"{less}, or raise the limit" if is_limit else less


@_problem.register
def _(error: errors.FileExists) -> str:
    return f"{error.path}: exists already; choose another name, or remove it first"


@_problem.register
def _(error: errors.HoldsPlanes) -> str:
    return (
        f"{error.format_name} holds planes, and the labels have the shape {error.shape}: show one "
        "plane, and export that"
    )


@_problem.register
def _(error: errors.NeedsImage) -> str:
    return "a picture shows the borders on the image: open the image, and choose it in the dock"


@_problem.register
def _(error: errors.UnitNotKnown) -> str:
    return (
        f"{error.format_name} has no unit “{error.unit}”; give the layer another one, such as µm "
        "or m"
    )


@_problem.register
def _(error: errors.ColumnsDifferByCase) -> str:
    return (
        f"GeoPackage does not tell columns apart by their case ({', '.join(error.names)}); rename "
        "one of the image layers"
    )


@_problem.register
def _(error: errors.UnfinishedRun) -> str:
    if error.differences:
        return error.problem()
    return (
        f"{error.folder}: holds a run that was not finished; segment to the same name again to go "
        "on with it, or delete the folder"
    )


@_problem.register
def _(error: errors.RunBrokenOff) -> str:
    return (
        f"{error.reason}. What is done is kept in {error.folder}: mend the cause, and segment to "
        "the same name again to go on"
    )


# ---- many files: what the command could not do, from its fields ----------------------------------


@singledispatch
def _in_batch(error: errors.SuperpixelError) -> str:
    return _problem(error)


@_in_batch.register
def _(error: errors.AmbiguousAxes) -> str:
    return (
        f"the image has 3 axes {error.shape}, and the file does not say what they are: choose "
        "under “Stacks” what to do with it"
    )


@_in_batch.register
def _(error: errors.UnchosenPlane) -> str:
    return f"{error.axes_problem}: choose under “Stacks” what to do with its planes"


@_in_batch.register
def _(error: errors.NotASeries) -> str:
    if error.is_deeper:
        return f"{error.problem()}: save the planes along one of the others as a file of their own"
    return error.problem()


@_in_batch.register
def _(error: errors.UnknownChannelAxis) -> str:
    return (
        f"channels are chosen, but none of the axes {error.shape} is known to hold channels: leave "
        "“Use channels” empty for it"
    )


@_in_batch.register
def _(error: errors.WrongAxes) -> str:
    remedy = error.too_few
    if error.n_axes == 3 or len(error.shape) > error.wanted:
        kind = "no volume" if error.n_axes == 3 else "a stack"
        remedy = f"it is {kind}, choose another entry under “Stacks”"
    return (
        f"the image must have {error.wanted} axes, got {len(error.shape)} {error.shape}: {remedy}"
    )


@_in_batch.register
def _(error: errors.NotEnoughMemory) -> str:
    if error.in_tiles:
        raise_limit = f"raise the limit {_LIMIT}, or " if error.is_limit else ""
        return f"{error.shortage()}: {raise_limit}cut the image into parts"
    return _problem(error)


@_in_batch.register
def _(error: errors.MadeOtherwise | errors.NotTold) -> str:
    return f"{error.problem()}: choose another folder, or remove it there"


@_in_batch.register
def _(error: errors.FormatForPlanes) -> str:
    return f"{error.problem()} with Export… of the layer"


@_in_batch.register
def _(error: errors.UnfinishedRun) -> str:
    if not error.differences:
        return (
            f"{error.folder}: holds a run that was not finished; start the batch again, or delete "
            "the folder"
        )
    return (
        f"{error.folder}: holds a run that differs in {', '.join(error.differences)}; start the "
        "batch with the same ones, or delete the folder"
    )


@_in_batch.register
def _(error: errors.RunBrokenOff) -> str:
    return (
        f"{error.reason}. What is done is kept in {error.folder}: mend the cause, and start the "
        "batch again"
    )


@_in_batch.register
def _(error: errors.LabelsKept) -> str:
    return (
        f"{text_of(error.cause, batch=True).rstrip('.')}; the labels are kept in {error.labels}: "
        f"the same batch goes on from there to {error.target}"
    )
