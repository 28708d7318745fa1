"""A frozen set of named, checked, documented values that goes to and from files."""

from __future__ import annotations

import dataclasses
import difflib
import json
import numbers
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_type_hints

import tomli_w

from napari_superpixels.errors import (
    InvalidParameter,
    InvalidParameterType,
    SuperpixelError,
    UnknownParameter,
)
from napari_superpixels.params.parameter_info import AUTO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_superpixels.params.parameter_info import ParameterInfo

_TABLE = "superpixels"


@dataclass(frozen=True, kw_only=True)
class ParameterSet:
    """Base of a dataclass whose fields are declared with `parameter`."""

    def __post_init__(self) -> None:
        # Checked values are plain Python ones, so that numpy integers serialise too.
        hints = get_type_hints(type(self))
        for f in fields(self):
            value = _checked(f.name, getattr(self, f.name), hints[f.name], self.info(f.name))
            object.__setattr__(self, f.name, value)

    @classmethod
    def info(cls, name: str) -> ParameterInfo:
        """Label, tooltip and range of a parameter.

        Parameters
        ----------
        name : str
            Field name.

        Returns
        -------
        ParameterInfo
            Label, tooltip, range.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        if name not in cls.__dataclass_fields__:
            raise unknown_name(name, cls.__dataclass_fields__)
        info: ParameterInfo = cls.__dataclass_fields__[name].metadata["info"]
        return info

    @classmethod
    def check(cls, name: str, value: Any, *, called: str | None = None) -> Any:
        """Check one value.

        Parameters
        ----------
        name : str
            Field name.
        value : Any
            To check.
        called : str, optional
            How messages call the parameter; by its field name if None.

        Returns
        -------
        Any
            The value as a plain Python number, text or tuple.

        Raises
        ------
        ValueError
            If the value is out of range.
        TypeError
            If it has the wrong type.
        """
        return _checked(called or name, value, get_type_hints(cls)[name], cls.info(name))

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some values changed.

        Parameters
        ----------
        **changes
            Field names and new values.

        Returns
        -------
        ParameterSet
            The variant.

        Raises
        ------
        ValueError
            If a name is unknown or a value out of range.
        """
        for name in changes:
            if name not in self.__dataclass_fields__:
                raise unknown_name(name, self.__dataclass_fields__)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON or TOML."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from plain values; missing ones take their default.

        Parameters
        ----------
        values : dict
            Field names and values, as from `to_dict`.

        Returns
        -------
        ParameterSet
            The parameters.

        Raises
        ------
        ValueError
            If a name is unknown or a value out of range.
        """
        return cls().replace(**values)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Build from `to_json` output.

        Parameters
        ----------
        text : str
            JSON object.

        Returns
        -------
        ParameterSet
            The parameters.

        Raises
        ------
        ValueError
            If the text is no JSON object of known parameters.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("the parameters must be a JSON object of names and values")
        return cls.from_dict(values)

    def save(self, path: str | Path) -> None:
        """Write a TOML file.

        Parameters
        ----------
        path : str or Path
            File to write.
        """
        Path(path).write_text(tomli_w.dumps({_TABLE: self.to_dict()}), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file written by `save`.

        Parameters
        ----------
        path : str or Path
            File to read.

        Returns
        -------
        ParameterSet
            The parameters.

        Raises
        ------
        ValueError
            If the file is no TOML, or has no [superpixels] table of known parameters.
        """
        try:
            document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is not a TOML parameter file: {error}") from error
        table = document.get(_TABLE)
        if not isinstance(table, dict):
            raise ValueError(f"{path} has no [{_TABLE}] table: it is no parameter file of ours")
        try:
            return cls.from_dict(table)
        except SuperpixelError as error:
            error.within(path)
            raise


def unknown_name(name: str, known: Iterable[str]) -> UnknownParameter:
    """Say that there is no such parameter, and which one may be meant.

    Parameters
    ----------
    name : str
        Name that is unknown.
    known : iterable of str
        Names that there are.

    Returns
    -------
    str
        Message.
    """
    known = tuple(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    return UnknownParameter(name, nearest[0] if nearest else "", known)


def _checked(name: str, value: Any, hint: Any, info: ParameterInfo) -> Any:
    if info.may_be_auto:
        if isinstance(value, str) and value != AUTO:
            raise InvalidParameter(name, info.range_text, value)
        return value if isinstance(value, str) else _checked_number(name, value, float, info)
    if hint is str:
        if value not in (info.choices or ()):
            raise InvalidParameter(name, info.range_text, value)
        return value
    if hint in (int, float):
        return _checked_number(name, value, hint, info)
    if not isinstance(value, (tuple, list)) or not value:  # tuple[int, ...]
        raise InvalidParameterType(name, "a non-empty tuple of integers", value)
    return tuple(_checked_number(name, item, int, info) for item in value)


def _checked_number(name: str, value: Any, hint: type, info: ParameterInfo) -> float:
    wanted, kind = (numbers.Integral, "an integer") if hint is int else (numbers.Real, "a number")
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise InvalidParameterType(name, kind, value)
    assert info.minimum is not None
    assert info.maximum is not None
    try:
        number: float = hint(value)
    except OverflowError:  # a whole number with hundreds of digits
        raise InvalidParameter(name, info.range_text, value) from None
    if not info.minimum <= number <= info.maximum:  # NaN fails here too
        raise InvalidParameter(name, info.range_text, value)
    return number
