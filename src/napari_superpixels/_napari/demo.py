"""napari with the dock, for a first look and for the documentation's screenshots."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEventLoop, QTimer

import napari
from napari_superpixels._napari.segment.dock import SegmentWidget
from napari_superpixels.io.formats import METADATA_KEY, save_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari.viewer import Viewer

# A laptop's screen, less its window decorations.
WINDOW = (1366, 740)
_POLL_MS = 50


def open_dock(viewer: Viewer) -> SegmentWidget:
    """Open the segmentation dock through the manifest, as the menu does.

    Parameters
    ----------
    viewer : napari.Viewer

    Returns
    -------
    SegmentWidget
        The dock's widget.
    """
    _, widget = viewer.window.add_plugin_dock_widget("napari-superpixels", "Segment")
    assert isinstance(widget, SegmentWidget)
    return widget


def wait_until(condition: Callable[[], bool]) -> None:
    """Run the event loop until a condition holds.

    Parameters
    ----------
    condition : callable
        Looked at 20 times a second.
    """
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(_POLL_MS)
    loop.exec()


def open_napari(images: Sequence[str]) -> None:
    """Open napari with the dock and some images; return when it is closed.

    Parameters
    ----------
    images : sequence of str
        Files to open.
    """
    viewer = napari.Viewer()
    open_dock(viewer)
    if images:
        viewer.open(list(images))
    napari.run()


def run_demo(preset: str, output: Path | None) -> int:
    """Open a sample image and the dock, click Segment, and stay open or leave files.

    Parameters
    ----------
    preset : str
        Preset to choose.
    output : Path or None
        Folder for ``superpixels.png`` and ``superpixels.tif``; None keeps napari open instead.

    Returns
    -------
    int
        Exit code: 0, or 1 if the run failed.
    """
    viewer = napari.Viewer()
    viewer.window.resize(*WINDOW)
    viewer.open_sample("napari-superpixels", "photo")
    widget = open_dock(viewer)
    widget.form.preset.value = preset
    wait_until(lambda: not widget.device.is_looking)
    widget.segment_button.click()
    if output is None:
        napari.run()
        return 0
    wait_until(lambda: not widget.running)
    layers = [layer for layer in viewer.layers if METADATA_KEY in layer.metadata]
    if not layers:
        sys.stderr.write(f"{widget.status_label.text() or widget.result_label.text()}\n")
        viewer.close()
        return 1
    output.mkdir(parents=True, exist_ok=True)
    picture, labels = output / "superpixels.png", output / "superpixels.tif"
    viewer.screenshot(str(picture), canvas_only=False, flash=False)
    layer = layers[0]
    save_labels(labels, np.asarray(layer.data), layer.metadata[METADATA_KEY], overwrite=True)
    viewer.close()
    for path in (picture, labels):
        print(path.resolve())  # noqa: T201  (the command's output)
    return 0
