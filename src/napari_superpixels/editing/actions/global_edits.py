"""Operations on all superpixels of a plane or volume: clean up, count, results of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_superpixels.core.regions.connectivity import connected_pieces, join_small_pieces
from napari_superpixels.core.regions.graph import adjacency
from napari_superpixels.core.regions.merge import merge_order
from napari_superpixels.core.regions.split import split_to_count
from napari_superpixels.editing.actions.partition import Heritage, repartition
from napari_superpixels.editing.attributes import IdAllocator, Lock, Renaming
from napari_superpixels.editing.history.patch import decode_array
from napari_superpixels.editing.label_edit import EditError, edit_between
from napari_superpixels.editing.numbering import number
from napari_superpixels.editing.session import Draft
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import LabelEdit
    from napari_superpixels.editing.scope import Scope
    from napari_superpixels.editing.session import Session

# Texture counts this much beside colour, when superpixels are compared to merge.
_TEXTURE_WEIGHT = 0.5
_TEXTURE_PX = 2.0
# Superpixels that are joined or cut without a hand on them are not edited by that.
_UNEDITED = Heritage(lock=None, by_majority=True)


@dataclass(frozen=True, slots=True)
class Survey:
    """What is untidy in a plane or volume.

    Attributes
    ----------
    n_superpixels : int
        Labels above 0.
    n_pieces : int
        Connected pieces; more than `n_superpixels` where labels are in several.
    n_small : int
        Pieces below the minimum size.
    n_holes : int
        Unlabelled spots that lie within one superpixel.
    highest : int
        Highest id of the whole label map.
    n_ids : int
        Ids of the whole label map; numbered in sequence if equal to `highest`.
    """

    n_superpixels: int
    n_pieces: int
    n_small: int
    n_holes: int
    highest: int
    n_ids: int

    def plan(self, *, connect: bool, fill_holes: bool, sequential: bool) -> str:
        """Say what `clean_up` would do with these choices.

        Parameters
        ----------
        connect, fill_holes, sequential : bool
            As for `clean_up`.

        Returns
        -------
        str
            A sentence.
        """
        steps = []
        if connect and self.n_pieces > self.n_superpixels:
            before = counted(self.n_superpixels, "superpixel")
            steps.append(f"turn {before} into {counted(self.n_pieces, 'piece')}")
        if self.n_small:
            steps.append(f"join {self.n_small} that are too small to a neighbour")
        if fill_holes and self.n_holes:
            steps.append(f"fill {self.n_holes} hole{'s' if self.n_holes > 1 else ''}")
        if sequential and (self.highest > self.n_ids or self.n_small):
            steps.append(f"number anew (ids go up to {self.highest} for {self.n_ids})")
        if not steps:
            return "Nothing to clean up."
        return f"Clean up will {', then '.join(steps)}."


def survey(session: Session, scope: Scope, *, min_size_px: int = 0) -> Survey:
    """Look for what `clean_up` would tidy.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Plane or volume worked in.
    min_size_px : int, default 0
        Pieces with fewer pixels are too small.

    Returns
    -------
    Survey
        Counts.
    """
    view = scope.view(session.labels)
    pieces = connected_pieces(view)
    areas = np.bincount(pieces.ravel())[1:]
    _, spots = _holes(pieces)
    ids = session.statistics.ids
    return Survey(
        n_superpixels=int(np.count_nonzero(number(view)[0] > 0)),
        n_pieces=len(areas),
        n_small=int((areas < min_size_px).sum()),
        n_holes=len(spots),
        highest=int(ids.max(initial=0)),
        n_ids=len(ids),
    )


def clean_up(
    session: Session,
    scope: Scope,
    *,
    connect: bool = True,
    min_size_px: int = 0,
    fill_holes: bool = False,
    sequential: bool = False,
) -> Draft:
    """Make superpixels connected, large enough, without holes, and numbered in sequence.

    Superpixels that are locked by hand keep their pixels.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Plane or volume worked in; numbering always covers the whole label map.
    connect : bool, default True
        Each connected piece becomes a superpixel of its own.
    min_size_px : int, default 0
        Smaller pieces join the neighbour that they resemble most.
    fill_holes : bool, default False
        Unlabelled spots within one superpixel become part of it.
    sequential : bool, default False
        Number the superpixels 1...K, in the order of their ids.

    Returns
    -------
    Draft
        The edit.
    """
    view = scope.view(session.labels)
    before = survey(session, scope, min_size_px=min_size_px)
    free = np.where(_held(session, view), 0, view)
    # Without "connect", pieces of one label stay together: each label counts as one piece.
    parts = connected_pieces(free) if connect else number(free)[1] + int(free.min() > 0)
    if fill_holes:
        spots, inside = _holes(connected_pieces(view))
        for spot, at in inside.items():
            parts[spots == spot] = parts[at]
    if min_size_px > 1:
        pieces = join_small_pieces(connected_pieces(parts), _features(session, scope), min_size_px)
        parts = pieces
    edit = repartition(session, scope, (0,) * scope.ndim, view, parts, heritage=_UNEDITED)
    renaming = None
    if sequential:
        edit, renaming = _renumbered(session, edit)
    after_labels = session.labels.copy()
    edit.apply(after_labels)
    n = int(np.count_nonzero(number(scope.view(after_labels))[0]))
    if len(edit) == 0:
        message = "Nothing to clean up."
    elif n == before.n_superpixels:
        message = f"Cleaned up: {counted(n, 'superpixel')}, as before."
    else:
        message = f"Cleaned up: {counted(before.n_superpixels, 'superpixel')} became {n}."
    if renaming is not None:
        message += f" Ids are now 1 to {len(np.unique(after_labels[after_labels != 0]))}."
    return Draft(edit, message, renaming)


def set_count(session: Session, scope: Scope, *, n_segments: int) -> Draft:
    """Merge the most alike, or split the least homogeneous, until there are so many.

    Fewer and fewer superpixels are nested: each is made of whole ones of a finer level.
    Superpixels that are locked by hand stay as they are, and count.

    Parameters
    ----------
    session : Session
        Has the label map and the image.
    scope : Scope
        Plane or volume worked in.
    n_segments : int
        Superpixels wanted in the scope.

    Returns
    -------
    Draft
        The edit.

    Raises
    ------
    EditError
        If so many, or so few, are not possible.
    """
    view = scope.view(session.labels)
    held = _held(session, view)
    n_held = len(np.unique(view[held]))
    pieces = connected_pieces(np.where(held, 0, view))
    n_free, wanted = int(pieces.max(initial=0)), n_segments - n_held
    if n_free + n_held == 0:
        raise EditError("There are no superpixels here.")
    if wanted < min(n_free, 1):
        raise EditError(
            f"{counted(n_held, 'superpixel')} locked by hand count too: ask for more than that, or "
            "unlock some."
        )
    features = _features(session, scope)
    if wanted <= n_free:
        parts = Levels(pieces, features).at(max(wanted, 1))
    else:
        parts = split_to_count(pieces, features, wanted).astype(np.int64)
    n = int(parts.max(initial=0))
    if n != wanted:
        limit = "separate islands cannot merge" if n > wanted else "every superpixel is one pixel"
        raise EditError(f"{n_segments} is not possible: {n + n_held} is the nearest, as {limit}.")
    edit = repartition(session, scope, (0,) * scope.ndim, view, parts, heritage=_UNEDITED)
    if len(edit) == 0:
        return Draft(edit, f"There are {n_segments} already: nothing to do.")
    return Draft(edit, f"{counted(n_free + n_held, 'superpixel')} became {n_segments}.")


class Levels:
    """Nested levels of detail of a label map, from merging the most alike neighbours.

    Parameters
    ----------
    pieces : ndarray of int, 2D or 3D
        Connected superpixels 1...K; 0 is outside.
    features : ndarray of float, shape (C, *pieces.shape)
        From the image.
    n_held : int, default 0
        Superpixels that are in no level: those locked by hand.
    """

    def __init__(
        self, pieces: NDArray[np.integer], features: NDArray[np.floating], n_held: int = 0
    ) -> None:
        self._pieces = pieces
        self.n_held = n_held
        self.finest = int(pieces.max(initial=0))
        self._merges = merge_order(pieces, features) if self.finest else []

    @property
    def coarsest(self) -> int:
        """Number of superpixels of the coarsest level."""
        return self.finest - len(self._merges)

    def at(self, n_segments: int) -> NDArray[np.int64]:
        """Return the level with so many superpixels.

        Parameters
        ----------
        n_segments : int
            Between `coarsest` and `finest`; the nearest level outside that range.

        Returns
        -------
        ndarray of int64
            Superpixels 1...n_segments; 0 outside.
        """
        parent = np.arange(self.finest + 1)
        for i, j, _ in self._merges[: max(self.finest - n_segments, 0)]:
            parent[j] = i
        for i in range(len(parent)):  # a parent has always a lower id
            parent[i] = parent[parent[i]]
        _, rows = np.unique(parent, return_inverse=True)
        return np.asarray(rows[self._pieces], np.int64)


def levels(session: Session, scope: Scope) -> Levels:
    """Nested levels of detail of all superpixels that are not locked by hand.

    Parameters
    ----------
    session : Session
        Has the label map and the image.
    scope : Scope
        Plane or volume worked in.

    Returns
    -------
    Levels
        Its finest level is the label map as it is; `set_count` applies one.
    """
    view = scope.view(session.labels)
    held = _held(session, view)
    pieces = connected_pieces(np.where(held, 0, view))
    return Levels(pieces, _features(session, scope), len(np.unique(view[held])))


def take_over(
    session: Session, scope: Scope, *, start: Sequence[int], parts: str, recompute: bool
) -> Draft:
    """Put the network's superpixels in the place of those that are there.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Plane or volume worked in.
    start : sequence of int
        Where the result begins in the scope.
    parts : str
        The result: superpixels 1...K, 0 for pixels that stay; from `encode_array`.
    recompute : bool
        Whether locked and edited superpixels must be spared, and the new ones are unlocked.

    Returns
    -------
    Draft
        The edit.

    Raises
    ------
    EditError
        If a protected superpixel would change.
    """
    found = decode_array(parts, session.labels.size)
    box = tuple(slice(a, a + n) for a, n in zip(start, found.shape, strict=True))
    before = scope.view(session.labels)[box]
    covered = np.unique(before[found > 0]).tolist()
    session.refuse_held(covered)
    if recompute and any(session.attributes[i].lock is not Lock.FREE for i in covered):
        raise EditError("An edited superpixel would change: recompute once more.")
    lock = Lock.FREE if recompute else Lock.EDITED
    heritage = Heritage(keep_fragments=False, lock=lock, by_majority=True)
    edit = repartition(session, scope, start, before, found, heritage=heritage)
    verb = "Recomputed" if recompute else "Split in"
    return Draft(edit, f"{verb} {counted(int(found.max()), 'superpixel')}.")


def assign_many(
    session: Session, scope: Scope, *, ids: Sequence[int], categories: Sequence[int]
) -> Draft:
    """Assign classes to superpixels by their ids, wherever they are in the label map.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Not used: ids count in the whole label map.
    ids : sequence of int
        Superpixels; those that are gone or locked by hand are left out.
    categories : sequence of int
        Class of each.

    Returns
    -------
    Draft
        The edit.
    """
    known, rows, _ = number(session.labels)
    target = known.astype(session.labels.dtype)
    wanted = {
        i: replace(session.attributes[i], category=category)
        for i, category in zip(ids, categories, strict=True)
        if i in session.statistics and session.attributes[i].lock is not Lock.HELD
    }
    changing = {i: record for i, record in wanted.items() if record != session.attributes[i]}
    for i, label in zip(changing, session.fresh_ids(len(changing)), strict=True):
        session.attributes.by_id[label] = changing[i]
        target[np.searchsorted(known, i)] = label
    edit = edit_between(session.labels, target[rows])
    return Draft(edit, f"Classes assigned to {counted(len(changing), 'superpixel')}.")


def merge_touching(session: Session, scope: Scope, *, category: int) -> Draft:
    """Make one superpixel of all of a class that touch each other.

    Superpixels that are locked by hand stay as they are.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Plane or volume worked in.
    category : int
        The class; 0 for those that have none.

    Returns
    -------
    Draft
        The edit; each object can be detached into what it was merged from.
    """
    view = scope.view(session.labels)
    known, rows, _ = number(view)
    records = [session.attributes[i] for i in known.tolist()]
    of_class = np.array([r.category == category for r in records]) & (known > 0)
    held = of_class & np.array([r.lock is Lock.HELD for r in records])
    pieces = connected_pieces((of_class & ~held)[rows].astype(np.int64))
    n_known = len(known)
    pairs = np.unique(pieces[pieces > 0] * n_known + rows[pieces > 0])
    made_of = np.bincount(pairs // n_known, minlength=int(pieces.max(initial=0)) + 1)
    # A piece of one superpixel only is left alone.
    merged = made_of > 1
    parts = np.where(merged, np.cumsum(merged), 0)[pieces]
    edit = repartition(session, scope, (0,) * scope.ndim, view, parts)
    left = f" {counted(int(held.sum()), 'locked superpixel')} left alone." if held.any() else ""
    if len(edit) == 0:
        return Draft(edit, f"No two unlocked superpixels of this class touch each other.{left}")
    before = counted(int(made_of[merged].sum()), "superpixel")
    return Draft(edit, f"Merged {before} into {counted(int(merged.sum()), 'object')}.{left}")


def _held(session: Session, view: NDArray[np.integer]) -> NDArray[np.bool_]:
    ids = [i for i, record in session.attributes.by_id.items() if record.lock is Lock.HELD]
    return np.isin(view, [i for i in ids if i in session.statistics])


def _features(session: Session, scope: Scope) -> NDArray[np.floating]:
    """Colour and texture of the scope; without an image, nothing that differs."""
    shape = scope.view(session.labels).shape
    if session.image is None:
        return np.zeros((1, *shape), np.float32)
    box = scope.lift_box(tuple(slice(0, n) for n in shape))
    colour = session.image.features(box).reshape(-1, *shape)
    mean = ndimage.gaussian_filter(colour[0], _TEXTURE_PX)
    square = ndimage.gaussian_filter(colour[0] ** 2, _TEXTURE_PX)
    texture = np.sqrt(np.maximum(square - mean**2, 0))
    texture *= _TEXTURE_WEIGHT / (float(texture.std()) or 1.0)
    return np.concatenate([colour, texture[None]])


def _holes(
    pieces: NDArray[np.int64],
) -> tuple[NDArray[np.integer], dict[int, tuple[int, ...]]]:
    """Find unlabelled spots within one piece: their map, and for each a pixel of that piece."""
    spots, n = ndimage.label(pieces == 0)
    inner = set(range(1, n + 1))
    for axis in range(pieces.ndim):
        for side in (0, -1):
            inner -= set(np.unique(spots.take(side, axis)).tolist())
    if not inner:
        return spots, {}
    highest = int(pieces.max())
    pairs, _ = adjacency(np.where(spots > 0, spots + highest, pieces))
    around: dict[int, set[int]] = {}
    for piece, spot in pairs.tolist():
        if spot > highest >= piece:
            around.setdefault(spot - highest, set()).add(piece)
    single = {s: next(iter(p)) for s, p in around.items() if s in inner and len(p) == 1}
    first = np.full(highest + 1, -1, np.int64)
    flat = pieces.ravel()
    first[flat[::-1]] = np.arange(flat.size)[::-1]
    return spots, {
        s: tuple(int(i) for i in np.unravel_index(first[piece], pieces.shape))
        for s, piece in single.items()
    }


def _renumbered(session: Session, edit: LabelEdit) -> tuple[LabelEdit, Renaming | None]:
    """Follow an edit by numbering all superpixels 1...K; one edit that does both."""
    labels, attributes = session.labels.copy(), session.attributes
    edit.apply(labels)
    ids, rows, _ = number(labels)
    n = int(np.count_nonzero(ids))
    target = ids.copy()

    def numbered(first: int) -> LabelEdit:
        """The edit, with this number for the superpixel with the lowest id; in turn from there."""
        target[ids != 0] = (np.arange(n) + first - 1) % n + 1
        return edit_between(session.labels, target[rows].astype(labels.dtype))

    if int(ids.max(initial=0)) == n and int(ids.min(initial=0)) >= 0:
        return edit, None
    # Undo finds out what ids mean from the state of the labels: none may have two meanings.
    first = session.first_of(
        range(1, n + 1),
        lambda first: not attributes.is_known(session.state_after(numbered(first))),
    )
    if first is None:
        return edit, None
    edit = numbered(first)
    renamed = dict(zip(ids.tolist(), target.tolist(), strict=True))
    after = {new: attributes.by_id[old] for old, new in renamed.items() if old in attributes.by_id}
    painted = frozenset(new for old, new in renamed.items() if old in attributes.painted)
    return edit, Renaming(after, IdAllocator(target.tolist(), labels.dtype), painted)
