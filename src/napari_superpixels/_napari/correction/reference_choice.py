"""The image that guides the tools, and whose values are in the table."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_superpixels._napari.export.export_job import made_from
from napari_superpixels._napari.input.grid_alignment import aligned_images
from napari_superpixels._napari.segment.controls.image_choice import ImageChoice
from napari_superpixels._napari.widgets.layout import rows, set_row_visible, text_label
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.viewer import Viewer

    from napari_superpixels._napari.correction.editor import LayerEditor
    from napari_superpixels.editing.reference_image import ReferenceImage

    Part = tuple[Image, int | None]  # and the channel axis of its data

_NO_IMAGE = "No image: merge, detach, lock and classes work; splits ignore edges."


class ReferenceChoice:
    """Control for the image under the labels.

    Where it is the one that the labels were made from, all layers and channels of that run count.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    choice : ImageChoice
        Which image.
    rows, label : QWidget
        The control, and what there is to say of it.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._editor: LayerEditor | None = None
        self._in_use: tuple[Hashable] | None = None
        self.choice = ImageChoice(viewer, follow=False)
        self.rows = rows(self.choice.layer_box, self.choice.axes_box)
        self.label = text_label()
        self.choice.changed.connect(self.refresh)

    def attach(self, editor: LayerEditor | None) -> None:
        """Choose the image that a layer was made from.

        Parameters
        ----------
        editor : LayerEditor or None
            Of the layer; None for no layer.
        """
        self._editor, self._in_use = None, None
        if editor is None:
            return
        run = made_from(editor.layer, self._viewer.layers)
        source = editor.layer.metadata[METADATA_KEY].get("source_layer")
        if run:
            self.choice.layer_box.value = run[0][0].name
            self.choice.read_channels_from(run[0][1])
        elif source in [image.name for image in self._viewer.layers if isinstance(image, Image)]:
            self.choice.layer_box.value = source
        self._editor = editor
        self.refresh()

    def refresh(self) -> None:
        """Give the editor the image, if it is another one now."""
        if self._editor is None:
            return
        layer = self.choice.layer
        has_axes = layer is not None and layer.ndim > 2
        set_row_visible(self.rows, self.choice.axes_box, has_axes)
        parts = self._parts()
        key = self._key(parts)
        if self._in_use == (key,):
            return
        self._in_use = (key,)
        text, found = _NO_IMAGE, None
        if parts:
            try:
                found = self._image(parts)
                others = ", ".join(f"“{image.name}”" for image, _ in parts[1:])
                text = f"Together with {others}, as in the run." if others else ""
            except EditError as error:
                text = str(error)
        self.label.setText(text)
        self.label.setVisible(bool(text))
        self._editor.use_image(found)

    def rename(self) -> None:
        """Say by their new names what there is to say of the layers."""
        if self.label.text() not in ("", _NO_IMAGE):
            self._in_use = None
            self.refresh()

    def _parts(self) -> list[Part]:
        """The chosen image, with others if the labels were made from them together."""
        assert self._editor is not None
        layer = self.choice.layer
        if layer is None:
            return []
        own = (layer, self.choice.channel_axis)
        run = made_from(self._editor.layer, self._viewer.layers)
        # With == and not by identity: the viewer's proxy wraps a layer anew at each access.
        return run if run and run[0] == own else [own]

    def _image(self, parts: Sequence[Part]) -> ReferenceImage:
        assert self._editor is not None
        labels = self._editor.layer
        known = labels.metadata[METADATA_KEY]
        point = self._viewer.dims.point
        if parts != made_from(labels, self._viewer.layers):
            return aligned_images(labels, parts, point)
        # Under the names that the table has: a layer may have another one now.
        names = [part["name"] for part in known["source_layers"]]
        image, numbers = aligned_images(labels, parts, point, names=names), known.get("channels")
        n_others = sum(len(aligned_images(labels, [part], point).names) for part in parts[1:])
        n_first = len(image.names) - n_others
        if numbers is None or max(numbers, default=0) >= n_first:
            return image
        kept = [*numbers, *range(n_first, len(image.names))]
        return replace(
            image, channels=image.channels[kept], names=tuple(image.names[i] for i in kept)
        )

    def _key(self, parts: Sequence[Part]) -> Hashable:
        """What the image under the labels depends on."""
        assert self._editor is not None
        labels, dims = self._editor.layer, self._viewer.dims
        # Where the viewer stands counts on axes that the labels lack.
        beyond = tuple(dims.point[: max(dims.ndim - labels.ndim, 0)])
        images = [image for image, _ in parts]
        places = tuple(
            np.asarray(layer.affine.affine_matrix).tobytes()
            + np.concatenate([layer.scale, layer.translate, np.ravel(layer.rotate)]).tobytes()
            + np.ravel(layer.shear).tobytes()
            for layer in (labels, *images)
        )
        which = tuple((image.unique_id, id(image.data), axis) for image, axis in parts)
        return (which, beyond, places)

    def cleanup(self) -> None:
        """Let go of the viewer."""
        self._editor = None
        self.choice.cleanup()
