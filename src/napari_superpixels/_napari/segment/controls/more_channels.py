"""Further image layers whose channels are taken together with those of the chosen one."""

from __future__ import annotations

from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtWidgets import QCheckBox, QMenu, QToolButton, QWidgetAction

from napari_superpixels._napari.input.axes import Axes, Mode, proposed_axes
from napari_superpixels._napari.input.plane import (
    InputError,
    PlaneGrid,
    View,
    full_shape,
    plane_grid,
    same_slices,
    why_not_on_grid,
)
from napari_superpixels._napari.input.region import Region
from napari_superpixels._napari.input.segmentation_input import (
    PixelChoices,
    SegmentationInput,
    resolve_input,
)
from napari_superpixels._napari.widgets.layer_watch import LayerWatch

_NONE = "none"
_LONGEST = 18  # letters that fit into the button


class MoreChannels:
    """A button with a menu of the other image layers, to check.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    native : QToolButton
        The control; says which layers are taken along.
    label, tooltip : str
        For its row.
    offered : bool
        Whether another image layer has the same pixels; without, there is nothing to choose.
    changed : psygnal.Signal
        Emitted when the choice changed, or an image layer lies elsewhere or holds other data.
    """

    changed = Signal()
    label = "More channels"
    tooltip = (
        "Image layers on the same pixels whose channels decide on the superpixels too, as where "
        "channels were split into layers."
    )

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._chosen: list[Image] = []
        self._is_selection = False  # whether they were selected in the layer list
        self.offered = False
        self.native = QToolButton()
        self._menu = QMenu(self.native)
        self.native.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.native.setMenu(self._menu)
        self.native.setText(_NONE)
        self.boxes: dict[str, QCheckBox] = {}
        self._selected: list[Image] = []  # in the layer list, together
        self._selection = viewer.layers.selection.events.changed
        self._selection.connect(self._on_selection)
        self._watch = LayerWatch()
        self._watch.changed.connect(self.changed.emit)

    def cleanup(self) -> None:
        """Let go of the viewer."""
        self._selection.disconnect(self._on_selection)
        self._watch.watch([])

    def offer(self, layer: Image | None, grid: PlaneGrid | None, view: View, axes: Axes) -> None:
        """Show which other image layers there are, and which of them have the same pixels.

        Parameters
        ----------
        layer : napari.layers.Image or None
            The chosen layer.
        grid : PlaneGrid or None
            Its pixels; None where it cannot be segmented anyway.
        view : View
            What the viewer shows.
        axes : Axes
            What its axes are.
        """
        others = [x for x in self._viewer.layers if isinstance(x, Image) and x != layer]
        self._chosen = [x for x in self._chosen if x in others]
        # Whether they fit may change with either side.
        self._watch.watch(others if layer is None else [layer, *others])
        reasons = {}
        if grid is not None:
            reasons = {x.name: _why_not(grid, x, view, axes) for x in others}
        self.offered = bool(self._chosen) or any(not reason for reason in reasons.values())
        if self._selected:  # those that are selected together are meant together
            self._chosen = [x for x in others if x in self._selected and not reasons.get(x.name)]
            self._selected = []
        if list(self.boxes) != [x.name for x in others]:
            self._fill(others)
        for x in others:
            box, reason = self.boxes[x.name], reasons.get(x.name, "")
            box.setChecked(x in self._chosen)
            box.setEnabled(not reason or x in self._chosen)
            box.setToolTip(f"Has other pixels: {reason}." if reason else "")
        self._tell()

    def _tell(self) -> None:
        names = [x.name for x in self._chosen]
        text = ", ".join(names) or _NONE
        if len(text) > _LONGEST:
            text = f"{len(names)} layers" if len(names) > 1 else f"{text[: _LONGEST - 1]}…"
        self.native.setText(text)
        self.native.setToolTip("\n".join([*names, "", self.tooltip]) if names else self.tooltip)

    def sources(
        self, grid: PlaneGrid, view: View, region: Region | None, axes: Axes, mode: Mode
    ) -> list[SegmentationInput]:
        """Cut the planes out of the layers that are checked.

        Parameters
        ----------
        grid : PlaneGrid
            Pixels of the chosen layer.
        view : View
            What the viewer shows.
        region : Region or None
            Where in the plane.
        axes : Axes
            What the axes of the chosen layer are.
        mode : Mode
            What is segmented.

        Returns
        -------
        list of SegmentationInput
            One a layer.

        Raises
        ------
        InputError
            If a layer that is checked does not lie on the same pixels any more.
        """
        sources = []
        for layer in self._chosen:
            reason = _why_not(grid, layer, view, axes)
            if reason:
                raise InputError(
                    f"The pixels of “{layer.name}” do not lie on those of “{grid.layer.name}”: "
                    f"{reason}. Take it out of “{self.label}”."
                )
            own, level = _reading(grid, layer, view, axes)
            lengths = [full_shape(layer)[axis] for axis in own.stack(mode)]
            wanted = [full_shape(grid.layer)[axis] for axis in axes.stack(mode)]
            if lengths != wanted:
                raise InputError(
                    f"“{layer.name}” has not the {' × '.join(map(str, wanted))} slices of "
                    f"“{grid.layer.name}”: take it out of “{self.label}”, or choose the mode "
                    f"“{Mode.SLICE}”."
                )
            own_grid = plane_grid(layer, view, own.channel, level, own.plane)
            stacks = zip(axes.stack(mode), own.stack(mode), strict=True)
            if not all(same_slices(grid, own_grid, *pair, view) for pair in stacks):
                raise InputError(
                    f"The slices of “{layer.name}” do not lie on those of “{grid.layer.name}”: "
                    f"take it out of “{self.label}”, or choose the mode “{Mode.SLICE}”."
                )
            sources.append(resolve_input(layer, view, own, mode, region, PixelChoices(level)))
        return sources

    def _fill(self, layers: list[Image]) -> None:
        self._menu.clear()
        self.boxes = {}
        for layer in layers:
            box = QCheckBox(layer.name)
            box.clicked.connect(self._on_click)
            # In a widget of its own: a plain entry would close the menu with each click.
            action = QWidgetAction(self._menu)
            action.setDefaultWidget(box)
            self._menu.addAction(action)
            self.boxes[layer.name] = box

    def _on_selection(self, _event: object = None) -> None:
        """Take the channels of image layers that are selected together, and of no others then."""
        selected = [x for x in self._viewer.layers.selection if isinstance(x, Image)]
        if len(selected) > 1:
            self._selected, self._is_selection = selected, True
            self.changed.emit()
        elif self._is_selection and selected:
            self._chosen, self._is_selection = [], False
            self.changed.emit()

    def _on_click(self, _checked: bool = False) -> None:
        names = [name for name, box in self.boxes.items() if box.isChecked()]
        self._chosen = [self._viewer.layers[name] for name in names]
        self._is_selection = False
        self.changed.emit()


def _reading(grid: PlaneGrid, layer: Image, view: View, like: Axes) -> tuple[Axes, int]:
    """Axes and level: like those of the first layer, if the two are built alike."""
    axes = proposed_axes(layer, view)
    if full_shape(layer) == full_shape(grid.layer):
        axes = like
    if not layer.multiscale:
        return axes, 0
    rows, columns = axes.plane
    sizes = [(data.shape[rows], data.shape[columns]) for data in layer.data]
    return axes, sizes.index(grid.shape) if grid.shape in sizes else 0


def _why_not(grid: PlaneGrid, layer: Image, view: View, like: Axes) -> str:
    try:
        axes, level = _reading(grid, layer, view, like)
        own = plane_grid(layer, view, axes.channel, level, axes.plane)
        return why_not_on_grid(grid, own, view)
    except InputError as error:
        return str(error).rstrip(".")
