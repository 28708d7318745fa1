"""Binds the chosen tool to the mouse and the keys of the layer under correction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_superpixels._napari.correction.pointer import pixel_under
from napari_superpixels.editing.label_edit import EditError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Labels

    from napari_superpixels._napari.correction.editor import LayerEditor
    from napari_superpixels._napari.correction.notify import Say
    from napari_superpixels._napari.correction.tools import Tool

_LEFT = 1


class Controller:
    """The mouse and the keys on one layer.

    Parameters
    ----------
    editor : LayerEditor
    tools : list of Tool
        The tools to choose from.
    keys : dict of str to callable
        Further keys, while the layer is active.
    tool_keys : dict of str to dict
        For a tool's name, keys that are bound while it is chosen.
    say : callable
        Tells the user a line.

    Attributes
    ----------
    chosen : psygnal.Signal
        Emitted with the tool's name, or an empty string, when another mode is chosen.
    """

    chosen = Signal(str)

    def __init__(
        self,
        editor: LayerEditor,
        tools: list[Tool],
        keys: dict[str, Callable[[], None]],
        tool_keys: dict[str, dict[str, Callable[[], None]]],
        say: Say,
    ) -> None:
        self._editor = editor
        self._say = say
        self.tools = {tool.name: tool for tool in tools}
        self.tool: Tool | None = None
        self.enabled = True
        self._given_up = False
        self._listens = False
        layer = editor.layer
        self._keys = {tool.key: partial(self.toggle, tool.name) for tool in tools} | keys
        self._tool_keys = tool_keys
        self._bound_for_tool: list[str] = []
        layer.mouse_drag_callbacks.append(self._on_drag)
        layer.events.mode.connect(self._on_mode)

    def cleanup(self) -> None:
        """Let go of the layer, which gets its own mouse and keys back."""
        layer = self._editor.layer
        self.chosen.disconnect()
        self.listen(on=False)
        layer.events.mode.disconnect(self._on_mode)
        if self._on_drag in layer.mouse_drag_callbacks:  # napari empties it with the viewer
            layer.mouse_drag_callbacks.remove(self._on_drag)

    def listen(self, *, on: bool) -> None:
        """Take the tools' keys, or put the tool away and give them back to napari.

        Parameters
        ----------
        on : bool
            False while nobody sees the dock: a drag that is to move the image must not edit.
        """
        if not on:
            self.choose("")
        if on == self._listens:
            return
        self._listens = on
        for key, action in self._keys.items():
            if on:
                self._bind(key, action)
            else:
                self._editor.layer.bind_key(key, None)

    def _bind(self, key: str, action: Callable[[], None]) -> None:
        self._editor.layer.bind_key(key, lambda _layer: action(), overwrite=True)

    def _bind_for_tool(self) -> None:
        """Keys that napari uses itself are taken only while a tool is chosen."""
        layer = self._editor.layer
        for key in self._bound_for_tool:
            layer.bind_key(key, None)
        self._bound_for_tool = []
        if self.tool is None:
            return
        keys = {"Escape": self._escape} | self._tool_keys.get(self.tool.name, {})
        for key, action in keys.items():
            self._bind(key, action)
        layer.bind_key("Space", self._hold_to_pan, overwrite=True)
        self._bound_for_tool = [*keys, "Space"]

    def choose(self, name: str) -> None:
        """Choose a tool.

        Parameters
        ----------
        name : str
            Of a tool; empty gives the mouse back to napari.
        """
        layer = self._editor.layer
        if self.tool is not None:
            self.tool.reset()
        self.tool = self.tools[name] if name else None
        if self.tool is None:
            layer.mouse_pan = layer.mode == "pan_zoom"
            layer.cursor = "standard"
            layer.help = ""
        else:
            # napari's own modes off: brush and tool must not both react to the mouse.
            layer.mode = "pan_zoom"
            layer.mouse_pan = False
            layer.cursor = self.tool.cursor
            layer.help = f"{self.tool.hint} Hold Space to move the image."
        self._bind_for_tool()
        self.chosen.emit("" if self.tool is None else self.tool.name)

    def toggle(self, name: str) -> None:
        """Choose a tool, or, if it is the chosen one, none: what its key and its button do.

        Parameters
        ----------
        name : str
            Of a tool.
        """
        self.choose("" if self.tool is not None and self.tool.name == name else name)

    def _on_mode(self, event: Any = None) -> None:
        """Give way when the user chooses the brush or another mode of napari."""
        if self.tool is not None and self._editor.layer.mode != "pan_zoom":
            mode = self._editor.layer.mode
            cursor = self._editor.layer.cursor
            self.choose("")
            self._editor.layer.mouse_pan = False
            self._editor.layer.cursor = cursor
            self._say(f"napari's {mode} mode; press a tool's key to come back.")

    def _escape(self) -> None:
        if self.tool is not None:
            self.tool.reset()
            self._given_up = True
            self._say("Forgotten; begin again.")

    def _hold_to_pan(self, layer: Labels) -> Iterator[None]:
        tool, self.tool = self.tool, None
        layer.mouse_pan = True
        yield
        self.tool = tool
        layer.mouse_pan = tool is None and layer.mode == "pan_zoom"

    def _on_drag(self, layer: Labels, event: Any) -> Iterator[None]:
        tool = self.tool
        if tool is None or event.button != _LEFT:
            return
        if not self.enabled:
            self._say("The network is running: wait for it, or cancel.")
            return
        self._given_up = False
        try:
            tool.press(pixel_under(layer, self._editor.scope(), event))
            yield
            while event.type == "mouse_move" and not self._given_up:
                tool.drag(pixel_under(layer, self._editor.scope(), event))
                yield
            if self._given_up:
                return
            # Fast moves are skipped: the stroke ends where the button was released.
            tool.drag(pixel_under(layer, self._editor.scope(), event))
        except EditError as error:
            tool.reset()
            self._say(str(error), problem=True)
            return
        tool.release(event.modifiers)
