"""What a GPU brings: seconds of whole runs, milliseconds of iterations, and whether results agree.

    python benchmarks/gpu.py --baseline PATH/TO/OTHER/src

Takes about three minutes with a CUDA device, and is for nothing on a machine without. `--baseline`
names the sources of another version, which are measured in a process of their own in between; the
figures stand side by side then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from skimage.data import astronaut
from skimage.metrics import adapted_rand_error

from napari_superpixels import get_preset, iter_superpixels, metrics

RESULTS = Path(__file__).parent / "results"
# As large as an image of BSDS500, and four megapixels of it.
SMALL = astronaut()[:321, :481]
LARGE = np.tile(astronaut(), (4, 4, 1))[:2000, :2000]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--baseline", type=Path, help="folder `src` of another version")
    parser.add_argument("--only", choices=("runs", "warmed_up"), help="print seconds as JSON")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device here: this benchmark is for one")
    if arguments.only:
        print(json.dumps({"runs": runs, "warmed_up": warmed_up}[arguments.only]()))
        return
    found: dict[str, Any] = {"machine": machine(), "runs": in_a_process("runs")}
    if arguments.baseline:
        found["baseline_runs"] = in_a_process("runs", arguments.baseline)
        found["ratios"] = {
            name: round(found["baseline_runs"][name] / seconds, 2)
            for name, seconds in found["runs"].items()
        }
    found["runs"] |= in_a_process("warmed_up")
    found["iterations"] = iterations()
    found["checks"] = checks()
    print(json.dumps(found, indent=1))
    (RESULTS / "gpu.json").write_text(json.dumps(found, indent=1) + "\n")


def machine() -> dict[str, Any]:
    names = ("napari-superpixels", "torch", "numpy", "numba")
    return {
        "gpu": torch.cuda.get_device_name(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in names},
    }


def in_a_process(what: str, source: Path | None = None) -> dict[str, float]:
    """Seconds of runs, with the first call of a process that has loaded nothing."""
    environment = dict(os.environ)
    if source is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(source), environment["PYTHONPATH"]])
    command = [sys.executable, __file__, "--only", what]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def warmed_up() -> dict[str, float]:
    """Seconds of warming up, as the dock does while an image is chosen, and of the first call."""
    from napari_superpixels.api.warm_up import warm_up

    begin = time.perf_counter()
    warm_up("cuda")
    middle = time.perf_counter()
    first = seconds_of(SMALL, "balanced", 100, "cuda")
    return {"warming up": round(middle - begin, 4), "balanced first, warmed up": round(first, 4)}


def seconds_of(image: np.ndarray, preset: str, n_segments: int, device: str, **changes: Any) -> Any:
    params = get_preset(preset).replace(n_segments=n_segments, **changes)
    begin = time.perf_counter()
    for _ in iter_superpixels(image, params, channel_axis=-1, device=device):
        pass
    return time.perf_counter() - begin


def runs() -> dict[str, float]:
    """Seconds: of `balanced` the first and the later calls, of others after a first call."""
    found = {"balanced first": seconds_of(SMALL, "balanced", 100, "cuda")}
    for name, preset, image, n, repeats in (
        ("balanced", "balanced", SMALL, 100, 7),
        ("fast", "fast", SMALL, 100, 7),
        ("4 megapixels", "balanced", LARGE, 400, 2),
    ):
        seconds_of(image, preset, n, "cuda", iterations=12)
        found[name] = median(seconds_of(image, preset, n, "cuda") for _ in range(repeats))
    found["paper"] = seconds_of(SMALL, "paper", 100, "cuda")
    found["balanced on the CPU"] = median(
        seconds_of(SMALL, "balanced", 100, "cpu") for _ in range(4)
    )
    return {name: round(seconds, 4) for name, seconds in found.items()}


def iterations() -> list[dict[str, Any]]:
    """Milliseconds of an iteration, captured as a CUDA graph and as it is, and its loss."""
    from napari_superpixels.core.device import describe_device, deterministic
    from napari_superpixels.core.network import optimize
    from napari_superpixels.core.network.warm_start import WarmStart
    from napari_superpixels.core.prepare.prepared_image import prepare_image
    from napari_superpixels.plan.run_plan import ImageFacts, Machine, plan_run

    device = torch.device("cuda")
    rows = []
    can_capture = optimize.can_capture
    for name, preset, n, changes in (
        # More iterations than the preset has: each stage lasts while it is timed.
        ("balanced, 1/8", "balanced", 100, {"iterations": 100, "coarse_share": 0.5}),
        ("balanced, 1/4", "balanced", 100, {"iterations": 100, "coarse_share": 0.5}),
        (
            "paper's network, 1/2",
            "balanced",
            100,
            {
                "hidden_channels": (32, 64, 128, 256),
                "downscale": 2,
                "coarse_share": 0.0,
                "iterations": 100,
            },
        ),
        ("paper", "paper", 100, {}),
        ("paper, bfloat16", "paper", 100, {"precision": "bfloat16"}),
        ("paper, N = 500", "paper", 500, {}),
    ):
        params = get_preset(preset).replace(n_segments=n, **changes)
        prepared = prepare_image(SMALL, channel_axis=-1, colors=params.colors)
        facts = ImageFacts(shape=prepared.mask.shape, n_channels=len(prepared.features))
        plan = plan_run(facts, params, Machine(describe_device(device)))
        row: dict[str, Any] = {"iteration": name}
        # Full resolution from the start is not captured.
        for kind in ("as it is",) if preset == "paper" else ("as it is", "captured"):
            optimize.can_capture = can_capture if kind == "captured" else lambda _: False
            run = optimize._Run(prepared, params, device, plan, WarmStart())
            is_coarse = name.endswith("1/8")
            scale, number = (run.coarse, 1) if is_coarse else (run.scale, run.n_coarse + 1)
            with deterministic():
                for i in range(6):
                    run._iterate(scale, number + i, look=False)
                torch.cuda.synchronize()
                begin = time.perf_counter()
                for i in range(6, 26):
                    terms, _ = run._iterate(scale, number + i, look=False)
                torch.cuda.synchronize()
            row[f"ms {kind}"] = round((time.perf_counter() - begin) / 20 * 1e3, 3)
            row[f"loss {kind}"] = terms[0].item()
        optimize.can_capture = can_capture
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    return rows


def checks() -> dict[str, Any]:
    """Whether the GPU repeats itself, agrees with the CPU, and gives back its memory."""
    from napari_superpixels.events import drain

    params = get_preset("balanced").replace(n_segments=100)

    def run(device: str) -> Any:
        return drain(iter_superpixels(SMALL, params, channel_axis=-1, device=device))

    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    gpu, again, cpu = run("cuda"), run("cuda"), run("cpu")
    found = {
        "the GPU repeats itself": bool((gpu.labels == again.labels).all()),
        "loss on GPU and CPU": [gpu.losses[-1].total, cpu.losses[-1].total],
        "ASA of the GPU's by the CPU's labels": round(
            metrics.achievable_segmentation_accuracy(gpu.labels, cpu.labels), 4
        ),
        "adapted Rand error between both": round(
            float(adapted_rand_error(cpu.labels, gpu.labels)[0]), 4
        ),
        "bytes kept": torch.cuda.memory_reserved() - before,
    }
    begin = time.perf_counter()
    for n in (30, 60, 120, 240):
        gpu.at(n)
    found["seconds to another N"] = round((time.perf_counter() - begin) / 4, 4)
    return found


if __name__ == "__main__":
    main()
