"""The tools: what a click, a drag and a release do, each with its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_superpixels._napari.correction.editor import SEED, TOUCHED
from napari_superpixels._napari.correction.pointer import pixels_between
from napari_superpixels.editing.actions import operations
from napari_superpixels.editing.attributes import Lock
from napari_superpixels.editing.label_edit import EditError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_superpixels._napari.correction.editor import LayerEditor
    from napari_superpixels._napari.correction.notify import Say
    from napari_superpixels._napari.correction.pointer import Position
    from napari_superpixels.editing.region import Region
    from napari_superpixels.editing.scope import Scope

_SEED_RADIUS_PX = 2


@dataclass
class Options:
    """Choices that tools ask for.

    Attributes
    ----------
    snap : bool
        Whether a drawn line snaps to edges.
    split_in_plane : bool
        Whether, in a volume, only the plane shown is cut.
    category : int
        Class that is assigned; 0 for none.
    """

    snap: bool = False
    split_in_plane: bool = True
    category: int = 0


class Tool:
    """A mode of the mouse on the canvas.

    Parameters
    ----------
    editor : LayerEditor
        The layer that is corrected.
    options : Options
        Choices, read when they are needed.
    say : callable
        Tells the user a line.
    """

    name: ClassVar[str]
    key: ClassVar[str]
    hint: ClassVar[str]
    tooltip: ClassVar[str]
    cursor: ClassVar[str] = "pointing"

    def __init__(self, editor: LayerEditor, options: Options, say: Say) -> None:
        self.editor = editor
        self.options = options
        self.say = say
        self.stroke: list[Position] = []
        self._marked: list[Region] = []
        self._drawn: list[tuple[NDArray[np.intp], ...]] = []

    # ---- the mouse ---------------------------------------------------------------------------

    def press(self, position: Position) -> None:
        """Begin a stroke.

        Parameters
        ----------
        position : tuple of int
            Pixel.
        """
        self.stroke = []
        self._go([position])

    def drag(self, position: Position) -> None:
        """Go on with a stroke.

        Parameters
        ----------
        position : tuple of int
            Pixel.
        """
        self._go(pixels_between(self.stroke[-1], position))

    def release(self, modifiers: Sequence[str] = ()) -> None:
        """End a stroke: do what the tool is for, or say why not.

        Parameters
        ----------
        modifiers : sequence of str
            Keys held, e.g. Shift.
        """
        try:
            self.finish(modifiers)
        except EditError as error:
            self.reset()
            self.say(str(error), problem=True)

    @property
    def waits(self) -> bool:
        """Whether there are clicks that wait for more."""
        return bool(self._drawn)

    def reset(self) -> None:
        """Forget clicks and marks that wait for more."""
        for indices in self._drawn:
            self.editor.unmark(indices)
        self._marked, self._drawn = [], []

    # ---- for each tool -----------------------------------------------------------------------

    def extend(self, position: Position) -> None:
        """React to a pixel that the stroke has come to.

        Parameters
        ----------
        position : tuple of int
            Inside the labels.
        """

    def finish(self, modifiers: Sequence[str]) -> None:
        """Do what the tool is for.

        Parameters
        ----------
        modifiers : sequence of str
            Keys held.
        """
        raise NotImplementedError

    # ---- helpers -----------------------------------------------------------------------------

    def _go(self, positions: Sequence[Position]) -> None:
        shape = self.editor.session.labels.shape
        for position in positions:
            self.stroke.append(position)
            if all(0 <= i < n for i, n in zip(position, shape, strict=True)):
                self.extend(position)

    def _run(self, operation: Callable[..., Any], **arguments: Any) -> None:
        self.reset()
        self.say(self.editor.run(operation, **arguments).message)

    def _touched(self, position: Position) -> Region | None:
        """Region of the whole map at a position, unless it is known or there is none."""
        session, scope = self.editor.session, self.editor.scope()
        label = int(session.labels[position])
        if label <= 0 or any(r.label == label and position in r for r in self._marked):
            return None
        return scope.lift_region(session.region(scope, position, held=True))

    def _draw(self, indices: tuple[NDArray[np.intp], ...], code: int) -> None:
        self._drawn.append(indices)
        self.editor.mark(indices, code)


class StrokeTool(Tool):
    """Collects the superpixels that a stroke touches, and outlines them."""

    def press(self, position: Position) -> None:
        """Begin a stroke.

        Parameters
        ----------
        position : tuple of int
            Pixel.
        """
        self.editor.sync()
        self.at: list[Position] = []
        super().press(position)

    def extend(self, position: Position) -> None:
        """Outline a superpixel that was not touched before.

        Parameters
        ----------
        position : tuple of int
            Inside the labels.
        """
        region = self._touched(position)
        if region is not None:
            self.at.append(position)
            self._marked.append(region)
            self._draw(region.indices, TOUCHED)

    def _unlocked(self) -> list[Position]:
        """Positions without those on superpixels locked by hand; all if there are only those."""
        session = self.editor.session
        free = [
            p for p in self.at if session.attributes[int(session.labels[p])].lock is not Lock.HELD
        ]
        return free or self.at or self.stroke[:1]


class MergeTool(StrokeTool):
    """Merge what a stroke touches, or two superpixels by two clicks."""

    name = "Merge"
    key = "J"
    hint = "Merge: drag over superpixels, or click on one and then on its neighbour. Esc forgets."
    tooltip = (
        "Drag over superpixels: those touched are outlined, and become one when you release. Or "
        "click on one and then on its neighbour."
    )

    def press(self, position: Position) -> None:
        """Begin a stroke, or make the second click.

        Parameters
        ----------
        position : tuple of int
            Pixel.
        """
        self._first = self.at[:] if self._marked else []
        super().press(position)

    def reset(self) -> None:
        """Forget the first click."""
        super().reset()
        self.at = []

    def finish(self, modifiers: Sequence[str]) -> None:
        """Merge, or wait for the second click.

        Parameters
        ----------
        modifiers : sequence of str
            Not used.
        """
        positions = self._first + self.at
        if self._first and not self.at:
            raise EditError("There is no other superpixel here: click on the neighbour.")
        if len(positions) == 1:
            self.editor.session.region(self.editor.scope(), positions[0])  # refuses locked ones
            self.say("Now click on the neighbour to merge it with, or press Esc.")
            return
        self._run(operations.merge, positions=positions or self.stroke[:1])


class SplitTool(Tool):
    """Cut a superpixel between two clicks."""

    name = "Split"
    key = "S"
    hint = "Split: click twice in one superpixel; Shift+click for more parts. Esc forgets."
    tooltip = (
        "Click twice inside one superpixel: it is cut between the clicks, along image edges. Hold "
        "Shift for further seeds; the click without Shift is the last."
    )
    cursor = "cross"

    def __init__(self, editor: LayerEditor, options: Options, say: Say) -> None:
        super().__init__(editor, options, say)
        self.seeds: list[Position] = []

    def reset(self) -> None:
        """Forget the seeds."""
        super().reset()
        self.seeds = []

    def finish(self, modifiers: Sequence[str]) -> None:
        """Add a seed; cut with the last one.

        Parameters
        ----------
        modifiers : sequence of str
            Shift waits for more seeds.
        """
        editor, position = self.editor, self.stroke[0]
        editor.sync()
        scope = editor.scope()
        region = editor.session.region(scope, position)
        if self.seeds and (scope.local(self.seeds[0]) not in region):
            first = int(editor.session.labels[self.seeds[0]])
            raise EditError(
                f"The clicks are in different superpixels ({first} and {region.label}): click "
                "twice in the one that you want to cut."
            )
        seeds = [*self.seeds, position]
        if len(seeds) < 2 or "Shift" in modifiers:
            self.seeds = seeds
            self._draw(_dot(position, editor.session.labels.shape, scope), SEED)
            self.say(f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}: click in the next part.")
            return
        plane = split_plane(editor, scope, self.options)
        self._run(operations.split, seeds=seeds, plane=plane)


class LineTool(Tool):
    """Cut a superpixel along a drawn line."""

    name = "Cut"
    key = "C"
    hint = "Cut: draw a line across a superpixel; it is extended to the border."
    tooltip = (
        "Draw a line across a superpixel: it is cut there. The line is extended to the border; "
        "with “snap to edges” the cut follows image edges near it."
    )
    cursor = "cross"

    def drag(self, position: Position) -> None:
        """Go on with the line, and show it.

        Parameters
        ----------
        position : tuple of int
            Pixel.
        """
        before = len(self.stroke)
        super().drag(position)
        shape = np.array(self.editor.session.labels.shape)
        path = np.array(self.stroke[before:]).reshape(-1, len(shape))
        path = path[((path >= 0) & (path < shape)).all(1)]
        if len(path):
            self._draw(tuple(path.T), SEED)

    def finish(self, modifiers: Sequence[str]) -> None:
        """Cut.

        Parameters
        ----------
        modifiers : sequence of str
            Not used.
        """
        plane = split_plane(self.editor, self.editor.scope(), self.options)
        self._run(operations.split_line, line=self.stroke, snap=self.options.snap, plane=plane)


class DetachTool(Tool):
    """Let a merged superpixel fall back into its fragments."""

    name = "Detach"
    key = "D"
    hint = "Detach: click on a merged superpixel; Shift+click takes out only the fragment there."
    tooltip = (
        "Click on a superpixel that was merged, at any time before: it falls back into its "
        "fragments. Shift+click takes out only the fragment under the pointer."
    )

    def finish(self, modifiers: Sequence[str]) -> None:
        """Detach.

        Parameters
        ----------
        modifiers : sequence of str
            Shift takes out only one fragment.
        """
        self._run(operations.detach, position=self.stroke[0], only="Shift" in modifiers)


class LockTool(StrokeTool):
    """Lock and unlock superpixels."""

    name = "Lock"
    key = "K"
    hint = "Lock: click or drag to lock superpixels (red); once more to unlock."
    tooltip = (
        "Click or drag: superpixels are locked (red outline) and no tool changes them; on a locked "
        "one, it unlocks. “Recompute” spares locked ones and those that were edited (blue)."
    )

    def finish(self, modifiers: Sequence[str]) -> None:
        """Lock, or unlock if the first one was locked.

        Parameters
        ----------
        modifiers : sequence of str
            Not used.
        """
        session = self.editor.session
        positions = self.at or self.stroke[:1]
        on = (
            not self.at or session.attributes[int(session.labels[self.at[0]])].lock is not Lock.HELD
        )
        self._run(operations.lock, positions=positions, on=on)


class ClassTool(StrokeTool):
    """Assign the chosen class."""

    name = "Class"
    key = "A"
    hint = "Class: click or drag assigns the chosen class; keys 1-9 choose, 0 is none."
    tooltip = (
        "Click or drag over superpixels to assign the class chosen in the list below. Keys 1 to 9 "
        "choose a class, 0 takes the class away."
    )

    def finish(self, modifiers: Sequence[str]) -> None:
        """Assign.

        Parameters
        ----------
        modifiers : sequence of str
            Not used.
        """
        positions = self._unlocked()
        left_out = len(self.at) - len(positions)
        self._run(operations.assign, positions=positions, category=self.options.category)
        if left_out > 0:
            self.say(f"Assigned; {left_out} locked left as they are.")


class ResegmentTool(StrokeTool):
    """Choose superpixels for the network to segment anew."""

    name = "Re-segment"
    key = "R"
    hint = "Re-segment: click or drag over superpixels; the network splits them in k."
    tooltip = (
        "Click or drag over superpixels: the network is run again on these pixels only, and splits "
        "them in as many superpixels as set in “parts”."
    )

    def __init__(
        self,
        editor: LayerEditor,
        options: Options,
        say: Say,
        start: Callable[[list[Position]], None],
    ) -> None:
        super().__init__(editor, options, say)
        self._start = start

    def finish(self, modifiers: Sequence[str]) -> None:
        """Start the network.

        Parameters
        ----------
        modifiers : sequence of str
            Not used.
        """
        positions = self.at or self.stroke[:1]
        self.reset()
        self._start(positions)


TOOLS: tuple[type[Tool], ...] = (
    MergeTool,
    SplitTool,
    LineTool,
    ResegmentTool,
    DetachTool,
    LockTool,
    ClassTool,
)


def split_plane(editor: LayerEditor, scope: Scope, options: Options) -> list[int]:
    """Axes of the plane that a split is confined to; none where it goes through the volume.

    Parameters
    ----------
    editor : LayerEditor
        The layer that is corrected.
    scope : Scope
        Plane or volume worked in.
    options : Options
        Choices.

    Returns
    -------
    list of int
        Two axes, or none.
    """
    if scope.ndim == 2 or not options.split_in_plane:
        return []
    return list(editor.plane().axes)


def _dot(position: Position, shape: Sequence[int], scope: Scope) -> tuple[NDArray[np.intp], ...]:
    """Pixels of a small disk, to show a seed."""
    axes = scope.axes[-2:]
    around = [np.arange(-_SEED_RADIUS_PX, _SEED_RADIUS_PX + 1)] * 2
    offsets = np.stack(np.meshgrid(*around, indexing="ij")).reshape(2, -1)
    offsets = offsets[:, (offsets**2).sum(0) <= _SEED_RADIUS_PX**2]
    points = np.array(position)[:, None].repeat(offsets.shape[1], 1)
    points[list(axes)] += offsets
    inside = ((points >= 0) & (points < np.array(shape)[:, None])).all(0)
    return tuple(points[:, inside])
