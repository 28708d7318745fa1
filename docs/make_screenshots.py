"""Make the pictures of the README and the guide, on a 1366x768 laptop screen.

Run it on a display of that size, for instance
``xvfb-run -a -s "-screen 0 1366x768x24" python docs/make_screenshots.py``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from matplotlib.cbook import get_sample_data
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEventLoop, QTimer
from rasterio.transform import from_origin
from skimage import data

import napari
from napari_superpixels._napari.demo import WINDOW, open_dock, wait_until
from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.segment.view import DISCARD, KEEP
from napari_superpixels.plan.run_plan import Tiles

if TYPE_CHECKING:
    from napari_superpixels._napari.segment.dock import SegmentWidget

IMAGES = Path(__file__).parent / "images"


def pause(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def shoot(viewer: napari.Viewer, name: str) -> None:
    pause(300)
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)
    print(IMAGES / name)  # noqa: T201


def open_with_dock(n_segments: int) -> tuple[napari.Viewer, SegmentWidget]:
    viewer = napari.Viewer()
    viewer.window.resize(*WINDOW)
    dock = open_dock(viewer)
    wait_until(lambda: not dock.device.problem)
    dock.form.control("n_segments").value = n_segments
    return viewer, dock


def segment(viewer: napari.Viewer, dock: SegmentWidget, *, outlines: bool = False) -> None:
    pause(500)
    dock.segment_button.click()
    wait_until(lambda: not dock.running)
    if outlines:
        viewer.layers[-1].contour = 1
        viewer.layers[-1].opacity = 0.9


def histology() -> None:
    viewer, dock = open_with_dock(150)
    viewer.open_sample("napari-superpixels", "histology")
    pause(1500)
    shoot(viewer, "idle.png")
    dock.form.control("iterations").value = 400  # 25 are over before there is a preview
    dock.segment_button.click()
    wait_until(lambda: len(viewer.layers) == 2 and dock.progress.value() > 150)
    shoot(viewer, "running.png")
    dock.on_cancel.value = DISCARD
    dock.cancel_button.click()
    wait_until(lambda: not dock.running)
    dock.on_cancel.value = KEEP
    dock.form.control("iterations").value = 25
    segment(viewer, dock)
    shoot(viewer, "finished.png")
    dock.advanced.expand(animate=False)
    viewer.layers[-1].contour = 1
    viewer.layers[-1].opacity = 1
    viewer.theme = "light"
    shoot(viewer, "light.png")
    viewer.theme = "dark"
    viewer.close()


def cell() -> None:
    """A living cell, phase contrast by a digital hologram; its pixel size is not known exactly."""
    viewer, dock = open_with_dock(120)
    viewer.add_image(data.cell(), name="cell", scale=(0.1, 0.1), units=("um", "um"))
    viewer.canvas.overlays.scale_bar.visible = True
    segment(viewer, dock, outlines=True)
    shoot(viewer, "microscopy.png")
    viewer.close()


def time_series() -> None:
    viewer, dock = open_with_dock(100)
    viewer.open_sample("napari-superpixels", "time-series")
    dock.image.mode_box.value = Mode.SERIES
    segment(viewer, dock)
    viewer.dims.set_current_step(0, 3)
    shoot(viewer, "time_series.png")
    viewer.close()


def volume() -> None:
    rng = np.random.default_rng(0)
    shape = (24, 160, 200)
    z, y, x = np.mgrid[tuple(map(slice, shape))]
    voxels = np.zeros(shape)
    for _ in range(40):
        at, radius = rng.random(3) * shape, rng.uniform(10, 22)
        apart = np.sqrt((3 * (z - at[0])) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2)
        voxels = np.maximum(voxels, np.clip(1.2 - apart / radius, 0, 1) * rng.uniform(0.4, 1))
    voxels += rng.normal(size=shape) * 0.03
    viewer, dock = open_with_dock(200)
    sizes = {"scale": (3, 1, 1), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    viewer.add_image(voxels, name="nuclei (synthetic)", **sizes)
    dock.image.mode_box.value = Mode.VOLUME
    segment(viewer, dock)
    viewer.dims.set_current_step(0, 12)
    shoot(viewer, "volume.png")
    viewer.close()


def elevation(folder: Path) -> Path:
    """Elevation around Jacksboro, Tennessee, from the Shuttle Radar Topography Mission (NASA)."""
    dem = get_sample_data("jacksboro_fault_dem.npz")
    height = dem["elevation"]
    path = folder / "jacksboro.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=height.shape[1],
        height=height.shape[0],
        count=1,
        dtype=height.dtype,
        crs="EPSG:4326",
        # The first row lies in the north, whatever the names say.
        transform=from_origin(dem["xmin"], max(dem["ymin"], dem["ymax"]), dem["dx"], dem["dy"]),
    ) as raster:
        raster.write(height, 1)
    return path


def terrain(folder: Path) -> None:
    viewer, dock = open_with_dock(150)
    viewer.open(str(elevation(folder)), plugin="napari-superpixels")
    viewer.layers[0].colormap = "gist_earth"
    segment(viewer, dock, outlines=True)
    dock.exporter.export_to(folder / "jacksboro.geojson")
    wait_until(lambda: not dock.exporter.running)
    pause(500)
    shoot(viewer, "remote_sensing.png")
    viewer.close()


def tiles(folder: Path) -> None:
    """A large raster: the terrain again and again, mirrored."""
    with rasterio.open(elevation(folder)) as raster:
        height = raster.read(1)
    mirrored = np.block([[height, height[:, ::-1]], [height[::-1], height[::-1, ::-1]]])
    viewer, dock = open_with_dock(20_000)
    # A limit in the preferences would propose it, too.
    dock.tiles.value = Tiles.ALWAYS
    viewer.add_image(np.tile(mirrored, (8, 8)), name="terrain", colormap="gist_earth")
    wait_until(lambda: "finding" not in dock.device_label.text())
    shoot(viewer, "tiles.png")
    viewer.close()


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    histology()
    cell()
    time_series()
    volume()
    with tempfile.TemporaryDirectory() as folder:
        terrain(Path(folder))
        tiles(Path(folder))
    for record in notification_manager.records:
        print(record)  # noqa: T201


if __name__ == "__main__":
    main()
