"""Random actions on both docks: ``python -m tests.napari.random_actions SEED``.

It ends with 0 if nothing went wrong: no exception, no preview or mark left behind, no layer locked,
and no data changed but those that somebody painted on or corrected.
"""

from __future__ import annotations

import faulthandler
import sys
import tempfile
import threading
import traceback
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from docs.tour import Hand, pause
from qtpy import QtWidgets as qt
from qtpy.QtCore import QEvent, QThreadPool
from qtpy.QtGui import QColor

import napari
from napari_superpixels._napari.correction.dock import CorrectionWidget
from napari_superpixels._napari.demo import open_dock, wait_until
from napari_superpixels._napari.segment.dock import SegmentWidget
from napari_superpixels.params import get_preset

N_ACTIONS = 300
_QUICK = {
    "n_segments": 12,
    "iterations": 8,
    "downscale": 2,
    "hidden_channels": (8, 8),
    "refine_iterations": 3,
}
# Larger values than these take long, and find nothing else.
_MOST = {"n_segments": 40, "iterations": 60, "n_pieces": 200}
# What napari 0.9 raises without our part in it: while it describes, in 3D, a Labels layer that has
# features; where its brush paints on a slice that the layer does not have.
_OF_NAPARI = ("len() of unsized object", "for non-painted dimension")
_TEXTS = ("", "0", "1,0", "0-2", "none", "nan", "7", "-1", "x", "“", "é;b")


