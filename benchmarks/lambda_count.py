"""Fig. 1: lambda against the number of superpixels obtained, with N fixed.

Besides `balanced` it can run `paper` at a reduced resolution and number of iterations, since the
whole preset takes the better part of an hour an image on a CPU.

    python benchmarks/lambda_count.py --data PATH --images 10
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from common import RESULTS, Results, image_names, load_image, machine, mean_rows
from napari_superpixels import get_preset, superpixels

LAMBDAS = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
VARIANTS: dict[str, dict[str, Any]] = {
    "balanced": {"preset": "balanced"},
    "paper at 1/8 resolution, 300 iterations": {
        "preset": "paper",
        "downscale": 8,
        "iterations": 300,
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--paper-images", type=int, default=0, help="images of the second curve")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    names = image_names(arguments.data, count=arguments.images)
    settings = {"balanced": get_preset("balanced").to_dict(), "n": arguments.n, "images": names}
    results = Results(RESULTS / "lambda_count.json", {"machine": machine(), "settings": settings})
    images = [load_image(arguments.data, name) for name in names]
    curves: dict[str, list[dict[str, float]]] = {}
    for variant, changes in VARIANTS.items():
        used = images if variant == "balanced" else images[: arguments.paper_images]
        for lam in LAMBDAS if used else []:
            for image in used:
                make = partial(
                    superpixels,
                    image.rgb,
                    arguments.n,
                    channel_axis=-1,
                    lam=lam,
                    device=arguments.device,
                    **changes,
                )
                results.measure_once(image.truths, make, variant=variant, lam=lam, image=image.name)
            rows = results.select(variant=variant, lam=lam)
            point = {"lam": lam, "images": len(rows)} | mean_rows(rows, ["K", "ASA", "BR"])
            curves.setdefault(variant, []).append(point)
            print(variant, point, flush=True)
    results.save(curves=curves)
    plot(curves, RESULTS / "lambda_count.png")


def plot(curves: dict[str, list[dict[str, float]]], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no plot: pip install -e . --group bench")
        return
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    ax = figure.subplots()
    for variant, curve in curves.items():
        label = f"{variant} ({curve[0]['images']} images)"
        ax.plot([p["lam"] for p in curve], [p["K"] for p in curve], marker="o", label=label)
    ax.set(xlabel="λ", ylabel="superpixels obtained, K", ylim=(0, None))
    ax.grid(alpha=0.3)
    ax.legend()
    figure.savefig(path, dpi=110)
    print(f"saved {path}")


if __name__ == "__main__":
    main()
