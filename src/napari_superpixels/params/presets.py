"""Presets: named instances of the parameters."""

from __future__ import annotations

from types import MappingProxyType

from napari_superpixels.params.superpixel_params import SuperpixelParams

_BALANCED = SuperpixelParams()
_PAPER = SuperpixelParams(
    lam=2.0,
    alpha=2.0,
    beta=10.0,
    sigma=8.0,
    iterations=1000,
    coarse_share=0.0,
    learning_rate=0.01,
    schedule="constant",
    downscale=1,
    label_maps=0,
    hidden_channels=(32, 64, 128, 256),
    color_space="channels",
    outliers="keep",
    max_channels=0,
    oversegmentation=0,
    refine_iterations=0,
)
PRESETS: MappingProxyType[str, SuperpixelParams] = MappingProxyType(
    {
        "balanced": _BALANCED,
        "fast": _BALANCED.replace(
            iterations=12,
            oversegmentation=600,
            refine_iterations=10,
        ),
        "paper": _PAPER,
        "paper-no-recon": _PAPER.replace(beta=0.0),
    }
)
DEFAULT_PRESET = "balanced"


def get_preset(name: str) -> SuperpixelParams:
    """Parameters of a preset.

    Parameters
    ----------
    name : str
        One of `list_presets`.

    Returns
    -------
    SuperpixelParams
        The preset.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known are {', '.join(PRESETS)}")
    return PRESETS[name]


def list_presets() -> list[str]:
    """Names of the presets, the default first.

    Returns
    -------
    list of str
        ``balanced`` (the default), ``fast``, ``paper`` and ``paper-no-recon``.
    """
    return list(PRESETS)
