"""The table of a Labels layer under correction: what is computed, beside what others put there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_superpixels._napari.correction.extra_columns import ExtraColumns
from napari_superpixels.editing.attributes import Lock
from napari_superpixels.editing.frame_counts import FrameCounts
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import LabelEdit
    from napari_superpixels.editing.reference_image import ReferenceImage
    from napari_superpixels.editing.session import Change, Session

_ALWAYS = ("index", "label", "area_px", "area", "class", "lock", "fragments")


class LayerTable:
    """Keeps ``layer.features`` true.

    Parameters
    ----------
    layer : napari.layers.Labels
        The layer; of a series, its metadata say which axes count frames.
    session : Session
        Its labels.
    """

    def __init__(self, layer: Labels, session: Session) -> None:
        self._layer = layer
        self._session = session
        self._kept = ExtraColumns()
        stack = [axis + layer.ndim for axis, _ in layer.metadata[METADATA_KEY].get("stack", ())]
        self._frames = FrameCounts(session.labels, stack) if stack else None
        self._computed = {*_ALWAYS, *(["frames"] if stack else [])}
        self.note_image(session.image)

    def note_image(self, image: ReferenceImage | None) -> None:
        """Means of its channels are computed from now on, and left out where there is no image.

        Parameters
        ----------
        image : ReferenceImage or None
            The image under the labels.
        """
        self._computed |= set() if image is None else {_mean_of(name) for name in image.names}

    def note_change(self, change: Change) -> None:
        """Take note of a change that gives ids anew.

        Parameters
        ----------
        change : Change
            What is applied.
        """
        self._kept.forget(change.entry["fresh_ids"])

    def follow(self, edit: LabelEdit) -> None:
        """Take note of an edit, whoever made it; `write` comes next.

        Parameters
        ----------
        edit : LabelEdit
            What has changed.
        """
        if self._frames is not None:
            self._frames.update(edit)

    def write(
        self,
        pixel_size: float,
        class_names: Mapping[int, str],
        *,
        volume: bool,
        edit: LabelEdit | None = None,
    ) -> None:
        """Write the table anew.

        Parameters
        ----------
        pixel_size : float
            Area (or volume) of a pixel.
        class_names : mapping of int to str
            Names of the classes.
        volume : bool
            Whether superpixels are bodies in a volume.
        edit : LabelEdit, optional
            What has changed since it was written.
        """
        found, image = self._session.statistics, self._session.image
        area: NDArray[Any] = found.area
        # Other plugins look for the ids in `label`.
        table: dict[str, Any] = {"index": found.ids, "label": found.ids}
        if self._frames is not None:
            table["frames"] = self._frames.of(found.ids)
            # As after the run: of one that goes on from frame to frame, the mean over its frames.
            area = area if volume else area / table["frames"]
        table |= {"area_px": area, "area": area * pixel_size}
        if image is not None:
            for name, mean in zip(image.names, found.mean().T, strict=True):
                table[_mean_of(name)] = mean
        facts = self._session.facts()
        names = np.full(256, "", object)
        names[list(class_names)] = list(class_names.values())
        table["class"] = names[facts.category]
        table["lock"] = np.array([str(lock) for lock in Lock], object)[facts.lock]
        table["fragments"] = facts.n_fragments
        kept = self._kept.follow(self._layer.features, self._computed, found, edit)
        self._layer.features = pd.concat([pd.DataFrame(table), kept], axis=1)


def _mean_of(channel: str) -> str:
    """Column of a channel's means."""
    return f"mean {channel}"
