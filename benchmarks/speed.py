"""Seconds an iteration of each preset, and what a whole run comes to, side by side in one run.

python benchmarks/speed.py --iterations 5 --n 100
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from statistics import median

from skimage.data import coffee

from common import RESULTS, machine
from napari_superpixels import get_preset, iter_superpixels, list_presets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=5, help="timed, after one that is not")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    image = coffee()[:321, :481]  # the size of a BSDS500 image
    rows = []
    for name in list_presets():
        preset = get_preset(name)
        params = preset.replace(n_segments=arguments.n, iterations=arguments.iterations + 1)
        marks = [
            (time.perf_counter(), step.iteration)
            for step in iter_superpixels(image, params, channel_axis=-1, device=arguments.device)
        ]
        each = [(t1 - t0) / (i1 - i0) for (t0, i0), (t1, i1) in pairwise(marks)]
        row = {
            "preset": name,
            "seconds_per_iteration": round(median(each), 4),
            "iterations": preset.iterations,
            "seconds_of_all_iterations": round(median(each) * preset.iterations, 1),
        }
        rows.append(row)
        print(row, flush=True)
    by_name = {row["preset"]: row["seconds_of_all_iterations"] for row in rows}
    ratio = by_name["paper"] / by_name["balanced"]
    print(f"balanced is {ratio:.0f} times faster than paper")
    path = RESULTS / "speed.json"
    header = {"machine": machine(), "image": list(image.shape), "n_segments": arguments.n}
    path.write_text(json.dumps(header | {"rows": rows, "ratio": round(ratio)}, indent=1) + "\n")
    print(f"saved {path}")


if __name__ == "__main__":
    main()
