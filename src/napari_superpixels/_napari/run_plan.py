"""How a run is to be done: the one place that decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_superpixels._napari.axes import Mode

if TYPE_CHECKING:
    from napari_superpixels._napari.source import Source
    from napari_superpixels.params import SuperpixelParams


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run needs, and whether it can start.

    Attributes
    ----------
    needed_bytes : int
        Memory that a run in one piece needs.
    problem : str
        Why it cannot start, with remedies; empty if it can.
    """

    needed_bytes: int
    problem: str


def plan_run(
    source: Source, params: SuperpixelParams, device: str, memory_limit_gb: float | None
) -> RunPlan:
    """Decide how a run is done: in one piece, in memory, or not at all.

    Parameters
    ----------
    source : Source
        What is to be segmented.
    params : SuperpixelParams
        Parameters.
    device : str
        PyTorch's name of the device.
    memory_limit_gb : float or None
        Largest estimate to run.

    Returns
    -------
    RunPlan
        The decision.
    """
    import torch

    from napari_superpixels.core.device import check_memory, estimate_memory

    shape = source.shape if source.mode == Mode.VOLUME else source.plane_shape
    spacing = source.spacing or (1.0,) * len(shape)
    needed = estimate_memory(shape, len(source.channel_names), params, spacing=spacing)
    try:
        check_memory(needed, torch.device(device), memory_limit_gb)
    except MemoryError as error:
        return RunPlan(needed, str(error))
    return RunPlan(needed, "")
