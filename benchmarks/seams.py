"""What tiles cost: seams along their edges, and quality against one run over the whole image.

A raster of 4 megapixels (see `raster.py`) and mosaics of BSDS500 images are segmented in tiles, in
one go, and by scikit-image's SLIC, tile by tile and in one go. Seams: all of them. Quality: the
mosaics, against the annotations.

    python benchmarks/seams.py --bsds FOLDER

FOLDER has the layout of BSDS500 (see `common.load_image`). What is there is not measured again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
from skimage.segmentation import slic

import raster
from common import RESULTS, Results, image_names, load_image, machine, mean_rows, quality
from napari_superpixels import superpixels, superpixels_tiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Labels = NDArray[np.integer]

TILE_PX = 512
AREA_PX = 1600  # of a superpixel, in the raster
MEGAPIXELS = 5
CUT_PX = 200  # so that the lattice of the raster's noise is not where the tiles' edges are
COLUMNS, ROWS = 4, 3  # of images in a mosaic
MOSAICS = 3
MOSAIC_N = 1200
SHOWN = ("K", "ASA", "BR", "UE", "boundary_share", "seconds")
SEAMS = ("share", "share_elsewhere", "run_px", "run_elsewhere_px", "p_share", "p_run")


def seam_statistic(labels: Labels, tile_px: int) -> dict[str, float]:
    """Compare the lines between tiles with all grids of the same spacing.

    For each line between two rows (or columns) it takes the share of pixels whose label changes
    across it, and the longest straight run of such pixels. A grid is described by the means over
    its lines. The tiles' own grid is one of `tile_px` that differ by a shift; without seams it is
    no special one. This is a permutation test whose permutations are the shifts.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Superpixels, of a tiled run or any other.
    tile_px : int
        Height and width of a tile, at most half of the image's.

    Returns
    -------
    dict
        ``share`` and ``run_px`` on the tiles' edges, and both elsewhere, as means over the two
        axes; ``p_share`` and ``p_run``, the share of shifts that are as extreme or more (of the
        more extreme axis, times 2 for there are two).
    """
    axes = [_one_axis(labels, tile_px), _one_axis(labels.T, tile_px)]
    found = {name: float(np.mean([axis[name] for axis in axes])) for name in SEAMS[:4]}
    found |= {name: min(1.0, 2 * min(axis[name] for axis in axes)) for name in SEAMS[4:]}
    return {name: round(value, 4) for name, value in found.items()}


def _one_axis(labels: Labels, tile: int) -> dict[str, float]:
    share, run = np.array([_line(a != b) for a, b in pairwise(labels)]).T
    shares, runs = (
        np.array([of[shift::tile].mean() for shift in range(tile)]) for of in (share, run)
    )
    own = tile - 1
    return {
        "share": shares[own],
        "share_elsewhere": shares.mean(),
        "run_px": runs[own],
        "run_elsewhere_px": runs.mean(),
        "p_share": (shares >= shares[own]).mean(),
        "p_run": (runs >= runs[own]).mean(),
    }


def _line(changes: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of changes along a line, and the longest run of them."""
    steps = np.diff(changes.astype(np.int8), prepend=0, append=0)
    lengths = np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)
    return float(changes.mean()), float(lengths.max(initial=0))


def slic_tiles(rgb: NDArray[np.uint8], n: int, tile_px: int) -> Labels:
    """SLIC of each tile for itself: its superpixels end at the edges."""
    labels = np.zeros(rgb.shape[:2], np.int64)
    for top in range(0, rgb.shape[0], tile_px):
        for left in range(0, rgb.shape[1], tile_px):
            part = np.s_[top : top + tile_px, left : left + tile_px]
            share = max(1, round(n * labels[part].size / labels.size))
            found = slic(rgb[part], share, compactness=20, start_label=1, channel_axis=-1)
            labels[part] = found + labels.max()
    return labels


def methods(tile_px: int) -> dict[str, Callable[[NDArray[np.uint8], int], Labels]]:
    """What is compared."""
    options = {"channel_axis": -1, "seed": 0, "device": "cpu"}
    return {
        "tiled": partial(superpixels_tiled, tile_size_px=tile_px, **options),
        "untiled": partial(superpixels, **options),
        "SLIC, tiled": partial(slic_tiles, tile_px=tile_px),
        "SLIC, untiled": lambda rgb, n: slic(
            rgb, n, compactness=20, start_label=1, channel_axis=-1
        ),
    }


def measure(
    results: Results, image: str, rgb: NDArray[np.uint8], n: int, truths: list[Labels]
) -> None:
    """Add a row for each method."""
    for method, make in methods(TILE_PX).items():
        if results.find(image=image, method=method):
            continue
        begin = time.perf_counter()
        labels = make(rgb, n)
        row: dict[str, Any] = {"image": image, "method": method, "N": n, "shape": rgb.shape[:2]}
        row |= {"seconds": round(time.perf_counter() - begin, 1)}
        row |= {k: round(v, 4) for k, v in quality(labels, truths).items()} if truths else {}
        row |= {"K": len(np.unique(labels))} | seam_statistic(labels, TILE_PX)
        results.add(row)
        print(row, flush=True)


def mosaics(data: Path) -> list[tuple[NDArray[np.uint8], list[Labels]]]:
    """Photographs side by side, with as many annotations as each of them has."""
    images = [load_image(data, name) for name in image_names(data)]
    wide = [image for image in images if image.rgb.shape[:2] == (321, 481)]
    size = COLUMNS * ROWS
    found = []
    for start in range(0, min(MOSAICS, len(wide) // size) * size, size):
        some = wide[start : start + size]
        truths = [
            # Regions of one image are not those of another.
            _side_by_side([image.truths[k] + 1000 * i for i, image in enumerate(some)])
            for k in range(min(len(image.truths) for image in some))
        ]
        found.append((_side_by_side([image.rgb for image in some]), truths))
    return found


def _side_by_side(parts: list[NDArray[Any]]) -> NDArray[Any]:
    rows = (parts[r * COLUMNS : (r + 1) * COLUMNS] for r in range(ROWS))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def main() -> None:
    """Measure what is not measured yet, and print means."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bsds", type=Path, required=True)
    data = parser.parse_args().bsds
    torch.set_num_threads(2)
    settings = {"tile_px": TILE_PX, "mosaic": [COLUMNS, ROWS], "preset": "balanced", "seed": 0}
    results = Results(RESULTS / "seams.json", {"machine": machine(), "settings": settings})
    with tempfile.TemporaryDirectory() as folder:
        raster.write(Path(folder) / "raster.tif", MEGAPIXELS)
        rgb = tifffile.imread(Path(folder) / "raster.tif")[CUT_PX:, CUT_PX:]
    measure(results, "raster", rgb, round(rgb.shape[0] * rgb.shape[1] / AREA_PX), [])
    for number, (rgb, truths) in enumerate(mosaics(data)):
        measure(results, f"mosaic {number}", rgb, MOSAIC_N, truths)
    summary = {}
    for method in methods(TILE_PX):
        rows = results.select(method=method)
        summary[method] = mean_rows([r for r in rows if "ASA" in r], list(SHOWN))
        print(f"{method:14}", summary[method])
        for row in rows:
            print(f"    {row['image']:10}", {name: row[name] for name in SEAMS})
    results.save(summary=summary)


if __name__ == "__main__":
    main()
