"""Peak memory of a run against the estimate that the dock shows before it.

Each case runs two iterations in a process of its own; its growth over the imported libraries is
the peak of resident memory (CPU) or of PyTorch's allocator (CUDA).

    python benchmarks/memory.py --device cpu
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import numpy as np
import psutil

from common import RESULTS, machine

CASES = [
    ("balanced", (512, 512, 3), 100),
    ("balanced", (1024, 1024, 3), 100),
    ("balanced", (2048, 2048, 3), 400),
    ("fast", (1024, 1024, 1), 100),
    ("paper", (321, 481, 3), 100),
    ("paper", (321, 481, 3), 500),
    ("paper", (512, 512, 1), 50),
]


def run_case(preset: str, shape: list[int], n: int, device: str) -> None:
    """Print estimate and growth in bytes; runs in the child process."""
    import torch

    from napari_superpixels.params import get_preset
    from napari_superpixels.plan.memory import estimate_memory

    params = get_preset(preset).replace(n_segments=n, iterations=2)
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    # A first tiny run loads what PyTorch loads lazily.
    from napari_superpixels import superpixels

    superpixels(image[:32, :32], 4, channel_axis=-1, iterations=1, device=device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    from common import measured

    call = lambda: superpixels(  # noqa: E731
        image, n, preset=preset, iterations=2, channel_axis=-1, device=device
    )
    _, _, peak_mb = measured(call)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else peak_mb * 1e6
    estimate = estimate_memory((shape[0], shape[1]), shape[2], params)
    print(json.dumps({"estimate_mb": estimate / 1e6, "peak_mb": peak / 1e6}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        run_case(*json.loads(arguments.case), arguments.device)
        return
    rows = []
    for case in CASES:
        command = [sys.executable, __file__, "--device", arguments.device]
        output = subprocess.run(
            [*command, "--case", json.dumps(case)], check=True, capture_output=True, text=True
        ).stdout
        row = {"preset": case[0], "shape": case[1], "n_segments": case[2]} | json.loads(output)
        row["peak_to_estimate"] = round(row["peak_mb"] / row["estimate_mb"], 2)
        rows.append(row)
        print(row, flush=True)
    path = RESULTS / f"memory_{arguments.device}.json"
    path.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    print(f"saved {path}; {psutil.virtual_memory().available / 1e9:.1f} GB were free")


if __name__ == "__main__":
    main()
