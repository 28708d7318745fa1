"""From a new partition of some pixels to an edit: who keeps its id, who gets a fresh one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_superpixels.editing.attributes import Lock, joint_attributes
from napari_superpixels.editing.label_edit import edit_between
from napari_superpixels.editing.numbering import number
from napari_superpixels.editing.region import tight

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import LabelEdit
    from napari_superpixels.editing.region import Region
    from napari_superpixels.editing.scope import Scope
    from napari_superpixels.editing.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Heritage:
    """What new superpixels take over from those that they are made of.

    Attributes
    ----------
    keep_fragments : bool
        Whether they can fall apart into those again.
    lock : Lock or None
        Their lock; None for edited if one of those was.
    by_majority : bool
        Whether pixels without a class count when classes are compared by area.
    """

    keep_fragments: bool = True
    lock: Lock | None = Lock.EDITED
    by_majority: bool = False


def repartition(
    session: Session,
    scope: Scope,
    start: Sequence[int],
    before: NDArray[np.integer],
    parts: NDArray[np.integer],
    *,
    heritage: Heritage | None = None,
) -> LabelEdit:
    """Turn a new partition into an edit.

    A part that is exactly one of the old superpixels keeps its id. Any other part is a new
    superpixel: it takes over the prevailing class, and, where it was made of several old ones,
    remembers them as its fragments.

    Parameters
    ----------
    session : Session
        Gives ids and keeps attributes.
    scope : Scope
        Plane or volume worked in.
    start : sequence of int
        Where `before` begins in the scope.
    before : ndarray of int
        Labels of a box of the scope.
    parts : ndarray of int, shape of `before`
        New superpixels 1...K; 0 leaves a pixel as it is, and a superpixel that has such pixels
        counts as changed.
    heritage : Heritage, optional
        What new superpixels take over from those that they are made of.

    Returns
    -------
    LabelEdit
        In the whole label map.
    """
    heritage = heritage or Heritage()
    inside = parts > 0
    old_ids, old_row, old_area = number(before)
    n_parts = int(parts.max(initial=0)) + 1
    pairs, common = np.unique(old_row[inside] * n_parts + parts[inside], return_counts=True)
    rows, part_of = np.divmod(pairs, n_parts)
    sources: list[list[tuple[int, int]]] = [[] for _ in range(n_parts)]
    for row, part, n in zip(rows.tolist(), part_of.tolist(), common.tolist(), strict=True):
        sources[part].append((row, n))
    kept = np.zeros(n_parts, before.dtype)
    changed: list[int] = []
    for part in range(1, n_parts):
        made_of = sources[part]
        if len(made_of) == 1 and old_area[made_of[0][0]] == made_of[0][1]:
            kept[part] = old_ids[made_of[0][0]]
        elif made_of:
            changed.append(part)
    boxes = ndimage.find_objects(parts)
    only = None
    if len(changed) == 1:  # a single new superpixel may choose its id
        only = tight(parts == changed[0], start, 0)
    for part, label in zip(changed, session.fresh_ids(len(changed), only), strict=True):
        kept[part] = label
        contributors = [(int(old_ids[row]), n) for row, n in sources[part] if old_ids[row] != 0]
        fragments: set[int] = set()
        if heritage.keep_fragments:
            box = boxes[part - 1]
            origin = [b.start + s for b, s in zip(box, start, strict=True)]
            fragments = _fragments(
                session,
                scope,
                origin,
                before[box],
                parts[box] == part,
                contributors,
            )
            if len(fragments) < 2:  # a single fragment cannot be detached further
                fragments = set()
        session.attributes.by_id[label] = joint_attributes(
            [(session.attributes[i], n) for i, n in contributors],
            fragments,
            heritage.lock,
            by_majority=heritage.by_majority,
        )
    after = np.where(inside, kept[parts], before)
    return scope.lift_edit(edit_between(before, after, start))


def _fragments(
    session: Session,
    scope: Scope,
    start: Sequence[int],
    before: NDArray[np.integer],
    part: NDArray[np.bool_],
    contributors: Sequence[tuple[int, int]],
) -> set[int]:
    """Fragments of a part: those of its old superpixels, which are fragments if it has several."""
    found: set[int] = set()
    for label, _ in contributors:
        mask = part & (before == label)
        region = scope.lift_region(tight(mask, start, label))
        known = fragments_within(session, session.attributes[label].fragments, region)
        if known:
            found |= set(known)
        elif len(contributors) > 1:
            found.add(session.attributes.add_fragment(region))
    return found


def fragments_within(session: Session, numbers: Iterable[int], region: Region) -> list[int]:
    """Choose the fragments that have pixels in a region.

    Parameters
    ----------
    session : Session
        Knows the fragments.
    numbers : iterable of int
        Candidates.
    region : Region
        Of the whole label map.

    Returns
    -------
    list of int
        Their numbers.
    """
    return [i for i in numbers if fragment_mask(session, i, region).any()]


def fragment_mask(session: Session, number: int, region: Region) -> NDArray[np.bool_]:
    """Pixels of a region that belong to a fragment.

    Parameters
    ----------
    session : Session
        Knows the fragments.
    number : int
        Of the fragment.
    region : Region
        Of the whole label map.

    Returns
    -------
    ndarray of bool, shape of the region's mask
        True for common pixels.
    """
    fragment = session.attributes.fragments[number]
    out = np.zeros(region.mask.shape, bool)
    low = np.maximum(region.start, fragment.start)
    ends = np.add(fragment.start, fragment.mask.shape)
    high = np.minimum([s.stop for s in region.box], ends)
    if (low >= high).any():
        return out
    here = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, region.start, strict=True))
    there = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, fragment.start, strict=True))
    out[here] = region.mask[here] & fragment.mask[there]
    return out
