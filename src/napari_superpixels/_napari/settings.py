"""The plugin's page in napari's preferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.settings import get_plugin_settings, get_settings
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
        settings = plugin_settings()
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
        settings = plugin_settings()
        self._event = None if settings is None else settings.events.changed
        if self._event is not None:
            self._event.connect(self._on_change)

    def _on_change(self, event: Any = None) -> None:
        self.changed.emit()

    def cleanup(self) -> None:
        """Let go of napari's settings."""
        if self._event is not None:
            self._event.disconnect(self._on_change)


_PLUGIN = "napari-superpixels"
# A name ends so, whatever its folder is called: napari compares the whole path.
_OWN_FILES = ("*superpixels.tif", "*superpixels.tiff", "*superpixels classes.tif")
_ALL_TIFFS = ("*.tif", "*.tiff")


def prefer_own_reader() -> None:
    """Let napari open files of ours with our reader, without the question which one to take.

    It stands under *Preferences > Plugins > File extension readers*, where the user can change it.
    That all TIFFs are opened with it, which was remembered for earlier versions, is taken back.
    """
    plugins = get_settings().plugins
    known = dict(plugins.extension2reader)
    wanted = {k: v for k, v in known.items() if (k, v) not in [(t, _PLUGIN) for t in _ALL_TIFFS]}
    wanted = dict.fromkeys(_OWN_FILES, _PLUGIN) | wanted
    if wanted != known:
        plugins.extension2reader = wanted


def plugin_settings() -> Any:
    """The plugin's settings; None if it runs from a script, without being registered."""
    try:
        return get_plugin_settings(_PLUGIN)
    except KeyError:
        return None
