"""How long the viewer's event loop is blocked while the dock segments, and what the worker costs.

A timer of the event loop should fire every 5 ms; each gap beyond that is time in which napari would
not react. The run is repeated without napari in the same process, for the ratio.

    xvfb-run -a -s "-screen 0 1366x768x24" python benchmarks/responsiveness.py
"""

from __future__ import annotations

import json
import time

import numpy as np
from qtpy.QtCore import QTimer

import napari
from common import RESULTS, machine
from napari_superpixels import superpixels
from napari_superpixels._napari.demo import WINDOW, open_dock, wait_until
from napari_superpixels.io import sample_images as samples

TICK_MS = 5


def main() -> None:
    viewer = napari.Viewer()
    viewer.window.resize(*WINDOW)
    viewer.add_image(samples.histology(), rgb=True, name="histology")
    dock = open_dock(viewer)
    wait_until(lambda: not dock.device.problem)

    ticks: list[float] = []
    timer = QTimer()
    timer.setInterval(TICK_MS)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))

    def gaps() -> np.ndarray:
        return 1000 * np.diff(ticks) - TICK_MS

    timer.start()
    start = time.perf_counter()
    wait_until(lambda: time.perf_counter() - start > 5)
    idle = gaps()

    ticks.clear()
    dock.segment_button.click()
    wait_until(lambda: not dock.running)
    running = gaps()
    timer.stop()
    in_dock = dock._done.result.seconds
    viewer.close()

    start = time.perf_counter()
    superpixels(samples.histology(), channel_axis=-1)
    bare = time.perf_counter() - start
    result = {
        "machine": machine(),
        "image": [512, 512, 3],
        "preset": "balanced",
        "blocked_ms": {
            name: {
                "largest": round(float(values.max()), 1),
                "99 %": round(float(np.percentile(values, 99)), 1),
                "median": round(float(np.median(values)), 1),
                "above 100 ms": int((values > 100).sum()),
            }
            for name, values in (("idle", idle), ("running", running))
        },
        "seconds_in_dock": round(in_dock, 2),
        "seconds_bare": round(bare, 2),
        "ratio": round(in_dock / bare, 2),
    }
    print(json.dumps(result["blocked_ms"], indent=1), result["ratio"])
    path = RESULTS / "responsiveness.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"saved {path}")


if __name__ == "__main__":
    main()
