"""A `paper` iteration with the lean loss and layers against the plain formulas, side by side.

Both start from the same weights and do the same number of iterations of Adam, each in a process of
its own: seconds an iteration (median), growth of resident memory at its peak, and the loss after
each iteration, which must agree.

    python benchmarks/lean.py --n 100 500
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import psutil

from common import RESULTS, machine, peak_memory

SIZE = (321, 481)  # of a BSDS500 image


def run_variant(variant: str, n: int, iterations: int) -> None:
    """Print seconds, growth and losses; runs in the child process."""
    import torch
    from skimage.data import coffee
    from torch.nn import functional as F

    from napari_superpixels.core.network import objective as losses
    from napari_superpixels.core.network.fused_objective import image_edges, label_loss
    from napari_superpixels.core.network.model import SuperpixelNet, log_probabilities, mirror_pad
    from napari_superpixels.core.network.tensors import to_tensors
    from napari_superpixels.core.prepare.prepared_image import prepare_image
    from napari_superpixels.params import get_preset

    params = get_preset("paper")
    prepared = prepare_image(coffee()[: SIZE[0], : SIZE[1]], channel_axis=-1)
    network_input, image, _ = to_tensors(prepared, 1, torch.device("cpu"))
    net = SuperpixelNet(3, n, params.hidden_channels, torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=params.learning_rate)

    def plain() -> torch.Tensor:
        x = network_input
        for conv in net.hidden:
            x = F.relu(F.instance_norm(conv(mirror_pad(x))))
        log_p = log_probabilities(net.label_head(x)[0])
        return losses.total_loss(
            losses.clustering_loss(log_p, params.lam),
            losses.smoothness_loss(log_p, image, params.sigma),
            losses.reconstruction_loss(net.image_head(x)[0], image),
            params.alpha,
            params.beta,
        )

    edges = image_edges(image, params.sigma)

    def lean() -> torch.Tensor:
        maps, reconstruction = net(network_input)
        labels = label_loss(maps, edges, params.lam, params.alpha)
        error = losses.reconstruction_loss(reconstruction, image)
        return labels.objective + params.beta * error

    # A tiny pass loads what PyTorch loads lazily.
    F.conv2d(torch.zeros(1, 1, 4, 4, requires_grad=True), torch.zeros(1, 1, 3, 3)).sum().backward()
    objective = {"plain": plain, "lean": lean}[variant]
    before = psutil.Process().memory_info().rss
    seconds, values = [], []
    for _ in range(iterations + 1):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = objective()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
        del loss
        seconds.append(time.perf_counter() - start)
    peak = peak_memory() - before
    row = {"seconds_per_iteration": round(median(seconds[1:]), 3), "peak_mb": round(peak / 1e6)}
    print(json.dumps(row | {"losses": values}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--iterations", type=int, default=5, help="timed, after one that is not")
    parser.add_argument("--output", type=Path, default=RESULTS / "lean.json")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        run_variant(arguments.variant, arguments.n[0], arguments.iterations)
        return
    rows = []
    for n in arguments.n:
        pair = {}
        for variant in ("plain", "lean"):
            command = [sys.executable, __file__, "--variant", variant, "--n", str(n)]
            command += ["--iterations", str(arguments.iterations)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            pair[variant] = json.loads(output)
        plain, lean = pair["plain"], pair["lean"]
        rows.append(
            {
                "n_segments": n,
                **{
                    f"{name}_{key}": row[key] for name, row in pair.items() for key in list(row)[:2]
                },
                "times_faster": round(
                    plain["seconds_per_iteration"] / lean["seconds_per_iteration"], 2
                ),
                "memory_share": round(lean["peak_mb"] / plain["peak_mb"], 3),
                "first_loss_difference": abs(lean["losses"][0] / plain["losses"][0] - 1),
                "last_loss_difference": abs(lean["losses"][-1] / plain["losses"][-1] - 1),
            }
        )
        print(rows[-1], flush=True)
    header = {"machine": machine(), "image": [*SIZE, 3], "iterations": arguments.iterations}
    arguments.output.write_text(json.dumps(header | {"rows": rows}, indent=1) + "\n")
    print(f"saved {arguments.output}")


if __name__ == "__main__":
    main()
