"""Make the pictures of the README and the guides, on a 1366x768 laptop screen.

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
from rasterio.transform import from_origin
from skimage import data, filters, measure, morphology
from tour import pause, save_picture

import napari
from napari_superpixels._napari.demo import WINDOW, open_dock, wait_until
from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.input.start import StartKind
from napari_superpixels._napari.segment.appearance import Show
from napari_superpixels.plan.run_plan import Tiles

if TYPE_CHECKING:
    from napari_superpixels._napari.segment.dock import SegmentWidget

IMAGES = Path(__file__).parent / "images"


def shoot(viewer: napari.Viewer, name: str) -> None:
    pause(300)
    save_picture(viewer, IMAGES / name)
    print(IMAGES / name)  # noqa: T201


def open_with_dock(*, theme: str = "dark") -> tuple[napari.Viewer, SegmentWidget]:
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(*WINDOW)
    dock = open_dock(viewer)
    wait_until(lambda: not dock.device.is_looking)
    return viewer, dock


def segment(dock: SegmentWidget) -> None:
    pause(500)
    dock.segment_button.click()
    wait_until(lambda: not dock.running)
    pause(500)


def histology() -> None:
    """From the first screen to a result that was changed by the slider."""
    viewer, dock = open_with_dock()
    viewer.open_sample("napari-superpixels", "histology")
    wait_until(lambda: "about" in dock.status_label.text())
    shoot(viewer, "first_screen.png")
    dock.form.control("iterations").value = 400  # 25 are over before there is a preview
    dock.segment_button.click()
    wait_until(lambda: len(viewer.layers) == 2 and dock.progress.value() > 150)
    shoot(viewer, "running.png")
    dock.cancel_button.click()
    wait_until(lambda: not dock.running)
    dock.form.control("iterations").value = 25
    segment(dock)
    shoot(viewer, "result.png")
    dock.form.number.value = 200
    wait_until(lambda: "without another run" in dock.result_label.text())
    shoot(viewer, "fewer.png")
    dock.form.number.value = 1500
    wait_until(lambda: viewer.layers[-1].data.max() > 1000)
    dock.show_choice.show_box.value = Show.MEAN
    shoot(viewer, "mean_colour.png")
    viewer.close()


def more() -> None:
    """The rest of the controls, in the light theme."""
    viewer, dock = open_with_dock(theme="light")
    viewer.open_sample("napari-superpixels", "photo")
    segment(dock)
    dock.more_section.expand(animate=False)
    shoot(viewer, "more.png")
    viewer.theme = "dark"
    viewer.close()


def objects() -> None:
    """Nuclei that a threshold has found, and superpixels that do not cross their borders."""
    viewer, dock = open_with_dock()
    (image,) = viewer.open_sample("napari-superpixels", "nuclei")
    dna = filters.gaussian(image.data[0], 1)
    found = morphology.remove_small_objects(dna > filters.threshold_otsu(dna), max_size=64)
    place = {"scale": image.scale[1:], "units": image.units[1:]}
    viewer.add_labels(measure.label(found), name="nuclei masks", visible=False, **place)
    viewer.dims.set_current_step(0, 0)
    viewer.layers.selection.active = image
    dock.more_section.expand(animate=False)
    dock.choice.start.kind_box.value = StartKind.OBJECTS
    segment(dock)
    viewer.reset_view()
    shoot(viewer, "objects.png")
    viewer.close()


def cell() -> None:
    """A living cell, phase contrast by a digital hologram; its pixel size is not known exactly."""
    viewer, dock = open_with_dock()
    viewer.add_image(data.cell(), name="cell", scale=(0.1, 0.1), units=("um", "um"))
    viewer.canvas.overlays.scale_bar.visible = True
    dock.form.number.value = 120
    segment(dock)
    shoot(viewer, "microscopy.png")
    viewer.close()


def time_series() -> None:
    viewer, dock = open_with_dock()
    viewer.open_sample("napari-superpixels", "time-series")
    dock.image.mode_box.value = Mode.SERIES
    dock.form.number.value = 100
    segment(dock)
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
    viewer, dock = open_with_dock()
    sizes = {"scale": (3, 1, 1), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    viewer.add_image(voxels, name="nuclei (synthetic)", **sizes)
    dock.image.mode_box.value = Mode.VOLUME
    dock.form.number.value = 200
    segment(dock)
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
    viewer, dock = open_with_dock()
    viewer.open(str(elevation(folder)))
    viewer.layers[0].colormap = "gist_earth"
    dock.form.number.value = 150
    segment(dock)
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
    viewer, dock = open_with_dock()
    # A limit in the preferences would propose it, too.
    dock.tiles.value = Tiles.ALWAYS
    viewer.add_image(np.tile(mirrored, (8, 8)), name="terrain", colormap="gist_earth")
    dock.form.number.value = 20_000
    wait_until(lambda: "pixels; " in (text := dock.status_label.text()) and "finding" not in text)
    shoot(viewer, "tiles.png")
    viewer.close()


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    histology()
    more()
    objects()
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
