"""A label map under correction: builds edits, follows those of others, updates table and log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.editing.attributes import (
    AttributeTable,
    IdAllocator,
    LabelAttributes,
    Lock,
    Renaming,
)
from napari_superpixels.editing.history.fingerprint import fingerprint_after
from napari_superpixels.editing.history.patch import encode_patch
from napari_superpixels.editing.label_edit import EditError, LabelEdit, edit_between
from napari_superpixels.editing.region import Region, region_at
from napari_superpixels.editing.statistics import SuperpixelStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.reference_image import ReferenceImage
    from napari_superpixels.editing.scope import Scope

PAINT = "paint"
HISTORY = "undo or redo"
REOPENED = "reopened"


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """An edit that has been built and not yet applied.

    Attributes
    ----------
    edit : LabelEdit
        What changes, in the whole label map.
    message : str
        What it does, for the user.
    entry : dict
        What the log gets: plain values.
    renaming : Renaming or None
        Given if ids mean something else after it.
    """

    edit: LabelEdit
    message: str
    entry: dict[str, Any]
    renaming: Renaming | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What is known of each superpixel in the label map, in the order of `statistics.ids`.

    Attributes
    ----------
    category : ndarray of int64, shape (K,)
        Classes; 0 for none.
    lock : ndarray of int64, shape (K,)
        Position in ``list(Lock)``.
    n_fragments : ndarray of int64, shape (K,)
        Fragments that it was merged from; 0 for one that was not merged.
    """

    category: NDArray[np.int64]
    lock: NDArray[np.int64]
    n_fragments: NDArray[np.int64]

    def count(self, lock: Lock) -> int:
        """Superpixels with a lock."""
        return int(np.count_nonzero(self.having(lock)))

    def having(self, lock: Lock) -> NDArray[np.bool_]:
        """Which superpixels have a lock."""
        return np.asarray(self.lock == list(Lock).index(lock))


