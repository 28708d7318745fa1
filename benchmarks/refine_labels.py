"""Hand-made labels, made wrong on purpose, and refined: are they nearer to the truth then?

    python benchmarks/refine_labels.py --data PATH --bsds PATH

PATH of the first holds pairs of NAME.tif and NAME_gt.tif, see any_image.py; the second is BSDS500
or SBD, see common.py, of which every twelfth image and its first annotator are taken.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.segmentation import expand_labels, find_boundaries

from any_image import pairs
from common import RESULTS, image_names, load_image, machine, mean_rows
from napari_superpixels import metrics, refine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Labels = NDArray[np.integer]

DILATED_PX, ERODED_PX, SHIFTED_PX = 3, 2, 3
COLUMNS = ["IoU_before", "IoU_after", "BR_before", "BR_after"]


def eroded(labels: Labels) -> Labels:
    """Labels without their outermost pixels; none is lost."""
    for _ in range(ERODED_PX):
        inner = np.where(find_boundaries(labels, mode="inner", connectivity=1), 0, labels)
        labels = np.where(np.isin(labels, np.setdiff1d(labels, inner)), labels, inner)
    return labels


def shifted(labels: Labels, mode: str) -> Labels:
    """Labels that lie further down and right."""
    return np.asarray(ndimage.shift(labels, SHIFTED_PX, order=0, mode=mode))


def mean_iou(labels: Labels, truth: Labels) -> float:
    """Intersection over union of each object with its own label, averaged."""
    ids = np.unique(truth[truth > 0])
    shares = [
        ((labels == i) & (truth == i)).sum() / ((labels == i) | (truth == i)).sum() for i in ids
    ]
    return float(np.mean(shares))


def cases(data: Path, bsds: Path) -> Iterator[tuple[str, str, NDArray, int | None, Labels]]:
    for kind, name, image, channel_axis, truth, _ in pairs(data):
        yield kind, name, image, channel_axis, truth.astype(np.int64)
    for name in image_names(bsds, every=12):
        found = load_image(bsds, name)
        yield "photographs", name, found.rgb, -1, found.truths[0].astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bsds", type=Path, required=True)
    arguments = parser.parse_args()
    rows = []
    for kind, name, image, channel_axis, truth in cases(arguments.data, arguments.bsds):
        given = {"shifted": shifted(truth, "nearest")}
        if (truth == 0).any():
            given = {
                "dilated": expand_labels(truth, DILATED_PX),
                "eroded": eroded(truth),
                "shifted": shifted(truth, "constant"),
            }
        for change, labels in given.items():
            better = refine(image, labels, channel_axis=channel_axis, keep_background=False)
            row = {"kind": kind, "image": name, "change": change}
            for when, one in (("before", labels), ("after", better)):
                row[f"IoU_{when}"] = round(mean_iou(one, truth), 4)
                row[f"BR_{when}"] = round(metrics.boundary_recall(one, truth, tolerance=1), 4)
            rows.append(row)
            print(row, flush=True)
    means = {}
    for key in sorted({(row["kind"], row["change"]) for row in rows}):
        same = [row for row in rows if (row["kind"], row["change"]) == key]
        n_better = sum(row["IoU_after"] > row["IoU_before"] for row in same)
        means[" ".join(key)] = mean_rows(same, COLUMNS) | {"images": len(same), "better": n_better}
    for key, mean in means.items():
        print(key, mean)
    path = RESULTS / "refine_labels.json"
    path.write_text(
        json.dumps({"machine": machine(), "rows": rows, "means": means}, indent=1) + "\n"
    )
    print(f"saved {path}")


if __name__ == "__main__":
    main()
