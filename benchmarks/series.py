"""A series in which frames follow from each other, against each frame on its own.

Photographs are moved, turned and scaled a little from frame to frame, with new noise in each, so
that the way of every pixel is known. Measured in one run, on moving and on still scenes: seconds;
the share of pixels that keep their superpixel's id from one frame to the next; and quality against
the ground truth, moved along.

    python benchmarks/series.py --data BSDS500/val
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from common import RESULTS, image_names, load_image, machine
from napari_superpixels import get_preset, metrics
from napari_superpixels.api.series import iter_series, keep_ids
from napari_superpixels.events import drain

SEED, N_FRAMES, NOISE = 0, 6, 4.0


def position(shape: tuple[int, int], frame: int, *, moving: bool) -> np.ndarray:
    """Where each pixel of a frame comes from in the first one."""
    grid = np.indices(shape).astype(float)
    if not moving:
        return grid
    centre = (np.array(shape) / 2)[:, None, None]
    angle, scale = np.deg2rad(0.7 * frame), 1 + 0.006 * frame
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    return (
        np.tensordot(turn, grid - centre, 1) + centre + np.array([0.8, 1.5])[:, None, None] * frame
    )


def moved(plane: np.ndarray, at: np.ndarray, order: int) -> np.ndarray:
    """A plane seen from another frame."""
    return ndimage.map_coordinates(plane, at, order=order, mode="nearest")


def stability(labels: np.ndarray, ways: list[np.ndarray]) -> float:
    """Share of pixels that keep their id from frame to frame along their way."""
    kept = []
    for t in range(1, len(labels)):
        # Both frames, seen from the first one.
        def first(k: int, t: int = t) -> np.ndarray:
            grid = np.indices(labels[0].shape).astype(float)
            shift = ways[k] - grid
            return moved(labels[k], grid - shift, 0)

        kept.append((first(t) == first(t - 1))[20:-20, 20:-20].mean())
    return float(np.mean(kept))


def mean_of(measure: Any, labels: np.ndarray, truths: list[list[np.ndarray]]) -> float:
    """Mean of a metric over frames and annotators."""
    pairs = [(frame, truth) for frame, known in zip(labels, truths, strict=True) for truth in known]
    return round(float(np.mean([measure(frame, truth) for frame, truth in pairs])), 4)


def main() -> None:
    """Measure both ways, with moving and still scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4)
    given = parser.parse_args()
    params = get_preset("balanced").replace(n_segments=100)
    rows = []
    for name in image_names(given.data, count=given.count):
        image = load_image(given.data, name)
        rng = np.random.default_rng(SEED)
        for moving in (True, False):
            shape = image.rgb.shape[:2]
            ways = [position(shape, t, moving=moving) for t in range(N_FRAMES)]
            frames = []
            for at in ways:
                rgb = np.stack([moved(c, at, 1) for c in np.moveaxis(image.rgb, -1, 0)], -1)
                noisy = rgb + rng.normal(0, NOISE, rgb.shape)
                frames.append(noisy.clip(0, 255).astype(np.uint8))
            row: dict[str, Any] = {"image": name, "moving": moving}
            for mode in ("follow", "alone"):
                begin = time.perf_counter()
                labels = drain(
                    iter_series(np.stack(frames), params, channel_axis=-1, follow=mode == "follow")
                )
                seconds = time.perf_counter() - begin
                if mode == "alone":  # with ids matched afterwards, which is all one could do
                    for t in range(1, N_FRAMES):
                        labels[t] = keep_ids(labels[t], labels[t - 1], int(labels[:t].max()) + 1)
                truths = [[moved(g, at, 0) for g in image.truths] for at in ways]

                row[mode] = {
                    "seconds": round(seconds, 2),
                    "id_stability": round(stability(labels, ways), 4),
                    "asa": mean_of(metrics.achievable_segmentation_accuracy, labels, truths),
                    "boundary_recall": mean_of(metrics.boundary_recall, labels, truths),
                }
            rows.append(row)
            print(json.dumps(row), flush=True)
    summary = {}
    for moving in (True, False):
        chosen = [r for r in rows if r["moving"] is moving]
        kind = "moving" if moving else "still"
        for mode in ("follow", "alone"):
            summary[f"{kind}, {mode}"] = {
                key: round(float(np.mean([r[mode][key] for r in chosen])), 4)
                for key in ("seconds", "id_stability", "asa", "boundary_recall")
            }
        alone, follow = (summary[f"{kind}, {m}"]["seconds"] for m in ("alone", "follow"))
        summary[f"{kind}, seconds alone / follow"] = round(alone / follow, 2)
    print(json.dumps(summary, indent=1))
    result = {
        "machine": machine(),
        "seed": SEED,
        "frames": N_FRAMES,
        "noise": NOISE,
        "parameters": params.to_dict(),
        "rows": rows,
        "summary": summary,
    }
    (RESULTS / "series.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
