"""Jobs from the first click to the last file, with mouse and keys only, and counted."""

from __future__ import annotations

import sys

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import roifile
from docs.tour import CTRL, PLAIN, SHIFT, inner
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_superpixels._napari.correction.dock import CorrectionWidget
from napari_superpixels._napari.correction.panels.class_table import NAME
from napari_superpixels._napari.segment.appearance import Show
from napari_superpixels._napari.segment.dock import SegmentWidget
from napari_superpixels._napari.segment.run import Run
from napari_superpixels.io import sample_images
from napari_superpixels.io.formats import METADATA_KEY
from tests.fixtures.clicks import Clicks

# The network in a blink; how many superpixels is left to the dock.
BLINK = {"iterations": 8, "downscale": 2, "hidden_channels": (8, 8), "refine_iterations": 3}


@pytest.fixture
def viewer(shown_viewer):
    return shown_viewer


@pytest.fixture
def user(viewer, qtbot):
    made = Clicks(viewer, qtbot)
    # Undone before napari looks for viewers that something holds.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QFileDialog, "getSaveFileName", made.answer)
        yield made


@pytest.fixture
def wait(qtbot):
    def until(condition):
        qtbot.waitUntil(condition, timeout=60_000)

    return until


@pytest.fixture
def open_segment(viewer, user, wait):
    """Open the dock from the menu; its network shall be quick."""

    def open_it():
        user.menu("Plugins", "Superpixels", "Segment (Superpixels)")
        dock = the_dock(viewer, SegmentWidget)
        wait(lambda: not dock.device.problem)
        dock.form.set_params(dock.form.params().replace(**BLINK))
        return dock

    return open_it


@pytest.fixture
def correct(viewer, user, qtbot):
    """Open the dock behind *Correct by hand…*."""

    def open_it(segment):
        user.on(segment.correct_button)
        qtbot.wait(300)  # until the window is laid out
        return the_dock(viewer, CorrectionWidget)

    return open_it


def the_dock(viewer, kind):
    (found,) = [w for w in viewer.window.dock_widgets.values() if isinstance(w, kind)]
    return found


def run(user, dock, wait):
    user.on(dock.segment_button)
    wait(lambda: not dock.running)
    layer = dock.exporter.last
    assert isinstance(layer, Labels)
    return layer


def cells(seed):
    return sample_images.nuclei(seed)[:, :256, :256]


def middles(labels, image, wanted, n):
    """Middles of superpixels that are what is wanted, some dark and some bright."""
    ids = np.unique(labels)
    ids = ids[ndimage.mean(wanted, labels, ids) > 0.8]
    brightness = ndimage.mean(np.asarray(image.data)[0], labels, ids)
    ids = ids[np.argsort(brightness)]
    return [
        inner(labels, int(i)) for i in ids[(np.linspace(0.1, 0.9, n) * (len(ids) - 1)).astype(int)]
    ]


def add_classes(user, correction, *names):
    user.on(correction.classes.name_field)
    for name in names:
        user.type(name)


def suggest(user, correction):
    user.on(correction.classes.suggest_button)
    user.on(correction.classes.accept_button)


def export(user, correction, wait, choice, path):
    user.will_save(path)
    user.on(correction.exporter.button)
    user.choose(choice)
    wait(lambda: not correction.exporter.running)


def tell(user, job):
    """Say what was counted, for those who run this with ``-s``."""
    sys.stdout.write("\n  ".join([f"\n{job}: {user.count}", *user.done]) + "\n")


def is_nucleus(image):
    dna = ndimage.gaussian_filter(np.asarray(image.data)[0].astype(float), 1)
    return dna > threshold_otsu(dna)


def check_cells(table, rois, layer, nucleus):
    """The table has a class for each superpixel, nearly all right; the ROIs are the nuclei."""
    frame = pd.read_csv(table).set_index("label")
    assert list(frame.index) == np.unique(layer.data).tolist()
    assert set(frame["class"]) == {"nucleus", "background"}
    share = ndimage.mean(nucleus, layer.data, frame.index)
    clear = (share < 0.2) | (share > 0.8)
    right = (frame["class"] == "nucleus")[clear] == (share > 0.5)[clear]
    assert clear.sum() > 20
    assert right.mean() > 0.9
    assert len(roifile.ImagejRoi.fromfile(rois)) == (frame["class"] == "nucleus").sum()


