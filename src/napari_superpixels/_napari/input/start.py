"""What a run starts from besides the image: the labels of a layer, on the image's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.input.plane import InputError
from napari_superpixels._napari.input.region import LabelMask, region_of_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_superpixels._napari.input.plane import PlaneGrid, View
    from napari_superpixels._napari.input.segmentation_input import SegmentationInput


class StartKind(StrEnum):
    """What a user can start from."""

    IMAGE = "the image alone"
    REFINE = "labels, to refine"
    INITIAL = "labels or scribbles"
    OBJECTS = "objects as walls"
    SOFT_OBJECTS = "objects as hints"


@dataclass(frozen=True, slots=True, eq=False)
class StartLabels:
    """Labels of a layer, and what they are for.

    Attributes
    ----------
    kind : StartKind
        Not the image alone.
    labels : LabelMask
        Of a box of the image's plane; slice by slice for a stack, or one plane for all.
    rows, columns : slice
        The box, with start and stop.
    """

    kind: StartKind
    labels: LabelMask
    rows: slice
    columns: slice

    @property
    def walls(self) -> str | None:
        """How strictly superpixels respect objects: “hard” or “soft”; None for other kinds."""
        return {StartKind.OBJECTS: "hard", StartKind.SOFT_OBJECTS: "soft"}.get(self.kind)

    def is_same(self, other: StartLabels | None) -> bool:
        """Whether the same labels are used in the same way, as far as can be told."""
        return (
            other is not None
            and (self.kind, self.rows, self.columns) == (other.kind, other.rows, other.columns)
            and self.labels.layer_id == other.labels.layer_id
            and np.array_equal(np.asarray(self.labels.data), np.asarray(other.labels.data))
        )

    def of(self, source: SegmentationInput) -> NDArray[np.integer]:
        """Load the labels.

        Parameters
        ----------
        source : SegmentationInput
            What is segmented.

        Returns
        -------
        ndarray of int, shape of the source
            0 where there is no label.
        """
        given = np.asarray(self.labels.data)
        made: NDArray[np.integer] = np.zeros(source.shape, given.dtype)
        (rows, own_rows), (columns, own_columns) = self._boxes(source)
        made[..., rows, columns] = given[..., own_rows, own_columns]
        return made

    def check(self, source: SegmentationInput) -> None:
        """Refuse labels that lie outside of what is segmented; see `InputError`."""
        self._boxes(source)

    def as_python(self, source: SegmentationInput, name: str) -> str:
        """Code that leaves the labels in a variable; needs ``np`` and ``viewer``."""
        (rows, own_rows), (columns, own_columns) = self._boxes(source)
        layer = f"viewer.layers[{self.labels.layer_name!r}]"
        given = f"np.asarray({layer}.data{self.labels.expression})"
        own = f"[..., {_text(own_rows)}, {_text(own_columns)}]"
        return (
            f"given = {given}\n"
            f"{name} = np.zeros({source.shape}, given.dtype)\n"
            f"{name}[..., {_text(rows)}, {_text(columns)}] = given{own}\n"
        )

    def _boxes(self, source: SegmentationInput) -> list[tuple[slice, slice]]:
        """Along rows and columns: where labels lie in what is segmented, and which those are."""
        region = source.region
        starts = (0, 0) if region is None else (region.rows.start, region.columns.start)
        boxes = []
        for box, start, n in zip(
            (self.rows, self.columns), starts, source.plane_shape, strict=True
        ):
            first, stop = max(box.start, start), min(box.stop, start + n)
            if stop <= first:
                raise InputError(
                    f"“{self.labels.layer_name}” has no label in the region: choose another one."
                )
            boxes.append(
                (slice(first - start, stop - start), slice(first - box.start, stop - box.start))
            )
        return boxes


def _text(box: slice) -> str:
    return f"{box.start}:{box.stop}"


def start_labels(
    kind: StartKind, grid: PlaneGrid, view: View, layer: Labels, stack: Sequence[int], mode: Mode
) -> StartLabels:
    """Find the labels of a layer on the image's pixels.

    Parameters
    ----------
    kind : StartKind
        What they are for.
    grid : PlaneGrid
        The plane of the image.
    view : View
        What the viewer shows.
    layer : napari.layers.Labels
    stack : sequence of int
        Axes of the image along which planes are segmented together.
    mode : Mode
        What is segmented.

    Returns
    -------
    StartLabels

    Raises
    ------
    InputError
        If the pixels differ, there are no labels, or this mode has no such start.
    """
    if kind == StartKind.REFINE and mode in (Mode.EACH, Mode.SERIES):
        raise InputError(
            f"Labels are refined in one slice or in 3D: choose “{Mode.SLICE}” or “{Mode.VOLUME}”."
        )
    region = region_of_labels(grid, view, layer, stack)
    assert isinstance(region.mask, LabelMask)
    return StartLabels(kind, region.mask, region.rows, region.columns)


def arguments_of(start: StartLabels | None, source: SegmentationInput) -> dict[str, Any]:
    """Give the arguments of a run for what it starts from.

    Parameters
    ----------
    start : StartLabels or None
        None for the image alone.
    source : SegmentationInput
        What is segmented.

    Returns
    -------
    dict
        Keywords of `iter_superpixels`.
    """
    if start is None:
        return {}
    if start.walls is None:
        return {"initial": start.of(source)}
    return {"objects": start.of(source), "object_walls": start.walls}
