"""What a corrected TIFF may say of its layer: name, place, classes, how the labels were made."""

# pydantic reads the annotations when the classes are made, so their types are real imports.
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, FiniteFloat

from napari_superpixels._napari.input.axes import Role
from napari_superpixels.io.classes import PlainClass
from napari_superpixels.io.strict_values import Strict

# As pint writes units. Others it would compute: “9**9**9” takes hours.
_WORD = r"[^\W\d]+( \*\* -?[0-9](\.[0-9]{1,3})?)?"
_Unit = Annotated[str, Field(max_length=200, pattern=rf"^(1 / )?{_WORD}( [*/] {_WORD})*$")]
_Name = Annotated[str, Field(max_length=10_000)]
_Numbers = Sequence[FiniteFloat]
_Axis = Annotated[int, Field(ge=0, lt=32)]
# An axis, counted from the last one, and its role.
_Stacked = Annotated[
    tuple[Annotated[int, Field(ge=-32, lt=0)], Annotated[Role, Field(strict=False)]],
    Field(strict=False),
]


class _SourceLayer(Strict):
    name: _Name
    id: _Name | None = None
    channel_axis: _Axis | None


class Place(Strict):
    """Where a layer lies; napari itself checks how many numbers these are."""

    scale: _Numbers = ()
    translate: _Numbers = ()
    shear: _Numbers = ()
    rotate: Sequence[_Numbers] = ()
    affine: Sequence[_Numbers] = ()
    units: Sequence[_Unit] = ()
    axis_labels: Sequence[_Name] = ()


class Known(Strict):
    """What the docks read from the metadata of a layer."""

    name: _Name = ""
    placement: Place = Place()
    classes: Sequence[PlainClass] = ()
    parameters: dict[str, Any] = Field({})
    created: _Name = ""
    channels: Sequence[Annotated[int, Field(ge=0)]] | None = None
    stack: Sequence[_Stacked] = ()
    source_layer: _Name = ""
    source_layers: Sequence[_SourceLayer] = ()
