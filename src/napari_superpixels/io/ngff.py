"""Metadata of OME-Zarr (OME-NGFF 0.4, which most software reads today)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERSION = "0.4"
_OF_ZARR = (".zgroup", ".zarray", "zarr.json")
_TYPES = {"c": "channel", "t": "time"}
_UNITS = {
    "nm": "nanometer",
    "um": "micrometer",
    "µm": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "km": "kilometer",
    "pm": "picometer",
    "angstrom": "angstrom",
    "in": "inch",
    "ft": "foot",
}


def is_zarr(path: Path) -> bool:
    """Tell whether a folder holds Zarr.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    bool
        True for arrays and groups of Zarr 2 and 3.
    """
    return any((path / name).exists() for name in _OF_ZARR)


def has_unit(unit: str) -> bool:
    """Tell whether a unit of length has a name in NGFF.

    Parameters
    ----------
    unit : str
        Such as ``"um"``.

    Returns
    -------
    bool
        True if it has.
    """
    return unit in _UNITS


def multiscales(
    name: str, axes: str, level_scales: Sequence[Sequence[float]], unit: str | None
) -> list[dict[str, Any]]:
    """Describe a pyramid whose levels ``"0"``, ``"1"``, ... each keep every second pixel.

    Parameters
    ----------
    name : str
        Of the image.
    axes : str
        A letter for each axis: ``c`` for channels, ``t`` for time, ``z``, ``y``, ``x``.
    level_scales : sequence of sequence of float
        For each level, the size of a pixel along each axis.
    unit : str or None
        Unit of length, such as ``"um"``; left out where it has no name in NGFF.

    Returns
    -------
    list of dict
        Value of ``multiscales``. The pixels that are kept stay where they are: no translation.
    """
    described: list[dict[str, Any]] = []
    for axis in axes:
        kind = {"name": axis, "type": _TYPES.get(axis, "space")}
        has_unit = axis not in _TYPES and unit in _UNITS
        described.append(kind | ({"unit": _UNITS[str(unit)]} if has_unit else {}))
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [float(s) for s in scale]}],
        }
        for level, scale in enumerate(level_scales)
    ]
    return [
        {
            "version": VERSION,
            "name": name,
            "axes": described,
            "datasets": datasets,
            "type": "every second pixel",
        }
    ]
