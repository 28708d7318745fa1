"""Seconds of a whole run of each preset, `paper` by ten of its iterations, and of another N.

python benchmarks/speed.py --n 100 --repeats 5
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from statistics import median

from skimage.data import astronaut, coffee

from common import RESULTS, machine
from napari_superpixels import SuperpixelParams, get_preset, iter_superpixels, list_presets
from napari_superpixels.events import drain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=10, help="of the paper presets, timed")
    parser.add_argument("--repeats", type=int, default=5, help="of the other presets")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    image = coffee()[:321, :481]  # the size of a BSDS500 image

    def whole_run(params: SuperpixelParams) -> tuple[float, list[tuple[float, int]]]:
        """Seconds, and when which iteration was done."""
        start = time.perf_counter()
        marks = [
            (time.perf_counter(), step.iteration)
            for step in iter_superpixels(image, params, channel_axis=-1, device=arguments.device)
        ]
        return time.perf_counter() - start, marks

    rows = []
    for name in list_presets():
        params = get_preset(name).replace(n_segments=arguments.n)
        if name.startswith("paper"):
            # The first iteration is not timed: it loads and allocates.
            _, marks = whole_run(params.replace(iterations=arguments.iterations + 1))
            each = [(t1 - t0) / (i1 - i0) for (t0, i0), (t1, i1) in pairwise(marks)]
            seconds = median(each) * params.iterations
        else:
            first, _ = whole_run(params)
            seconds = median(whole_run(params)[0] for _ in range(arguments.repeats))
            print(f"first call {first:.2f} s")
        rows.append({"preset": name, "iterations": params.iterations, "seconds": round(seconds, 3)})
        print(rows[-1], flush=True)
    seconds = {row["preset"]: row["seconds"] for row in rows}
    ratios = {
        "paper_over_balanced": round(seconds["paper"] / seconds["balanced"]),
        "fast_over_balanced": round(seconds["fast"] / seconds["balanced"], 2),
    }
    print(ratios)
    result = drain(iter_superpixels(astronaut(), channel_axis=-1, device=arguments.device))
    others = {}
    for n in (30, 100, 300, 900):
        start = time.perf_counter()
        result.at(n)
        others[n] = round(time.perf_counter() - start, 3)
    ratios["seconds_to_another_n"] = others
    print(others)
    path = RESULTS / "speed.json"
    header = {"machine": machine(), "image": list(image.shape), "n_segments": arguments.n}
    path.write_text(json.dumps(header | {"rows": rows} | ratios, indent=1) + "\n")
    print(f"saved {path}")


if __name__ == "__main__":
    main()
