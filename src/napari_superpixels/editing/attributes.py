"""What is known of each superpixel besides its pixels: class, lock, fragments.

An id names one state of one superpixel: its record never changes. Whoever assigns a class or a
lock gives the superpixel another id, in the label map itself. So when napari's undo brings an old
id back, all that was known of it is back too, and no second undo stack can get out of step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.editing.label_edit import EditError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.region import Region

# napari keeps this many steps: an id that vanished longer ago cannot come back by undo. Steps that
# were undone make room for others, so they count backwards; a redo that is taken for an undo only
# keeps ids for longer.
UNDO_STEPS = 100
# How many free ids are offered to whoever wants to choose among them, for instance by colour.
_CHOICE = 12


class Lock(StrEnum):
    """What a superpixel is protected from."""

    FREE = "free"
    EDITED = "edited"  # kept by "recompute", because it was edited
    HELD = "held"  # locked by hand: refused by every tool


@dataclass(frozen=True, slots=True)
class LabelAttributes:
    """What is known of a superpixel.

    Attributes
    ----------
    category : int
        Its class; 0 for none.
    lock : Lock
        Its protection.
    fragments : tuple of int
        Numbers of the fragments that it was merged from, ascending; empty if it was not merged.
    """

    category: int = 0
    lock: Lock = Lock.FREE
    fragments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Fragment:
    """Pixels that a merged superpixel was made from.

    Attributes
    ----------
    start : tuple of int
        Where its box begins in the layer's data.
    mask : ndarray of bool
        Its pixels in the box.
    """

    start: tuple[int, ...]
    mask: NDArray[np.bool_]

    @property
    def box(self) -> tuple[slice, ...]:
        """Box of the layer's data that `mask` covers."""
        return tuple(slice(a, a + n) for a, n in zip(self.start, self.mask.shape, strict=True))


DEFAULT = LabelAttributes()


class IdAllocator:
    """Gives ids that nothing else has, in the label map or in what undo can bring back.

    Parameters
    ----------
    present : iterable of int
        Ids in use.
    dtype : numpy dtype
        Of the label map.
    """

    def __init__(self, present: Iterable[int], dtype: np.dtype[Any]) -> None:
        self._largest_possible = int(np.iinfo(dtype).max)
        self._dtype = np.dtype(dtype)
        self._highest = max(present, default=0)
        self._unmade: set[int] = set()
        self._vanished: list[tuple[int, int]] = []
        self._step = 0

    def take(
        self, n: int, present: Callable[[int], bool], choose: Callable[[list[int]], int] | None
    ) -> list[int]:
        """Take fresh ids.

        Parameters
        ----------
        n : int
            How many.
        present : callable
            Whether an id is in the label map.
        choose : callable or None
            Chooses among free ids, for instance the one with the most distinct colour.

        Returns
        -------
        list of int
            Fresh ids.

        Raises
        ------
        EditError
            If the integer type of the labels has no free id left.
        """
        if choose is not None and n == 1:
            last = min(self._highest + _CHOICE, self._largest_possible)
            offered = list(range(self._highest + 1, last + 1))
            if len(offered) == _CHOICE:
                chosen = choose(offered)
                self._highest = chosen
                return [chosen]
        last = min(self._highest + n, self._largest_possible)
        taken = list(range(self._highest + 1, last + 1))
        if len(taken) < n:
            taken += self._reuse(n - len(taken), present, set(taken))
        self._highest = max(self._highest, last)
        return taken

    def _reuse(self, n: int, present: Callable[[int], bool], taken: set[int]) -> list[int]:
        recent = {i for i, _ in self._vanished} | self._unmade
        free: list[int] = []
        for i in range(1, self._highest + 1):
            if len(free) == n:
                break
            if not present(i) and i not in recent and i not in taken:
                free.append(i)
        if len(free) < n:
            raise EditError(
                f"The layer's labels are {self._dtype}, which holds ids up to "
                f"{self._largest_possible}, and none is free for this edit. Right-click the layer, "
                "“Convert data type”, and choose int32; then go on in the converted layer."
            )
        return free

    def pushed(self, vanished: Iterable[int]) -> list[int]:
        """Note a step that napari's undo history got, with the ids that vanished by it.

        Returns
        -------
        list of int
            Ids that only redo could have brought back, which is now gone.
        """
        self._step += 1
        self._vanished = [(i, s) for i, s in self._vanished if self._step - s <= UNDO_STEPS]
        recent = {i for i, _ in self._vanished}
        dead = [i for i in self._unmade if i not in recent]
        self._unmade.clear()
        self._vanished.extend((i, self._step) for i in vanished)
        return dead

    def widen(self, dtype: np.dtype[Any]) -> None:
        """Give ids of another integer type from now on."""
        self._dtype = np.dtype(dtype)
        self._largest_possible = int(np.iinfo(dtype).max)

    def stepped_back(self, n: int) -> None:
        """Note that up to n steps were undone: what was done before stays in reach for longer."""
        self._step -= n

    def unmade(self, vanished: Iterable[int], appeared: Iterable[int]) -> None:
        """Note ids that vanished and appeared through undo or redo."""
        self._unmade.update(vanished)
        self._unmade.difference_update(appeared)

    @property
    def highest(self) -> int:
        """Highest id that was ever in use."""
        return self._highest

    def note_present(self, highest: int) -> None:
        """Note the highest id that somebody else has put into the label map."""
        self._highest = max(self._highest, highest)