class Session:
    """A viewer with both docks, and what is known of the user's data."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = np.random.default_rng(seed)
        self.folder = folder
        self.faults: list[str] = []
        self.done: list[str] = []
        self.viewer = napari.Viewer()
        self.hand = Hand(self.viewer)
        self.known: dict[object, int] = {}
        self.may_change: set[object] = set()
        self.open_segmentation()
        self.open_correction()
        self.add_image()

    # ---- what is done ------------------------------------------------------------------------

    def pick(self, choices):
        return choices[int(self.rng.integers(len(choices)))] if len(choices) else None

    def pixel(self, layer):
        return [int(self.rng.integers(n)) for n in layer.data.shape[: layer.ndim]]

    def add_image(self):
        shape, more = self.pick(
            [
                ((40, 50, 3), {"rgb": True}),
                ((40, 50), {"scale": (2, 0.5)}),
                ((4, 40, 50), {}),
                ((3, 40, 50), {"scale": (3, 1, 1), "translate": (1, 2, 3)}),
                ((2, 3, 30, 40), {"axis_labels": ("t", "c", "y", "x")}),
            ]
        )
        data = self.rng.integers(0, 255, shape).astype(np.uint8)
        name = self.pick(["a", "b", "<b>&é"])
        if len(shape) == 2 and self.rng.integers(2):
            self.viewer.add_image([data, data[::2, ::2]], multiscale=True, name=name, **more)
            return
        self.viewer.add_image(data, name=name, **more)

    def add_labels(self):
        shape = self.pick([(40, 50), (4, 40, 50), (2, 30, 40)])
        coarse = self.rng.integers(0, 9, [*shape[:-2], -(-shape[-2] // 8), -(-shape[-1] // 8)])
        labels = coarse.repeat(8, -1).repeat(8, -2)[..., : shape[-2], : shape[-1]]
        labels = labels.astype(self.pick([np.uint8, np.uint16, np.int32, np.int64]))
        self.viewer.add_labels(labels, name=self.pick(["l", "m"]))

    def add_other(self):
        if self.rng.integers(2):
            self.viewer.add_points(self.rng.random((3, 2)) * 20)
        else:
            self.viewer.add_shapes([np.array([[2, 2], [2, 30], [30, 30], [30, 2]])])

    def some_layer(self, kind=napari.layers.Layer):
        return self.pick([x for x in self.viewer.layers if isinstance(x, kind)])

    def remove(self):
        layer = self.some_layer()
        if layer is not None:
            self.viewer.layers.remove(layer)

    def rename(self):
        layer = self.some_layer()
        if layer is not None:
            layer.name = self.pick(["a", "b", "l", "x/y:z", "<i>"])

    def reorder(self):
        n = len(self.viewer.layers)
        if n > 1:
            self.viewer.layers.move(int(self.rng.integers(n)), int(self.rng.integers(n)))

    def select(self):
        self.viewer.layers.selection.active = self.some_layer()

    def show_or_hide(self):
        layer = self.some_layer()
        if layer is not None:
            layer.visible = not layer.visible

    def duplicate(self):
        layer = self.some_layer()
        # In 3D napari fails to duplicate an image that it has not drawn so, and to remove it.
        is_flat = self.viewer.dims.ndisplay == 2
        if layer is not None and is_flat and not getattr(layer, "multiscale", False):
            self.viewer.layers.selection.active = layer
            from napari.layers._layer_actions import _duplicate_layer

            _duplicate_layer(self.viewer.layers)

    def slide(self):
        dims = self.viewer.dims
        if dims.ndim > 2:
            axis = int(self.rng.integers(dims.ndim))
            dims.set_current_step(axis, int(self.rng.integers(dims.nsteps[axis])))

    def turn(self):
        dims = self.viewer.dims
        self.pick(
            [dims.roll, dims.transpose, lambda: setattr(dims, "ndisplay", 5 - dims.ndisplay)]
        )()

    def undo(self):
        layer = self.some_layer(napari.layers.Labels)
        if layer is not None:
            self.touches(layer)
            self.pick([layer.undo, layer.undo, layer.redo])()

    def brush(self):
        """Choose napari's brush, or another mode of its."""
        layer = self.some_layer(napari.layers.Labels)
        if layer is not None and layer.editable:
            layer.mode = self.pick(["paint", "erase", "fill", "pan_zoom"])
            layer.selected_label = int(self.rng.integers(5))

    def new_data(self):
        layer = self.some_layer(napari.layers.Image)
        if layer is not None and not layer.multiscale:
            self.touches(layer)
            layer.data = np.asarray(layer.data)[::-1].copy()

    def mouse(self):
        layer = self.some_layer(napari.layers.Labels)
        if layer is not None and not layer.multiscale and self.viewer.dims.ndisplay == 2:
            self.touches(layer)
            pixels = [self.pixel(layer) for _ in range(int(self.rng.integers(1, 4)))]
            self.viewer.layers.selection.active = layer
            self.hand.drag(layer, *pixels)

    def key(self):
        self.touches(self.viewer.layers.selection.active)
        self.hand.key(self.pick(["M", "S", "D", "C", "K", "A", "R", "N", "1", "Escape"]))

    # ---- the docks ---------------------------------------------------------------------------

    def docks(self):
        return [
            dock
            for dock in self.viewer.window.dock_widgets.values()
            if isinstance(dock, SegmentWidget | CorrectionWidget)
        ]

    def dock(self, kind):
        return next((dock for dock in self.docks() if isinstance(dock, kind)), None)

    def open_segmentation(self):
        if self.dock(SegmentWidget) is None:
            dock = open_dock(self.viewer)
            wait_until(lambda: not dock.device.problem)
            dock.form.set_params(get_preset("balanced").replace(**_QUICK))

    def open_correction(self):
        if self.dock(CorrectionWidget) is None:
            self.viewer.window.add_plugin_dock_widget("napari-superpixels", "Correct")

    def close(self):
        dock = self.pick(self.docks())
        if dock is not None:
            self.viewer.window.remove_dock_widget(dock)

    def click(self):
        dock = self.pick(self.docks())
        if dock is None:
            return
        buttons = [
            button
            for button in dock.findChildren(qt.QAbstractButton)
            if button.isEnabled() and button.isVisibleTo(dock) and button.text()
        ]
        button = self.pick(buttons)
        self.note(button.text())
        if isinstance(button, qt.QToolButton) and button.menu() is not None:
            box = self.pick(button.menu().findChildren(qt.QCheckBox))  # a menu waits for the user
            button = button if box is None else box
        if not (isinstance(button, qt.QToolButton) and button.menu() is not None):
            button.click()

    def segment(self):
        dock = self.dock(SegmentWidget)
        if dock is not None:
            if self.rng.integers(3) == 0:
                dock.form.control("iterations").value = 100_000
            dock.segment_button.click()

    def cancel(self):
        dock = self.dock(SegmentWidget)
        if dock is not None:
            dock.cancel_button.click()
            dock.form.control("iterations").value = 8

    def change(self):
        dock = self.pick(self.docks())
        if dock is None:
            return
        widgets = [
            widget
            for kind in (qt.QComboBox, qt.QAbstractSpinBox, qt.QSlider, qt.QTabWidget)
            for widget in dock.findChildren(kind)
        ]
        fields = [w for w in dock.findChildren(qt.QLineEdit) if type(w.parent()) is not qt.QSpinBox]
        offered = [w for w in (*widgets, *fields) if w.isEnabled() and w.isVisibleTo(dock)]
        widget = self.pick(offered)
        self.note(type(widget).__name__)
        if isinstance(widget, qt.QComboBox | qt.QTabWidget):
            if widget.count():
                widget.setCurrentIndex(int(self.rng.integers(widget.count())))
        elif isinstance(widget, qt.QSlider):
            widget.setValue(int(self.rng.integers(widget.minimum(), widget.maximum() + 1)))
        elif isinstance(widget, qt.QLineEdit):
            widget.setText(self.pick(_TEXTS))
            widget.editingFinished.emit()
        else:
            widget.stepBy(int(self.rng.integers(-5, 6)))

    def calm(self):
        """Bring the parameters back to what is quick."""
        dock = self.dock(SegmentWidget)
        if dock is not None:
            dock.form.set_params(get_preset("balanced").replace(**_QUICK))

    def wait(self):
        pause(300)

    # ---- what must hold ----------------------------------------------------------------------

    def note(self, text):
        self.done[-1] += f" {text!r}"
        say(self.done[-1])  # the last line tells where it hangs, if it does

    def touches(self, layer):
        self.may_change.add(layer)
        if layer is not None:
            self.note(layer.name)

    def fault(self, text):
        self.faults.append(text)
        say(f"--- after {self.done[-4:]}\n{text}")

    def on_exception(self, kind, error, where):
        text = "".join(traceback.format_exception(kind, error, where))
        if any(known in text for known in _OF_NAPARI) and "napari_superpixels/" not in text:
            return
        self.fault(text)

    def corrected(self):
        docks = [d for d in self.docks() if isinstance(d, CorrectionWidget)]
        return {d.editor.layer for d in docks if d.editor is not None}

    def look(self, before):
        """Nobody's data have changed but what was corrected or painted on."""
        allowed = self.may_change | before | self.corrected()
        now = {}
        for layer in self.viewer.layers:
            now[layer] = checksum(layer)
            is_ours = "napari-superpixels" in layer.metadata or "(preview)" in layer.name
            was = self.known.get(layer, now[layer])
            if was != now[layer] and layer not in allowed and not is_ours:
                self.fault(f"the data of {layer.name} have changed")
        self.known = now

    def act(self):
        weighted = (
            [self.add_image, self.add_labels, self.add_other, self.rename, self.reorder]
            + [self.open_segmentation, self.open_correction, self.close, self.turn, self.calm]
            + [self.remove, self.select, self.show_or_hide, self.slide, self.duplicate] * 2
            + [self.undo, self.brush, self.new_data, self.key, self.cancel, self.wait] * 2
            + [self.segment, self.mouse] * 3
            + [self.click, self.change] * 8
        )
        action = self.pick(weighted)
        self.done.append(action.__name__)
        self.may_change = set()
        before = self.corrected()
        try:
            action()
            pause(int(self.rng.integers(60)))
        except Exception:  # noqa: BLE001  (all of them are looked for)
            self.on_exception(*sys.exc_info())
        self.look(before)

    def end(self):
        """Cancel, close both docks, and look at what is left."""
        segmentation = self.dock(SegmentWidget)
        if segmentation is not None:
            segmentation.cancel()
            wait_until(lambda: not segmentation.running)
        for dock in self.docks():
            self.viewer.window.remove_dock_widget(dock)
        wait_until(lambda: QThreadPool.globalInstance().activeThreadCount() == 0)
        pause(200)
        qt.QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        for layer in self.viewer.layers:
            left = layer.name.split()[-1] in ("(preview)", "marks", "level", "suggestions")
            if left:
                self.fault(f"{layer.name} is left")
            is_labels = isinstance(layer, napari.layers.Labels)
            may_be = is_labels and (layer.multiscale or "classes" in layer.name)
            if is_labels and not layer.editable and not may_be:
                self.fault(f"{layer.name} is locked")
        self.viewer.close()
        pause(200)


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def checksum(layer):
    if isinstance(layer, napari.layers.Image | napari.layers.Labels):
        data = layer.data[0] if layer.multiscale else layer.data
        return zlib.crc32(np.ascontiguousarray(data))
    parts = layer.data if isinstance(layer.data, list) else [layer.data]
    return zlib.crc32(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))


