"""Tours of the docks in a real viewer: tests, and the makers of the guide's pictures.

Run it on a display of a laptop's size, for instance
``xvfb-run -a -s "-screen 0 1366x768x24" python docs/tour.py``.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import geopandas
import numpy as np
import rasterio
from PIL import Image
from PIL.ImageQt import fromqpixmap
from qtpy.QtCore import QEvent, QEventLoop, QPointF, Qt, QTimer
from qtpy.QtGui import QKeyEvent, QMouseEvent
from qtpy.QtWidgets import QApplication
from scipy import ndimage
from skimage.filters import threshold_otsu

import napari
from napari_superpixels._napari.correction.dock import CorrectionWidget
from napari_superpixels._napari.correction.panels.class_list import TEMPLATE
from napari_superpixels._napari.demo import WINDOW, open_dock, wait_until
from napari_superpixels.io import sample_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLAIN = Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
# napari leaves out moves that follow each other faster.
_BETWEEN_MOVES_MS = 20
_SECONDS_A_FRAME = 1.6
_GIF_WIDTH = 900
_SMALL_PX = 64  # smaller ones are cut by the image's edge


def pause(milliseconds: int) -> None:
    """Let napari draw and react."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


class Hand:
    """Moves the mouse over the canvas, in pixels of a layer, and presses keys."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self.canvas = viewer.window._qt_viewer.canvas.native
        self._at = QPointF()

    def _point(self, layer: Any, pixel: Any) -> QPointF:
        world = np.asarray(layer.data_to_world(pixel))[-2:]
        camera = self.viewer.scene.camera
        middle = np.array([self.canvas.height(), self.canvas.width()]) / 2
        row, column = middle + (world - np.array(camera.center[-2:])) * camera.zoom
        return QPointF(column, row)

    def _send(self, kind: Any, button: Any, buttons: Any, modifiers: Any) -> None:
        where = QPointF(self.canvas.mapToGlobal(self._at.toPoint()))
        event = QMouseEvent(kind, self._at, where, button, buttons, modifiers)
        QApplication.sendEvent(self.canvas, event)

    def press(self, layer: Any, pixel: Any, modifiers: Any = PLAIN) -> None:
        """Press the left button on a pixel."""
        pause(_BETWEEN_MOVES_MS)  # a message that needs another line resizes the canvas
        none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
        self._at = self._point(layer, pixel)
        self._send(QEvent.Type.MouseMove, none, none, modifiers)
        self._send(QEvent.Type.MouseButtonPress, left, left, modifiers)

    def move(self, layer: Any, pixel: Any, modifiers: Any = PLAIN) -> None:
        """Move to a pixel with the button held."""
        pause(_BETWEEN_MOVES_MS)
        self._at = self._point(layer, pixel)
        none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
        self._send(QEvent.Type.MouseMove, none, left, modifiers)

    def release(self, modifiers: Any = PLAIN) -> None:
        """Let the button go."""
        none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
        self._send(QEvent.Type.MouseButtonRelease, left, none, modifiers)

    def drag(self, layer: Any, *pixels: Any, modifiers: Any = PLAIN) -> None:
        """Press on the first pixel, move over the others, let go."""
        self.press(layer, pixels[0], modifiers)
        for pixel in pixels[1:]:
            self.move(layer, pixel, modifiers)
        self.release(modifiers)

    click = drag

    def key(self, name: str, modifiers: Any = PLAIN) -> None:
        """Press and release a key on the canvas."""
        code = getattr(Qt.Key, f"Key_{name}")
        text = name if len(name) == 1 and not modifiers & CTRL else ""
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            QApplication.sendEvent(self.canvas, QKeyEvent(kind, code, modifiers, text))


@dataclass(frozen=True)
class Stop:
    """Where the tour pauses for a picture.

    Attributes
    ----------
    name : str
        Of the picture.
    caption : str
        What has just been done.
    """

    name: str
    caption: str


def inner(labels: np.ndarray, label: int) -> tuple[int, int]:
    """The pixel of a superpixel that is farthest from its border."""
    depth = ndimage.distance_transform_edt(np.pad(labels == label, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return int(row), int(column)


def _largest_at(labels: np.ndarray, middle: tuple[int, int], radius: int, skip: set[int]) -> int:
    rows, columns = (slice(max(m - radius, 0), m + radius) for m in middle)
    ids, areas = np.unique(labels[rows, columns], return_counts=True)
    fresh = [(int(n), int(i)) for i, n in zip(ids, areas, strict=True) if int(i) not in skip]
    return max(fresh)[1]


def _neighbour(labels: np.ndarray, label: int) -> int:
    """The neighbour with which a superpixel has the longest border."""
    around = ndimage.binary_dilation(labels == label) & (labels != label)
    ids, lengths = np.unique(labels[around], return_counts=True)
    return int(ids[lengths.argmax()])


def tour(viewer: napari.Viewer, hand: Hand, folder: Path, n_segments: int = 150) -> Iterator[Stop]:
    """Work through the correction dock; everything that it does is checked.

    Parameters
    ----------
    viewer : napari.Viewer
        A shown viewer without layers.
    hand : Hand
        On it.
    folder : Path
        For the saved file.
    n_segments : int, default 150
        Superpixels to begin with.

    Yields
    ------
    Stop
        After each step.
    """
    viewer.open_sample("napari-superpixels", "histology")
    segment = open_dock(viewer)
    wait_until(lambda: not segment.device.problem)
    segment.form.control("n_segments").value = n_segments
    segment.segment_button.click()
    wait_until(lambda: not segment.running)
    layer = viewer.layers.selection.active
    start = layer.data.copy()
    _, dock = viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct", tabify=True)
    assert isinstance(dock, CorrectionWidget)
    pause(300)
    viewer.reset_view()
    session = dock.editor.session
    states = [start]

    def edited(n: int = 1) -> None:
        """Every edit changes the data and is a step of the log; superpixels stay connected."""
        dock.editor.sync()
        assert len(session.log) == len(states) - 1 + n
        assert (layer.data != states[-1]).any()
        np.testing.assert_array_equal(session.labels, layer.data)
        for i in np.unique(layer.data[layer.data != states[-1]]):
            assert ndimage.label(layer.data == i)[1] == 1, i
        ids, areas = np.unique(layer.data, return_counts=True)
        assert list(layer.features["index"]) == ids.tolist()
        assert list(layer.features["area_px"]) == areas.tolist()
        states.append(layer.data.copy())

    yield Stop("start", f"{len(np.unique(start))} superpixels; no tool is on yet.")
    hand.key("J")

    first = _largest_at(start, (150, 150), 120, set())
    second = _neighbour(start, first)
    hand.press(layer, inner(start, first))
    hand.move(layer, inner(start, second))
    yield Stop("merge-drag", "Merge (J): drag over superpixels; those touched are outlined.")
    hand.release()
    merged = int(layer.data[inner(start, first)])
    assert layer.data[inner(start, second)] == merged
    edited()
    yield Stop("merge", "Let go: they are one. Ctrl+Z undoes it like any brush stroke.")

    hand.key("S")
    hand.click(layer, inner(start, first))
    yield Stop("split-seed", "Split (S): click once in each part.")
    hand.click(layer, inner(start, second))
    cut = [layer.data == layer.data[inner(start, i)] for i in (first, second)]
    assert not (cut[0] & cut[1]).any()
    edited()
    yield Stop("split", "It is cut between the clicks, along image edges.")

    hand.key("C")
    third = _largest_at(start, (330, 130), 90, {first, second})
    columns = np.nonzero(start == third)[1]
    at = inner(start, third)
    left, right = (at[0], int(columns.min()) + 2), (at[0], int(columns.max()) - 2)
    hand.press(layer, left)
    hand.move(layer, at)
    hand.move(layer, right)
    yield Stop("cut-drag", "Cut (C): draw a line across a superpixel.")
    hand.release()
    assert len(np.unique(layer.data[start == third])) > 1
    edited()
    yield Stop("cut", "It is cut there; the line is extended to the border.")

    hand.key("J")
    fourth = _largest_at(start, (380, 330), 100, {first, second, third})
    fifth = _neighbour(start, fourth)
    hand.drag(layer, inner(start, fourth), inner(start, fifth))
    edited()
    hand.key("D")
    hand.click(layer, inner(start, fourth))
    for i in (fourth, fifth):
        assert len(np.unique(layer.data[start == i])) == 1
    assert layer.data[inner(start, fourth)] != layer.data[inner(start, fifth)]
    edited()
    yield Stop("detach", "Detach (D): a merged superpixel falls back into its fragments.")

    hand.key("K")
    sixth = _largest_at(start, (150, 400), 100, {first, second, third, fourth, fifth})
    hand.click(layer, inner(start, sixth))
    edited()
    yield Stop("lock", "Lock (K): red ones are refused by every tool; blue ones were edited.")

    locks = session.facts().lock > 0
    kept = np.isin(layer.data, session.statistics.ids[locks])
    before = layer.data.copy()
    dock.tabs.setCurrentWidget(dock.network)
    dock.network.recompute_button.click()
    wait_until(lambda: not dock.network.running)
    np.testing.assert_array_equal(layer.data[kept], before[kept])
    assert (layer.data[~kept] != before[~kept]).mean() > 0.5
    edited()
    yield Stop("recompute", "Recompute unlocked: the network segments the rest again.")

    dock.outline_box.value = True
    dock.classes.add("gland")
    dock.classes.add("stroma")
    image = np.asarray(viewer.layers["histology"].data, float)
    ids = session.statistics.ids
    brown = ndimage.mean(image[..., 0] - image[..., 2], layer.data, ids)
    free = [
        int(ids[k]) for k in np.argsort(-brown) if session.attributes[int(ids[k])].lock != "held"
    ]
    examples = np.array([0.05, 0.25, 0.45, 0.8, 0.9, 0.95]) * len(free)
    positions = [inner(layer.data, free[int(k)]) for k in examples]
    for key, chosen in (("1", positions[:3]), ("2", positions[3:])):
        hand.key(key)
        for position in chosen:
            hand.click(layer, position)
            edited()
    semantic = dock.classes.semantic.layer
    assert [int(semantic.data[p]) for p in positions] == [1, 1, 1, 2, 2, 2]
    yield Stop("classes", "Classes (A, then 1-9): click or drag assigns whole superpixels.")

    dock.classes.suggest_button.click()
    assert dock.classes.suggestions.layer is not None
    yield Stop("suggest", "Suggest: a random forest proposes classes for the rest, hatched.")
    dock.classes.accept_button.click()
    edited()
    yield Stop("accept", "Accept: one step of undo, too.")

    dock.tabs.setCurrentWidget(dock.detail)
    dock.detail.slider.setValue(40)
    yield Stop("detail", "Detail: nested levels, as a preview until you apply one.")
    dock.detail.back_button.click()

    facts = [_known(session, layer.data)]
    classes_shown = semantic.data.copy()
    for state in reversed(states[:-1]):
        hand.key("Z", CTRL)
        dock.editor.sync()
        np.testing.assert_array_equal(layer.data, state)
    assert not semantic.data.any()
    assert not session.facts().lock.any()
    yield Stop("undone", "Ctrl+Z, back to the start: classes, locks and outlines follow.")
    for state in states[1:]:
        hand.key("Z", CTRL | SHIFT)
        dock.editor.sync()
        np.testing.assert_array_equal(layer.data, state)
    assert _known(session, layer.data) == facts[0]
    np.testing.assert_array_equal(semantic.data, classes_shown)

    path = folder / "corrected.tif"
    dock.save(path, overwrite=True)
    viewer.layers.remove(layer)
    dock.open(path)
    again = viewer.layers.selection.active
    np.testing.assert_array_equal(again.data, states[-1])
    reopened = dock.editor.session
    for i in np.unique(again.data).tolist():
        assert reopened.attributes[i].category == session.attributes[i].category
        assert reopened.attributes[i].lock == session.attributes[i].lock
        assert len(reopened.attributes[i].fragments) == len(session.attributes[i].fragments)
    assert [c.name for c in dock.classes.classes] == ["gland", "stroma"]
    yield Stop("reopened", "Saved and opened again: everything is still there.")


def nuclei_tour(viewer: napari.Viewer, hand: Hand, folder: Path) -> Iterator[Stop]:
    """From a fluorescence image to a table and ROIs of its nuclei; what comes out is checked.

    Parameters
    ----------
    viewer : napari.Viewer
        A shown viewer without layers.
    hand : Hand
        On it.
    folder : Path
        For the table and the ROIs.

    Yields
    ------
    Stop
        After each step.
    """
    (image,) = viewer.open_sample("napari-superpixels", "nuclei")
    viewer.dims.set_current_step(0, 0)  # the DNA
    segment = open_dock(viewer)
    wait_until(lambda: not segment.device.is_looking)
    segment.segment_button.click()
    wait_until(lambda: not segment.running)
    layer = viewer.layers.selection.active
    yield Stop("result", "Segment: superpixels of the size proposed, about 25 pixels wide.")

    segment.correct_button.click()
    (dock,) = viewer.window._qt_window.findChildren(CorrectionWidget)
    pause(300)
    viewer.reset_view()
    for name in ("nucleus", "cytoplasm", "background"):
        dock.classes.name_field.setText(name)
        dock.classes.name_field.returnPressed.emit()
    session, dna = dock.editor.session, np.asarray(image.data[0], float)
    ids = session.statistics.ids
    # What a user sees well: not tiny, nuclei bright in the first channel, cytoplasm in the second.
    means = [ndimage.mean(image.data[k], layer.data, ids) for k in (0, 1)]
    has_dna, has_cytoplasm = (m > threshold_otsu(image.data[k]) for k, m in enumerate(means))
    seen = session.statistics.area > _SMALL_PX
    nothing = ~has_dna & ~has_cytoplasm
    for key, those in (("1", has_dna), ("2", has_cytoplasm & ~has_dna), ("3", nothing)):
        found = ids[those & seen]
        hand.key(key)
        for i in found[:: max(1, len(found) // 5)][:5]:
            hand.click(layer, inner(layer.data, i))
    dock.editor.sync()
    yield Stop("examples", "Correct: three classes, a few examples of each.")

    dock.classes.suggest_button.click()
    yield Stop("suggested", "Suggest: classes for the rest, hatched.")
    dock.classes.accept_button.click()
    dock.classes.choose(1)
    dock.classes.merge_button.click()
    dock.editor.sync()
    yield Stop("merged", "Accept; Merge touching of this class: each nucleus is one object.")

    nuclei = [i for i in session.statistics.ids.tolist() if session.attributes[i].category == 1]
    dock.exporter.button.click()
    pause(300)
    yield Stop("export", "Export…: of the nuclei only.")
    menu = QApplication.activePopupWidget()
    assert "Only “nucleus”…" in [action.text() for action in menu.actions()]
    menu.close()
    for name in ("nuclei.csv", "nuclei.zip"):
        dock.exporter.export_to(folder / name, dock.exporter.choices()["Only “nucleus”…"])
        wait_until(lambda: not dock.exporter.running)
    table = (folder / "nuclei.csv").read_text().splitlines()
    with ZipFile(folder / "nuclei.zip") as rois:
        names = rois.namelist()
    assert len(table) - 1 == len(nuclei)
    assert all("nucleus" in name for name in names)
    assert len(names) == len(nuclei)
    # The sample's nuclei are bright in its first channel, and lie apart.
    truth, n_true = ndimage.label(ndimage.gaussian_filter(dna, 1) > threshold_otsu(dna))
    found = np.isin(layer.data, nuclei)
    sizes = ndimage.sum_labels(np.ones_like(truth), truth, range(1, n_true + 1))
    shares = ndimage.mean(found, truth, range(1, n_true + 1))[sizes > _SMALL_PX]
    assert (shares > 0.5).mean() > 0.9, shares


def land_cover_tour(viewer: napari.Viewer, hand: Hand, folder: Path) -> Iterator[Stop]:
    """From a raster of six bands to a map of three classes; what comes out is checked.

    Parameters
    ----------
    viewer : napari.Viewer
        A shown viewer without layers.
    hand : Hand
        On it.
    folder : Path
        For the raster and the map.

    Yields
    ------
    Stop
        After each step.
    """
    bands = sample_images.raster()
    transform = rasterio.Affine(10, 0, 412_000, 0, -10, 5_800_000)
    size = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2]}
    with rasterio.open(
        folder / "bands.geotiff",
        "w",
        driver="GTiff",
        dtype="float32",
        crs="EPSG:32633",
        transform=transform,
        nodata=np.nan,
        **size,
    ) as raster:
        raster.write(bands)
    segment = open_dock(viewer)
    wait_until(lambda: not segment.device.is_looking)
    viewer.open(folder / "bands.geotiff", plugin="napari-superpixels")
    segment.more_section.expand(animate=False)
    segment.choice.composite.add_button.click()
    yield Stop("bands", "Six bands, of which three are seen as red, green and blue.")

    segment.more_section.collapse(animate=False)
    segment.segment_button.click()
    wait_until(lambda: not segment.running)
    layer = viewer.layers.selection.active
    yield Stop("result", "Segment: all six bands decide.")

    segment.correct_button.click()
    (dock,) = viewer.window._qt_window.findChildren(CorrectionWidget)
    pause(300)
    viewer.reset_view()
    for name in _COVER:
        dock.classes.name_field.setText(name)
        dock.classes.name_field.returnPressed.emit()
    session = dock.editor.session
    ids = session.statistics.ids
    truth = _cover(bands)
    shares = np.array([ndimage.mean(truth == k, layer.data, ids) for k in range(len(_COVER))])
    for k in range(len(_COVER)):
        clear = ids[(shares[k] > 0.8) & (session.statistics.area > _SMALL_PX)]
        hand.key(str(k + 1))
        for i in clear[:: max(1, len(clear) // 4)][:4]:
            hand.click(layer, inner(layer.data, i))
    dock.editor.sync()
    dock.classes.suggest_button.click()
    yield Stop("suggested", "Correct: four examples of each class; Suggest, hatched.")

    dock.classes.accept_button.click()
    dock.editor.sync()
    yield Stop("classes", "Accept: area and objects of each class.")

    path = folder / "cover.gpkg"
    dock.exporter.export_to(path)
    wait_until(lambda: not dock.exporter.running)
    frame = geopandas.read_file(path).set_index("label")
    assert frame.crs == "EPSG:32633"
    assert set(frame["class"]) == set(_COVER)
    shares = np.array([ndimage.mean(truth == k, layer.data, frame.index) for k in range(3)])
    clear = shares.max(axis=0) > 0.9
    right = frame["class"].to_numpy() == np.array(_COVER)[shares.argmax(axis=0)]
    assert right[clear].mean() > 0.9


_COVER = ("water", "vegetation", "bare soil")


def _cover(bands: np.ndarray) -> np.ndarray:
    """What the sample shows, by its own spectra: near infrared is dark over water."""
    red, infrared = (ndimage.gaussian_filter(np.nan_to_num(bands[k]), 1) for k in (2, 3))
    is_green = (infrared - red) / np.maximum(infrared + red, 1e-6) > 0.5
    cover = np.where(infrared < 0.1, 0, np.where(is_green, 1, 2))
    return np.where(np.isnan(bands[0]), -1, cover)


def _known(session: Any, labels: np.ndarray) -> dict[int, Any]:
    return {i: session.attributes[i] for i in np.unique(labels).tolist()}


def picture_of(viewer: napari.Viewer) -> Image.Image:
    """The window, with the menu that is open."""
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    menu = QApplication.activePopupWidget()
    if menu is not None:
        corner = viewer.window._qt_window.mapFromGlobal(menu.pos())
        grabbed = fromqpixmap(menu.grab())
        # The screen may go on below the window.
        top = min(corner.y(), picture.height - grabbed.height)
        picture.paste(grabbed, (corner.x(), top))
    return picture


def save_picture(viewer: napari.Viewer, path: Path) -> Image.Image:
    """Save the window as a small PNG, in which buttons and outlines keep their colours."""
    picture = picture_of(viewer)
    few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    return picture


def take(
    steps: Callable[[napari.Viewer, Hand, Path], Iterator[Stop]], show: Callable[[str], None]
) -> list[Image.Image]:
    """Work through a tour; save the pictures of its stops, and return them."""
    images = IMAGES[steps]
    images.mkdir(parents=True, exist_ok=True)
    TEMPLATE.clear()  # a tour begins without the classes of the one before
    viewer = napari.Viewer()
    viewer.theme = "dark"  # whatever the settings say
    viewer.window.resize(*WINDOW)
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        for stop in steps(viewer, Hand(viewer), Path(folder)):
            pause(300)
            pictures.append(save_picture(viewer, images / f"{stop.name}.png"))
            show(f"{stop.name}: {stop.caption}")
    viewer.close()
    return pictures


IMAGES = {
    steps: Path(__file__).parent / "images" / folder
    for steps, folder in (
        (tour, "correction"),
        (nuclei_tour, "nuclei"),
        (land_cover_tour, "land_cover"),
    )
}


def main(show: Callable[[str], None] = print) -> None:
    """Make the pictures of the guide and the animation of the README."""
    take(nuclei_tour, show)
    take(land_cover_tour, show)
    frames = []
    for picture in take(tour, show):
        height = round(picture.height * _GIF_WIDTH / picture.width)
        frames.append(picture.resize((_GIF_WIDTH, height), Image.Resampling.LANCZOS))
    # One palette for all frames keeps the animation small and free of flicker.
    everything = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
    palette = everything.quantize(96, Image.Quantize.MAXCOVERAGE, kmeans=3)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    small[0].save(
        IMAGES[tour] / "tour.gif",
        save_all=True,
        append_images=small[1:],
        duration=int(1000 * _SECONDS_A_FRAME),
        loop=0,
        optimize=True,
    )


if __name__ == "__main__":
    main()
