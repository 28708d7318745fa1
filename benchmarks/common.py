"""What the benchmarks share: data, machine, measured calls, matched counts."""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from napari_superpixels import metrics
from napari_superpixels.api.result import versions
from napari_superpixels.io.images import open_image
from napari_superpixels.io.labels import read_ground_truths

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Labels = NDArray[np.integer]

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The machine and versions that a figure belongs to."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [s for s in info.read_text().splitlines() if s.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": gpu,
        "system": platform.platform(),
        "versions": versions(),
    }


@dataclass(frozen=True)
class BsdsImage:
    """One image with all annotators' segmentations."""

    name: str
    rgb: NDArray[np.uint8]
    truths: list[Labels]


def load_image(data: Path, name: str) -> BsdsImage:
    """Load an image of either layout.

    BSDS500: ``images/ID.jpg`` and ``groundTruth/ID.mat`` with all annotators. Stanford Background
    Dataset (SBD): ``images/ID.jpg`` and ``labels/ID.regions.txt``, -1 where nothing is labelled.
    """
    rgb = open_image(data / "images" / f"{name}.jpg").read()
    regions = data / "labels" / f"{name}.regions.txt"
    if regions.exists():
        return BsdsImage(name, rgb, [np.loadtxt(regions, dtype=np.int64) + 1])
    return BsdsImage(name, rgb, read_ground_truths(data / "groundTruth" / f"{name}.mat"))


def image_names(data: Path, *, every: int = 1, count: int | None = None) -> list[str]:
    """Names of every so-manieth image of the sorted ids, or `count` spread evenly over them."""
    names = sorted(p.stem for p in (data / "images").glob("*.jpg"))[::every]
    if not names:
        raise SystemExit(f"{data} has no images/*.jpg")
    if count is None or count >= len(names):
        return names
    return [names[i] for i in np.linspace(0, len(names) - 1, count).round().astype(int)]


def quality(labels: Labels, truths: list[Labels]) -> dict[str, float]:
    """Count, and quality averaged over annotators."""

    def mean(measure: Callable[..., float]) -> float:
        return float(np.mean([measure(labels, truth) for truth in truths]))

    return {
        "K": len(np.unique(labels[labels != 0])),
        "ASA": mean(metrics.achievable_segmentation_accuracy),
        "BR": mean(metrics.boundary_recall),
        "UE": mean(metrics.undersegmentation_error),
        "boundary_share": float(metrics.boundary_mask(labels).mean()),
        "compactness": metrics.compactness(labels),
    }


def measured(call: Callable[[], Labels]) -> tuple[Labels, float, float]:
    """Run a call; return its labels, seconds and peak growth of resident memory in MB."""
    process = psutil.Process()
    start_memory = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        labels = call()
    finally:
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
    return labels, seconds, (peak - start_memory) / 1e6


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes (POSIX only)."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def match_count(
    make: Callable[[float], Labels], target: int, low: float, high: float, rounds: int = 8
) -> float:
    """Find the setting whose number of superpixels comes nearest to `target`.

    Bisects on a logarithmic scale; the count must grow with the setting.
    """
    best, best_gap = low, float("inf")
    for _ in range(rounds):
        setting = (low * high) ** 0.5
        count = len(np.unique(make(setting)))
        if abs(count - target) < best_gap:
            best, best_gap = setting, abs(count - target)
        if count == target:
            break
        low, high = (setting, high) if count < target else (low, setting)
    return best


class Results:
    """Rows that are saved as they come, so that an interrupted run goes on where it stopped."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self.header = header
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            saved = json.loads(path.read_text())
            if saved["settings"] == header["settings"]:
                self.rows = saved["rows"]

    def select(self, **key: Any) -> list[dict[str, Any]]:
        """The rows with these values."""
        return [row for row in self.rows if key.items() <= row.items()]

    def find(self, **key: Any) -> dict[str, Any] | None:
        """The row with these values, if it was measured before."""
        return next(iter(self.select(**key)), None)

    def measure_once(self, truths: list[Labels], make: Callable[[], Labels], **key: Any) -> None:
        """Add a row with the quality of the labels that `make` gives, unless there is one."""
        if self.find(**key) is None:
            self.add(key | quality(make(), truths))

    def add(self, row: dict[str, Any]) -> None:
        """Add a row and save."""
        self.rows.append(row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.save()

    def save(self, **extra: Any) -> None:
        """Write the file anew."""
        self.path.write_text(json.dumps(self.header | extra | {"rows": self.rows}, indent=1) + "\n")


def mean_rows(rows: list[dict[str, Any]], columns: list[str]) -> dict[str, float]:
    """Column means."""
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in columns}