def test_nuclei_by_class_to_a_table_and_rois(viewer, user, open_segment, correct, wait, tmp_path):
    image = viewer.add_image(cells(0), name="cells 1", axis_labels=("channel", "y", "x"))
    segment = open_segment()
    layer = run(user, segment, wait)
    correction = correct(segment)
    add_classes(user, correction, "nucleus", "background")
    nucleus = is_nucleus(image)
    for pixel in middles(layer.data, image, ~nucleus, 3):
        user.click(layer, pixel)
    user.key("1")
    for pixel in middles(layer.data, image, nucleus, 3):
        user.click(layer, pixel)
    suggest(user, correction)
    export(user, correction, wait, "All superpixels…", tmp_path / "cells 1.csv")
    export(user, correction, wait, "Only “nucleus”…", tmp_path / "cells 1.zip")
    tell(user, "first image")
    check_cells(tmp_path / "cells 1.csv", tmp_path / "cells 1.zip", layer, nucleus)
    assert user.count <= 30

    user.begin()
    image = viewer.add_image(cells(1), name="cells 2", axis_labels=("channel", "y", "x"))
    user.tab("Segment")
    layer = run(user, segment, wait)
    user.on(segment.correct_button)
    nucleus = is_nucleus(image)
    table = correction.classes.table
    assert [table.item(row, NAME).text() for row in (0, 1)] == ["nucleus", "background"]
    user.on(table.viewport(), table.visualItemRect(table.item(0, NAME)).center())
    for pixel in middles(layer.data, image, nucleus, 2):
        user.click(layer, pixel)
    user.key("2")
    for pixel in middles(layer.data, image, ~nucleus, 1):
        user.click(layer, pixel)
    suggest(user, correction)
    user.on(correction.exporter.button)
    user.choose("Again: all as .csv, “nucleus” as .zip")
    wait(lambda: not correction.exporter.running)
    tell(user, "next image")
    written = [tmp_path / f"cells 2 superpixels{end}" for end in (".csv", " nucleus.zip")]
    check_cells(*written, layer, nucleus)
    assert all(path.name in correction.message.text() for path in written)
    assert user.count <= 12


CORNER, CRS = (10.0, 0.0, 412_000.0, 0.0, -10.0, 5_800_000.0), "EPSG:32633"


@pytest.fixture
def bands(tmp_path, rng):
    """A GeoTIFF of six bands: forest, water and fields, in blocks of 32 pixels."""
    cover = rng.integers(0, 3, (4, 5)).repeat(32, 0).repeat(32, 1)
    cover[:32, :96] = np.arange(3).repeat(32)  # each is there
    spectra = np.array(
        [[30, 50, 30, 180, 90, 40], [40, 35, 20, 10, 5, 4], [80, 95, 110, 130, 160, 150]]
    )
    image = spectra[cover] + rng.normal(0, 6, (*cover.shape, 6))
    path = tmp_path / "bands.geotiff"
    with rasterio.open(
        path, "w", driver="GTiff", height=cover.shape[0], width=cover.shape[1], count=6,
        dtype="uint8", crs=CRS, transform=rasterio.Affine(*CORNER),
    ) as raster:  # fmt: skip
        raster.write(image.clip(0, 255).astype(np.uint8).transpose(2, 0, 1))
    return path, cover


def test_bands_to_land_cover_in_a_geopackage(
    viewer, user, open_segment, correct, wait, bands, tmp_path
):
    path, cover = bands
    (image,) = viewer.open(path, plugin="napari-superpixels")
    segment = open_segment()
    layer = run(user, segment, wait)
    assert "6 channels" in segment.source_label.text() or "6 bands" in segment.source_label.text()
    correction = correct(segment)
    names = ["forest", "water", "fields"]
    add_classes(user, correction, *names)
    for number in (3, 2, 1):
        if number < 3:
            user.key(str(number))
        for pixel in middles(layer.data, image, cover == number - 1, 2 if number > 1 else 1):
            user.click(layer, pixel)
    suggest(user, correction)
    export(user, correction, wait, "All superpixels…", tmp_path / "cover.gpkg")
    tell(user, "land cover")
    frame = geopandas.read_file(tmp_path / "cover.gpkg").set_index("label")
    assert frame.crs == CRS
    np.testing.assert_allclose(
        frame.total_bounds, (412_000, 5_800_000 - 1280, 412_000 + 1600, 5_800_000)
    )
    assert set(frame["class"]) == set(names)
    shares = [ndimage.mean(cover == i, layer.data, frame.index) for i in range(3)]
    clear = np.max(shares, axis=0) > 0.8
    expected = np.array(names)[np.argmax(shares, axis=0)]
    assert (frame["class"].to_numpy() == expected)[clear].mean() > 0.95
    assert user.count <= 22


