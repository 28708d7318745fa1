"""The defaults on microscopy and aerial images: ours against SLIC at the same count.

    python benchmarks/any_image.py --data PATH

PATH holds pairs of NAME.tif and NAME_gt.tif (integer objects, 0 is background) in any subfolders.
Of stacks the first plane is taken; 3D images count as channels where one axis is short.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from skimage.exposure import rescale_intensity
from skimage.segmentation import slic

from common import RESULTS, machine, match_count, mean_rows, quality
from napari_superpixels import metrics, superpixels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Pair = tuple[str, str, NDArray[np.generic], int | None, NDArray[np.integer], int]

MAX_CHANNELS = 8


def load_pair(path: Path) -> tuple[NDArray[np.generic], int | None, NDArray[np.integer]] | None:
    """Image, channel axis and ground truth, 0 for background; None for what is no plane."""
    image = np.squeeze(tifffile.imread(path))
    truth = np.squeeze(tifffile.imread(path.with_name(f"{path.stem}_gt.tif")))
    while truth.ndim > 2:
        truth = truth[0]
    channel_axis = None
    if image.ndim == 3 and image.shape[-1] <= MAX_CHANNELS:
        image, channel_axis = image[..., :3], -1
    while image.ndim > 3 or (image.ndim == 3 and image.shape[1:] == truth.shape):
        if image.ndim == 3 and image.shape[0] == 3 and image.dtype == np.uint8:
            return np.moveaxis(image, 0, -1), -1, truth
        image = image[0]
    plane = image.shape if channel_axis is None else image.shape[:2]
    if plane != truth.shape or not np.isfinite(image).all():
        return None
    return image, channel_axis, truth


def pairs(data: Path) -> Iterator[Pair]:
    """Kind (the folder), name, image, channel axis, ground truth and N, twice the objects."""
    for truth_path in sorted(data.rglob("*_gt.tif")):
        path = truth_path.with_name(truth_path.name.replace("_gt", ""))
        pair = load_pair(path) if path.exists() else None
        if pair is not None:
            n = int(np.clip(2 * len(np.unique(pair[2])), 60, 500))
            yield path.parent.name, path.stem, *pair, n


def run_slic(image: NDArray[np.generic], channel_axis: int | None, n: float) -> NDArray:
    """SLIC on the image stretched between its 0.1 and 99.9 percentiles."""
    low, high = np.percentile(image, [0.1, 99.9])
    unit = rescale_intensity(image.astype(float), in_range=(low, high), out_range=(0, 1))
    compactness = 0.1 if channel_axis is None else 10
    return slic(unit, round(n), compactness=compactness, channel_axis=channel_axis, start_label=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--name", default="any_image", help="of the result file")
    arguments = parser.parse_args()
    rows = []
    for kind, name, image, channel_axis, truth, n in pairs(arguments.data):
        own = superpixels(image, n, channel_axis=channel_axis, device=arguments.device)
        call = partial(run_slic, image, channel_axis)
        peer = call(match_count(call, int(own.max()), n / 8, n * 8))
        row = {
            "kind": kind,
            "image": name,
            "shape": list(image.shape),
            "dtype": str(image.dtype),
            "N": n,
        }
        for method, labels in (("ours", own), ("slic", peer)):
            got = quality(labels, [truth]) | {"IoU": metrics.achievable_iou(labels, truth)}
            columns = ("K", "ASA", "IoU", "BR", "boundary_share")
            row |= {f"{method}_{c}": round(got[c], 4) for c in columns}
        rows.append(row)
        print(row, flush=True)
    columns = [key for key in rows[0] if key.startswith(("ours", "slic"))]
    kinds = {
        kind: mean_rows([row for row in rows if row["kind"] == kind], columns)
        for kind in sorted({row["kind"] for row in rows})
    }
    mean = mean_rows(rows, columns)
    print("\n".join(f"{kind}: {figures}" for kind, figures in (kinds | {"mean": mean}).items()))
    path = RESULTS / f"{arguments.name}.json"
    content = {"machine": machine(), "rows": rows, "kinds": kinds, "mean": mean}
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"saved {path}")


if __name__ == "__main__":
    main()
