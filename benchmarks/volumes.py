"""Supervoxels of synthetic volumes with a known truth: ours against SLIC at the same count.

    python benchmarks/volumes.py

Voronoi cells of random grey values, blurred like a microscope does and noisy, of voxels that are
cubes or deeper than wide. SLIC (scikit-image) gets the spacing too, and of several values of its
compactness, on the volume as it is and smoothed, the one with the best accuracy (ASA). As many
supervoxels as that gives are then asked of ours, exactly.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.segmentation import slic

from common import RESULTS, Results, machine, mean_rows, measured
from napari_superpixels import metrics, superpixels

if TYPE_CHECKING:
    from common import Labels

SHAPES = [((48, 96, 96), (1.0, 1.0, 1.0)), ((24, 128, 128), (4.0, 1.0, 1.0))]
NOISES = [0.05, 0.15]
SEEDS = [0]
CELLS = 80
N = [160, 400]
BLUR = 1.0  # standard deviation in units of the spacing
COMPACTNESS = [0.01, 0.03, 0.1, 0.3]
SMOOTHING = [0.0, 1.0]


def cells(
    shape: tuple[int, ...], spacing: tuple[float, ...], noise: float, seed: int
) -> tuple[np.ndarray, Labels]:
    """A volume of Voronoi cells, and the cell that each voxel belongs to, from 1."""
    rng = np.random.default_rng(seed)
    size = np.array(spacing)
    seeds = rng.random((CELLS, 3)) * np.array(shape) * size
    centres = (np.indices(shape).reshape(3, -1).T + 0.5) * size
    truth = cKDTree(seeds).query(centres)[1].reshape(shape)
    volume = ndimage.gaussian_filter(rng.random(CELLS)[truth], BLUR / size)
    return volume + rng.normal(0, noise, shape), truth + 1


def best_slic(volume: np.ndarray, truth: Labels, spacing: tuple[float, ...], n: int) -> dict:
    """The most accurate SLIC where about `n` are asked for; how many it gives is up to it."""
    found = []
    for compactness, sigma in product(COMPACTNESS, SMOOTHING):
        labels = slic(
            volume,
            n,
            compactness=compactness,
            sigma=sigma,
            spacing=spacing,
            channel_axis=None,
            start_label=1,
        )
        setting = {"K": int(labels.max()), "compactness": compactness, "sigma": sigma}
        found.append(scores(labels, truth) | setting)
    return max(found, key=lambda one: one["ASA"])


def scores(labels: Labels, truth: Labels) -> dict[str, float]:
    """Accuracy and leakage."""
    return {
        "ASA": round(metrics.achievable_segmentation_accuracy(labels, truth), 4),
        "UE": round(metrics.undersegmentation_error(labels, truth), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    shapes = [[list(shape), list(spacing)] for shape, spacing in SHAPES]
    settings = {"shapes": shapes, "noises": NOISES, "cells": CELLS, "blur": BLUR}
    settings |= {"compactness": COMPACTNESS, "smoothing": SMOOTHING, "device": arguments.device}
    results = Results(RESULTS / "volumes.json", {"machine": machine(), "settings": settings})
    for seed, n, (shape, spacing), noise in product(SEEDS, N, SHAPES, NOISES):
        key = {"shape": list(shape), "spacing": list(spacing), "noise": noise, "N": n, "seed": seed}
        if results.find(**key):
            continue
        volume, truth = cells(shape, spacing, noise, seed)
        peer = best_slic(volume, truth, spacing, n)
        call = partial(superpixels, volume, peer["K"], count="exact", device=arguments.device)
        labels, seconds, peak_mb = measured(partial(call, spacing=spacing))
        own = {"K": int(labels.max()), "seconds": round(seconds, 1), "peak_mb": round(peak_mb)}
        own |= scores(labels, truth)
        results.add(
            key
            | {f"ours_{name}": value for name, value in own.items()}
            | {f"slic_{name}": value for name, value in peer.items()}
        )
        print(results.rows[-1], flush=True)
    columns = ["ours_K", "slic_K", "ours_ASA", "slic_ASA", "ours_UE", "slic_UE", "ours_seconds"]
    means = {
        f"spacing {spacing}, noise {noise}, N {n}": mean_rows(
            results.select(spacing=list(spacing), noise=noise, N=n), columns
        )
        for (_, spacing), noise, n in product(SHAPES, NOISES, N)
    } | {"all": mean_rows(results.rows, columns)}
    results.save(mean=means)
    for name, mean in means.items():
        print(name, mean)


if __name__ == "__main__":
    main()
