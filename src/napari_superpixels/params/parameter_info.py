"""How a parameter is named, explained and bounded, wherever it shows up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Instead of a number: the image decides.
AUTO = "auto"


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
    may_be_auto : bool
        Whether ``"auto"`` is allowed instead of a number.
    """

    label: str
    tooltip: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None
    may_be_auto: bool = False

    @property
    def range_text(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return " or ".join(self.choices)
        numbers = f"{self.minimum:g} to {self.maximum:g}"
        return f"{AUTO} or {numbers}" if self.may_be_auto else numbers


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
        Default value; where it is ``"auto"``, numbers are allowed besides.
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
    may_be_auto = default == AUTO and choices is None
    info = ParameterInfo(label, tooltip, ge, le, step, choices, may_be_auto)
    return field(default=default, metadata={"info": info})
