"""One Labels layer under correction: applies changes, follows undo, keeps its table true."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer

from napari_superpixels._napari.correction.overlays import OverlayLayer
from napari_superpixels._napari.correction.table import LayerTable
from napari_superpixels._napari.correction.target import scope_of
from napari_superpixels._napari.input.transforms import pixel_content
from napari_superpixels.editing.attributes import Lock
from napari_superpixels.editing.numbering import number
from napari_superpixels.editing.session import Session
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import LabelEdit
    from napari_superpixels.editing.reference_image import ReferenceImage
    from napari_superpixels.editing.region import Region
    from napari_superpixels.editing.scope import Scope
    from napari_superpixels.editing.session import Change, Draft

SESSION, CLASSES = "correction", "classes"
OWNER = "correction_of"
# What the layer of marks shows.
TOUCHED, EDITED, HELD, SEED, FOUND = 1, 2, 3, 4, 5
MARK_COLORS = {
    TOUCHED: (1.0, 0.9, 0.1, 1.0),
    EDITED: (0.25, 0.85, 1.0, 1.0),
    HELD: (1.0, 0.25, 0.2, 1.0),
    SEED: (1.0, 0.2, 0.9, 1.0),
    FOUND: (1.0, 0.2, 0.9, 1.0),
}
_MARK_OF_LOCK = {Lock.FREE: 0, Lock.EDITED: EDITED, Lock.HELD: HELD}


class LayerEditor:
    """Edits a Labels layer through napari's own history.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Labels
        An editable layer.
    parent : QObject
        Owner of its timer.

    Attributes
    ----------
    changed : psygnal.Signal
        Emitted after any change of the labels, with the edit.
    followed : psygnal.Signal
        Emitted with a line for the user, when somebody else has changed the labels.
    replaced : psygnal.Signal
        Emitted when the layer got other data, so that this editor knows nothing of them.
    refresh_image : callable
        Called before each operation; makes sure that the image is that under the labels.
    session : Session
        The labels under correction; kept in the layer's metadata.
    volume : bool
        Whether the third axis is worked in too.
    """

    changed = Signal(object)
    followed = Signal(str)
    replaced = Signal()

    def __init__(self, viewer: Viewer, layer: Labels, parent: QObject) -> None:
        self._viewer = viewer
        self.layer = layer
        self.volume = False
        self.class_names: dict[int, str] = {}
        self._applying = False
        self._painted = False
        self._stale = False
        self._redrawn = 0
        self._found = 0
        self.refresh_image: Callable[[], None] = lambda: None
        self._step = self._own_step()
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.sync)
        self.session = self._find_session()
        self._meaning = self.session.attributes.by_id
        self._table = LayerTable(layer, self.session)
        self.marks = OverlayLayer(
            viewer, layer, "marks", contour=2, content=lambda: self._codes(self.session.labels)
        )
        self.marks.set_colors(MARK_COLORS)
        self._connections: list[tuple[Any, Callable[..., None]]] = [
            (layer.events.paint, self._on_paint),
            (layer.events.set_data, self._on_set_data),
            (layer.events.data, self._on_new_data),
        ]
        for event, slot in self._connections:
            event.connect(slot)
        self.refresh_table()
        self.redraw_marks()

    def _find_session(self) -> Session:
        """Go on with the session that the layer was last corrected in, or begin one."""
        # napari's "duplicate layer" shares what is inside the metadata: take a copy of one's own.
        known = dict(self.layer.metadata.get(METADATA_KEY, {}))
        if CLASSES in known:
            known[CLASSES] = [dict(entry) for entry in known[CLASSES]]
        self.layer.metadata[METADATA_KEY] = known
        data = np.asarray(self.layer.data)
        session = known.get(SESSION)
        if isinstance(session, Session) and session.labels.shape == data.shape:
            if known.get(OWNER, self.layer.unique_id) != self.layer.unique_id:
                session = deepcopy(session)
            session.observe(data, painted=False)
        else:
            session = Session(data)
        known[SESSION], known[OWNER] = session, self.layer.unique_id
        known["edit_log"] = session.log
        session.choose_id = self._most_distinct
        return session

    def cleanup(self) -> None:
        """Let go of the layer; what is known stays in its metadata."""
        for event, slot in self._connections:
            event.disconnect(slot)
        if isalive(self._timer):
            self._timer.stop()
        self.session.choose_id = None
        for signal in (self.changed, self.followed, self.replaced):
            signal.disconnect()

    # ---- doing -------------------------------------------------------------------------------

    def scope(self) -> Scope:
        """Plane or volume worked in, where the viewer stands.

        Raises
        ------
        EditError
            If the viewer stands outside the layer.
        """
        return scope_of(self._viewer, self.layer, volume=self.volume)

    def plane(self) -> Scope:
        """Plane that the viewer shows.

        Raises
        ------
        EditError
            If the viewer stands outside the layer.
        """
        return scope_of(self._viewer, self.layer, volume=False)

    def run(self, operation: Callable[..., Draft], **arguments: Any) -> Change:
        """Build a change where the viewer stands, and apply it as one step of undo.

        Parameters
        ----------
        operation : callable
            One of the package ``editing``.
        **arguments
            The operation's.

        Returns
        -------
        Change
            What was applied.

        Raises
        ------
        EditError
            If it is not possible; nothing was changed.
        """
        self.sync()
        self.refresh_image()
        change = self.session.build(operation, self.scope(), **arguments)
        if not self._fits(change.edit):  # somebody changed the labels without a sign of it
            self._stale = True
            self.sync()
            change = self.session.build(operation, self.scope(), **arguments)
        self.apply(change)
        return change

    def _fits(self, edit: LabelEdit) -> bool:
        """Whether the layer has where an edit is to be made what the edit expects."""
        start = [int(i.min()) for i in edit.indices]
        box = tuple(slice(a, int(i.max()) + 1) for a, i in zip(start, edit.indices, strict=True))
        there = tuple(i - a for i, a in zip(edit.indices, start, strict=True))
        return bool((np.asarray(self.layer.data[box])[there] == edit.old).all())

    def apply(self, change: Change) -> None:
        """Apply a change as one step of undo.

        Parameters
        ----------
        change : Change
            Built on the labels as they are.
        """
        self._applying = True
        shown = self.layer.visible
        try:
            # What napari has drawn of a hidden layer is not of the plane that the viewer stands at,
            # or nothing: it fails to follow an edit there.
            self.layer.visible = True
            with self.layer.block_history():
                self.layer.data_setitem(change.edit.indices, change.edit.new)
        finally:
            self.layer.visible = shown
            self._applying = False
        self.session.commit(change)
        self._table.note_change(change)
        self._after(change.edit)
        fresh = [i for i in change.entry["fresh_ids"] if i in self.session.statistics]
        if fresh:
            self.layer.selected_label = fresh[0]

    def use_image(self, image: ReferenceImage | None) -> None:
        """Take another image for guidance and for the table.

        Parameters
        ----------
        image : ReferenceImage or None
            On the grid of the labels.
        """
        self.session.use_image(image)
        self._table.note_image(image)
        self.refresh_table()

    # ---- following ---------------------------------------------------------------------------

    def sync(self) -> None:
        """Take note of what others did to the layer: brush, fill, undo, redo."""
        # napari says nothing of undo on a layer that it does not draw.
        if not self._stale and self.layer.visible:
            return
        self._stale = False
        painted, self._painted = self._painted, False
        redrawn, self._redrawn = self._redrawn, 0
        self._timer.stop()
        known = self.session.attributes.painted
        edit = self.session.observe(np.asarray(self.layer.data), painted=painted, n_undone=redrawn)
        if len(edit):
            self._after(edit)
            if self.session.attributes.painted != known:
                self.redraw_marks()
            self.followed.emit("Painted." if painted else "Undone or redone.")

    def _on_paint(self, event: Any = None) -> None:
        # Without a stroke around it, napari tells of an edit before it makes it: look later.
        if not self._applying:
            self._painted = self._stale = True
            self._timer.start()

    def _on_set_data(self, event: Any = None) -> None:
        # Undo and redo redraw the layer without a word; so does a slider, which changes no data.
        step = self._own_step()
        moved, self._step = step != self._step, step
        if not self._applying and not moved:
            self._stale = True
            self._redrawn += 1
            self._timer.start()

    def _own_step(self) -> tuple[int, ...]:
        """Where the viewer stands on the layer's axes; others do not redraw it."""
        return tuple(self._viewer.dims.current_step[-self.layer.ndim :])

    def _on_new_data(self, event: Any = None) -> None:
        """Somebody has put other data into the layer, or the same as another integer type."""
        data, session = np.asarray(self.layer.data), self.session
        if np.array_equal(data, session.labels):
            start = session.start.astype(data.dtype)
            if np.array_equal(start, session.start):
                session.convert(data.dtype)
                return
        self.layer.metadata[METADATA_KEY].pop(SESSION, None)
        self.replaced.emit()

    def _after(self, edit: LabelEdit) -> None:
        self._table.follow(edit)
        self._write_table(edit)
        if self.session.attributes.by_id is self._meaning:
            self._mark(edit.indices, edit.new)
        else:  # numbered anew: the id that was gone to is that of another superpixel now
            self._meaning, self._found = self.session.attributes.by_id, 0
            self.redraw_marks()
        selected = int(self.layer.selected_label)
        if selected and selected not in self.session.statistics:
            alive = edit.new[edit.new != 0]
            if len(alive):
                self.layer.selected_label = int(alive[0])
        self.changed.emit(edit)

    def refresh_table(self) -> None:
        """Write the table anew, for instance after a class got another name."""
        self._write_table()

    def _write_table(self, edit: LabelEdit | None = None) -> None:
        last = range(self.layer.ndim - self.n_axes, self.layer.ndim)
        size = pixel_content(self.layer, last)
        self._table.write(size, self.class_names, volume=self.volume, edit=edit)

    @property
    def n_axes(self) -> int:
        """Axes worked in: 3 in a volume, else 2."""
        return 3 if self.volume and self.layer.ndim >= 3 else 2

    # ---- finding -----------------------------------------------------------------------------

    def largest_without_class(self) -> int | None:
        """Id of the largest superpixel without class and lock; None if there is none."""
        found, facts = self.session.statistics, self.session.facts()
        open_ = (facts.category == 0) & ~facts.having(Lock.HELD)
        if not open_.any():
            return None
        return int(found.ids[open_][found.area[open_].argmax()])

    def go_to(self, label: int) -> None:
        """Select a superpixel, show it, and outline it until the next one.

        Parameters
        ----------
        label : int
            Its id.
        """
        labels = self.session.labels
        before, self._found = self._found, label
        if before in self.session.statistics:
            self.unmark(np.nonzero(labels == before))
        inside = np.nonzero(labels == label)
        self.mark(inside, FOUND)
        pixels = np.stack(inside, axis=1)
        # The pixel nearest to the centre: of a curved one, the centre may lie outside.
        nearest = pixels[((pixels - pixels.mean(0)) ** 2).sum(1).argmin()]
        world = self.layer.data_to_world(nearest)
        self.layer.selected_label = label
        dims = self._viewer.dims
        shift = dims.ndim - self.layer.ndim
        for axis in range(self.layer.ndim):
            if axis + shift not in dims.displayed:
                dims.set_point(axis + shift, float(world[axis]))
        camera = self._viewer.scene.camera
        shown = [world[axis - shift] for axis in dims.displayed if axis >= shift]
        camera.center = (*camera.center[: 3 - len(shown)], *(float(w) for w in shown))

    # ---- marks -------------------------------------------------------------------------------

    def redraw_marks(self) -> None:
        """Outline all superpixels that are edited or locked, and the one that was gone to."""
        if self.session.facts().lock.any() or self.marks.layer is not None:
            self.marks.show(self._codes(self.session.labels))

    def mark(self, indices: tuple[NDArray[np.intp], ...], code: int) -> None:
        """Mark pixels while a tool is at work.

        Parameters
        ----------
        indices : tuple of ndarray of intp
            In the whole label map.
        code : int
            One of the codes of this module.
        """
        self.marks.write(indices, np.full(len(indices[0]), code, np.uint8))

    def unmark(self, indices: tuple[NDArray[np.intp], ...]) -> None:
        """Show the locks of pixels again, and nothing else.

        Parameters
        ----------
        indices : tuple of ndarray of intp
            In the whole label map.
        """
        self._mark(indices, self.session.labels[indices])

    def _mark(self, indices: tuple[NDArray[np.intp], ...], labels: NDArray[np.integer]) -> None:
        if len(labels):
            self.marks.write(indices, self._codes(labels))

    def _codes(self, labels: NDArray[np.integer]) -> NDArray[np.uint8]:
        known, rows, _ = number(labels)
        attributes = self.session.attributes
        codes = [
            FOUND if i and i == self._found else _MARK_OF_LOCK[attributes[i].lock]
            for i in known.tolist()
        ]
        return np.array(codes, np.uint8)[rows]

    # ---- colours -----------------------------------------------------------------------------

    def _most_distinct(self, region: Region, free: list[int]) -> int:
        """Of some free ids, the one whose colour differs most from those around a region."""
        scope = self.scope()
        view = scope.view(self.session.labels)
        box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in region.box[-view.ndim :])
        around = np.unique(view[box])
        around = around[(around != 0) & (around != region.label)]
        if len(around) == 0:
            return free[0]
        near = np.asarray(self.layer.colormap.map(around))[:, :3]
        offered = np.asarray(self.layer.colormap.map(np.array(free)))[:, :3]
        gap = np.abs(offered[:, None] - near[None]).sum(-1).min(1)
        return free[int(gap.argmax())]
