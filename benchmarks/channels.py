"""Many channels, with and without principal components: seconds and quality.

Hyperspectral images of known ground truth are made from photographs: red, green and blue become
smooth spectra, each segment of the ground truth has a faint smooth spectrum of its own, and every
fifth band is drowned in noise, as those are in which the air absorbs.

    python benchmarks/channels.py --data BSDS500/val

Seconds are those of one CPU thread: wall-clock time would count what else the machine does.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from common import RESULTS, Results, image_names, load_image, machine, mean_rows, quality
from napari_superpixels import get_preset, superpixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

N, SEED = 100, 0
BANDS = (3, 10, 30, 100, 300)
COLUMNS = ["K", "ASA", "BR", "seconds"]
SEGMENT_CONTRAST, NOISE, BAD_NOISE, BAD_EVERY = 0.05, 0.03, 0.5, 5


def bells(positions: NDArray[np.float64], n_bands: int, width: float) -> NDArray[np.float64]:
    """Smooth spectra, one a position, shape (len(positions), n_bands)."""
    wavelengths = np.linspace(0, 1, n_bands)
    return np.exp(-(((wavelengths - positions[:, None]) / width) ** 2))


def hyperspectral(
    rgb: NDArray[np.uint8], truth: NDArray[np.integer], n_bands: int
) -> NDArray[np.uint16]:
    """Reflectance in 1/10000, shape (n_bands, H, W)."""
    rng = np.random.default_rng(SEED)
    cube = rgb / 255 @ bells(np.array([0.2, 0.5, 0.8]), n_bands, 0.2)
    mixed = rng.normal(size=(int(truth.max()) + 1, 6)) @ bells(rng.random(6), n_bands, 0.15)
    cube += SEGMENT_CONTRAST * mixed[truth]
    noise = np.where(np.arange(n_bands) % BAD_EVERY == BAD_EVERY - 1, BAD_NOISE, NOISE)
    cube += noise * rng.standard_normal(cube.shape, np.float32)
    return np.moveaxis((10_000 * cube + 5_000).clip(0, 65_535).astype(np.uint16), -1, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--bands", type=int, nargs="+", default=BANDS)
    parser.add_argument("--components", type=int, nargs="+", default=[0, 3, 5, 8, 12, 32])
    parser.add_argument("--output", type=Path, default=RESULTS / "channels.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    names = image_names(arguments.data, count=arguments.images)
    balanced = get_preset("balanced").replace(max_channels=0).to_dict()
    settings = {"balanced": balanced, "n": N, "images": names}
    results = Results(arguments.output, {"machine": machine(), "settings": settings})
    for name in names:
        loaded = load_image(arguments.data, name)
        truth = loaded.truths[0]
        for n_bands in arguments.bands:
            cube = hyperspectral(loaded.rgb, truth, n_bands)
            for k in arguments.components:
                key = {"image": name, "bands": n_bands, "max_channels": k}
                if k >= n_bands or results.find(**key):
                    continue
                begin = time.process_time()
                labels = superpixels(cube, N, channel_axis=0, seed=SEED, max_channels=k)
                seconds = time.process_time() - begin
                results.add(key | {"seconds": round(seconds, 2)} | quality(labels, [truth]))
                print(results.rows[-1], flush=True)
    summary = {}
    for n_bands in sorted({row["bands"] for row in results.rows}):
        for k in sorted({row["max_channels"] for row in results.select(bands=n_bands)}):
            rows = results.select(bands=n_bands, max_channels=k)
            summary[f"{n_bands} bands, at most {k or 'all'}"] = mean_rows(rows, COLUMNS)
            print(n_bands, k, mean_rows(rows, COLUMNS))
    results.save(summary=summary)


if __name__ == "__main__":
    main()
