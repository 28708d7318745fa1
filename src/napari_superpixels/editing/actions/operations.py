"""What the tools of the correction dock do, each to the superpixels at some positions.

Every operation takes the session and the scope, then plain values that go into the log, and
returns a `Draft`. Positions are pixels of the whole label map.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_superpixels.editing.actions.cuts import (
    connected_parts,
    flood,
    split_along,
    split_between,
)
from napari_superpixels.editing.actions.partition import fragment_mask, repartition
from napari_superpixels.editing.attributes import LabelAttributes, Lock
from napari_superpixels.editing.label_edit import EditError, LabelEdit
from napari_superpixels.editing.region import Region, region_at, union
from napari_superpixels.editing.session import Draft
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.scope import Scope
    from napari_superpixels.editing.session import Session

    Positions = Sequence[Sequence[int]]


def distinct_regions(
    session: Session, scope: Scope, positions: Positions, *, held: bool = False
) -> list[Region]:
    """Find the superpixels at some positions, each once, in the order of their first pixel.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Plane or volume worked in.
    positions : sequence of positions
        Pixels; several may lie in one superpixel.
    held : bool, default False
        Whether those that are locked by hand are welcome.

    Returns
    -------
    list of Region
        In the scope.

    Raises
    ------
    EditError
        If a position has no superpixel, or a locked one.
    """
    found: list[Region] = []
    for position in positions:
        local = scope.local(position)
        label = session.labels[tuple(position)] if _inside(session, position) else 0
        if label == 0 or not any(r.label == label and local in r for r in found):
            found.append(session.region(scope, position, held=held))
    return sorted(found, key=lambda region: region.first)


def merge(session: Session, scope: Scope, *, positions: Positions) -> Draft:
    """Make one superpixel of those at the positions.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Plane or volume worked in.
    positions : sequence of positions
        Pixels of at least two superpixels, which must touch.

    Returns
    -------
    Draft
        The edit.

    Raises
    ------
    EditError
        If there is only one, they do not touch, or one is locked.
    """
    regions = distinct_regions(session, scope, positions)
    if len(regions) < 2:
        raise EditError("Only one superpixel was touched: drag, or click, on at least two.")
    joint = union(regions)
    if ndimage.label(joint.mask)[1] > 1:
        raise EditError(
            "These superpixels do not touch each other, so together they would not be one piece: "
            "drag over those between them too."
        )
    before = scope.view(session.labels)[joint.box]
    edit = repartition(session, scope, joint.start, before, joint.mask.astype(np.int32))
    return Draft(edit, f"Merged {counted(len(regions), 'superpixel')}.")


def split(session: Session, scope: Scope, *, seeds: Positions, plane: Sequence[int] = ()) -> Draft:
    """Cut a superpixel between seeds, along image edges.

    Parameters
    ----------
    session : Session
        Has the label map and the image.
    scope : Scope
        Plane or volume worked in.
    seeds : sequence of positions
        A pixel for each part wanted, all in one superpixel.
    plane : sequence of int, optional
        In a volume, cut only the plane of these two axes that the seeds lie in.

    Returns
    -------
    Draft
        The edit.

    Raises
    ------
    EditError
        If the seeds do not lie in one superpixel, or it is locked.
    """
    region = _common_region(session, scope, seeds)

    def cut(part: Region, within: Scope) -> NDArray[np.int32]:
        local = [part.local(within.local(p)) for p in seeds]
        return split_between(part.mask, _features(session, within, part.box), local)

    return _split(session, scope, region, seeds[0], plane, cut)


def split_line(
    session: Session,
    scope: Scope,
    *,
    line: Positions,
    snap: bool = False,
    plane: Sequence[int] = (),
) -> Draft:
    """Cut a superpixel along a line, extended to its border.

    Parameters
    ----------
    session : Session
        Has the label map and the image.
    scope : Scope
        Plane or volume worked in; a volume is cut through all planes.
    line : sequence of positions
        Drawn line; it cuts the superpixel that most of it lies in.
    snap : bool, default False
        Whether the cut may leave the line for image edges near it.
    plane : sequence of int, optional
        In a volume, cut only the plane of these two axes that the line lies in.

    Returns
    -------
    Draft
        The edit.

    Raises
    ------
    EditError
        If the line cuts no superpixel, or a locked one.
    """
    inside = [tuple(p) for p in line if _inside(session, p)]
    labels = [int(session.labels[p]) for p in inside]
    if not any(labels):
        raise EditError("The line lies on no superpixel: draw it across one.")
    most = max({i for i in labels if i}, key=lambda i: (labels.count(i), -i))
    seed = inside[labels.index(most)]
    region = session.region(scope, seed)
    if snap and session.image is None:
        raise EditError("Snapping to edges needs an image: choose one, or switch snapping off.")

    def cut(part: Region, within: Scope) -> NDArray[np.int32]:
        drawn = [part.local(within.local(p))[-2:] for p in line]
        features = _features(session, within, part.box) if snap else None
        return split_along(part.mask, drawn, features)

    return _split(session, scope, region, seed, plane, cut)


def detach(session: Session, scope: Scope, *, position: Sequence[int], only: bool = False) -> Draft:
    """Let a merged superpixel fall back into its fragments.

    Parameters
    ----------
    session : Session
        Has the label map and the fragments.
    scope : Scope
        Plane or volume worked in.
    position : sequence of int
        Pixel of the superpixel.
    only : bool, default False
        Take out only the fragment at the position; the rest stays together.

    Returns
    -------
    Draft
        The edit.

    Raises
    ------
    EditError
        If it was not merged, or is locked.
    """
    region = session.region(scope, position)
    numbers = session.attributes[region.label].fragments
    lifted = scope.lift_region(region)
    markers = np.zeros(region.mask.shape, np.int32)
    for part, number in enumerate(numbers, start=1):
        mask = fragment_mask(session, number, lifted).reshape(region.mask.shape)
        markers[mask & (markers == 0)] = part
    if len(np.unique(markers[markers > 0])) < 2:
        raise EditError(
            f"Superpixel {region.label} was not merged from others, so there is nothing to detach. "
            "To cut it, use a split tool."
        )
    # Pixels that came later, by brush, join the nearest fragment.
    whole = np.asarray(connected_parts(markers))
    parts = flood(region.mask, None, whole)
    if only:
        rest = region.mask & (parts != parts[region.local(scope.local(position))])
        parts = connected_parts(np.where(rest, 2, np.where(region.mask, 1, 0)))
    before = scope.view(session.labels)[region.box]
    edit = repartition(session, scope, region.start, before, parts)
    return Draft(edit, f"Detached into {counted(int(parts.max()), 'superpixel')}.")


def lock(session: Session, scope: Scope, *, positions: Positions, on: bool) -> Draft:
    """Lock superpixels by hand, or unlock them.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Plane or volume worked in.
    positions : sequence of positions
        Pixels of superpixels.
    on : bool
        Lock, or else unlock.

    Returns
    -------
    Draft
        The edit: the same superpixels with other ids.

    Raises
    ------
    EditError
        If a position has no superpixel.
    """
    regions = distinct_regions(session, scope, positions, held=True)
    wanted = Lock.HELD if on else Lock.FREE
    edit = _revise(session, scope, regions, lambda record: replace(record, lock=wanted))
    verb = "locked" if on else "unlocked"
    if len(edit) == 0:
        return Draft(edit, f"Already {verb}.")
    return Draft(edit, f"{verb.capitalize()} {counted(len(regions), 'superpixel')}.")


def assign(session: Session, scope: Scope, *, positions: Positions, category: int) -> Draft:
    """Assign a class to superpixels.

    Parameters
    ----------
    session : Session
        Has the label map.
    scope : Scope
        Plane or volume worked in.
    positions : sequence of positions
        Pixels of superpixels.
    category : int
        Number of the class; 0 takes the class away.

    Returns
    -------
    Draft
        The edit: the same superpixels with other ids.

    Raises
    ------
    EditError
        If a position has no superpixel, or a locked one.
    """
    regions = distinct_regions(session, scope, positions)
    edit = _revise(session, scope, regions, lambda record: replace(record, category=category))
    if len(edit) == 0:
        return Draft(edit, "It has this class already." if category else "It has no class.")
    return Draft(edit, f"Class {category} for {counted(len(regions), 'superpixel')}.")


def _inside(session: Session, position: Sequence[int]) -> bool:
    return all(0 <= i < n for i, n in zip(position, session.labels.shape, strict=True))


def _common_region(session: Session, scope: Scope, seeds: Positions) -> Region:
    if len(seeds) < 2:
        raise EditError("A split needs two clicks: one in each part that you want.")
    region = session.region(scope, seeds[0])
    for seed in seeds[1:]:
        other = session.region(scope, seed)
        if other.label != region.label or scope.local(seed) not in region:
            raise EditError(
                f"The clicks are in different superpixels ({region.label} and {other.label}): "
                "click twice in the one that you want to cut."
            )
    return region


def _features(
    session: Session, scope: Scope, box: tuple[slice, ...]
) -> NDArray[np.floating] | None:
    if session.image is None:
        return None
    lifted = scope.lift_box(box)
    shape = [s.stop - s.start for s in box]
    return session.image.features(lifted).reshape(-1, *shape)


def _split(
    session: Session,
    scope: Scope,
    region: Region,
    position: Sequence[int],
    plane: Sequence[int],
    cut: Callable[[Region, Scope], NDArray[np.int32]],
) -> Draft:
    """Cut a superpixel, or only what lies in a plane of it, and see to it that all is connected."""
    where = ""
    if scope.ndim == 2 or not plane:
        parts = cut(region, scope)
    else:
        flat = replace(scope, axes=tuple(sorted(plane)), index=tuple(position))
        slab = region_at(flat.view(session.labels), flat.local(position))
        within = cut(slab, flat)
        # The first part stays with the planes above and below.
        parts, where = region.mask.astype(np.int32), " in this plane"
        box = [slice(i, i + 1) for i in region.local(scope.local(position))]
        for axis, side in zip(flat.axes, slab.box, strict=True):
            k = scope.axes.index(axis)
            box[k] = slice(side.start - region.start[k], side.stop - region.start[k])
        target = parts[tuple(box)]
        target[(within > 0).reshape(target.shape)] = within[within > 0]
        parts = connected_parts(parts)
    before = scope.view(session.labels)[region.box]
    edit = repartition(session, scope, region.start, before, parts)
    return Draft(edit, f"Split in {int(parts.max())}{where}.")


def _revise(
    session: Session,
    scope: Scope,
    regions: Sequence[Region],
    change: Callable[[LabelAttributes], LabelAttributes],
) -> LabelEdit:
    """Give superpixels another record, and so another id, without touching their shape."""
    view = scope.view(session.labels)
    indices: list[tuple[NDArray[np.intp], ...]] = []
    old: list[NDArray[np.integer]] = []
    new: list[NDArray[np.integer]] = []
    given: set[int] = set()
    for region in regions:
        record = change(session.attributes[region.label])
        if record == session.attributes[region.label]:
            continue

        def fresh(region: Region = region) -> int:
            return session.fresh_ids(1, region)[0]

        label = session.attributes.variant(region.label, record, fresh)
        # Another piece here may have that id already: pieces must not become one superpixel.
        if label in given or (label in session.statistics and (view == label).any()):
            label = fresh()
            session.attributes.by_id[label] = record
        given.add(label)
        at = region.indices
        indices.append(at)
        old.append(view[at])
        new.append(np.full(len(at[0]), label, view.dtype))
    if not indices:
        none = np.zeros(0, view.dtype)
        return LabelEdit(tuple(np.zeros(0, np.intp) for _ in session.labels.shape), none, none)
    joined = tuple(np.concatenate(axis) for axis in zip(*indices, strict=True))
    return scope.lift_edit(LabelEdit(joined, np.concatenate(old), np.concatenate(new)))