class Session:
    """Corrections of one label map.

    Operations (`operations`, `whole_map`, `reassign`) build a `Change`; whoever applies it to the
    user's data calls `commit`. What others do to the data is told to `observe`.

    Parameters
    ----------
    labels : ndarray of int
        The label map; copied.
    image : ReferenceImage or None
        The image under it.
    attributes : AttributeTable, optional
        What is known of its superpixels.
    log : list of dict, optional
        Log to go on with.
    start : ndarray of int, optional
        The label map that this log began with.

    Attributes
    ----------
    labels, start : ndarray of int
        The label map as it is now, and as it was when the log began.
    state : int
        Fingerprint of the label map; 0 at first.
    statistics : SuperpixelStatistics
        Of its superpixels.
    choose_id : callable or None
        ``choose_id(region, free)`` picks one of some free ids, for instance by colour.
    """

    def __init__(
        self,
        labels: NDArray[np.integer],
        image: ReferenceImage | None = None,
        attributes: AttributeTable | None = None,
        log: list[dict[str, Any]] | None = None,
        *,
        start: NDArray[np.integer] | None = None,
    ) -> None:
        self.labels = np.array(labels)
        self.start = self.labels.copy() if start is None else start
        self.image = image
        self.statistics = self._count()
        self.attributes = attributes or AttributeTable(
            IdAllocator(self.statistics.ids.tolist(), self.labels.dtype)
        )
        self.log = [] if log is None else log
        self.choose_id: Callable[[Region, list[int]], int] | None = None
        self.state = 0
        self.attributes.reached(self.state)
        self._facts: Facts | None = None
        self._taken: list[int] = []
        self._given: list[int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """All but who chooses ids: a copy has no part in that."""
        return self.__dict__ | {"choose_id": None}

    def _count(self) -> SuperpixelStatistics:
        none = np.zeros((0, *self.labels.shape))
        values = none if self.image is None else self.image.values()
        return SuperpixelStatistics(self.labels, values)

    def use_image(self, image: ReferenceImage | None) -> None:
        """Take another image, and count anew.

        Parameters
        ----------
        image : ReferenceImage or None
            On the grid of the labels.
        """
        self.image = image
        self.statistics = self._count()

    def facts(self) -> Facts:
        """Collect what is known of the superpixels; once for each state of the labels."""
        if self._facts is None:
            ids = self.statistics.ids
            table = np.zeros((3, len(ids)), np.int64)
            known = list(self.attributes.by_id.keys() | self.attributes.painted)
            rows = np.searchsorted(ids, np.array(known, np.int64))
            locks = {lock: k for k, lock in enumerate(Lock)}
            for row, label in zip(rows.tolist(), known, strict=True):
                if row < len(ids) and ids[row] == label:
                    record = self.attributes[label]
                    n_fragments = len(record.fragments)
                    if label in self.attributes.painted and n_fragments:
                        n_fragments = self._n_fragments_left(label, record)
                    table[:, row] = record.category, locks[record.lock], n_fragments
            self._facts = Facts(*table)
        return self._facts

    def _n_fragments_left(self, label: int, record: LabelAttributes) -> int:
        """Fragments of which somebody's brush has left a pixel."""
        found = (self.attributes.fragments[i] for i in record.fragments)
        return sum(bool((f.mask & (self.labels[f.box] == label)).any()) for f in found)

    def convert(self, dtype: np.dtype[Any]) -> None:
        """Go on with the same labels as another integer type.

        Parameters
        ----------
        dtype : numpy dtype
            One that holds all labels, those at the beginning too.
        """
        self.labels, self.start = self.labels.astype(dtype), self.start.astype(dtype)
        self.attributes.ids.widen(dtype)

    # ---- for operations ----------------------------------------------------------------------

    def region(self, scope: Scope, position: Sequence[int], *, held: bool = False) -> Region:
        """Find the superpixel at a position, for a tool to work on.

        Parameters
        ----------
        scope : Scope
            Plane or volume worked in.
        position : sequence of int
            Pixel in the whole label map.
        held : bool, default False
            Whether one that is locked by hand is welcome.

        Returns
        -------
        Region
            In the scope.

        Raises
        ------
        EditError
            If there is none, or it is locked.
        """
        if any(not 0 <= i < n for i, n in zip(position, self.labels.shape, strict=True)):
            raise EditError("That is outside the labels: click on a superpixel.")
        label = int(self.labels[tuple(position)])
        if label == 0:
            raise EditError("There is no superpixel here (label 0): click on one.")
        if label < 0:
            raise EditError(
                "Superpixels have positive labels, and this one is negative: number them anew "
                "(Clean up, “Number 1 to K”)."
            )
        if not held:
            self.refuse_held([label])
        return region_at(scope.view(self.labels), scope.local(position))

    def refuse_held(self, labels: Sequence[int]) -> None:
        """Raise if a superpixel is locked by hand."""
        held = [i for i in labels if self.attributes[i].lock == "held"]
        if held:
            raise EditError(
                f"Superpixel {held[0]} is locked: unlock it first (lock tool, click on it)."
            )

    def fresh_ids(self, n: int, region: Region | None = None) -> list[int]:
        """Take ids that nothing else has.

        Parameters
        ----------
        n : int
            How many.
        region : Region, optional
            What a single id is for.

        Returns
        -------
        list of int
            Ids.

        Raises
        ------
        EditError
            If the integer type of the labels has none left.
        """
        if self._given is not None:
            taken, self._given = self._given[:n], self._given[n:]
            if len(taken) < n:
                raise EditError("The log has fewer new superpixels than this step makes.")
        else:
            choose = None
            if self.choose_id is not None and region is not None:
                chooser = self.choose_id
                choose = lambda free: chooser(region, free)  # noqa: E731
            taken = self.attributes.ids.take(n, self.statistics.__contains__, choose)
        for i in taken:
            self.attributes.forget(i)
        self._taken += taken
        return taken

    def first_of(self, candidates: Iterable[int], fits: Callable[[int], bool]) -> int | None:
        """Choose the first candidate that fits, or the logged one when a log is repeated.

        Parameters
        ----------
        candidates : iterable of int
            To choose from.
        fits : callable
            Tells whether one is good.

        Returns
        -------
        int or None
            None if none fits.
        """
        if self._given is not None:
            chosen = self._given.pop(0) if self._given else None
        else:
            chosen = next((i for i in candidates if fits(i)), None)
        self._taken += [] if chosen is None else [chosen]
        return chosen

    def build(
        self,
        operation: Callable[..., Draft],
        scope: Scope,
        *,
        fresh_ids: list[int] | None = None,
        **arguments: Any,
    ) -> Change:
        """Build a change; nothing is applied.

        Parameters
        ----------
        operation : callable
            One of the operations of this package.
        scope : Scope
            Plane or volume worked in.
        fresh_ids : list of int, optional
            Ids for the new superpixels, as logged; free ones if None.
        **arguments
            The operation's; plain values.

        Returns
        -------
        Change
            For `commit`.

        Raises
        ------
        EditError
            If it is not possible.
        """
        self._taken, self._given = [], None if fresh_ids is None else list(fresh_ids)
        try:
            draft = operation(self, scope, **arguments)
        finally:
            self._given = None
        if len(draft.edit) == 0:
            raise EditError(draft.message or "Nothing to change.")
        entry = {
            "operation": operation.__name__,
            "arguments": arguments,
            "image": None if self.image is None else self.image.kind,
            "image_name": None if self.image is None else self.image.name,
            "axes": list(scope.axes),
            "index": list(scope.index),
            "old_ids": np.unique(draft.edit.old).tolist(),
            "new_ids": np.unique(draft.edit.new).tolist(),
            "fresh_ids": self._taken,
            "position": [round(float(i.mean()), 1) for i in draft.edit.indices],
        }
        return Change(draft.edit, draft.message, entry, draft.renaming)

    # ---- what happened -----------------------------------------------------------------------

    def commit(self, change: Change) -> None:
        """Take note of a change that was applied to the user's data.

        Parameters
        ----------
        change : Change
            From `build`.
        """
        self._follow(change.edit)
        if change.renaming is not None:
            self.attributes.rename(change.renaming)
        else:
            self._note_ids(change.edit, pushed=True)
        self.attributes.reached(self.state)
        self._facts = None
        self._write_log(change.entry)

    def observe(
        self, labels: NDArray[np.integer], *, painted: bool, n_undone: int | None = None
    ) -> LabelEdit:
        """Take note of what somebody else did to the user's data: brush, fill, undo, redo.

        Parameters
        ----------
        labels : ndarray of int
            The data as they are now.
        painted : bool
            Whether napari's history got a step by it; False after undo and redo.
        n_undone : int, optional
            How often undo may have been called; if None, 1 unless it was painted.

        Returns
        -------
        LabelEdit
            What has changed.
        """
        n_undone = int(not painted) if n_undone is None else n_undone
        edit = edit_between(self.labels, np.asarray(labels))
        if len(edit) == 0:
            self.attributes.ids.stepped_back(n_undone)
            return edit
        self._follow(edit)
        # After undo of a renumbering the ids mean something else: there is nothing to note then.
        is_renamed = not painted and self.attributes.follow(self.state)
        self.attributes.ids.stepped_back(n_undone)
        if not is_renamed:
            self._note_ids(edit, pushed=painted)
        if painted:
            touched = {*np.unique(edit.old).tolist(), *np.unique(edit.new).tolist()} - {0}
            self.attributes.painted |= touched
        self.attributes.reached(self.state)
        self._facts = None
        self._write_log(
            {
                "operation": PAINT if painted else HISTORY,
                "old_ids": np.unique(edit.old).tolist(),
                "new_ids": np.unique(edit.new).tolist(),
                "position": [round(float(i.mean()), 1) for i in edit.indices],
                "patch": encode_patch(edit, self.labels.shape),
            }
        )
        return edit

    def _follow(self, edit: LabelEdit) -> None:
        self.state = self.state_after(edit)
        edit.apply(self.labels)
        values = [] if self.image is None else self.image.at(edit.indices)
        self.statistics.update(edit.old, edit.new, values)

    def _note_ids(self, edit: LabelEdit, *, pushed: bool) -> None:
        vanished = [i for i in np.unique(edit.old).tolist() if i not in self.statistics]
        self.attributes.ids.note_present(int(edit.new.max()))
        if pushed:
            for label in self.attributes.ids.pushed(vanished):
                self.attributes.forget(label)
        else:
            self.attributes.ids.unmade(vanished, np.unique(edit.new).tolist())

    def _write_log(self, entry: dict[str, Any]) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.log.append({"step": len(self.log) + 1, "time": time} | entry | {"state": self.state})

    def state_after(self, edit: LabelEdit) -> int:
        """Fingerprint of the label map after an edit."""
        return fingerprint_after(self.state, edit, self.labels.shape)

    def note_reopened(self) -> None:
        """Write into the log that the labels come from a file: only what it holds is known."""
        self._write_log({"operation": REOPENED})

    def is_current(self, edit: LabelEdit) -> bool:
        """Whether an edit that was built earlier still fits the label map."""
        return bool((self.labels[edit.indices] == edit.old).all())


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """What an operation returns.

    Attributes
    ----------
    edit : LabelEdit
        In the whole label map.
    message : str
        What it does; or, with an empty edit, why there is nothing to do.
    renaming : Renaming or None
        Given if ids mean something else after it.
    """

    edit: LabelEdit
    message: str
    renaming: Renaming | None = None
