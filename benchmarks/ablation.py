"""Ablation: what each part of `balanced` is worth, one change at a time, exactly N superpixels.

The images are other ones than those of the Fig. 2 benchmark (`bsds.py --every 3`).

    python benchmarks/ablation.py --data PATH --n 100
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from common import RESULTS, Results, image_names, load_image, machine, mean_rows, quality
from napari_superpixels import get_preset, iter_superpixels
from napari_superpixels.events import drain

COLUMNS = ["K", "ASA", "BR", "boundary_share", "seconds", "iterations"]
VARIANTS: dict[str, dict[str, Any]] = {
    "balanced": {},
    "sigma 0.03": {"sigma": 0.03},
    "sigma 0.3": {"sigma": 0.3},
    "sigma 8 (paper)": {"sigma": 8.0},
    "RGB instead of CIELAB": {"color_space": "channels"},
    "quarter resolution only": {"coarse_share": 0.0},
    "eighth resolution only": {"downscale": 8, "coarse_share": 0.0},
    "half resolution": {"downscale": 2},
    "constant learning rate 0.01": {"schedule": "constant", "learning_rate": 0.01},
    "learning rate 0.05": {"learning_rate": 0.05},
    "12 iterations": {"iterations": 12},
    "50 iterations": {"iterations": 50},
    "200 iterations": {"iterations": 200},
    "200 iterations, stop when 2 % change": {"iterations": 200, "settle_percent": 2.0},
    "one 3x3 layer": {"hidden_channels": (16,)},
    "three 3x3 layers": {"hidden_channels": (16, 16, 16)},
    "width 8": {"hidden_channels": (8, 8)},
    "width 32": {"hidden_channels": (32, 32)},
    "paper widths": {"hidden_channels": (32, 64, 128, 256)},
    "25 label maps": {"label_maps": 25},
    "100 label maps": {"label_maps": 100},
    "alpha 0": {"alpha": 0.0},
    "alpha 4": {"alpha": 4.0},
    "beta 0 (no reconstruction)": {"beta": 0.0},
    "beta 30": {"beta": 30.0},
    "lambda 1": {"lam": 1.0},
    "lambda 3": {"lam": 3.0},
    "no oversegmentation and merging": {"oversegmentation": 0},
    "600 pieces": {"oversegmentation": 600},
    "1000 pieces": {"oversegmentation": 1000},
    "3000 pieces": {"oversegmentation": 3000},
    "no refinement": {"refine_iterations": 0},
    "10 rounds of refinement": {"refine_iterations": 10},
    "40 rounds of refinement": {"refine_iterations": 40},
    "refinement compactness 0": {"refine_compactness": 0.0},
    "refinement compactness 0.5": {"refine_compactness": 0.5},
    "border smoothness 0.05": {"refine_smoothness": 0.05},
    "border smoothness 0.15": {"refine_smoothness": 0.15},
    "border smoothness 0.4": {"refine_smoothness": 0.4},
    "bfloat16": {"precision": "bfloat16"},
    "seed 1": {"seed": 1},
    "seed 2": {"seed": 2},
    "3 restarts": {"restarts": 3},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=11)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    every_id = image_names(arguments.data)
    held = [name for i, name in enumerate(every_id) if i % 3]
    chosen = np.linspace(0, len(held) - 1, arguments.images).round().astype(int)
    names = [held[i] for i in chosen]
    settings = {
        "balanced": get_preset("balanced").to_dict(),
        "n": arguments.n,
        "images": names,
        "device": arguments.device,
    }
    results = Results(RESULTS / "ablation.json", {"machine": machine(), "settings": settings})
    images = [load_image(arguments.data, name) for name in names]
    base = get_preset("balanced").replace(n_segments=arguments.n, count="exact")
    table = []
    for variant, changes in VARIANTS.items():
        for image in images:
            if results.find(variant=variant, image=image.name):
                continue
            start = time.perf_counter()
            steps = iter_superpixels(
                image.rgb, base.replace(**changes), channel_axis=-1, device=arguments.device
            )
            result = drain(steps)
            seconds = round(time.perf_counter() - start, 3)
            row = {"variant": variant, "image": image.name, "iterations": result.iterations}
            results.add(row | quality(result.labels, image.truths) | {"seconds": seconds})
        rows = results.select(variant=variant)
        table.append({"variant": variant} | mean_rows(rows, COLUMNS))
        print(table[-1], flush=True)
    results.save(summary=table)
    lines = [f"| variant | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [
        f"| {row['variant']} | {' | '.join(f'{row[c]:g}' for c in COLUMNS)} |" for row in table
    ]
    text = f"N = {arguments.n}, {len(names)} images that `bsds.json` does not use.\n\n"
    (RESULTS / "ablation.md").write_text(text + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
