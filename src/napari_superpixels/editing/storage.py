"""What is known of corrected labels, as plain values and label maps for a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_superpixels.editing.attributes import AttributeTable, IdAllocator, LabelAttributes, Lock
from napari_superpixels.editing.numbering import number
from napari_superpixels.editing.region import Region, tight
from napari_superpixels.editing.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_LARGEST = np.iinfo(np.int64).max
# Boxes of fragments together take at most so many times the image, or so much.
_MOST_BOXES, _FREE_BYTES = 64, 2**30


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """Corrected labels, ready for a file.

    Attributes
    ----------
    labels : ndarray of int
        As they are.
    before : ndarray of int
        As they were when the log began.
    fragments : ndarray of uint32, shape of `labels`
        Fragments of merged superpixels, numbered from 1; 0 elsewhere. A superpixel was merged from
        the fragments that lie in it.
    facts : dict
        Plain values: classes and locks by id, and the edit log.
    """

    labels: NDArray[np.integer]
    before: NDArray[np.integer]
    fragments: NDArray[np.uint32]
    facts: dict[str, Any]


def pack(session: Session) -> Corrected:
    """Collect what belongs into a file.

    Parameters
    ----------
    session : Session
        Labels under correction.

    Returns
    -------
    Corrected
        For `unpack`.
    """
    labels, attributes = session.labels, session.attributes
    present = session.statistics.ids.tolist()
    facts = {
        "dtype": labels.dtype.name,
        "superpixels": {
            str(i): {"class": attributes[i].category, "lock": str(attributes[i].lock)}
            for i in present
            if attributes[i].category or attributes[i].lock is not Lock.FREE
        },
        "edit_log": session.log,
    }
    fragments = np.zeros(labels.shape, np.uint32)
    n = 0
    for i in present:
        for k in attributes[i].fragments:
            fragment = attributes.fragments[k]
            mask = fragment.mask & (labels[fragment.box] == i)
            if mask.any():
                n += 1
                fragments[fragment.box][mask] = n
    return Corrected(labels, session.start, fragments, facts)


def unpack(corrected: Corrected) -> Session:
    """Go on with labels from a file.

    Parameters
    ----------
    corrected : Corrected
        From `pack`.

    Returns
    -------
    Session
        Without an image.

    Raises
    ------
    ValueError
        If the maps do not fit together.
    """
    _check_maps(corrected)
    labels = corrected.labels.astype(corrected.facts["dtype"])
    known: Mapping[str, Mapping[str, Any]] = corrected.facts.get("superpixels", {})
    present = np.unique(labels).tolist()
    attributes = AttributeTable(IdAllocator(present, labels.dtype))
    for key, fact in known.items():
        attributes.by_id[int(key)] = LabelAttributes(int(fact["class"]), Lock(fact["lock"]))
    made_of: dict[int, list[int]] = {}
    # Numbered anew: there may be gaps, and any number.
    numbers, fragments, _ = number(corrected.fragments)
    fragments += int(numbers[0] > 0)
    boxes = ndimage.find_objects(fragments)
    _check_boxes(boxes, labels.size)
    for k, box in enumerate(boxes, start=1):
        mask = fragments[box] == k
        owner = int(labels[box][mask][0])
        region: Region = tight(mask, [s.start for s in box], owner)
        made_of.setdefault(owner, []).append(attributes.add_fragment(region))
    for owner, made in made_of.items():
        old = attributes[owner]
        attributes.by_id[owner] = LabelAttributes(old.category, old.lock, tuple(made))
    log = list(corrected.facts.get("edit_log", []))
    start = corrected.before.astype(labels.dtype)
    return Session(labels, None, attributes, log, start=start)


def _check_maps(corrected: Corrected) -> None:
    """Refuse maps that do not fit together: a file may hold any."""
    labels, before, fragments = corrected.labels, corrected.before, corrected.fragments
    dtype = np.dtype(corrected.facts["dtype"])
    for name, values in (("labels before correction", before), ("fragments", fragments)):
        if values.dtype.kind not in "ui" or values.shape != labels.shape:
            raise ValueError(
                f"the {name} are {values.dtype} of shape {values.shape}, and must be whole "
                f"numbers of shape {labels.shape}"
            )
    for values in (labels, before):
        low, high = int(values.min()), int(values.max())
        if not np.iinfo(dtype).min <= low <= high <= min(np.iinfo(dtype).max, _LARGEST):
            raise ValueError(f"its labels go from {low} to {high}, which {dtype} does not hold")
    inside = fragments > 0
    # Of each fragment, the label of one of its pixels.
    _, first, rows = np.unique(fragments[inside], return_index=True, return_inverse=True)
    owners = labels[inside]
    if (owners <= 0).any() or (owners != owners[first][rows]).any():
        raise ValueError("a fragment lies outside the superpixels, or in several")


def _check_boxes(boxes: list[tuple[slice, ...]], n_pixels: int) -> None:
    """Refuse fragments that would fill the memory: each is kept as a mask of its box."""
    needed = sum(math.prod(s.stop - s.start for s in box) for box in boxes)
    if needed > max(_MOST_BOXES * n_pixels, _FREE_BYTES):
        raise ValueError("its fragments are scattered over the whole image")
