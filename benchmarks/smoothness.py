"""Which border smoothness suits which kind of image, and what `auto` takes.

    python benchmarks/smoothness.py --photos PATH --data PATH

PHOTOS has the layout of BSDS500 (see `common.load_image`), DATA holds pairs of NAME.tif and
NAME_gt.tif in a folder for each kind (see `any_image.pairs`). Each image is segmented once;
borders are then refined with each smoothness.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from any_image import pairs
from common import RESULTS, Results, image_names, load_image, machine, mean_rows, quality
from napari_superpixels import get_preset, iter_superpixels, metrics
from napari_superpixels.events import drain
from napari_superpixels.params import AUTO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Item = tuple[str, str, NDArray[np.generic], int | None, list[NDArray[np.integer]], int]

SETTINGS = (0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0, AUTO)
COLUMNS = ["smoothness", "ASA", "IoU", "BR", "boundary_share"]


def items(photos: Path, data: Path, every: int) -> Iterator[Item]:
    """Kind, name, image, channel axis, ground truths and N."""
    for name in image_names(photos, every=every):
        photo = load_image(photos, name)
        yield "photograph", name, photo.rgb, -1, photo.truths, 100
    for kind, name, image, channel_axis, truth, n in pairs(data):
        yield kind, name, image, channel_axis, [truth], n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=5, help="of the photographs")
    arguments = parser.parse_args()
    params = get_preset("balanced").replace(count="exact")
    settings = {"balanced": params.to_dict(), "every": arguments.every}
    results = Results(RESULTS / "smoothness.json", {"machine": machine(), "settings": settings})
    for kind, name, image, channel_axis, truths, n in items(
        arguments.photos, arguments.data, arguments.every
    ):
        if results.find(image=name, setting=AUTO):
            continue
        run = drain(
            iter_superpixels(image, params.replace(n_segments=n), channel_axis=channel_axis)
        )
        for setting in SETTINGS:
            labels = run.at(smoothness=setting).labels
            row = {"kind": kind, "image": name, "setting": setting}
            row["smoothness"] = run.levels.auto_smoothness if setting == AUTO else setting
            objects = [metrics.achievable_iou(labels, truth) for truth in truths]
            results.add(row | quality(labels, truths) | {"IoU": float(np.mean(objects))})
    kinds = sorted({row["kind"] for row in results.rows})
    summary = [
        {"kind": kind, "setting": s} | mean_rows(results.select(kind=kind, setting=s), COLUMNS)
        for kind in kinds
        for s in SETTINGS
    ]
    for row in summary:
        print(row)
    results.save(summary=summary)


if __name__ == "__main__":
    main()
