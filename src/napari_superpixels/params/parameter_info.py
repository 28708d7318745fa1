"""How a parameter is named, explained and bounded, wherever it shows up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """How to name, explain and bound one parameter.

    Attributes
    ----------
    label : str
        Name in the dock.
    tooltip : str
        Meaning, unit and effect, one or two sentences.
    minimum, maximum : float or None
        Allowed range, both ends included.
    step : float or None
        Step of a spin box.
    choices : tuple of str or None
        Allowed values of a text parameter.
    """

    label: str
    tooltip: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None

    @property
    def range_text(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return " or ".join(self.choices)
        return f"{self.minimum:g} to {self.maximum:g}"


def parameter(
    default: Any,
    label: str,
    tooltip: str,
    *,
    ge: float | None = None,
    le: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """Declare a dataclass field that carries its own explanation.

    Parameters
    ----------
    default : Any
        Default value.
    label, tooltip : str
        See `ParameterInfo`.
    ge, le, step : float, optional
        Range, both ends included, and step.
    choices : tuple of str, optional
        Allowed texts.

    Returns
    -------
    dataclasses.Field
        With a `ParameterInfo` under ``metadata["info"]``.
    """
    info = ParameterInfo(label, tooltip, ge, le, step, choices)
    return field(default=default, metadata={"info": info})
