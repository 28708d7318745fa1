"""What is known of a Labels layer besides its pixels: place, classes, columns of its table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_superpixels._napari.correction.overlays import DERIVED_FROM, KIND
from napari_superpixels.io.classes import (
    CLASS_MAP,
    CLASSES,
    LabelColumns,
    class_map_columns,
    label_columns,
)
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Choice:
    """Which objects are exported.

    Attributes
    ----------
    of_class : str or None
        Name of the only class whose superpixels are exported; None for all superpixels.
    dissolve : bool
        One object a class in place of the superpixels.
    """

    of_class: str | None = None
    dissolve: bool = False

    @property
    def note(self) -> str:
        """What is exported, for the user; empty for all superpixels."""
        if self.of_class is not None:
            return f", only the class “{self.of_class}”"
        return ", one object a class, without superpixels that have none" if self.dissolve else ""


ALL = Choice()


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a layer.

    Attributes
    ----------
    metadata : dict
        Place, and how the labels were made, as plain values.
    columns : LabelColumns
        Classes, locks and columns of others.
    made_for : napari.layers.Labels
        The layer itself, or that whose classes it shows.
    """

    metadata: dict[str, Any] = field(default_factory=dict)
    columns: LabelColumns = field(default_factory=LabelColumns)
    made_for: Labels | None = None


def known_of(layer: Labels, layers: Iterable[Any]) -> Known:
    """Find out what is known of a layer.

    Parameters
    ----------
    layer : napari.layers.Labels
        Any layer; of a layer of classes, what is known of the superpixels under it counts.
    layers : iterable of napari.layers.Layer
        Layers of the viewer.

    Returns
    -------
    Known

    Raises
    ------
    ExportError
        If its classes are not as they must be.
    """
    metadata = dict(layer.metadata.get(METADATA_KEY, {}))
    if metadata.get(KIND) == "classes":
        base = next((x for x in layers if str(x.unique_id) == metadata[DERIVED_FROM]), None)
        if isinstance(base, Labels):
            return Known(
                about := dict(base.metadata.get(METADATA_KEY, {})),
                class_map_columns(about.get(CLASSES, ())),
                base,
            )
    if metadata.get(CLASS_MAP) or metadata.get(KIND) == "classes":
        return Known(metadata, class_map_columns(metadata.get(CLASSES, ())), layer)
    return Known(metadata, label_columns(layer.features, metadata.get(CLASSES, ())), layer)
