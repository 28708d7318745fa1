"""Columns of a layer's table that come from elsewhere, kept with the superpixels they describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_superpixels.editing.numbering import number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from napari_superpixels.editing.label_edit import LabelEdit
    from napari_superpixels.editing.statistics import SuperpixelStatistics


class ExtraColumns:
    """Moves rows along: with superpixels that get another id, and back with those that come back.

    A superpixel that is new has no values.
    """

    def __init__(self) -> None:
        # By undo a superpixel may come back with what was known of it.
        self._gone: dict[int, dict[str, Any]] = {}

    def forget(self, ids: Iterable[int]) -> None:
        """Ids are given anew, and mean something else now.

        Parameters
        ----------
        ids : iterable of int
            The ids.
        """
        for label in ids:
            self._gone.pop(label, None)

    def follow(
        self,
        table: pd.DataFrame,
        own: Collection[str],
        found: SuperpixelStatistics,
        edit: LabelEdit | None = None,
    ) -> pd.DataFrame:
        """Bring the columns up to date.

        Parameters
        ----------
        table : pandas.DataFrame
            The layer's table so far; rows belong to the labels in ``index``, or else to the whole
            numbers in ``label``, or else to 0, 1, 2, …. A ``label`` of other values is a column
            like any, and gets the name ``label text``.
        own : collection of str
            Columns that are computed, and not kept.
        found : SuperpixelStatistics
            The superpixels that there are now.
        edit : LabelEdit, optional
            What has changed since.

        Returns
        -------
        pandas.DataFrame
            The other columns, a row for each superpixel.
        """
        if "label" in table and table["label"].dtype.kind not in "iu":
            table = table.rename(columns={"label": "label text"})
        kept = table.drop(columns=[name for name in table.columns if name in own])
        if kept.shape[1] == 0 or len(table) == 0:
            return pd.DataFrame(index=range(len(found.ids)))
        ids = next((table[name] for name in ("index", "label") if name in table), None)
        kept.index = pd.Index(np.arange(len(table)) if ids is None else ids)
        kept = kept[~kept.index.duplicated()]
        vanished = kept.loc[~kept.index.isin(found.ids)]
        self._gone |= dict(zip(vanished.index.tolist(), vanished.to_dict("records"), strict=True))
        result = kept.reindex(found.ids)
        new = found.ids[~np.isin(found.ids, kept.index)].tolist()
        before = {} if edit is None or not new else renamed_by(edit, found)
        rows = {label: self._gone.get(before.get(label, label)) for label in new}
        known = {label: row for label, row in rows.items() if row is not None}
        for name in result.columns:
            filled = {label: row[name] for label, row in known.items() if name in row}
            if filled:
                result.loc[list(filled), name] = list(filled.values())
        return result.reset_index(drop=True)


def renamed_by(edit: LabelEdit, found: SuperpixelStatistics) -> dict[int, int]:
    """Find superpixels that an edit gave another id, and nothing else.

    Parameters
    ----------
    edit : LabelEdit
        What has changed.
    found : SuperpixelStatistics
        The superpixels after it.

    Returns
    -------
    dict of int to int
        The old id of each new one.
    """
    old_ids, old_row, _ = number(edit.old)
    new_ids, new_row, _ = number(edit.new)
    pairs, _, counts = number(old_row * len(new_ids) + new_row)
    old, new = old_ids[pairs // len(new_ids)], new_ids[pairs % len(new_ids)]
    times = np.bincount(pairs // len(new_ids))[pairs // len(new_ids)]
    return {
        n: o
        for o, n, count, to in zip(*(x.tolist() for x in (old, new, counts, times)), strict=True)
        if o and n and to == 1 and o not in found and found.area_of(n) == count
    }
