"""Superpixels from a CNN that is optimised on one image, without labels or training.

The names below load on first use: importing the package loads neither torch nor Qt nor napari.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

__version__ = version("napari-superpixels")

_HOME = {
    "superpixels": "api.image",
    "iter_superpixels": "api.image",
    "refine": "api.image",
    "iter_series": "api.series",
    "superpixels_series": "api.series",
    "superpixels_tiled": "tiling.run",
    "iter_superpixels_tiled": "tiling.run",
    "SuperpixelParams": "params",
    "get_preset": "params",
    "list_presets": "params",
    "Command": "events",
    "FinishReason": "events",
    "Losses": "events",
    "Step": "events",
    "SuperpixelResult": "api.result",
    "SuperpixelError": "errors",
    "SuperpixelMemoryError": "errors",
    "DeviceUnavailableError": "errors",
    "export_labels": "io.formats",
    "save_labels": "io.formats",
    "read_provenance": "io.formats",
    "metrics": "metrics",
}
__all__ = [*_HOME, "__version__"]

if TYPE_CHECKING:
    from napari_superpixels import metrics as metrics
    from napari_superpixels.api.image import iter_superpixels as iter_superpixels
    from napari_superpixels.api.image import refine as refine
    from napari_superpixels.api.image import superpixels as superpixels
    from napari_superpixels.api.result import SuperpixelResult as SuperpixelResult
    from napari_superpixels.api.series import iter_series as iter_series
    from napari_superpixels.api.series import superpixels_series as superpixels_series
    from napari_superpixels.errors import DeviceUnavailableError as DeviceUnavailableError
    from napari_superpixels.errors import SuperpixelError as SuperpixelError
    from napari_superpixels.errors import SuperpixelMemoryError as SuperpixelMemoryError
    from napari_superpixels.events import Command as Command
    from napari_superpixels.events import FinishReason as FinishReason
    from napari_superpixels.events import Losses as Losses
    from napari_superpixels.events import Step as Step
    from napari_superpixels.io.formats import export_labels as export_labels
    from napari_superpixels.io.formats import read_provenance as read_provenance
    from napari_superpixels.io.formats import save_labels as save_labels
    from napari_superpixels.params import SuperpixelParams as SuperpixelParams
    from napari_superpixels.params import get_preset as get_preset
    from napari_superpixels.params import list_presets as list_presets
    from napari_superpixels.tiling.run import iter_superpixels_tiled as iter_superpixels_tiled
    from napari_superpixels.tiling.run import superpixels_tiled as superpixels_tiled


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOME[name]}")
    value = module if name == _HOME[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
