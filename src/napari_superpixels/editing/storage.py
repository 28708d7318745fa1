"""What is known of corrected labels, as plain values and label maps for a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_superpixels.editing.attributes import AttributeTable, IdAllocator, LabelAttributes, Lock
from napari_superpixels.editing.region import Region, tight
from napari_superpixels.editing.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


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
    """
    labels = corrected.labels.astype(corrected.facts.get("dtype", corrected.labels.dtype))
    known: Mapping[str, Mapping[str, Any]] = corrected.facts.get("superpixels", {})
    present = np.unique(labels).tolist()
    attributes = AttributeTable(IdAllocator(present, labels.dtype))
    for key, fact in known.items():
        attributes.by_id[int(key)] = LabelAttributes(int(fact["class"]), Lock(fact["lock"]))
    made_of: dict[int, list[int]] = {}
    for k, box in enumerate(ndimage.find_objects(corrected.fragments.astype(np.int64)), start=1):
        mask = corrected.fragments[box] == k
        owner = int(labels[box][mask][0])
        region: Region = tight(mask, [s.start for s in box], owner)
        made_of.setdefault(owner, []).append(attributes.add_fragment(region))
    for owner, numbers in made_of.items():
        old = attributes[owner]
        attributes.by_id[owner] = LabelAttributes(old.category, old.lock, tuple(numbers))
    log = list(corrected.facts.get("edit_log", []))
    start = corrected.before.astype(labels.dtype)
    return Session(labels, None, attributes, log, start=start)