@dataclass(frozen=True, slots=True, eq=False)
class Renaming:
    """What ids mean after the superpixels were numbered anew.

    Attributes
    ----------
    by_id : dict of int to LabelAttributes
        AttributeTable by new id.
    ids : IdAllocator
        Where fresh ids come from.
    painted : frozenset of int
        As in `AttributeTable`.
    """

    by_id: dict[int, LabelAttributes]
    ids: IdAllocator
    painted: frozenset[int]


@dataclass
class AttributeTable:
    """AttributeTable by id; those that are not there are `DEFAULT`.

    Attributes
    ----------
    ids : IdAllocator
        Where fresh ids come from.
    by_id : dict of int to LabelAttributes
        Never changed in place: ids that reach the label map keep their record for good.
    fragments : list of Fragment
        By number.
    painted : frozenset of int
        Ids whose pixels somebody changed with other tools: as the label map is now.
    """

    ids: IdAllocator
    by_id: dict[int, LabelAttributes] = field(default_factory=dict)
    fragments: list[Fragment] = field(default_factory=list)
    painted: frozenset[int] = frozenset()
    _meaning: dict[int, tuple[dict[int, LabelAttributes], IdAllocator, frozenset[int]]] = field(
        default_factory=dict
    )
    _variants: dict[tuple[int, LabelAttributes], int] = field(default_factory=dict)
    _origin: dict[int, int] = field(default_factory=dict)

    def __getitem__(self, label: int) -> LabelAttributes:
        """LabelAttributes of an id; what was painted by hand counts as edited."""
        record = self.by_id.get(label, DEFAULT)
        if label in self.painted and record.lock is Lock.FREE:
            return replace(record, lock=Lock.EDITED)
        return record

    def add_fragment(self, region: Region) -> int:
        """Remember a region of the layer's data as a fragment; return its number."""
        self.fragments.append(Fragment(region.start, region.mask.copy()))
        return len(self.fragments) - 1

    def variant(self, label: int, record: LabelAttributes, new_id: Callable[[], int]) -> int:
        """Return the id of the same superpixel with another record.

        Going back to an earlier record goes back to its id.

        Parameters
        ----------
        label : int
            Id as it is.
        record : LabelAttributes
            Wanted.
        new_id : callable
            Gives a fresh id where one is needed.

        Returns
        -------
        int
            Its id; registered.
        """
        origin = self._origin.setdefault(label, label)
        self._variants.setdefault((origin, self[label]), label)
        found = self._variants.get((origin, record))
        if found is None or self[found] != record:  # it was painted since
            found = new_id()
            self._variants[origin, record] = found
            self._origin[found] = origin
            self.by_id[found] = record
        return found

    def forget(self, label: int) -> None:
        """Make an id free to mean something else; it can no longer come back by undo."""
        self.by_id.pop(label, None)
        if label in self.painted:
            self.painted -= {label}
        origin = self._origin.pop(label, label)
        for key in [k for k, v in self._variants.items() if k[0] == origin and v == label]:
            del self._variants[key]

    # ---- renumbering -------------------------------------------------------------------------

    def rename(self, renaming: Renaming) -> None:
        """Renumber: ids mean something else from now on, until the renumbering is undone."""
        self._switch(renaming.by_id, renaming.ids)
        self.painted = renaming.painted

    def reached(self, state: int) -> None:
        """Note that a new state of the label map has the present numbering.

        Parameters
        ----------
        state : int
            Its fingerprint.
        """
        self._meaning[state] = self.by_id, self.ids, self.painted

    def is_known(self, state: int) -> bool:
        """Whether the label map has been in a state, and may come back to it by undo."""
        return state in self._meaning

    def follow(self, state: int) -> bool:
        """Follow undo and redo: take back, or up again, what was painted and how ids were given.

        Parameters
        ----------
        state : int
            Fingerprint of the label map as it is now.

        Returns
        -------
        bool
            Whether the ids mean something else now.
        """
        now = self.by_id, self.ids, self.painted
        by_id, ids, self.painted = self._meaning.setdefault(state, now)
        if by_id is self.by_id:
            return False
        self._switch(by_id, ids)
        return True

    def _switch(self, by_id: dict[int, LabelAttributes], ids: IdAllocator) -> None:
        # Two numberings never share an id that was given after the first: states stay distinct.
        ids.note_present(self.ids.highest)
        self.by_id, self.ids = by_id, ids
        self._variants.clear()
        self._origin.clear()


def joint_attributes(
    parts: Sequence[tuple[LabelAttributes, int]],
    fragments: Iterable[int],
    lock: Lock | None = Lock.EDITED,
    *,
    by_majority: bool = False,
) -> LabelAttributes:
    """LabelAttributes of a superpixel that takes the place of others.

    Its class is the one with most pixels among the classes of those it replaces, the lower number
    on a tie.

    Parameters
    ----------
    parts : sequence of (LabelAttributes, int)
        LabelAttributes and pixels of each superpixel that it replaces.
    fragments : iterable of int
        Fragments that it is made of.
    lock : Lock or None, default Lock.EDITED
        Its protection; None for that of those it replaces.
    by_majority : bool, default False
        Whether pixels without a class count too: then a few pixels give no class to many. Where
        somebody chose the superpixels by hand, they do not.

    Returns
    -------
    LabelAttributes
        For the new superpixel.
    """
    pixels: dict[int, int] = {}
    for record, area in parts:
        if record.category or by_majority:
            pixels[record.category] = pixels.get(record.category, 0) + area
    if lock is None:
        edited = any(record.lock is Lock.EDITED for record, _ in parts)
        lock = Lock.EDITED if edited else Lock.FREE
    category = min(pixels, key=lambda c: (-pixels[c], c), default=0)
    return replace(DEFAULT, category=category, lock=lock, fragments=tuple(sorted(set(fragments))))
