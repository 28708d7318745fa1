"""How a run is to be done: the one place that decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.messages import text_of
from napari_superpixels.events import drain

if TYPE_CHECKING:
    from napari_superpixels._napari.input.segmentation_input import Source
    from napari_superpixels.params import SuperpixelParams


class Tiles(StrEnum):
    """When an image is segmented in tiles."""

    AUTO = "if needed"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run needs, and whether it can start.

    Attributes
    ----------
    text : str
        What it needs, to stand after the device.
    in_tiles : bool
        Whether it is done tile by tile, into a file.
    problem : str
        Why it cannot start, with remedies; empty if it can.
    """

    text: str
    in_tiles: bool = False
    problem: str = ""


def plan_run(
    source: Source,
    params: SuperpixelParams,
    device: str,
    memory_limit_gb: float | None,
    tiles: Tiles = Tiles.AUTO,
) -> RunPlan:
    """Decide how a run is done: in one piece, in tiles, or not at all.

    Parameters
    ----------
    source : Source
        What is to be segmented.
    params : SuperpixelParams
        Parameters.
    device : str
        PyTorch's name of the device.
    memory_limit_gb : float or None
        Largest estimate to run in one piece, and in tiles.
    tiles : Tiles, default Tiles.AUTO
        What the user wants.

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
    text, problem = f"this run needs about {needed / 1e9:.1f} GB", ""
    try:
        check_memory(needed, torch.device(device), memory_limit_gb)
    except MemoryError as error:
        problem = text_of(error)
    if tiles == Tiles.NEVER or (tiles == Tiles.AUTO and not problem):
        return RunPlan(text, problem=problem)
    if source.mode != Mode.SLICE:
        if tiles == Tiles.ALWAYS:
            problem = f"Tiles are for a single plane: choose the mode “{Mode.SLICE}”, or no tiles."
        return RunPlan(text, problem=problem)
    # Here, since zarr takes a while to load, and few images need it.
    from napari_superpixels._napari.segment.tiled_run import iter_needs
    from napari_superpixels.tiling.estimate import too_much

    estimate = drain(iter_needs(source, params, device, memory_limit_gb, trial=False))
    if tiles == Tiles.AUTO and estimate.added_bytes >= needed:
        problem += (
            f" Tiles would need about {estimate.added_bytes / 1e9:.1f} GB; with more superpixels "
            "they are smaller."
        )
        return RunPlan(text, problem=problem)
    why = "so it is done in" if problem else "but is done in"
    shortage = too_much(estimate, device, memory_limit_gb)
    problem = ""
    if shortage is not None:
        why, problem = "or", text_of(shortage)
    return RunPlan(f"{text} in one piece, {why} {estimate}", in_tiles=True, problem=problem)
