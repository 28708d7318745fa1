"""Make the pictures of the README and the guide, on a 1366x768 laptop screen.

Run it on a display of that size, for instance
``xvfb-run -a -s "-screen 0 1366x768x24" python docs/make_screenshots.py``.
"""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEventLoop, QTimer

import napari
from napari_superpixels._napari.demo import WINDOW, open_dock, wait_until

IMAGES = Path(__file__).parent / "images"


def pause(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def shoot(viewer: napari.Viewer, name: str) -> None:
    pause(300)
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)
    print(IMAGES / name)  # noqa: T201


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    viewer = napari.Viewer()
    viewer.window.resize(*WINDOW)
    viewer.open_sample("napari-superpixels", "histology")
    dock = open_dock(viewer)
    wait_until(lambda: not dock.device.problem)
    dock.form.control("n_segments").value = 150
    pause(1500)
    shoot(viewer, "idle.png")
    dock.segment_button.click()
    wait_until(lambda: len(viewer.layers) == 2 and dock.progress.value() > 30)
    shoot(viewer, "running.png")
    wait_until(lambda: not dock.running)
    shoot(viewer, "finished.png")
    dock.advanced.expand(animate=False)
    viewer.layers[-1].contour = 1
    viewer.layers[-1].opacity = 1
    viewer.theme = "light"
    shoot(viewer, "light.png")
    for record in notification_manager.records:
        print(record)  # noqa: T201
    viewer.close()


if __name__ == "__main__":
    main()
