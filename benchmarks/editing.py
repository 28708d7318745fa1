"""How long a hand correction takes from mouse release to repaint request, in a real viewer.

A label map with 20,000 superpixels on an image of 4096 x 4096 pixels is corrected by the dock's own
tools: from the release of the mouse until napari has been asked to repaint, with the feature table,
the outlines and the semantic layer up to date. In the same run, the same edits are made the way
napari offers today: ``fill`` for a merge, and assigning ``layer.data`` for a split or a class.

    xvfb-run -a -s "-screen 0 1366x768x24" python benchmarks/editing.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np
from qtpy.QtCore import QEventLoop, QTimer
from scipy import ndimage
from scipy.spatial import cKDTree

import napari
from common import RESULTS, machine
from napari_superpixels._napari.correction.dock import CorrectionWidget
from napari_superpixels._napari.demo import WINDOW
from napari_superpixels.editing.actions.operations import merge

SIDE, K = 4096, 20_000
SEED = 0


def label_map(side: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Cells of random points on a jittered grid: k superpixels of about the same size."""
    n = round(np.sqrt(k))
    step = side / n
    grid = (np.indices((n, n)).reshape(2, -1).T + 0.5 + rng.uniform(-0.3, 0.3, (n * n, 2))) * step
    tree = cKDTree(grid)
    labels = np.empty((side, side), np.int32)
    for row in range(0, side, 256):
        rows = np.arange(row, min(row + 256, side))
        points = np.stack(np.meshgrid(rows, np.arange(side), indexing="ij"), -1)
        labels[rows] = tree.query(points, workers=2)[1] + 1
    return labels