def test_the_right_number_in_one_run_and_one_drag(
    viewer, user, open_segment, wait, monkeypatch, tiles_image
):
    viewer.add_image(tiles_image.repeat(3, 0).repeat(3, 1), name="tiles")
    segment = open_segment()
    runs = []
    start = Run.start
    monkeypatch.setattr(Run, "start", lambda run: (runs.append(run), start(run))[1])
    user.begin()
    layer = run(user, segment, wait)
    before = int(layer.data.max())
    user.slide(segment.form.slider.native, 0.45)
    asked = segment.form.params().n_segments
    wait(lambda: layer.metadata[METADATA_KEY]["parameters"]["n_segments"] == asked)
    assert asked > 2 * before
    assert before < layer.data.max() <= asked
    assert len(layer.features) == layer.data.max()
    assert [x for x in viewer.layers if isinstance(x, Labels)] == [layer]
    assert len(runs) == 1
    assert user.count == 2
    runs.clear()


CONTROLS = (QAbstractButton, QAbstractSpinBox, QComboBox, QAbstractSlider, QLineEdit)


def rows_above(button, dock):
    """Rows of controls in sight between the top of a dock and a button.

    The roles of the axes, which answer one question, are one row however they are laid out.
    """
    edge = button.mapTo(dock, QPoint(0, 0)).y()
    shown = [w for w in dock.findChildren(QWidget) if isinstance(w, CONTROLS) and w.isVisible()]
    shown = [w for w in shown if not isinstance(w, QScrollBar)]
    shown = [w for w in shown if not any(o is not w and o.isAncestorOf(w) for o in shown)]
    axes = dock.image.axes_box.native
    shown = [axes if axes.isAncestorOf(w) else w for w in shown]
    tops = {w.mapTo(dock, QPoint(0, 0)).y() for w in shown}
    return [y for y in tops if y < edge]


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((48, 64, 3), {"rgb": True}),
        ((3, 48, 64), {"axis_labels": ("channel", "y", "x")}),
        ((8, 48, 64), {"axis_labels": ("time", "y", "x")}),
        ((8, 48, 64), {}),
    ],
    ids=["RGB", "channels", "time", "unnamed"],
)
def test_at_most_five_rows_of_controls_before_segment(
    viewer, open_segment, shape, options, rng, qtbot
):
    viewer.add_image(rng.integers(0, 255, shape, np.uint8), **options)
    segment = open_segment()
    qtbot.wait(300)
    found = rows_above(segment.segment_button, segment)
    sys.stdout.write(f"\nrows before Segment: {len(found)}\n")
    assert 3 <= len(found) <= 5
    more = rows_above(segment.batch_section, segment)
    segment.more_section.expand(animate=False)
    qtbot.waitUntil(lambda: len(rows_above(segment.batch_section, segment)) > len(more) + 5)


def focus_by_tab(qtbot, wanted, back=False):
    """Press Tab, or Shift+Tab, until a control has the focus."""
    for _ in range(60):
        focused = QApplication.focusWidget()
        if focused is wanted or wanted.isAncestorOf(focused):
            return
        key = Qt.Key.Key_Backtab if back else Qt.Key.Key_Tab
        qtbot.keyClick(focused, key, SHIFT if back else PLAIN)
    raise AssertionError(f"{wanted} is not reached")


def test_by_keyboard_only(viewer, user, open_segment, wait, qtbot, tiles_image):
    viewer.add_image(tiles_image.repeat(2, 0).repeat(2, 1), name="tiles")
    segment = open_segment()
    user.canvas.setFocus()
    # napari's own order of the Tab key leads into docks of plugins backwards only.
    number = segment.form.number.native
    focus_by_tab(qtbot, number, back=True)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_A, CTRL)
    user.type("30")
    assert segment.form.params().n_segments == 30
    focus_by_tab(qtbot, segment.segment_button)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    wait(lambda: not segment.running and segment.exporter.last is not None)
    layer = segment.exporter.last
    assert 12 < layer.data.max() <= 30
    assert layer.contour == 1
    focus_by_tab(qtbot, segment.show_choice.show_box.native)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down)
    assert segment.show_choice.look.show == Show.FILLED
    assert layer.contour == 0
