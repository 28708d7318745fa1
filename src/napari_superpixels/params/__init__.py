"""The parameters of a run and their presets."""

from napari_superpixels.params.parameter_info import AUTO
from napari_superpixels.params.parameter_set import unknown_name
from napari_superpixels.params.presets import DEFAULT_PRESET, PRESETS, get_preset, list_presets
from napari_superpixels.params.superpixel_params import SuperpixelParams

__all__ = [
    "AUTO",
    "DEFAULT_PRESET",
    "PRESETS",
    "SuperpixelParams",
    "get_preset",
    "list_presets",
    "unknown_name",
]
