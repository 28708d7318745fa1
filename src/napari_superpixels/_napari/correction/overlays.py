"""Layers that show what is known of the superpixels; made by the plugin, not edited by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_superpixels._napari.correction.target import placement_of
from napari_superpixels._napari.widgets.status_bar import not_described
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    Color = tuple[float, float, float, float]

DERIVED_FROM, KIND, OUTLINES = "derived_from", "shows", "outlines"


def is_overlay(layer: Labels) -> bool:
    """Whether a layer only shows what is known of another one.

    Parameters
    ----------
    layer : napari.layers.Labels
        Any layer.

    Returns
    -------
    bool
        True for the layers of this module.
    """
    return DERIVED_FROM in layer.metadata.get(METADATA_KEY, {})


def _shows_outlines(layer: Layer) -> bool:
    known = layer.metadata.get(METADATA_KEY, {})
    return DERIVED_FROM in known and known.get(OUTLINES, False)


class OverlayLayer:
    """A Labels layer over another one, of the same shape and place, locked for the user.

    It comes into being with the first pixels that it shows; one that was made before for the same
    layer is used again. If the user removes it, it comes back with the next pixels.

    Parameters
    ----------
    viewer : napari.Viewer
    base : napari.layers.Labels
        What it lies over.
    suffix : str
        Added to the name of `base`.
    contour : int, default 0
        Width of outlines in pixels; 0 fills.
    opacity : float, default 1.0
        Opacity.
    content : callable, optional
        Gives all that it is to show, when it comes back.
    """

    def __init__(
        self,
        viewer: Viewer,
        base: Labels,
        suffix: str,
        *,
        contour: int = 0,
        opacity: float = 1.0,
        content: Callable[[], NDArray[np.integer]] | None = None,
    ) -> None:
        self._viewer = viewer
        self._base = base
        self._suffix = suffix
        self._contour = contour
        self._opacity = opacity
        self._content = content
        self._colors: dict[int, Color] = {}
        self._layer = self._made_before()
        self._given_name = "" if self._layer is None else self._layer.name
        base.events.name.connect(self._on_base_renamed)

    def _made_before(self) -> Labels | None:
        for layer in self._viewer.layers:
            known = layer.metadata.get(METADATA_KEY, {})
            if (
                isinstance(layer, Labels)
                and known.get(DERIVED_FROM) == str(self._base.unique_id)
                and known.get(KIND) == self._suffix
                and layer.data.shape == self._base.data.shape
            ):
                return layer
        return None

    @property
    def layer(self) -> Labels | None:
        """The layer, if it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    def _wanted_name(self) -> str:
        return f"{self._base.name} {self._suffix}"

    def _on_base_renamed(self, event: Any = None) -> None:
        """Follow the name of the base layer, unless the user has chosen another."""
        if self.layer is not None and self.layer.name == self._given_name:
            self.layer.name = self._wanted_name()
            self._given_name = self.layer.name

    def set_colors(self, colors: Mapping[int, Color]) -> None:
        """Choose the colour of each value; others are transparent.

        Parameters
        ----------
        colors : mapping of int to RGBA
            From 0 to 1.
        """
        self._colors = dict(colors)
        if self.layer is not None:
            self.layer.colormap = self._colormap()

    def show(self, values: NDArray[np.integer] | None = None) -> Labels:
        """Add the layer if it is not there, with some values or empty; return it.

        Parameters
        ----------
        values : ndarray of int, optional
            What it is to show, in the shape of the base layer.

        Returns
        -------
        napari.layers.Labels
        """
        layer = self.layer
        if layer is not None:
            if values is not None:
                layer.data[...] = values
                layer.refresh()
            return layer
        # Zeros take no memory until they are written.
        data = np.zeros(self._base.data.shape, np.uint8)
        if values is not None:
            data[...] = values
        active = self._viewer.layers.selection.active
        known = self._base.metadata.get(METADATA_KEY, {})
        layer = Labels(
            data,
            name=self._wanted_name(),
            colormap=self._colormap(),
            opacity=self._opacity,
            metadata={
                METADATA_KEY: {
                    DERIVED_FROM: str(self._base.unique_id),
                    KIND: self._suffix,
                    OUTLINES: self._contour > 0,
                    # For an export once the base is gone.
                    **{k: v for k, v in known.items() if k in ("place", "classes")},
                }
            },
            **placement_of(self._base),
        )
        layer.editable = False
        self._set_contour(layer)
        self._layer, self._given_name = layer, layer.name
        layers = self._viewer.layers
        with not_described(self._viewer):
            self._viewer.add_layer(layer)
            if not self._contour:
                # Under outlines, whose colours a fill above them would change.
                outlines = [other for other in layers if _shows_outlines(other)]
                layers.move(len(layers) - 1, layers.index(outlines[0]) if outlines else -1)
            layers.selection.active = active
        return layer

    def write(self, indices: tuple[NDArray[np.intp], ...], values: NDArray[np.integer]) -> None:
        """Change some pixels, and redraw only these.

        Parameters
        ----------
        indices : tuple of ndarray of intp
            Pixels.
        values : ndarray of int
            What they are to show.
        """
        layer = self.layer
        if layer is None:
            if not values.any():
                return
            layer = self.show(None if self._content is None else self._content())
        if not layer.visible:
            layer.data[indices] = values  # there is nothing to redraw
            return
        layer.editable = True
        layer.data_setitem(indices, values.astype(layer.data.dtype))
        layer.editable = False  # which also empties its history: undo belongs to the base layer

    def remove(self) -> None:
        """Remove the layer from the viewer."""
        if self.layer is not None:
            with not_described(self._viewer):
                self._viewer.layers.remove(self.layer)
        self._layer = None

    def adapt(self) -> None:
        """Follow the viewer between 2D and 3D: napari draws no outlines in 3D."""
        if self.layer is not None:
            self._set_contour(self.layer)

    def _set_contour(self, layer: Labels) -> None:
        flat = self._viewer.dims.ndisplay == 2
        if self._contour and layer.visible != flat:
            layer.visible = flat
        layer.contour = self._contour if flat else 0

    def _colormap(self) -> DirectLabelColormap:
        none = (0.0, 0.0, 0.0, 0.0)
        colors: dict[int | None, Color] = {None: none, 0: none}
        return DirectLabelColormap(color_dict=colors | self._colors)