def answer_dialogs(session):
    """Answer what would wait for a user, at random."""
    file = str(session.folder / "file.tif")
    names = {
        "getSaveFileName": [("", ""), (file, ""), (str(session.folder / "o.zarr"), "")],
        "getOpenFileName": [("", ""), (file, ""), (str(session.folder / "none.tif"), "")],
        "getOpenFileNames": [([], "")],
        "getExistingDirectory": [""],
    }
    for name, answers in names.items():
        setattr(qt.QFileDialog, name, lambda *_, answers=answers, **__: session.pick(answers))
    kinds = qt.QMessageBox.StandardButton
    answers = [kinds.Yes, kinds.No, kinds.Cancel]
    qt.QMessageBox.exec = lambda *_: session.pick(answers)
    qt.QMessageBox.question = lambda *_, **__: session.pick(answers)
    qt.QMessageBox.information = lambda *_, **__: kinds.Ok
    qt.QColorDialog.getColor = lambda *_, **__: QColor("red")


def main(seed: int, n_actions: int = N_ACTIONS) -> int:
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(seed, Path(folder))
        sys.excepthook = session.on_exception
        threading.excepthook = lambda hook: session.on_exception(
            hook.exc_type, hook.exc_value, hook.exc_traceback
        )
        answer_dialogs(session)
        for _ in range(n_actions):
            session.act()
        session.done.append("end")
        session.end()
    say(f"{Counter(name.split()[0] for name in session.done)}\n{len(session.faults)} faults")
    return min(len(session.faults), 1)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
