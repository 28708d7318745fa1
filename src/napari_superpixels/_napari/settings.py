"""The plugin's page in napari's preferences."""

from __future__ import annotations

from dataclasses import dataclass

from napari.settings import get_plugin_settings


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
        try:
            page = get_plugin_settings("napari-superpixels").segmentation
        except KeyError:  # run from a script, without the plugin being registered
            return cls()
        return cls(page.device, page.memory_limit_gb or None, page.seed, page.preview)