def image_of(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour for each superpixel, blurred, with noise."""
    colors = rng.integers(30, 220, (labels.max() + 1, 3))
    image = ndimage.gaussian_filter(colors[labels].astype(np.float32), (6, 6, 0))
    return (image + rng.normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8)


def figures(seconds: list[float]) -> dict[str, float]:
    """Median and spread, in milliseconds."""
    milliseconds = [1000 * s for s in seconds]
    return {
        "median_ms": round(statistics.median(milliseconds), 1),
        "p90_ms": round(float(np.percentile(milliseconds, 90)), 1),
        "max_ms": round(max(milliseconds), 1),
        "n": len(milliseconds),
    }


class Bench:
    """A viewer with the dock on a label map, and a clock at its tools."""

    def __init__(self, labels: np.ndarray, image: np.ndarray) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window.resize(*WINDOW)
        self.viewer.add_image(image, name="image")
        self.layer = self.viewer.add_labels(labels.copy(), name="labels")
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")
        assert isinstance(dock, CorrectionWidget)
        self.dock = dock
        dock.classes.add()
        # What the first edit of a session adds: the layers of marks and classes.
        dock.editor.run(merge, positions=self.neighbours(5, 5))
        self.click("Class", [(5, 5)])
        draw_frames(500)

    def neighbours(self, row: int, column: int) -> list[tuple[int, int]]:
        """Two pixels side by side, of two superpixels, at or after a position."""
        line = self.dock.editor.session.labels[row]
        at = column + int(np.flatnonzero(line[column:-1] != line[column + 1 :])[0])
        return [(row, at), (row, at + 1)]

    def inside(self, row: int, column: int) -> list[tuple[int, int]]:
        """Two pixels in the left and right part of the superpixel at a position."""
        labels = self.dock.editor.session.labels
        line = np.flatnonzero(
            labels[row, max(column - 200, 0) : column + 200] == labels[row, column]
        )
        start = max(column - 200, 0)
        return [(row, start + int(line[0]) + 1), (row, start + int(line[-1]) - 1)]

    def click(self, tool: str, stroke: list[tuple[int, int]], *, clicks: bool = False) -> float:
        """Work a tool; return the seconds after the last release."""
        self.dock.choose_tool(tool)
        controller = self.dock._controller
        assert controller is not None
        active = controller.tool
        strokes = [[p] for p in stroke] if clicks else [stroke]
        for points in strokes:
            active.press(points[0])
            for point in points[1:]:
                active.drag(point)
            draw_frames()
            begin = time.perf_counter()
            active.release()
            taken = time.perf_counter() - begin
        self.dock.choose_tool("")
        return taken

    def close(self) -> None:
        self.viewer.close()


def draw_frames(milliseconds: int = 60) -> None:
    """Let napari draw, as it does between the clicks of a hand."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def places(side: int, n: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    margin = side // 20
    return [tuple(p) for p in rng.integers(margin, side - margin, (n, 2)).tolist()]


def time_tools(bench: Bench, side: int, n: int, rng: np.random.Generator) -> dict[str, dict]:
    tools: dict[str, list[float]] = {"merge": [], "split": [], "class": [], "undo": []}
    for row, column in places(side, n, rng):
        tools["split"].append(bench.click("Split", bench.inside(row, column), clicks=True))
    for row, column in places(side, n, rng):
        tools["merge"].append(bench.click("Merge", bench.neighbours(row, column)))
    for at in places(side, n, rng):
        tools["class"].append(bench.click("Class", [at]))
    for _ in range(n):
        draw_frames()
        begin = time.perf_counter()
        bench.layer.undo()
        bench.dock.editor.sync()
        tools["undo"].append(time.perf_counter() - begin)
    return {name: figures(seconds) for name, seconds in tools.items()}


def time_napari(bench: Bench, side: int, n: int, rng: np.random.Generator) -> dict[str, dict]:
    """The same edits by napari's fill bucket and by assigning the data."""
    layer = bench.viewer.add_labels(bench.layer.data.copy(), name="napari's way")
    bench.viewer.layers.selection.active = bench.viewer.layers["image"]
    fill, assign = [], []
    for row, column in places(side, n, rng):
        (first, second) = bench.neighbours(row, column)
        draw_frames()
        begin = time.perf_counter()
        layer.fill(first, int(layer.data[second]))
        fill.append(time.perf_counter() - begin)
    for row, column in places(side, n, rng):
        draw_frames()
        begin = time.perf_counter()
        data = layer.data.copy()
        data[data == data[row, column]] = K + 5
        layer.data = data
        assign.append(time.perf_counter() - begin)
    return {"fill": figures(fill), "data": figures(assign)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--n", type=int, default=40, help="edits of each kind")
    arguments = parser.parse_args()
    side, n = arguments.side, arguments.n
    result: dict = {
        "machine": machine(),
        "seed": SEED,
        "edits_of_each_kind": n,
        "runs": [],
    }
    cases = [
        (side, K * side**2 // SIDE**2),  # the case of the issue
        (side // 4, K * side**2 // SIDE**2 // 16),  # as large superpixels, a 16th of the image
        (side, K * side**2 // SIDE**2 // 16),  # 16 times as large superpixels
    ]
    for case_side, k in cases:
        rng = np.random.default_rng(SEED)
        labels = label_map(case_side, k, rng)
        bench = Bench(labels, image_of(labels, rng))
        found = int(labels.max())
        row = {"side": case_side, "superpixels": found, "mean_area_px": case_side**2 // found}
        row["dock"] = time_tools(bench, case_side, n, rng)
        row["napari"] = time_napari(bench, case_side, min(n, 15), rng)
        bench.close()
        result["runs"].append(row)
        print(json.dumps(row), flush=True)
    first = result["runs"][0]
    data = first["napari"]["data"]["median_ms"]
    result["ratios"] = {
        "assigning data / split": round(data / first["dock"]["split"]["median_ms"], 1),
        "assigning data / class": round(data / first["dock"]["class"]["median_ms"], 1),
        "fill / merge": round(
            first["napari"]["fill"]["median_ms"] / first["dock"]["merge"]["median_ms"], 1
        ),
    }
    print(json.dumps(result["ratios"]))
    (RESULTS / "editing.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
