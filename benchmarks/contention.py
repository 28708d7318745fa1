"""Seconds of a run beside 0, 1, 2 and 4 busy processes, in processes of its own.

python benchmarks/contention.py --repeats 5
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from statistics import median

from common import RESULTS, machine

BUSY = "while True: pass"
# The same command line as a user's: nothing here has loaded PyTorch before.
RUN = """
import sys, time
{before}
from skimage.data import coffee
from napari_superpixels import SuperpixelParams, get_preset, iter_superpixels
from napari_superpixels.events import drain
image = coffee()[:321, :481]
params = get_preset({preset!r}).replace(n_segments=100)
if {preset!r}.startswith("paper"):
    params = params.replace(iterations=5)
times = []
for _ in range({repeats} + 1):
    begin = time.perf_counter()
    drain(iter_superpixels(image, params, channel_axis=-1, device="cpu"))
    times.append(time.perf_counter() - begin)
print(*times[1:])
"""
# How the process is started, and what has loaded PyTorch before us.
STARTS = {
    "command": "import napari_superpixels.cli.main",
    "torch loaded before": "import torch; torch.ones(200, 200) @ torch.ones(200, 200)",
}


def busy(n: int) -> ExitStack:
    """Start `n` processes that take all the time they get, until the stack closes."""
    stack = ExitStack()
    for _ in range(n):
        process = subprocess.Popen([sys.executable, "-c", BUSY])
        stack.callback(process.wait)
        stack.callback(process.kill)
    return stack


def seconds(before: str, preset: str, repeats: int) -> list[float]:
    """Seconds of each of the runs, after one to warm up."""
    code = RUN.format(before=before, preset=preset, repeats=repeats)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(text) for text in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--presets", nargs="+", default=["balanced", "fast"])
    parser.add_argument("--busy", nargs="+", type=int, default=[0, 1, 2, 4])
    arguments = parser.parse_args()
    rows = []
    for start, before in STARTS.items():
        for preset in arguments.presets:
            idle = None
            for n in arguments.busy:
                with busy(n):
                    times = seconds(before, preset, arguments.repeats)
                found = median(times)
                idle = idle or found
                rows.append(
                    {
                        "start": start,
                        "preset": preset,
                        "busy_processes": n,
                        "seconds": round(found, 3),
                        "worst": round(max(times), 3),
                        "times_idle": round(found / idle, 2),
                    }
                )
                print(rows[-1], flush=True)
    known = {"machine": machine(), "parameters": vars(arguments), "image": "coffee, 481×321, N=100"}
    known["note"] = "paper: 5 of its iterations"
    (RESULTS / "contention.json").write_text(json.dumps(known | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
