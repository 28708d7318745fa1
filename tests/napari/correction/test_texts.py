"""Texts of the dock follow what they speak of; no key of theirs is one of napari's own."""

from __future__ import annotations

import numpy as np
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QAbstractButton, QLabel, QTabBar

from tests.fixtures.correction import squares

# Save Screenshot, Copy Screenshot, and the menus.
TAKEN = {f"Alt+{letter}" for letter in "SCFVLPWH"}


def everything_said(viewer, dock):
    texts = [label.text() for label in dock.findChildren(QLabel)]
    return [*texts, str(viewer.status), *(layer.name for layer in viewer.layers)]


def speaks_of(viewer, dock, name):
    return [text for text in everything_said(viewer, dock) if name in text]


def test_another_name_of_the_layer_is_followed_everywhere(
    viewer, dock, layer, mouse, press, tmp_path
):
    layer.name = "zebra"
    mouse.drag(layer, (8, 8), (8, 24))
    dock.classes.add("tumour")
    mouse.click(layer, (24, 8))
    assert {"zebra marks", "zebra classes"} < {item.name for item in viewer.layers}
    dock.save(tmp_path / "zebra.tif")
    assert "zebra" in dock.message.text()
    viewer.layers["zebra classes"].name = "my classes"
    layer.name = "giraffe"
    assert speaks_of(viewer, dock, "zebra") == []
    assert "“giraffe”" in dock.layer_label.text()
    names = [item.name for item in viewer.layers]
    assert names == ["tiles", "giraffe", "my classes", "giraffe marks"]


def test_what_was_said_of_a_removed_layer_goes_with_it(viewer, dock, layer, mouse, press):
    mouse.click(layer, (8, 8))
    press("K")
    mouse.drag(layer, (8, 8), (8, 24))
    assert dock.message.text() == viewer.status == "Locked 2 superpixels."
    viewer.layers.remove(layer)
    assert dock.message.text() == ""
    assert viewer.status != "Locked 2 superpixels."
    assert not dock.tool_label.isVisible()
    assert not any(made.isChecked() for made in dock.tool_buttons.values())


def test_names_of_images_are_followed(viewer, dock, layer, tiles_image):
    other = viewer.add_image(tiles_image, name="shifted", translate=(0.5, 0))
    dock.image.layer_box.value = "shifted"
    assert "“shifted”" in dock.image_label.text()
    other.name = "moved"
    assert "“moved”" in dock.image_label.text()
    assert speaks_of(viewer, dock, "“shifted”") == []


def test_a_class_is_not_spoken_of_by_an_old_name(viewer, dock, layer, qtbot):
    dock.classes.add("zebra")
    assert "zebra" in dock.message.text()
    dock.classes.table.item(0, 2).setText("giraffe")
    dock.classes.choose(1)
    assert speaks_of(viewer, dock, "zebra") == []
    dock.classes.remove()
    assert dock.message.text() == "Class “giraffe” is removed."
    assert dock.options.category == 0


def test_no_text_has_a_key_of_napari_s_own(viewer, dock, layer):
    viewer.layers.selection.active = viewer.add_labels(np.stack([squares()] * 2), name="stack")
    texts = [button.text() for button in dock.findChildren(QAbstractButton)]
    for bar in dock.findChildren(QTabBar):
        texts += [bar.tabText(i) for i in range(bar.count())]
    assert len(texts) > 25
    keys = {QKeySequence.mnemonic(text).toString() for text in texts}
    assert not keys & TAKEN
