"""The family of errors, and how they cross to another process as plain values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from napari_superpixels.errors.reason import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    if not hasattr(error, "__dataclass_fields__"):
        return {"message": error.problem()}
    return {name: getattr(error, name) for name in _fields(type(error))}


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
    if isinstance(value, list | tuple):
        return [_plain_value(inner) for inner in value]
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
    data = {name: _value(value) for name, value in plain.get("data", {}).items()}
    kind = _kinds(SuperpixelError).get(plain["kind"])
    context = tuple(plain.get("context", ()))
    if kind is not None and set(data) == set(_fields(kind)):
        return _restored(kind, data, context)
    # Of a module that this process has not loaded, or of another version.
    text = plain.get("text") or data.get("message") or plain["kind"]
    return _restored(SuperpixelError, {"message": text}, context)


def _value(plain: Any) -> Any:
    if isinstance(plain, dict) and "kind" in plain:
        return from_plain(plain)
    return tuple(map(_value, plain)) if isinstance(plain, list) else plain


def _fields(kind: type[SuperpixelError]) -> tuple[str, ...]:
    """Names of the fields of a kind of errors."""
    return tuple(getattr(kind, "__dataclass_fields__", {"message": None}))


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
