"""How much the result depends on the initial weights: ASA and BR over seeds.

python benchmarks/stability.py --data PATH --every 3 --n 100
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from common import RESULTS, Results, image_names, load_image, machine, mean_rows
from napari_superpixels import get_preset, superpixels

VARIANTS = {"1 run": {}, "best of 3 restarts": {"restarts": 3}}
COLUMNS = ["K", "ASA", "BR", "boundary_share"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--images", type=int)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    names = image_names(arguments.data, every=arguments.every, count=arguments.images)
    settings = {
        "balanced": get_preset("balanced").to_dict(),
        "n": arguments.n,
        "images": names,
        "device": arguments.device,
    }
    results = Results(RESULTS / "stability.json", {"machine": machine(), "settings": settings})
    images = [load_image(arguments.data, name) for name in names]
    summary = []
    for variant, changes in VARIANTS.items():
        means = []
        for seed in range(arguments.seeds):
            # Restarts count up from the seed: other seeds must not meet the same weights.
            start = 100 * seed
            for image in images:
                make = partial(
                    superpixels,
                    image.rgb,
                    arguments.n,
                    channel_axis=-1,
                    seed=start,
                    device=arguments.device,
                    **changes,
                )
                results.measure_once(
                    image.truths, make, variant=variant, seed=seed, image=image.name
                )
            means.append(mean_rows(results.select(variant=variant, seed=seed), COLUMNS))
            print(variant, seed, means[-1], flush=True)
        per_image = [
            [row["ASA"] for row in results.select(variant=variant, image=name)] for name in names
        ]
        summary.append(
            {
                "variant": variant,
                "ASA": round(float(np.mean([m["ASA"] for m in means])), 4),
                "std_of_mean_ASA": round(float(np.std([m["ASA"] for m in means], ddof=1)), 5),
                "std_of_mean_BR": round(float(np.std([m["BR"] for m in means], ddof=1)), 5),
                "mean_std_of_ASA_per_image": round(
                    float(np.mean([np.std(values, ddof=1) for values in per_image])), 4
                ),
            }
        )
        print(summary[-1])
    results.save(summary=summary)


if __name__ == "__main__":
    main()
