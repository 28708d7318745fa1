"""Errors that carry data: what went wrong, where, and what can be done about it.

``str(error)`` speaks to a Python programmer. `napari_superpixels.cli.messages` and
`napari_superpixels._napari.messages` say the same with options or buttons, from the fields.

None of them subclasses RuntimeError: a generator worker of superqt swallows
RuntimeErrors, so one raised in a worker would never reach the user.
"""

from __future__ import annotations

import errno
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from napari_superpixels.errors.quantities import gigabytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class SuperpixelError(Exception):
    """Something could not be done; the message says why and what to do.

    Attributes
    ----------
    context : tuple of str
        Where it happened, outermost first: a file, a frame. Stands before the problem.
    """

    context: tuple[str, ...] = ()

    def problem(self) -> str:
        """What went wrong and what to do, without the context, for a Python programmer."""
        return super().__str__()

    def within(self, where: object) -> Self:
        """Say where it happened.

        Parameters
        ----------
        where : object
            A file or a frame, by its text.

        Returns
        -------
        SuperpixelError
            This error, to raise again.
        """
        self.context = (str(where), *self.context)
        return self

    def __str__(self) -> str:
        return ": ".join((*self.context, self.problem()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Make copies and processes of a cluster see all fields."""
        return _restored, (type(self), data_of(self), self.context)


def data_of(error: SuperpixelError) -> dict[str, Any]:
    """Collect the fields of an error.

    Parameters
    ----------
    error : SuperpixelError
        Any of the family.

    Returns
    -------
    dict
        By name; ``message`` where the kind of error has no fields.
    """
    names = getattr(type(error), "__dataclass_fields__", None)
    if names is None:
        return {"message": error.problem()}
    return {name: getattr(error, name) for name in names}


def _restored(
    kind: type[SuperpixelError], data: Mapping[str, Any], context: tuple[str, ...]
) -> SuperpixelError:
    error = kind(*data.values())
    error.context = tuple(context)
    return error


def to_plain(error: BaseException) -> dict[str, Any]:
    """Write an error as plain values, for another process.

    Parameters
    ----------
    error : BaseException
        Any error; of those that are not of the family, the text remains.

    Returns
    -------
    dict
        Ready for JSON, see `from_plain`.
    """
    if not isinstance(error, SuperpixelError):
        return {"kind": SuperpixelError.__name__, "data": {"message": reason_of(error)}}
    return {
        "kind": type(error).__name__,
        "data": {name: _plain_value(value) for name, value in data_of(error).items()},
        "text": error.problem(),
        "context": list(error.context),
    }


def _plain_value(value: Any) -> Any:
    if isinstance(value, BaseException):
        return to_plain(value)
    # JSON has no word for NaN and infinities.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def from_plain(plain: Mapping[str, Any]) -> SuperpixelError:
    """Read an error that `to_plain` wrote.

    Parameters
    ----------
    plain : mapping
        As JSON gives it back.

    Returns
    -------
    SuperpixelError
        Of the same kind, with the same fields.
    """
    data: dict[str, Any] = {}
    for name, value in plain["data"].items():
        if isinstance(value, dict) and "kind" in value:
            value = from_plain(value)
        data[name] = tuple(value) if isinstance(value, list) else value
    kind = _kinds(SuperpixelError).get(plain["kind"])
    context = tuple(plain.get("context", ()))
    if kind is None:  # of a module that this process has not loaded
        return _restored(SuperpixelError, {"message": plain["text"]}, context)
    return _restored(kind, data, context)


def _kinds(kind: type[SuperpixelError]) -> dict[str, type[SuperpixelError]]:
    """All kinds of errors of the family that are loaded, by name."""
    found = {kind.__name__: kind}
    for narrower in kind.__subclasses__():
        found |= _kinds(narrower)
    return found


class SuperpixelMemoryError(SuperpixelError, MemoryError):
    """The run needs, or needed, more memory than there is."""


class NothingToSegmentError(SuperpixelError, ValueError):
    """All pixels are nodata, NaN, infinite or outside the mask."""


class FileError(SuperpixelError):
    """A file cannot be read; the message names it and the reason."""


class ExportError(SuperpixelError):
    """A file cannot be written; the message names it and the reason."""


class TilingError(SuperpixelError):
    """A tiled run cannot go on; what was done is kept."""


# ---- parameters --------------------------------------------------------------------------------


@dataclass(eq=False)
class InvalidParameter(SuperpixelError, ValueError):
    """A parameter has a value that it cannot have.

    Attributes
    ----------
    name : str
        As in Python, such as ``"n_segments"``.
    allowed : str
        The values it may have, in words.
    value : object
        The value given.
    """

    name: str
    allowed: str
    value: Any

    def problem(self) -> str:
        """Name, allowed values, given value."""
        return f"{self.name} must be {self.allowed}, got {self.value!r}"


class InvalidParameterType(InvalidParameter, TypeError):
    """A parameter has a value of a type that it cannot have."""


@dataclass(eq=False)
class UnknownParameter(SuperpixelError, ValueError):
    """There is no such parameter.

    Attributes
    ----------
    name : str
        As given.
    nearest : str
        The one that may be meant; empty if none is near.
    known : tuple of str
        All names.
    """

    name: str
    nearest: str
    known: tuple[str, ...]

    def problem(self) -> str:
        """The nearest name, or all."""
        if self.nearest:
            return f"unknown parameter {self.name!r}: did you mean {self.nearest!r}?"
        return f"unknown parameter {self.name!r}; known are {', '.join(self.known)}"


@dataclass(eq=False)
class TooFewPixels(SuperpixelError, ValueError):
    """Exactly so many superpixels are asked for, and there are fewer pixels.

    Attributes
    ----------
    n_segments, n_pixels : int
        Superpixels asked for, pixels to segment.
    """

    n_segments: int
    n_pixels: int

    def problem(self) -> str:
        """Both numbers, and the other way to count."""
        return (
            f"exactly {self.n_segments} superpixels are asked for, but there are only "
            f"{self.n_pixels} pixels: ask for fewer, or for count='adaptive'"
        )


@dataclass(eq=False)
class NotRGB(SuperpixelError, ValueError):
    """CIELAB is asked for, and the image has not three channels.

    Attributes
    ----------
    n_channels : int
        Channels of the image.
    """

    n_channels: int

    def problem(self) -> str:
        """The number of channels, and what to choose instead."""
        return (
            f"color_space='lab' needs 3 channels (RGB), the image has {self.n_channels}: use "
            "color_space='channels'"
        )


@dataclass(eq=False)
class DeviceUnavailableError(SuperpixelError, ValueError):
    """The device asked for does not exist here, or this PyTorch cannot use it.

    Attributes
    ----------
    reason : str
        Why not.
    has_automatic : bool
        Whether the automatic choice would find another one.
    """

    reason: str
    has_automatic: bool = False

    def problem(self) -> str:
        """The reason, and the automatic choice if that helps."""
        return f"{self.reason}. Use device='auto'" if self.has_automatic else self.reason


# ---- images ------------------------------------------------------------------------------------


@dataclass(eq=False)
class AmbiguousAxes(SuperpixelError, ValueError):
    """An image has three axes, and nothing says what they are.

    Attributes
    ----------
    shape : tuple of int
    """

    shape: tuple[int, ...]

    def problem(self) -> str:
        """The three things that they may be."""
        return (
            f"the image has 3 axes {self.shape}: say which holds the channels, for example "
            "channel_axis=-1 for RGB; or that it is a volume, by the size of its voxels, for "
            "example spacing=(1, 1, 1); or pass one 2D plane of a stack"
        )


@dataclass(eq=False)
class WrongAxes(SuperpixelError, ValueError):
    """An image has more or fewer axes than it should.

    Attributes
    ----------
    shape : tuple of int
    n_axes : int
        Axes besides the channels: 2 of an image, 3 of a volume.
    has_channels : bool
        Whether one more axis is said to hold channels.
    """

    shape: tuple[int, ...]
    n_axes: int
    has_channels: bool

    @property
    def wanted(self) -> int:
        """Number of axes that the image should have."""
        return self.n_axes + self.has_channels

    def problem(self) -> str:
        """Both numbers, and what to do."""
        given = "with channel_axis " if self.has_channels else ""
        if self.n_axes == 3:
            remedy = (
                "the three numbers of spacing are for a volume, give two or none for a 2D image"
            )
        elif len(self.shape) > self.wanted:
            remedy = "pass one 2D plane of a stack"
        else:
            remedy = self.too_few
        return (
            f"{given}the image must have {self.wanted} axes, got {len(self.shape)} {self.shape}: "
            f"{remedy}"
        )

    @property
    def too_few(self) -> str:
        """What is missing where there are too few axes."""
        if len(self.shape) == 2:
            return "none of its axes holds channels"
        return "it has no rows and columns"


@dataclass(eq=False)
class UnknownChannelAxis(SuperpixelError, ValueError):
    """Channels are chosen of an image that has none, as far as is known.

    Attributes
    ----------
    shape : tuple of int
    """

    shape: tuple[int, ...]

    def problem(self) -> str:
        """The shape, and that the axis can be named."""
        return (
            f"channels are chosen, but none of the axes {self.shape} is known to hold channels: "
            "say which, for example channel_axis=0"
        )


@dataclass(eq=False)
class MaskMismatch(SuperpixelError, ValueError):
    """A mask has not the pixels of the image.

    Attributes
    ----------
    mask, image : tuple of int
        Their shapes.
    name : str
        The mask's file, where there is one.
    """

    mask: tuple[int, ...]
    image: tuple[int, ...]
    name: str = ""

    def problem(self) -> str:
        """Both shapes."""
        mask = f"the mask {self.name}".rstrip()
        return (
            f"{mask} {self.mask} and the image {self.image} differ in shape: they must have the "
            "same pixels"
        )


@dataclass(eq=False)
class UnchosenPlane(SuperpixelError, ValueError):
    """A file holds a stack, and nothing says what to do with its planes.

    Attributes
    ----------
    axes : str
        A letter for each axis, such as ``"TYX"``.
    shape : tuple of int
    """

    axes: str
    shape: tuple[int, ...]

    @property
    def axes_problem(self) -> str:
        """The axes with their lengths, in a sentence."""
        return f"it is a stack with the axes {_axes_text(self.axes, self.shape)}"

    def problem(self) -> str:
        """The axes, and that a plane must be chosen."""
        return f"{self.axes_problem}: choose one plane"


@dataclass(eq=False)
class NotASeries(SuperpixelError, ValueError):
    """A series is asked for of an image that has not one axis of frames.

    Attributes
    ----------
    axes : str
        A letter for each axis; ``"?"`` where it is not known.
    shape : tuple of int
    is_deeper : bool
        Whether more than one axis is known to hold frames.
    """

    axes: str
    shape: tuple[int, ...]
    is_deeper: bool = False

    @property
    def axes_text(self) -> str:
        """The axes with their lengths."""
        return _axes_text(self.axes, self.shape)

    def problem(self) -> str:
        """The axes that are there, and the one that is wanted."""
        return (
            "a series takes one axis of frames besides rows, columns and channels; this has the "
            f"axes {self.axes_text}"
        )


def _axes_text(axes: str, shape: tuple[int, ...]) -> str:
    """Name axes with their lengths: ``"T (6), Y (256), X (256)"``."""
    return ", ".join(f"{name} ({n})" for name, n in zip(axes, shape, strict=True))


# ---- memory ------------------------------------------------------------------------------------


@dataclass(eq=False)
class NotEnoughMemory(SuperpixelMemoryError):
    """A run would need more memory than there is; it was not started.

    Attributes
    ----------
    needed_bytes, available_bytes : float
        What it would take; what is free, or what the limit allows.
    device : str
        Such as ``"cuda"``, with its name.
    is_cpu : bool
        Whether the device is the CPU.
    is_limit : bool
        Whether a limit that the user has set is in the way, not the device.
    in_tiles : bool
        Whether even a run in tiles would need so much.
    """

    needed_bytes: float
    available_bytes: float
    device: str
    is_cpu: bool = True
    is_limit: bool = False
    in_tiles: bool = False

    def shortage(self) -> str:
        """What is needed and what there is, without a remedy."""
        needed = f"about {gigabytes(self.needed_bytes)}"
        begin = (
            f"even in tiles this needs {needed}" if self.in_tiles else f"This run needs {needed}"
        )
        if self.is_limit:
            limit = f"{self.available_bytes / 1e9:g} GB"
            return f"{begin}, more than the memory limit of {limit}"
        return f"{begin}, but {self.device} has {gigabytes(self.available_bytes)} free"

    def problem(self) -> str:
        """The shortage, and what takes less."""
        if self.in_tiles:
            return f"{self.shortage()}: take smaller tiles (tile_size_px) or fewer n_workers"
        limit = " (memory_limit_gb)" if self.is_limit else ""
        raised = ", or raise the limit" if self.is_limit else ""
        return f"{self.shortage()}{limit}. {_less(self)}{raised}"


class TilesNeedAPlane(SuperpixelError, ValueError):
    """Tiles are asked for, for something else than a plane."""

    def problem(self) -> str:
        """What tiles are for."""
        return "tiles are for a single plane: segment one, or in one piece"


@dataclass(eq=False)
class OutOfMemory(SuperpixelMemoryError):
    """The memory ran out while a run was going on.

    Attributes
    ----------
    device : str
        With its name and what is free now.
    estimated_bytes : float
        What the run was estimated to take.
    is_cpu : bool
        Whether the device is the CPU.
    """

    device: str
    estimated_bytes: float
    is_cpu: bool = True

    def problem(self) -> str:
        """The estimate, and what takes less."""
        return (
            f"{self.device}: out of memory. The estimate for this run was "
            f"{gigabytes(self.estimated_bytes)}. {_less(self)}"
        )


def _less(error: NotEnoughMemory | OutOfMemory) -> str:
    """What takes less memory."""
    less = (
        "Ask for fewer superpixels, segment a smaller region (a plane: in tiles), choose the "
        "balanced or fast preset (or a larger downscale)"
    )
    return less if error.is_cpu else f"{less}, or run on the CPU"


# ---- files -------------------------------------------------------------------------------------


@dataclass(eq=False)
class FileExists(ExportError):
    """A file or folder is there already, and was not to be replaced.

    Attributes
    ----------
    path : str
    """

    path: str

    def problem(self) -> str:
        """Its name, and how to replace it."""
        return f"{self.path}: exists already; pass overwrite=True to replace it"


@dataclass(eq=False)
class MadeOtherwise(SuperpixelError):
    """A result is there already that was made with other parameters; it was kept.

    Attributes
    ----------
    differences : tuple of str
        In what it differs.
    unreadable : str
        Why it cannot be told how it was made; empty if it can.
    """

    differences: tuple[str, ...]
    unreadable: str = ""

    def problem(self) -> str:
        """In what it differs, or why that is not known."""
        if self.unreadable:
            return f"what is there cannot be read ({self.unreadable}); kept"
        return f"made with other parameters, {', '.join(self.differences)}; kept"


@dataclass(eq=False)
class FormatForPlanes(ExportError):
    """A format holds one plane, and a stack is to be segmented.

    Attributes
    ----------
    path : str
        File to write.
    """

    path: str

    def problem(self) -> str:
        """Its name, and what to do."""
        return (
            f"{self.path}: this format holds one plane, not a stack; leave it out, and write the "
            "planes that you need"
        )


@dataclass(eq=False)
class MissingLibrary(SuperpixelError):
    """Something needs a library that is not installed.

    Attributes
    ----------
    library : str
    extra : str
        The extra of this package that installs it.
    """

    library: str
    extra: str

    def problem(self) -> str:
        """Its name, and what to install."""
        return (
            f"this needs {self.library}, which is not installed: "
            f'pip install "napari-superpixels[{self.extra}]"'
        )


@dataclass(eq=False)
class NotGeoreferenced(ExportError):
    """A raster does not say where on the map it lies.

    Attributes
    ----------
    path : str
    """

    path: str

    def problem(self) -> str:
        """Its name, and that another raster can be named."""
        return (
            f"{self.path}: does not say where on the map it lies (no CRS, no transform); name the "
            "raster that does with like=..."
        )


@dataclass(eq=False)
class HoldsPlanes(ExportError):
    """A format holds one plane, and the labels are a stack or volume.

    Attributes
    ----------
    format_name : str
        The format.
    shape : tuple of int
        Of the labels.
    """

    format_name: str
    shape: tuple[int, ...]

    def problem(self) -> str:
        """The shape, and that one plane can be chosen."""
        return (
            f"{self.format_name} holds planes, and the labels have the shape {self.shape}: choose "
            "one plane, labels[i]"
        )


@dataclass(eq=False)
class NeedsImage(ExportError):
    """A format shows the image, and there is none."""

    def problem(self) -> str:
        """That the image can be given."""
        return "a picture shows the borders on the image: give it with image="


@dataclass(eq=False)
class UnitNotKnown(ExportError):
    """A format has no name for the unit of the pixel size.

    Attributes
    ----------
    format_name, unit : str
        Both.
    """

    format_name: str
    unit: str

    def problem(self) -> str:
        """The unit, and that another can be given."""
        return (
            f"{self.format_name} has no unit “{self.unit}”; give the pixel size in another, such "
            "as um or m (pixel_size, unit)"
        )


@dataclass(eq=False)
class ColumnsDifferByCase(ExportError):
    """GeoPackage does not tell apart columns that differ by their case only.

    Attributes
    ----------
    names : tuple of str
        In lower case.
    """

    names: tuple[str, ...]

    def problem(self) -> str:
        """The columns, and that the channels can be named."""
        return (
            f"GeoPackage does not tell columns apart by their case ({', '.join(self.names)}); "
            "name the channels with channel_names"
        )


# ---- tiles -------------------------------------------------------------------------------------


@dataclass(eq=False)
class UnfinishedRun(TilingError):
    """The checkpoint of another run, or of this one, is in the way.

    Attributes
    ----------
    folder : str
        The checkpoint.
    differences : tuple of str
        In what that run differs; empty if it is this one and was not to go on.
    """

    folder: str
    differences: tuple[str, ...] = ()

    def problem(self) -> str:
        """What is in the folder, and what can be done."""
        if not self.differences:
            return (
                f"{self.folder}: holds a run that was not finished; go on with it (resume=True), "
                "or delete the folder"
            )
        return (
            f"{self.folder}: holds a run that differs in {', '.join(self.differences)}; go on with "
            "the same image and parameters, or delete the folder"
        )


@dataclass(eq=False)
class RunBrokenOff(TilingError):
    """A run in tiles ended before it was done; another can go on from there.

    Attributes
    ----------
    reason : str
        Why, with what it stands in, such as a phase or folder.
    folder : str
        Where what is done is kept.
    """

    reason: str
    folder: str

    def problem(self) -> str:
        """The reason, where what is done is kept, and how to go on."""
        return (
            f"{self.reason}. What is done is kept in {self.folder}: mend the cause, and go on with "
            "resume=True"
        )


@dataclass(eq=False)
class LabelsKept(ExportError):
    """The labels of a run in tiles could not be written to another format.

    Attributes
    ----------
    cause : Exception
        Why.
    labels : str
        OME-Zarr that holds the labels.
    target : str
        What could not be written.
    """

    cause: Exception
    labels: str
    target: str

    def problem(self) -> str:
        """The cause, and where the labels are."""
        return f"{self.cause}; the labels are kept in {self.labels}"


# ---- the words of others -----------------------------------------------------------------------


def cannot_read(path: Path, error: OSError) -> str:
    """Say why a file cannot be read, and what to do.

    Parameters
    ----------
    path : Path
    error : OSError
        What the system says.

    Returns
    -------
    str
        The message.
    """
    remedies = {
        errno.ENOENT: "choose one that exists",
        errno.EISDIR: "choose a file",
        errno.EACCES: "ask its owner, or copy it",
        errno.EPERM: "ask its owner, or copy it",
    }
    remedy = remedies.get(error.errno or 0, "check the disk, or choose another one")
    return f"{path}: cannot be read ({error.strerror or error}); {remedy}"


def reason_of(error: BaseException) -> str:
    """Spell out an error of some library in one line, to stand in a message of ours.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        Its text, or its kind where it has none.
    """
    return " ".join(str(error).split()) or type(error).__name__
