"""“Copy as Python”: the call that repeats a run."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from napari_superpixels._napari.form import CUSTOM
from napari_superpixels.params import SuperpixelParams
from napari_superpixels.presets import DEFAULT_PRESET, get_preset

if TYPE_CHECKING:
    from napari_superpixels._napari.source import Source


def as_python(source: Source, params: SuperpixelParams, preset: str, device: str) -> str:
    """Write the Python that repeats a run in napari's console.

    Parameters
    ----------
    source : Source
        What is segmented.
    params : SuperpixelParams
        Parameters.
    preset : str
        The preset that they belong to, or ``custom``.
    device : str
        Where to run.

    Returns
    -------
    str
        Code that needs ``viewer`` and leaves ``labels``.
    """
    base = DEFAULT_PRESET if preset == CUSTOM else preset
    default = get_preset(base)
    arguments = [
        "image",
        f"n_segments={params.n_segments}",
        f"preset={base!r}",
        f"channel_axis={source.channel_axis}",
        'nodata=float("nan")',
        f"device={device!r}",
        f"seed={params.seed}",
    ]
    for f in fields(params):
        value = getattr(params, f.name)
        if f.name not in ("n_segments", "seed") and value != getattr(default, f.name):
            arguments.append(f"{f.name}={value!r}")
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return (
        "from napari_superpixels import superpixels\n\n"
        f"image = viewer.layers[{source.layer_name!r}].data{source.expression}\n"
        f"labels = superpixels(\n{lines})\n"
    )
