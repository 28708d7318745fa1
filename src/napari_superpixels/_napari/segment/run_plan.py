"""The plan of a run for the dock: its input resolved, the decision in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.messages import of_plan
from napari_superpixels.params.options import Resources
from napari_superpixels.plan.run_plan import ImageFacts, Tiles, plan_run

if TYPE_CHECKING:
    from napari_superpixels._napari.input.segmentation_input import SegmentationInput
    from napari_superpixels.params import SuperpixelParams


@dataclass(frozen=True, slots=True)
class PlanText:
    """What the dock says of a plan.

    Attributes
    ----------
    text : str
        What the run needs, and how it is done.
    in_tiles : bool
        Whether it is done in tiles.
    problem : str
        Why it cannot start; empty if it can.
    """

    text: str
    in_tiles: bool = False
    problem: str = ""


def plan_for(
    source: SegmentationInput, params: SuperpixelParams, resources: Resources, tiles: Tiles
) -> PlanText:
    """Plan a run, see `plan_run`.

    Parameters
    ----------
    source : SegmentationInput
        What is to be segmented.
    params : SuperpixelParams
    resources : Resources
        Device, and the limit in the preferences.
    tiles : Tiles
        What the user wants.

    Returns
    -------
    PlanText
        The decision, in words.
    """
    from napari_superpixels.core.device import machine_here  # torch takes seconds to load

    plan = plan_run(facts_of(source), params, machine_here(resources), tiles)
    text, problem = of_plan(plan, tiles)
    return PlanText(text, plan.in_tiles, problem)


def facts_of(source: SegmentationInput) -> ImageFacts:
    """Tell a plan what it needs to know of what is segmented.

    Parameters
    ----------
    source : SegmentationInput
        What is segmented.

    Returns
    -------
    ImageFacts
        Of the volume, or of one plane.
    """
    return ImageFacts(
        shape=source.shape if source.mode == Mode.VOLUME else source.plane_shape,
        n_channels=len(source.channel_names),
        itemsize=source.itemsize,
        spacing=source.spacing or (),
        copied_bytes=source.data.nbytes if isinstance(source.data, np.ndarray) else 0,
        can_be_tiled=source.mode == Mode.SLICE,
    )
