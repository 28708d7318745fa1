"""Time and peak memory from 0.15 to 4 megapixels; the slope of their logarithms.

Each size runs in a process of its own: an image of the sample photograph, enlarged by repetition
in mirrored copies so that its content stays alike.

    python benchmarks/megapixels.py --n 400
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from statistics import median

import numpy as np
import psutil

from common import RESULTS, machine, peak_memory

SIZES = [(321, 481), (650, 800), (1000, 1000), (1250, 1600), (2000, 2000)]


def run_size(preset: str, shape: list[int], n: int, repeats: int, device: str) -> None:
    """Print seconds and growth of memory; runs in the child process."""
    from skimage.data import coffee

    from napari_superpixels import superpixels

    photo = coffee()
    pad = [(0, max(0, size - have)) for size, have in zip(shape, photo.shape, strict=False)]
    image = np.pad(photo, [*pad, (0, 0)], mode="symmetric")[: shape[0], : shape[1]]
    superpixels(image[:64, :64], 4, channel_axis=-1, iterations=1, device=device)
    before = psutil.Process().memory_info().rss
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        labels = superpixels(image, n, preset=preset, channel_axis=-1, device=device)
        seconds.append(time.perf_counter() - start)
    peak = peak_memory() - before
    row = {"K": int(labels.max()), "seconds": round(median(seconds), 3)}
    print(json.dumps(row | {"peak_gib": round(peak / 2**30, 3)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--n", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.size:
        shape = json.loads(arguments.size)
        run_size(arguments.preset, shape, arguments.n, arguments.repeats, arguments.device)
        return
    rows = []
    for shape in SIZES:
        command = [sys.executable, __file__, "--size", json.dumps(shape), "--n", str(arguments.n)]
        command += ["--preset", arguments.preset, "--device", arguments.device]
        command += ["--repeats", str(arguments.repeats)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        row = {"megapixels": round(shape[0] * shape[1] / 1e6, 3)} | json.loads(output)
        rows.append(row)
        print(row, flush=True)
    x, y = (np.log([row[key] for row in rows]) for key in ("megapixels", "seconds"))
    slope = float(np.polyfit(x, y, 1)[0])
    print(f"log-log slope of the time {slope:.2f}")
    path = RESULTS / "megapixels.json"
    header = {"machine": machine(), "preset": arguments.preset, "n_segments": arguments.n}
    path.write_text(json.dumps(header | {"rows": rows, "slope": round(slope, 3)}, indent=1) + "\n")
    print(f"saved {path}")


if __name__ == "__main__":
    main()
