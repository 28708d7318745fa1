"""The plugin's page in napari's preferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.settings import get_plugin_settings
from psygnal import Signal


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the user set under Preferences > Plugins; see ``configurations`` in napari.yaml.

    Attributes
    ----------
    device : str
        Default device.
    memory_limit_gb : float or None
        Largest estimate to run; None for no limit.
    seed : int
        Default seed.
    preview : bool
        Live preview.
    """

    device: str = "auto"
    memory_limit_gb: float | None = None
    seed: int = 0
    preview: bool = True

    @classmethod
    def read(cls) -> Preferences:
        """Read the current values; the defaults if napari does not know the plugin."""
        settings = _settings()
        if settings is None:
            return cls()
        page = settings.segmentation
        return cls(page.device, page.memory_limit_gb or None, page.seed, page.preview)


class PreferencesWatch:
    """Tells when the user changes the page.

    Attributes
    ----------
    changed : psygnal.Signal
        Emitted after each change.
    """

    changed = Signal()

    def __init__(self) -> None:
        settings = _settings()
        self._event = None if settings is None else settings.events.changed
        if self._event is not None:
            self._event.connect(self._on_change)

    def _on_change(self, event: Any = None) -> None:
        self.changed.emit()

    def cleanup(self) -> None:
        """Let go of napari's settings."""
        if self._event is not None:
            self._event.disconnect(self._on_change)


def _settings() -> Any:
    """The plugin's settings; None if it runs from a script, without being registered."""
    try:
        return get_plugin_settings("napari-superpixels")
    except KeyError:
        return None
