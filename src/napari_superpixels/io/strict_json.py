"""JSON as its standard has it, which other languages read: it has no word for NaN and infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def dumps(value: Any) -> str:
    """Write plain values as JSON.

    Parameters
    ----------
    value : object
        Mappings, sequences, texts, numbers of Python or NumPy, None; anything else as its text.

    Returns
    -------
    str
        One line; NaN and infinite numbers are null.
    """
    return json.dumps(_strict(value), allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _strict(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_strict(inner) for inner in value]
    return value if value is None or isinstance(value, str | bool | int) else str(value)
