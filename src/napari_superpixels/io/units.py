"""Units of length and time by pint, as napari uses it."""

from __future__ import annotations

import math
import re
from typing import Any

# One short name in ASCII for each unit, which is what our files and tables hold.
_NO_UNITS = ("pixel", "pixels", "px", "li", "link", "links")  # pint has lengths of these names
_SHORT = ("pm", "angstrom", "nm", "um", "mm", "cm", "in", "ft", "m", "km")


def short_unit(unit: str) -> str:
    """Write a unit of length in one way.

    Parameters
    ----------
    unit : str
        A name that pint knows (``"micrometer"``, ``"µm"``, ``"inches"``), in any case.

    Returns
    -------
    str
        Such as ``"um"``; as given if it is none of the usual units of length.
    """
    length = metres(unit)
    if length is None:
        return unit
    known = {short: metres(short) or 0.0 for short in _SHORT}
    return next((s for s, n in known.items() if math.isclose(n, length, rel_tol=1e-9)), unit)


def metres(unit: str) -> float | None:
    """Say how long a unit is.

    Parameters
    ----------
    unit : str
        See `short_unit`; maps write ``"US survey foot"``.

    Returns
    -------
    float or None
        In metres; None if it is no unit of length.
    """
    found = _parsed(unit)
    return None if found is None else float((1 * found).to("m").m)


def full_name(unit: str) -> str | None:
    """Spell a unit of length out, as OME-Zarr does: ``"micrometer"``.

    Parameters
    ----------
    unit : str
        See `short_unit`.

    Returns
    -------
    str or None
        None if it is none of the usual units of length.
    """
    short = short_unit(unit)
    # Spelled out whatever format an application has chosen for all units.
    return f"{_parsed(short):D}" if short in _SHORT else None


def time_name(unit: str) -> str | None:
    """Spell a unit of time out, as OME-Zarr does: ``"second"``.

    Parameters
    ----------
    unit : str
        A name that pint knows, such as ``"s"`` or ``"min"``, or ``"sec"``.

    Returns
    -------
    str or None
        None if it is no unit of time.
    """
    found = _parsed({"sec": "s", "secs": "s"}.get(unit.strip().lower(), unit), "[time]")
    return None if found is None else f"{found:D}"


def time_symbol(unit: str) -> str | None:
    """Write a unit of time by its symbol, as OME-TIFF does: ``"ms"``; see `time_name`."""
    name = time_name(unit)
    return None if name is None else f"{_parsed(name, '[time]'):~}"


def symbol(unit: str) -> str | None:
    """Write a unit of length by its symbol, as OME-TIFF does: ``"µm"``.

    Parameters
    ----------
    unit : str
        See `short_unit`.

    Returns
    -------
    str or None
        None if it is none of the usual units of length.
    """
    short = short_unit(unit)
    return f"{_parsed(short):~}" if short in _SHORT else None


def _parsed(unit: str, dimension: str = "[length]") -> Any:
    # Here: pint takes a third of a second to load, and few files state a unit.
    import pint

    registry: Any = pint.get_application_registry()  # type: ignore[no-untyped-call]
    name = unit.strip()
    # ImageJ writes what is not ASCII as Java does.
    name = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), name)
    name = name.replace("angström", "ångström")
    # UTF-8 that was read as Latin-1 or GBK; a sign that was lost altogether may have been any.
    name = name.replace("Âµ", "µ").replace("Î¼", "µ").replace("碌", "µ")
    if not name or "?" in name or "\ufffd" in name or name.lower() in _NO_UNITS:
        return None
    for spelled in (name, name.lower(), name.lower().replace(" ", "_").removeprefix("us_")):
        try:
            found = registry.Unit(spelled)
        # It parses texts as Python does, and fails on others in as many ways.
        except Exception:  # noqa: BLE001
            continue
        if found.dimensionality == {dimension: 1}:
            return found
    return None
