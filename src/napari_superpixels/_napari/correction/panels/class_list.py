"""The classes that superpixels can have: number, name, colour."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import label_colormap

from napari_superpixels._napari.correction.editor import CLASSES
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from napari.layers import Labels

# Well apart, also for most colour-blind people (Okabe and Ito 2008), before napari's own.
_FIRST_COLORS = (
    (0.90, 0.62, 0.00),
    (0.34, 0.71, 0.91),
    (0.00, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.00, 0.45, 0.70),
    (0.84, 0.37, 0.00),
    (0.80, 0.47, 0.65),
)
_LARGEST = 255
# The list that was last in use: a layer that has none begins with it.
TEMPLATE: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """A class.

    Attributes
    ----------
    number : int
        1 to 255: its value in the semantic layer; up to 9 also its key.
    name : str
        For the user.
    color : tuple of float
        Red, green, blue from 0 to 1.
    """

    number: int
    name: str
    color: tuple[float, float, float]


class ClassList:
    """Classes of a Labels layer, kept in its metadata as plain values.

    Parameters
    ----------
    layer : napari.layers.Labels
        One that never had a list begins with that of the layer before.
    """

    def __init__(self, layer: Labels) -> None:
        known = layer.metadata.setdefault(METADATA_KEY, {})
        self._store: list[dict[str, Any]] = known.setdefault(CLASSES, deepcopy(TEMPLATE))
        if self._store:
            TEMPLATE[:] = deepcopy(self._store)

    def __iter__(self) -> Any:
        """Classes in the order of their numbers."""
        return iter([ClassInfo(c["number"], c["name"], tuple(c["color"])) for c in self._store])

    def __len__(self) -> int:
        """How many."""
        return len(self._store)

    @property
    def names(self) -> dict[int, str]:
        """Name of each number."""
        return {c.number: c.name for c in self}

    def add(self, name: str = "") -> ClassInfo:
        """Add a class with the lowest free number.

        Parameters
        ----------
        name : str, optional
            Its name; "class N" if empty.

        Returns
        -------
        ClassInfo
            The class.

        Raises
        ------
        EditError
            If there are 255 already.
        """
        used = {c.number for c in self}
        number = next((i for i in range(1, _LARGEST + 1) if i not in used), None)
        if number is None:
            raise EditError("There are 255 classes already, which is all that the layer can hold.")
        if number <= len(_FIRST_COLORS):
            color = _FIRST_COLORS[number - 1]
        else:
            red, green, blue, _ = label_colormap(64).colors[1 + number % 62].tolist()
            color = (red, green, blue)
        added = ClassInfo(number, name or f"class {number}", color)
        self._write([*self, added])
        return added

    def change(self, number: int, **changes: Any) -> None:
        """Give a class another name or colour.

        Parameters
        ----------
        number : int
            Of the class.
        **changes
            Fields of `ClassInfo`.
        """
        self._write([replace(c, **changes) if c.number == number else c for c in self])

    def remove(self, number: int) -> None:
        """Remove a class that no superpixel has.

        Parameters
        ----------
        number : int
            Of the class.
        """
        self._write([c for c in self if c.number != number])

    def _write(self, classes: list[ClassInfo]) -> None:
        classes.sort(key=lambda c: c.number)
        # In place: the metadata hold this very list.
        self._store[:] = [
            {"number": c.number, "name": c.name, "color": list(c.color)} for c in classes
        ]
        TEMPLATE[:] = deepcopy(self._store)
