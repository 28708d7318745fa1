"""Quality and cost on BSDS500: ours against SLIC, Felzenszwalb, SEEDS and LSC in one run.

For each image and each asked N, ours runs first; every peer is then brought as near as its own
settings allow to the number of superpixels that ours obtained, so that the figures stand side by
side at the same count.

    python benchmarks/bsds.py --data PATH --preset balanced --n 100 --images 5 --device auto

PATH holds ``images/ID.jpg`` and ``groundTruth/ID.mat``. SEEDS and LSC need the extra ``[bench]``.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from skimage.color import rgb2lab
from skimage.segmentation import felzenszwalb, slic

from common import (
    RESULTS,
    BsdsImage,
    Results,
    bsds_image,
    bsds_names,
    machine,
    match_count,
    mean_rows,
    measured,
    quality,
)
from napari_superpixels import get_preset, list_presets, superpixels

try:
    import cv2
except ImportError:
    cv2 = None

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

COLUMNS = ["K", "ASA", "BR", "UE", "boundary_share", "compactness", "seconds", "peak_mb"]


def run_slic(rgb: NDArray[np.uint8], n: float, compactness: float) -> NDArray[np.integer]:
    return slic(rgb, round(n), compactness=compactness, start_label=1, channel_axis=-1)


def run_felzenszwalb(rgb: NDArray[np.uint8], n: float) -> NDArray[np.integer]:
    # Its count falls with the scale and the minimum size, both tied to the superpixel area.
    area = rgb.shape[0] * rgb.shape[1] / n
    return felzenszwalb(rgb, scale=area / 8, sigma=0.8, min_size=round(area / 8)) + 1


def run_seeds(rgb: NDArray[np.uint8], n: float) -> NDArray[np.integer]:
    height, width, channels = rgb.shape
    seeds = cv2.ximgproc.createSuperpixelSEEDS(width, height, channels, round(n), 4, 2, 5, False)
    seeds.iterate(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV), 10)
    return seeds.getLabels() + 1


def run_lsc(rgb: NDArray[np.uint8], n: float) -> NDArray[np.integer]:
    size = max(2, round((rgb.shape[0] * rgb.shape[1] / n) ** 0.5))
    lab = rgb2lab(rgb).astype(np.float32)
    lsc = cv2.ximgproc.createSuperpixelLSC(lab, region_size=size, ratio=0.075)
    lsc.iterate(10)
    lsc.enforceLabelConnectivity(25)
    return lsc.getLabels() + 1


def peers() -> dict[str, Callable[..., NDArray[np.integer]]]:
    found: dict[str, Callable[..., NDArray[np.integer]]] = {
        "SLIC (compactness 10)": partial(run_slic, compactness=10),
        "SLIC (compactness 20)": partial(run_slic, compactness=20),
        "Felzenszwalb": run_felzenszwalb,
    }
    if cv2 is None:
        print("SEEDS and LSC are left out: install the extra [bench]")
    else:
        found |= {"SEEDS": run_seeds, "LSC": run_lsc}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", choices=list_presets(), default="balanced")
    parser.add_argument("--n", type=int, nargs="+", default=[100])
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of PyTorch on the CPU")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    ours = f"ours ({arguments.preset})"
    settings = {
        "preset": arguments.preset,
        "parameters": get_preset(arguments.preset).to_dict(),
        "device": arguments.device,
        "seed": arguments.seed,
        "n": arguments.n,
        "images": bsds_names(arguments.data, arguments.images),
    }
    path = arguments.output or RESULTS / f"bsds_{arguments.preset}_{arguments.images}images.json"
    results = Results(path, {"machine": machine(), "settings": settings})
    methods = peers()
    for name in settings["images"]:
        image = bsds_image(arguments.data, name)
        for n in arguments.n:
            own = results.find(method=ours, n=n, image=name)
            if own is None:
                own = measure(
                    results,
                    {"method": ours, "n": n, "image": name},
                    image,
                    partial(
                        superpixels,
                        image.rgb,
                        n,
                        preset=arguments.preset,
                        channel_axis=-1,
                        device=arguments.device,
                        seed=arguments.seed,
                    ),
                )
            for method, make in methods.items():
                if results.find(method=method, n=n, image=name) is None:
                    setting = match_count(partial(make, image.rgb), own["K"], n / 8, n * 8)
                    key = {"method": method, "n": n, "image": name, "setting": setting}
                    measure(results, key, image, partial(make, image.rgb, setting))
    summary = summarise(results, [ours, *methods], arguments.n)
    results.save(summary=summary)
    print(f"\nsaved {path}")


def measure(
    results: Results,
    key: dict[str, Any],
    image: BsdsImage,
    call: Callable[[], NDArray[np.integer]],
) -> dict[str, Any]:
    labels, seconds, peak = measured(call)
    row = key | quality(labels, image.truths)
    row |= {"seconds": round(seconds, 3), "peak_mb": round(peak, 1)}
    results.add(row)
    print(
        f"{key['image']:>8} {key['method']:24} K {row['K']:4}  ASA {row['ASA']:.4f}  "
        f"BR {row['BR']:.4f}  {seconds:6.2f} s",
        flush=True,
    )
    return row


def summarise(results: Results, methods: list[str], counts: list[int]) -> list[dict[str, Any]]:
    summary = []
    print(f"\n{'':24}    N " + "".join(f"{name:>15}" for name in COLUMNS))
    for n in counts:
        for method in methods:
            rows = [r for r in results.rows if r["method"] == method and r["n"] == n]
            means = mean_rows(rows, COLUMNS)
            summary.append({"method": method, "n": n} | means)
            print(f"{method:24} {n:4} " + "".join(f"{means[name]:15.4f}" for name in COLUMNS))
    return summary


if __name__ == "__main__":
    main()
