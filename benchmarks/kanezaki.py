"""Unsupervised segmentation by backpropagation, and ours at the number of regions that it gives.

    python benchmarks/kanezaki.py --data PATH --every 5 --device cuda

A. Kanezaki, "Unsupervised image segmentation by backpropagation", ICASSP 2018, from the paper's
description: a network of three 3x3 convolutions, each with ReLU and batch normalisation, and a
linear layer with batch normalisation, of 100 channels throughout. In each of 500 iterations the
channel with the largest response is a pixel's label, all pixels of a SLIC superpixel (10,000 of
them) take its most frequent label, and these are the target of a cross entropy that stochastic
gradient descent lowers (rate 0.1, momentum 0.9). It cannot be asked for a number: the connected
regions of its labels are counted, and ours makes as many.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from skimage.measure import label
from skimage.segmentation import slic
from torch import nn

from common import RESULTS, Results, image_names, load_image, machine, mean_rows, quality
from napari_superpixels import superpixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNELS, LAYERS, ITERATIONS = 100, 3, 500
COLUMNS = ["K", "ASA", "BR", "boundary_share", "seconds"]


def network(n_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(LAYERS):
        layers += [
            nn.Conv2d(CHANNELS if i else n_channels, CHANNELS, 3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(CHANNELS),
        ]
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS, CHANNELS, 1), nn.BatchNorm2d(CHANNELS))


def majority(labels: torch.Tensor, pieces: torch.Tensor, n_pieces: int) -> torch.Tensor:
    """The most frequent label of each pixel's superpixel."""
    votes = torch.bincount(pieces * CHANNELS + labels, minlength=n_pieces * CHANNELS)
    return votes.view(n_pieces, CHANNELS).argmax(1)[pieces]


def kanezaki(rgb: NDArray[np.uint8], device: str, seed: int = 0) -> NDArray[np.integer]:
    """Connected regions of the labels."""
    torch.manual_seed(seed)
    fine = slic(rgb, 10_000, compactness=100, channel_axis=-1, start_label=0)
    pieces = torch.from_numpy(fine.ravel().astype(np.int64)).to(device)
    image = torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1)[None].to(device)
    net = network(image.shape[1]).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(ITERATIONS):
        response = net(image)[0].reshape(CHANNELS, -1).T
        target = majority(response.detach().argmax(1), pieces, int(fine.max()) + 1)
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(response, target).backward()
        optimizer.step()
    found = response.detach().argmax(1).view(rgb.shape[:2]).cpu().numpy()
    return label(found, background=-1, connectivity=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth sorted id")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    names = image_names(arguments.data, every=arguments.every)
    settings = {"images": names, "iterations": ITERATIONS, "device": arguments.device}
    results = Results(RESULTS / "kanezaki.json", {"machine": machine(), "settings": settings})
    for name in names:
        if results.find(image=name):
            continue
        image = load_image(arguments.data, name)
        start = time.perf_counter()
        theirs = kanezaki(image.rgb, arguments.device)
        middle = time.perf_counter()
        ours = superpixels(
            image.rgb,
            int(theirs.max()),
            channel_axis=-1,
            count="exact",
            device=arguments.device,
        )
        seconds = middle - start, time.perf_counter() - middle
        for method, labels, took in zip(
            ("Kanezaki", "ours (balanced)"), (theirs, ours), seconds, strict=True
        ):
            row = {"method": method, "image": name} | quality(labels, image.truths)
            results.add(row | {"seconds": round(took, 3)})
    summary = {
        method: mean_rows(results.select(method=method), COLUMNS)
        for method in ("Kanezaki", "ours (balanced)")
    }
    print("\n".join(f"{method:16} {figures}" for method, figures in summary.items()))
    results.save(summary=summary)


if __name__ == "__main__":
    main()
