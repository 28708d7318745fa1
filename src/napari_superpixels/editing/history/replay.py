"""Repeat a log of edits on the labels that it began with."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.editing.actions import global_edits as whole_map
from napari_superpixels.editing.actions import operations
from napari_superpixels.editing.history.patch import apply_patch
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.schema import Step, check_arguments
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import HISTORY, PAINT, REOPENED, Session
from napari_superpixels.editing.storage import pack, unpack
from napari_superpixels.io.strict_values import check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from napari_superpixels.editing.attributes import AttributeTable
    from napari_superpixels.editing.reference_image import ReferenceImage

# Of a line that somebody has drawn.
_LONGEST_PX = 2**24

OPERATIONS = {
    operation.__name__: operation
    for operation in (
        operations.merge,
        operations.split,
        operations.split_line,
        operations.detach,
        operations.lock,
        operations.assign,
        whole_map.clean_up,
        whole_map.set_count,
        whole_map.take_over,
        whole_map.assign_many,
        whole_map.merge_touching,
    )
}


def replay(
    labels: NDArray[np.integer],
    image: ReferenceImage | None,
    log: Iterable[Mapping[str, Any]],
    attributes: AttributeTable | None = None,
) -> Session:
    """Repeat edits.

    Tools are run again at the logged positions; what the brush, undo, redo and the network did is
    read from the log.

    Parameters
    ----------
    labels : ndarray of int
        The labels that the log began with.
    image : ReferenceImage or None
        The image that they were edited on.
    log : iterable of mapping
        `Session.log`.
    attributes : AttributeTable, optional
        What was known of the labels when the log began.

    Returns
    -------
    Session
        With the corrected labels, and the log.

    Raises
    ------
    EditError
        If a step cannot be repeated, or gives other superpixels than the log says.
    """
    session = Session(np.ascontiguousarray(labels), None, attributes)
    for number, entry in enumerate(log, start=1):
        try:
            check(Step, entry)
        except ValueError as error:
            raise EditError(f"entry {number} of the log is damaged: {error}") from error
        where = f"step {entry.get('step', '?')} ({entry.get('operation', 'unknown')})"
        try:
            if entry.get("operation") == REOPENED:
                session = unpack(pack(session))
                session.log.append(dict(entry))
                continue
            _repeat(session, image, entry)
            expected = entry["state"]
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise EditError(f"{where} of the log cannot be repeated: {reason}") from error
        done = session.log[-1]
        if done["state"] != expected:
            used = entry.get("image_name")
            raise EditError(
                f"{where} of the log gave other superpixels than in the log: these are not the "
                "image and labels that it began with"
                + (f" (it used the image “{used}”)" if used else "")
                + ", or other versions of the libraries"
            )
        session.log[-1] = dict(entry)
    return session


def _repeat(session: Session, image: ReferenceImage | None, entry: Mapping[str, Any]) -> None:
    name = entry["operation"]
    if name in (PAINT, HISTORY):
        labels = session.labels.copy()
        apply_patch(labels, entry["patch"])
        if len(session.observe(labels, painted=name == PAINT)) == 0:
            raise ValueError("it changes nothing here")
        return
    if name not in OPERATIONS:
        raise ValueError(f"there is no such operation (there are {', '.join(OPERATIONS)})")
    arguments = entry["arguments"]
    check_arguments(name, arguments)
    scope = Scope(tuple(entry["axes"]), tuple(entry["index"]))
    _check_inside(session, scope, arguments)
    # The image decides what is built; the session itself keeps no statistics of it.
    session.image = _image_for(image, entry["image"])
    try:
        change = session.build(OPERATIONS[name], scope, fresh_ids=entry["fresh_ids"], **arguments)
    finally:
        session.image = None
    session.commit(change)


def _check_inside(session: Session, scope: Scope, arguments: Mapping[str, Any]) -> None:
    """Refuse planes and strokes that these labels cannot have."""
    shape, axes = session.labels.shape, scope.axes
    named = (*axes, *arguments.get("plane", ()))
    if len(axes) < 2 or list(axes) != sorted(set(axes)) or max(named) >= len(shape):
        raise ValueError(f"these labels of {len(shape)} axes have no plane {axes}")
    if any(i >= n for i, n in zip(scope.index, shape, strict=True)):
        raise ValueError(f"these labels of shape {shape} have no plane at {scope.index}")
    steps = pairwise(arguments.get("line", ()))
    length = sum(max(abs(a - b) for a, b in zip(*step, strict=True)) for step in steps)
    if length > _LONGEST_PX:
        raise ValueError("its line is longer than any screen")
    n_segments = arguments.get("n_segments", 0)
    if n_segments > session.labels.size:
        raise ValueError(f"there are not {n_segments} pixels")


def _image_for(image: ReferenceImage | None, kind: str | None) -> ReferenceImage | None:
    """The image, read as it was when a step was made."""
    if kind is None:
        return None
    if image is None:
        raise ValueError("it needs the image")
    if kind not in ("rgb", f"{len(image.names)} channels") or (kind == "rgb") > image.can_be_rgb:
        raise ValueError(f"it was made with an image of {kind}, this one has {len(image.names)}")
    return replace(image, is_rgb=kind == "rgb")
