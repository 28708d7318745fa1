"""What files of corrections may say: classes, locks, the log and the arguments of its steps.

Such files come from anywhere: nothing of them is used before it has passed here. Types are exact
(no text for a number), and numbers have bounds.
"""

# pydantic reads the annotations when the classes are made, so their types are real imports.
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, create_model

from napari_superpixels.io.strict_values import Strict, check

Label = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Category = Annotated[int, Field(ge=0, le=255)]  # what the layer of classes can hold
Axis = Annotated[int, Field(ge=0, lt=32)]
# Strokes may leave the image, but not by this much.
Position = Annotated[Sequence[Annotated[int, Field(gt=-(2**24), lt=2**24)]], Field(max_length=32)]
Positions = Sequence[Position]
Plane = Annotated[Sequence[Axis], Field(max_length=2)]


class Superpixel(Strict):
    """Class and lock of a superpixel."""

    category: Category = Field(alias="class")
    lock: Literal["free", "edited", "held"]


class Step(Strict):
    """An entry of the log; which fields it needs depends on its operation."""

    step: Count = 0
    operation: str = ""
    arguments: dict[str, Any] = Field({})
    image: str | None = None
    image_name: str | None = None
    axes: Annotated[Sequence[Axis], Field(max_length=3)] = ()
    index: Sequence[Count] = ()
    fresh_ids: Sequence[Label] = ()
    patch: str = ""
    state: Annotated[int, Field(ge=0, lt=2**64)] = 0


class Facts(Strict):
    """What a corrected TIFF says besides its maps."""

    dtype: Literal["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
    superpixels: dict[Annotated[str, Field(pattern=r"^-?[0-9]{1,18}$")], Superpixel] = Field({})
    edit_log: Sequence[Step] = ()
    ids_before: Sequence[Label] | None = Field(None, alias="ids before correction")


_POSITIONS: Any = (Positions, ...)
_PLANE: Any = (Plane, ())
ARGUMENTS: dict[str, dict[str, Any]] = {
    "merge": {"positions": _POSITIONS},
    "split": {"seeds": _POSITIONS, "plane": _PLANE},
    "split_line": {"line": _POSITIONS, "snap": (bool, False), "plane": _PLANE},
    "detach": {"position": (Position, ...), "only": (bool, False)},
    "lock": {"positions": _POSITIONS, "on": (bool, ...)},
    "assign": {"positions": _POSITIONS, "category": (Category, ...)},
    "clean_up": {
        "connect": (bool, True),
        "min_size_px": (Count, 0),
        "fill_holes": (bool, False),
        "sequential": (bool, False),
    },
    "set_count": {"n_segments": (Count, ...)},
    "take_over": {"start": (Sequence[Count], ...), "parts": (str, ...), "recompute": (bool, ...)},
    "merge_touching": {"category": (Category, ...)},
    "assign_many": {"ids": (Sequence[Label], ...), "categories": (Sequence[Category], ...)},
}
_CLOSED = ConfigDict(strict=True, extra="forbid")
_MODELS = {
    name: create_model(name, __config__=_CLOSED, **fields) for name, fields in ARGUMENTS.items()
}


def check_arguments(operation: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that an operation does not take.

    Parameters
    ----------
    operation : str
        A name of `ARGUMENTS`.
    arguments : mapping
        As the log has them.

    Raises
    ------
    ValueError
        As `check` does.
    """
    check(_MODELS[operation], arguments)
