"""The methods that the benchmarks compare: ours in variants, and the peers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from skimage.color import rgb2lab
from skimage.segmentation import felzenszwalb, slic

from napari_superpixels import SuperpixelParams, get_preset, refine, superpixels
from napari_superpixels.core.prepare.prepared_image import prepare_image
from napari_superpixels.core.regions.postprocess import find_levels
from napari_superpixels.events import drain
from napari_superpixels.plan.resolution import finishing_downscale

try:
    import cv2
except ImportError:
    cv2 = None

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Labels = NDArray[np.integer]
    Method = Callable[[NDArray[np.uint8], float], Labels]


def run_slic(
    rgb: NDArray[np.uint8], n: float, compactness: float = 10.0, zero: bool = False
) -> Labels:
    return slic(
        rgb, round(n), compactness=compactness, slic_zero=zero, start_label=1, channel_axis=-1
    )


def run_felzenszwalb(rgb: NDArray[np.uint8], n: float) -> Labels:
    # Its count falls with the scale and the minimum size, both tied to the superpixel area.
    area = rgb.shape[0] * rgb.shape[1] / n
    return felzenszwalb(rgb, scale=area / 8, sigma=0.8, min_size=round(area / 8)) + 1


def run_seeds(rgb: NDArray[np.uint8], n: float) -> Labels:
    height, width, channels = rgb.shape
    seeds = cv2.ximgproc.createSuperpixelSEEDS(width, height, channels, round(n), 4, 2, 5, False)
    seeds.iterate(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV), 10)
    return seeds.getLabels() + 1


def run_lsc(rgb: NDArray[np.uint8], n: float) -> Labels:
    size = max(2, round((rgb.shape[0] * rgb.shape[1] / n) ** 0.5))
    lab = rgb2lab(rgb).astype(np.float32)
    lsc = cv2.ximgproc.createSuperpixelLSC(lab, region_size=size, ratio=0.075)
    lsc.iterate(10)
    lsc.enforceLabelConnectivity(25)
    return lsc.getLabels() + 1


def then_refine(method: Method, rgb: NDArray[np.uint8], n: float) -> Labels:
    """A peer, then our boundary refinement."""
    return refine(rgb, method(rgb, n).astype(np.int32), channel_axis=-1, iterations=20)


def slic_then_merge(rgb: NDArray[np.uint8], n: float) -> Labels:
    """SLIC in place of the network, then all that we do after it: how much the network adds."""
    params = SuperpixelParams(n_segments=round(n), count="exact")
    prepared = prepare_image(rgb, channel_axis=-1)
    factor = finishing_downscale(prepared.mask.shape, params)
    pieces = run_slic(rgb, max(params.oversegmentation, 2 * n), compactness=20)[::factor, ::factor]
    levels = drain(find_levels(pieces, prepared, factor, params))
    return drain(levels.superpixels(params))


def ours(preset: str, device: str, seed: int, **changes: object) -> Method:
    """One of our presets, brought to exactly n superpixels."""
    params = {"count": "exact"} | changes
    get_preset(preset).replace(**params)  # a wrong name fails here and not hours later

    def run(rgb: NDArray[np.uint8], n: float) -> Labels:
        return superpixels(
            rgb, round(n), preset=preset, channel_axis=-1, device=device, seed=seed, **params
        )

    return run


def our_methods(device: str, seed: int, *, paper: bool = False) -> dict[str, Method]:
    """Ours in variants; `paper` adds the published method, for those who have a GPU."""
    make = partial(ours, device=device, seed=seed)
    published = {
        f"ours ({preset})": make(preset, count="adaptive")
        for preset in ("paper", "paper-no-recon")
        if paper
    }
    return published | {
        "ours (balanced)": make("balanced"),
        "ours (balanced, smoothness 0.15)": make("balanced", refine_smoothness=0.15),
        "ours (balanced, smoothness 0.05)": make("balanced", refine_smoothness=0.05),
        "ours (balanced, smoothness 0.4)": make("balanced", refine_smoothness=0.4),
        "ours (balanced, no reconstruction)": make("balanced", beta=0.0),
        "ours (fast)": make("fast"),
    }


def peers() -> dict[str, Method]:
    found: dict[str, Method] = {
        "SLIC (compactness 10)": partial(run_slic, compactness=10),
        "SLIC (compactness 20)": partial(run_slic, compactness=20),
        "SLICO": partial(run_slic, zero=True),
        "FH": run_felzenszwalb,
    }
    if cv2 is None:
        print("SEEDS and LSC are left out: pip install -e . --group bench")
    else:
        found |= {"SEEDS": run_seeds, "LSC": run_lsc}
    return found


def rivals() -> dict[str, Method]:
    """Peers with parts of ours: the network must beat them to earn its time."""
    found = {"SLIC + our refinement": partial(then_refine, partial(run_slic, compactness=20))}
    if cv2 is not None:
        found["LSC + our refinement"] = partial(then_refine, run_lsc)
    return found | {"SLIC + our merging": slic_then_merge}
