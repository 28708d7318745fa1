"""The dock "Correct": tools for any Labels layer."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import napari.viewer
from napari.layers import Labels
from napari.plugins import menu_item_template
from napari.utils.notifications import show_error
from npe2 import PluginManager
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QShowEvent
from qtpy.QtWidgets import QDockWidget, QFileDialog

from napari_superpixels._napari.correction.controller import Controller
from napari_superpixels._napari.correction.editor import LayerEditor
from napari_superpixels._napari.correction.files import load_corrected, save_corrected
from napari_superpixels._napari.correction.overlays import is_overlay
from napari_superpixels._napari.correction.target import (
    editable_copy,
    looks_like_volume,
    problem_with,
)
from napari_superpixels._napari.correction.tools import (
    TOOLS,
    ClassTool,
    Options,
    ResegmentTool,
    Tool,
)
from napari_superpixels._napari.correction.view import PLANE, VOLUME, CorrectionView, resolve
from napari_superpixels._napari.segment.appearance import Look, Show, apply_look
from napari_superpixels._napari.segment.run import warm_up
from napari_superpixels._napari.widgets.canvas_context import CanvasContext
from napari_superpixels._napari.widgets.docking import dock_of
from napari_superpixels._napari.widgets.layout import file_name, when_clicked
from napari_superpixels._napari.widgets.lifetime import Lifetime
from napari_superpixels._napari.widgets.status_bar import not_described
from napari_superpixels.errors import SuperpixelError

_PLUGIN, _COMMAND = "napari-superpixels", "napari-superpixels.correct"


class CorrectionWidget(CorrectionView):
    """Dock widget "Correct".

    There is one a viewer: a second takes the place of the first, which is closed.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    # The annotation stays a real type: napari injects the viewer by it.
    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        window = napari_viewer.window
        for other in list(window.dock_widgets.values()):
            if isinstance(other, CorrectionWidget):
                window.remove_dock_widget(other)
        super().__init__(napari_viewer)
        self._lifetime = Lifetime(self)
        warm_up()
        self.editor: LayerEditor | None = None
        self._controller: Controller | None = None
        self._frame: QDockWidget | None = None
        self._is_seen = True
        self._layer: Labels | None = None
        self.options = Options()
        self._connect()
        self._on_active()

    def _connect(self) -> None:
        when_clicked(self.copy_button, self.make_copy)
        when_clicked(self.save_button, self._save)
        when_clicked(self.open_button, self._open)
        for name, made in self.tool_buttons.items():
            when_clicked(made, partial(self._toggle, name))
        options = self.options
        self.snap_box.changed.connect(lambda on: setattr(options, "snap", bool(on)))
        self.plane_box.changed.connect(lambda on: setattr(options, "split_in_plane", bool(on)))
        self.work_box.changed.connect(self._on_work)
        self.outline_box.changed.connect(self._on_outline)
        self.classes.chosen.connect(self._on_class)
        self.network.running_changed.connect(self._on_running)
        self.exporter.told.connect(self.say)
        self.exporter.failed.connect(self._on_not_exported)
        canvas = CanvasContext(self._viewer, self)
        for callback in (
            *(self._give_back, self.network.abandon),
            *(canvas.cleanup, self.reference.cleanup, self.exporter.cleanup),
        ):
            self._lifetime.at_end(callback)
        layers, dims = self._viewer.layers, self._viewer.dims.events
        for event, slot in (
            (layers.selection.events.active, self._on_active),
            (layers.events.removed, self._on_removed),
            (layers.events.renamed, self._on_renamed),
            (dims.current_step, self._on_view),
            (dims.order, self._on_view),
            (dims.ndisplay, self._on_ndisplay),
        ):
            self._lifetime.connect(event, slot)

    # ---- which layer -------------------------------------------------------------------------

    def _on_active(self, event: Any = None) -> None:
        """Follow the active Labels layer; other layers may be active in between."""
        active = self._viewer.layers.selection.active
        # With != and not by identity: the viewer's proxy wraps a layer anew at each access.
        if isinstance(active, Labels) and active != self._layer and not is_overlay(active):
            self._attach(active)
        self._refresh()

    def _on_removed(self, event: Any = None) -> None:
        if self._layer is not None and self._layer not in self._viewer.layers:
            self._attach(None)
            self._on_active()
        self.reference.refresh()

    def _on_renamed(self, event: Any = None) -> None:
        """Nothing goes on speaking of a layer by a name that it had."""
        self.unsay()
        self.reference.rename()
        self._refresh()

    def _attach(self, layer: Labels | None) -> None:
        self._detach()
        self._layer = layer
        if layer is not None:
            self.exporter.remember(layer)
            layer.events.editable.connect(self._on_editable)
        self._begin()

    def _begin(self) -> None:
        """Start to correct the layer, if it can be."""
        layer = self._layer
        self._on_tool("")
        if layer is None or problem_with(layer):
            self._refresh()
            return
        editor = LayerEditor(self._viewer, layer, self)
        if layer.ndim >= 3 and looks_like_volume(layer):
            self.work_box.value = VOLUME
        else:
            self.work_box.value = PLANE
        editor.volume = self.work_box.value == VOLUME
        self.outline_box.value = layer.contour > 0
        self.editor = editor
        editor.changed.connect(self._refresh)
        editor.followed.connect(self.say)
        editor.replaced.connect(self._on_replaced)
        editor.refresh_image = self.reference.refresh
        self.reference.attach(editor)
        for panel in (self.classes, self.detail, self.tidy, self.network):
            panel.attach(editor)
        tools = [self._make_tool(kind, editor) for kind in TOOLS]
        self._controller = Controller(
            editor,
            tools,
            {"N": self.classes.go_to_next},
            {ClassTool.name: self._class_keys()},
            self.say,
        )
        self._controller.chosen.connect(self._on_tool)
        self._controller.listen(on=self._is_seen)
        self._refresh()

    def _class_keys(self) -> dict[str, Callable[[], None]]:
        return {str(i): partial(self.classes.choose, i) for i in range(10)}

    def _make_tool(self, kind: type[Tool], editor: LayerEditor) -> Tool:
        if issubclass(kind, ResegmentTool):
            return kind(editor, self.options, self.say, self.network.split)
        return kind(editor, self.options, self.say)

    def _detach(self) -> None:
        if self._layer is not None:
            self._layer.events.editable.disconnect(self._on_editable)
        if self._controller is not None:
            self._controller.cleanup()
        # First, as removing a layer that belongs to the panels may come here again.
        editor, self.editor, self._controller = self.editor, None, None
        if editor is not None:
            self.reference.attach(None)
            for panel in (self.classes, self.detail, self.tidy, self.network):
                panel.attach(None)
            editor.cleanup()
            editor.marks.remove()

    def _give_back(self) -> None:
        """Leave the layer as it is: the dock is closed, or destroyed."""
        editor, controller = self.editor, self._controller
        self.editor = self._controller = None
        if editor is None or controller is None:
            return
        editor.cleanup()
        if self._lifetime.viewer_lives:
            controller.cleanup()
            for layer in (editor.marks, self.detail.preview, self.classes.suggestions):
                if layer is not None:
                    layer.remove()

    def _on_replaced(self) -> None:
        """The layer has other data: what is known of the old ones is of no use."""
        layer = self._layer
        if self.classes.semantic is not None:
            self.classes.semantic.remove()
        self._attach(layer)
        self.say("The layer has other data now: its correction begins anew.")

    def _on_editable(self, event: Any = None) -> None:
        """A layer that a run has unlocked can be corrected now, and the other way round."""
        if self._layer is not None and bool(problem_with(self._layer)) == bool(self.editor):
            layer = self._layer
            self._detach()
            self._layer = None
            self._attach(layer)

    def make_copy(self) -> None:
        """Add an editable copy of a layer that cannot be edited itself."""
        if self._layer is not None:
            with not_described(self._viewer):
                self._viewer.add_layer(editable_copy(self._layer))

    # ---- which axes, what is shown -----------------------------------------------------------

    def _on_work(self, value: str) -> None:
        if self.editor is not None:
            self.editor.volume = value == VOLUME
            self.editor.refresh_table()
            self.classes.refresh()
        self._refresh()

    def _on_outline(self, on: bool) -> None:
        if self.editor is not None:
            layer = self.editor.layer
            # Outlines have one colour, in which all would be filled.
            if on != (layer.contour > 0):
                apply_look(layer, Look(Show.OUTLINES if on else Show.FILLED))

    def _on_ndisplay(self, event: Any = None) -> None:
        if self.editor is not None:
            self.editor.marks.adapt()
        if self.detail.preview is not None:
            self.detail.preview.adapt()
        self._on_view()

    def _on_view(self, event: Any = None) -> None:
        tool = None if self._controller is None else self._controller.tool
        if tool is not None and tool.waits:
            tool.reset()
            self.say("The view has moved, so earlier clicks are forgotten.")
        self._refresh()

    # ---- tools -------------------------------------------------------------------------------

    def choose_tool(self, name: str) -> None:
        """Choose a tool.

        Parameters
        ----------
        name : str
            Its name; empty gives the mouse back to napari.
        """
        if self._controller is not None:
            self._make_active(self._layer)
            self._controller.choose(name)

    def _toggle(self, name: str) -> None:
        if self._controller is not None:
            self._make_active(self._layer)
            self._controller.toggle(name)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Learn from the dock around this widget when another tab hides it: no event tells."""
        super().showEvent(event)
        outer = dock_of(self)
        if outer is not None and outer is not self._frame:
            self._frame = outer
            outer.visibilityChanged.connect(self._on_seen)
        if outer is not None and event is not None and not event.spontaneous():
            outer.raise_()  # from the menu it would be shown behind the tab in front

    def _on_seen(self, on: bool) -> None:
        """Without a tool while nobody sees the dock: a drag that moves the image must not edit."""
        self._is_seen = on
        if self._controller is not None:
            self._controller.listen(on=on)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Keys of tools and classes work wherever the focus is in the dock."""
        assert event is not None
        keys = {"N": self.classes.go_to_next} | self._class_keys()
        keys |= {made.key: partial(self._toggle, made.name) for made in TOOLS}
        action = keys.get(event.text().upper())
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if action is None or modifiers != Qt.KeyboardModifier.NoModifier:
            super().keyPressEvent(event)
        elif self.editor is not None:
            action()

    def _make_active(self, layer: Labels | None) -> None:
        with not_described(self._viewer):
            self._viewer.layers.selection.active = layer

    def _on_tool(self, name: str) -> None:
        self.show_tool(name)
        if name == ClassTool.name:
            self.tabs.setCurrentWidget(self.classes)
        if name == ResegmentTool.name:
            self.tabs.setCurrentWidget(self.network)

    def _on_class(self, category: int) -> None:
        self.options.category = category
        if self._controller is not None:
            tool = self._controller.tool
            if category and not isinstance(tool, ClassTool):
                self.choose_tool(ClassTool.name)
            names = {} if self.classes.classes is None else self.classes.classes.names
            self.say(f"Class: {names.get(category, 'none')}. Click or drag over superpixels.")

    def _on_running(self, running: bool) -> None:
        if self._controller is not None:
            self._controller.enabled = not running
        self._refresh()

    def _refresh(self, event: Any = None) -> None:
        self.show_state(resolve(self._layer, self.editor, self.work_box.value))

    # ---- files -------------------------------------------------------------------------------

    def _on_not_exported(self, message: str) -> None:
        self.say(message, problem=True)
        show_error(message)

    def _save(self) -> None:
        name = "" if self._layer is None else file_name(f"{self._layer.name}.tif")
        path, _ = QFileDialog.getSaveFileName(
            self, "Save corrected labels", name, "Labels (*.tif *.tiff)"
        )
        if path:
            chosen = Path(path)
            # Without a suffix the dialog has asked for another name than the file will have.
            self.save(
                chosen if chosen.suffix else chosen.with_name(f"{chosen.name}.tif"),
                overwrite=bool(chosen.suffix),
            )

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write labels, fragments, classes, locks and log; say what went wrong if that fails.

        Parameters
        ----------
        path : Path
            TIFF.
        overwrite : bool, default False
            Replace an existing file.
        """
        if self.editor is None:
            return
        self.editor.sync()
        try:
            save_corrected(path, self.editor.layer, self.editor.session, overwrite=overwrite)
        except SuperpixelError as error:
            show_error(str(error))
            return
        self.say(f"Saved {path}.")

    def _open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open corrected labels", "", "Labels (*.tif *.tiff);;All files (*)"
        )
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> None:
        """Add the layer that `save` wrote; say what went wrong if that fails.

        Parameters
        ----------
        path : Path
            TIFF.
        """
        try:
            layer = load_corrected(path)
        except SuperpixelError as error:
            show_error(str(error))
            return
        apply_look(layer, Look().for_image(self.image.layer))
        with not_described(self._viewer):
            self._viewer.layers.selection.active = self._viewer.add_layer(layer)


def open_correction(viewer: napari.viewer.Viewer) -> CorrectionWidget:
    """Bring the correction dock of a viewer to the front; make it if there is none.

    Parameters
    ----------
    viewer : napari.viewer.Viewer

    Returns
    -------
    CorrectionWidget
        The only one of this viewer.
    """
    window = viewer.window
    dock = next((w for w in window.dock_widgets.values() if isinstance(w, CorrectionWidget)), None)
    if dock is None:
        dock = CorrectionWidget(viewer)
        window.add_dock_widget(dock, name=_name_in_menus(), tabify=True)
    frame = dock_of(dock)
    assert frame is not None
    frame.show()
    frame.raise_()
    return dock


def _name_in_menus() -> str:
    """Under this name napari's menus find a dock again; `add_plugin_dock_widget` has another."""
    manifest = PluginManager.instance().get_manifest(_PLUGIN)
    widgets = manifest.contributions.widgets or []
    title = next(widget.display_name for widget in widgets if widget.command == _COMMAND)
    return str(menu_item_template.format(manifest.display_name, title))
