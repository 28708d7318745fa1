"""A layer that is not in the picture can be removed without bringing napari down."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: without the remedy, Mesa 22.3 ends it with a segmentation fault.
SESSION = """
import napari, numpy as np
from qtpy.QtCore import QEventLoop, QTimer
from napari_superpixels._napari.demo import open_dock

def wait():
    loop = QEventLoop()
    QTimer.singleShot(300, loop.quit)
    loop.exec()

viewer = napari.Viewer()
dock = open_dock(viewer)
image = viewer.add_image(np.random.default_rng(0).random((2, 60, 70)))
labels = viewer.add_labels(np.ones((1, 60, 70), np.uint16))
wait()
viewer.dims.set_current_step(0, 1)
wait()
dock.result_label.setText("The window is put together anew.")
wait()
viewer.layers.remove(labels)
wait()
viewer.add_labels(np.zeros((2, 60, 70), np.uint16))
wait()
viewer.close()
print("still there")
"""


@pytest.mark.slow
def test_a_result_on_another_slice_can_be_removed():
    ended = subprocess.run(
        [sys.executable, "-c", SESSION], capture_output=True, text=True, timeout=120, check=False
    )
    assert "still there" in ended.stdout, ended.stderr[-2000:]
