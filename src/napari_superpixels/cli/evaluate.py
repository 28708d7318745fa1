"""The command ``napari-superpixels evaluate``: labels measured against a ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_superpixels.io.strict_json import dumps

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.cli.options import EvaluateOptions
    from napari_superpixels.io.labels import LabelFile


def evaluate(options: EvaluateOptions) -> int:
    """Run the command.

    Parameters
    ----------
    options : EvaluateOptions

    Returns
    -------
    int
        Exit code.
    """
    import numpy as np

    from napari_superpixels import metrics
    from napari_superpixels.io.images import check_same_grid, open_image
    from napari_superpixels.io.labels import read_ground_truths

    file, truth = _plane(options.labels), options.ground_truth
    labels = file.labels
    if truth.suffix.lower() == ".mat":
        truths = read_ground_truths(truth)
    else:
        found = _plane(truth)
        check_same_grid(found.metadata, file.metadata)
        truths = [found.labels]
    ignore, tolerance = options.ignore_label, options.tolerance

    def mean(measure: Any, **options: Any) -> float:
        return float(np.mean([measure(labels, truth, **options) for truth in truths]))

    figures: dict[str, float] = {
        "superpixels": len(np.unique(labels[labels != 0])),
        "achievable segmentation accuracy": mean(
            metrics.achievable_segmentation_accuracy, ignore_label=ignore
        ),
        "achievable IoU of objects": mean(metrics.achievable_iou, ignore_label=ignore),
        "boundary recall": mean(metrics.boundary_recall, tolerance=tolerance),
        "boundary precision": mean(metrics.boundary_precision, tolerance=tolerance),
        "undersegmentation error": mean(metrics.undersegmentation_error, ignore_label=ignore),
        "compactness": metrics.compactness(labels),
        "boundary share": float(metrics.boundary_mask(labels).mean()),
    }
    if options.image is not None:
        with open_image(options.image) as image:
            check_same_grid(image.metadata, file.metadata)
            pixels = image.read()
        figures["explained variation"] = metrics.explained_variation(
            labels, pixels, channel_axis=image.channel_axis
        )
    if options.json:
        print(dumps(figures | {"ground truths": len(truths)}))
        return 0
    for name, value in figures.items():
        print(f"{name:34} {value:.4f}" if isinstance(value, float) else f"{name:34} {value}")
    print(f"{'ground truths averaged':34} {len(truths)}")
    return 0


def _plane(path: Path) -> LabelFile:
    from napari_superpixels.errors import FileError
    from napari_superpixels.io.labels import read_labels

    found = read_labels(path)
    if found.labels.ndim != 2:
        raise FileError(
            f"{path}: is a stack of {len(found.labels)} planes; write the one to measure with "
            "export --plane, and give that"
        )
    return found
