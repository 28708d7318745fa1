"""The parameters of a run: the only home of their defaults, ranges, names and explanations.

The dock, the command line, the API, parameter files and provenance all read them from here.
"""

from __future__ import annotations

import dataclasses
import json
import numbers
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Self, get_type_hints

import tomli_w

from napari_superpixels.parameter_info import ParameterInfo, parameter

COLOR_SPACES = ("auto", "lab", "channels")


@dataclass(frozen=True, kw_only=True)
class SuperpixelParams:
    """Everything that decides the result of a run, besides the image and the device.

    The defaults are those of the ``balanced`` preset. Symbols refer to arXiv 2002.06765.

    Raises
    ------
    ValueError
        If a value is out of range, with the allowed range.
    TypeError
        If a value has the wrong type.
    """

    n_segments: int = parameter(
        100,
        "Superpixels (at most)",
        "N, the largest number of superpixels, 1 to 65535. The image decides how many of them "
        "survive; the number obtained is shown after the run.",
        ge=1,
        le=65535,
        step=10,
    )
    lam: float = parameter(
        2.0,
        "Adaptivity (λ)",
        "λ in eq. (2), 0 to 3, no unit: weight of equally large labels; lower lets their sizes "
        "differ more. Separate pieces of a label count as superpixels of their own, so λ changes "
        "their number only a little: set that by the largest number above.",
        ge=0,
        le=3,
        step=0.1,
    )
    alpha: float = parameter(
        2.0,
        "Smoothness (α)",
        "α in eq. (1), 0 to 100, no unit: weight of smooth superpixels whose borders follow the "
        "image's edges. Higher gives fewer, rounder pieces.",
        ge=0,
        le=100,
        step=0.5,
    )
    beta: float = parameter(
        10.0,
        "Reconstruction (β)",
        "β in eq. (1), 0 to 1000, no unit: weight of reconstructing the image, which makes "
        "superpixels follow fine structures. 0 switches the reconstruction off.",
        ge=0,
        le=1000,
        step=1,
    )
    sigma: float = parameter(
        0.1,
        "Edge contrast scale (σ)",
        "σ in eq. (3), 0.01 to 10000, in squared standard deviations of the image: colour steps "
        "whose square is well above σ count as edges. The paper uses 8.",
        ge=0.01,
        le=1e4,
        step=0.01,
    )
    iterations: int = parameter(
        100,
        "Iterations",
        "Steps of the optimiser, 1 to 100000. More steps take proportionally more time.",
        ge=1,
        le=100_000,
        step=10,
    )
    learning_rate: float = parameter(
        0.01,
        "Learning rate",
        "Step size of the Adam optimiser, 0.0001 to 1, no unit.",
        ge=1e-4,
        le=1,
        step=0.0001,
    )
    seed: int = parameter(
        0,
        "Seed",
        "Seed of the network's initial weights, 0 to 4294967295. The same seed, image, "
        "parameters, device and version give the same superpixels.",
        ge=0,
        le=2**32 - 1,
        step=1,
    )
    min_size_px: int = parameter(
        0,
        "Minimum size",
        "Smallest superpixel in pixels, 0 to 1000000; smaller pieces join the neighbour that they "
        "resemble most. 0 (auto) takes a fifth of the mean superpixel area.",
        ge=0,
        le=1_000_000,
        step=5,
    )
    downscale: int = parameter(
        4,
        "Working resolution 1/",
        "The network sees the image reduced by this factor, 1 to 64; borders are then refined at "
        "full resolution. 1 is full resolution, as in the paper: slow and memory-hungry.",
        ge=1,
        le=64,
        step=1,
    )
    hidden_channels: tuple[int, ...] = parameter(
        (32, 32, 32, 32),
        "Network widths",
        "Channels of the network's 3x3 layers, 1 to 4096 each; 32, 64, 128, 256 in the paper.",
        ge=1,
        le=4096,
    )
    color_space: str = parameter(
        "auto",
        "Colour space",
        "lab converts RGB to CIELAB, where distances match what the eye sees; channels uses the "
        "values as they are, each channel scaled by itself; auto is lab for RGB, else channels.",
        choices=COLOR_SPACES,
    )
    refine_iterations: int = parameter(
        20,
        "Refinement rounds",
        "Rounds of boundary refinement at full resolution, 0 to 1000: pixels on borders move to "
        "the superpixel that they fit best. 0 switches it off, as in the paper.",
        ge=0,
        le=1000,
        step=5,
    )
    refine_compactness: float = parameter(
        0.2,
        "Refinement compactness",
        "Weight of the distance to the superpixel's centre in the refinement, 0 to 100, no unit. "
        "Higher gives rounder superpixels.",
        ge=0,
        le=100,
        step=0.1,
    )
    refine_smoothness: float = parameter(
        0.15,
        "Border smoothness",
        "Weight of the border's length in the refinement, 0 to 100, no unit. Higher gives "
        "straighter, cleaner borders; lower follows every detail.",
        ge=0,
        le=100,
        step=0.01,
    )

    def __post_init__(self) -> None:
        # Checked values are plain Python ones, so that numpy integers serialise too.
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(f.name, getattr(self, f.name)))

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
            raise ValueError(_unknown(name))
        info: ParameterInfo = cls.__dataclass_fields__[name].metadata["info"]
        return info

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some values changed.

        Parameters
        ----------
        **changes
            Field names and new values.

        Returns
        -------
        SuperpixelParams
            The variant.

        Raises
        ------
        ValueError
            If a name is unknown or a value out of range.
        """
        for name in changes:
            if name not in self.__dataclass_fields__:
                raise ValueError(_unknown(name))
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
        SuperpixelParams
            The parameters.

        Raises
        ------
        ValueError
            If a name is unknown or a value out of range.
        """
        hints = _types()
        plain = {
            name: tuple(value)
            if hints.get(name) == tuple[int, ...] and isinstance(value, list)
            else value
            for name, value in values.items()
        }
        return cls().replace(**plain)

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
        SuperpixelParams
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
        Path(path).write_text(tomli_w.dumps({"superpixels": self.to_dict()}), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file written by `save`.

        Parameters
        ----------
        path : str or Path
            File to read.

        Returns
        -------
        SuperpixelParams
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
        table = document.get("superpixels")
        if not isinstance(table, dict):
            raise ValueError(f"{path} has no [superpixels] table: it is no parameter file of ours")
        return cls.from_dict(table)


def _unknown(name: str) -> str:
    known = ", ".join(f.name for f in fields(SuperpixelParams))
    return f"unknown parameter {name!r}; known are {known}"


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(SuperpixelParams)


def _checked(name: str, value: Any) -> Any:
    info = SuperpixelParams.info(name)
    hint = _types()[name]
    if hint is str:
        if value not in (info.choices or ()):
            raise ValueError(f"{name} must be {info.range_text}, got {value!r}")
        return value
    if hint in (int, float):
        return _checked_number(name, value, hint, info)
    if not isinstance(value, tuple) or not value:  # tuple[int, ...]
        raise TypeError(f"{name} must be a non-empty tuple of integers, got {value!r}")
    return tuple(_checked_number(name, item, int, info) for item in value)


def _checked_number(name: str, value: Any, hint: type, info: ParameterInfo) -> float:
    wanted, kind = (numbers.Integral, "an integer") if hint is int else (numbers.Real, "a number")
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise TypeError(f"{name} must be {kind}, got {value!r}")
    assert info.minimum is not None
    assert info.maximum is not None
    number: float = hint(value)
    if not info.minimum <= number <= info.maximum:  # NaN fails here too
        raise ValueError(f"{name} must be {info.range_text}, got {value!r}")
    return number
