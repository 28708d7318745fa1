"""How superpixels are shown: outlines of one colour, filled, or in their mean colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap, label_colormap
from skimage.color import rgb2lab

from napari_superpixels.core.regions.graph import contrasting_colors

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

MEAN_COLORS = "mean colours"  # name of such a colormap
_PALETTE_SIZE = 64
# To find colours for more superpixels takes seconds.
_MOST_COLOURS = 20_000
_FILLED_OPACITY = 0.5
# Bright colours that hardly any image has; an earlier one is taken where it stands out enough.
OUTLINE_COLORS = ("#ffff00", "#00ffff", "#ff00ff", "#00ff00", "#ff0000", "#000000", "#ffffff")
_ENOUGH = 0.75  # of the best contrast
_LEAST_SHARE = 10  # per cent of the image whose contrast does not count
_PIXELS_PER_LINE = 1500  # a line of one pixel would fall between the screen's
_VALUE_RANGES = (1.0, 255.0, 65535.0)


class Show(StrEnum):
    """Ways to show superpixels."""

    OUTLINES = "outlines"
    FILLED = "filled"
    MEAN = "mean colour"


@dataclass(frozen=True, slots=True)
class Look:
    """How results are shown.

    Attributes
    ----------
    show : Show
    outline : str or None
        Colour of outlines, such as ``"#ffff00"``; None for yellow, or for one that stands out from
        an image, see `for_image`.
    """

    show: Show = Show.OUTLINES
    outline: str | None = None

    def for_image(self, image: Image | None) -> Look:
        """The same with a colour for the outlines, where none was chosen."""
        return replace(self, outline=self.outline or contrasting_outline(image))


def apply_look(
    layer: Labels,
    look: Look,
    filled: CyclicLabelColormap | None = None,
    *,
    is_flat: bool = True,
) -> None:
    """Show superpixels as the user wants.

    Parameters
    ----------
    layer : napari.layers.Labels
        With their mean values in ``features``, if it has a table.
    look : Look
        What is wanted.
    filled : CyclicLabelColormap, optional
        Colours in which neighbours differ, if they are known already.
    is_flat : bool, default True
        Whether the viewer shows planes. napari has no outlines in 3D: there all would be of one
        colour, and they are filled instead.
    """
    show = look.show
    if show == Show.OUTLINES and not is_flat:
        show = Show.FILLED
    if show == Show.OUTLINES:
        color = look.outline or OUTLINE_COLORS[0]
        layer.colormap = DirectLabelColormap(
            color_dict={None: color, 0: "transparent"}, name=f"outlines {color}"
        )
        layer.contour = max(1, round(max(layer.extent.data[1]) / _PIXELS_PER_LINE))
        layer.opacity = 1.0
        return
    layer.contour = 0
    if show == Show.FILLED:
        layer.opacity = _FILLED_OPACITY
        layer.colormap = filled or _filled(layer)
        return
    layer.opacity = 1.0
    colors: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    means = mean_colors(layer.features)
    ids = layer.features["index"] if len(means) else ()
    colors |= {int(i): (*mean, 1.0) for i, mean in zip(ids, means, strict=True)}
    layer.colormap = DirectLabelColormap(color_dict=colors, name=MEAN_COLORS)


def has_outlines(layer: Labels) -> bool:
    """Whether a layer is shown as outlines of one colour."""
    return layer.contour > 0 and isinstance(layer.colormap, DirectLabelColormap)


def mean_colors(features: pd.DataFrame) -> NDArray[np.float64]:
    """Find the mean colour of each superpixel.

    Parameters
    ----------
    features : pandas.DataFrame
        With columns ``mean NAME``, a channel each.

    Returns
    -------
    ndarray, shape (K, 3)
        RGB in 0...1: grey for one channel; for more, the first three as red, green and blue, each
        stretched over its values, but for the channels red, green and blue themselves. Empty
        without such columns.
    """
    names = [str(name) for name in features.columns if str(name).startswith("mean ")]
    if not names or features.empty:
        return np.zeros((0, 3))
    values = features[names[:3]].to_numpy(dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    if names == ["mean red", "mean green", "mean blue"]:
        highest = float(np.nanmax(values, initial=0))
        scale = next((n for n in _VALUE_RANGES if highest <= n), max(highest, 1.0))
        stretched = values / scale
    else:
        low, high = np.nanpercentile(values, (1, 99), axis=0)
        stretched = (values - low) / np.where(high > low, high - low, 1)
    stretched = np.nan_to_num(np.clip(stretched, 0, 1))
    if stretched.shape[1] == 1:
        return np.repeat(stretched, 3, axis=1)
    missing = np.zeros((len(stretched), 3 - stretched.shape[1]))
    return np.concatenate([stretched, missing], axis=1)


def contrasting_outline(image: Image | None) -> str:
    """Choose the colour of outlines that stands out from an image.

    Parameters
    ----------
    image : napari.layers.Image or None
        As it is shown: with its colours and contrast.

    Returns
    -------
    str
        Of `OUTLINE_COLORS` the first that differs from nine tenths of the image by at least three
        quarters of the largest such difference (in CIELAB, lightness twice); yellow without image.
    """
    colors = np.zeros((0, 3)) if image is None else image.thumbnail.reshape(-1, 4)
    if image is not None:
        colors = colors[colors[:, 3] > 0][:, :3] / 255
    if not len(colors):
        return OUTLINE_COLORS[0]
    weights = np.array([2, 1, 1])
    lab = rgb2lab(colors) * weights
    contrast = []
    for text in OUTLINE_COLORS:
        rgb = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        distance = np.linalg.norm(lab - rgb2lab(np.array(rgb)) * weights, axis=1)
        contrast.append(float(np.percentile(distance, _LEAST_SHARE)))
    return next(
        c for c, n in zip(OUTLINE_COLORS, contrast, strict=True) if n >= _ENOUGH * max(contrast)
    )


def neighbour_colormap(labels: NDArray[np.integer]) -> CyclicLabelColormap | None:
    """Make a colormap in which neighbouring superpixels differ.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Superpixels 1...K.

    Returns
    -------
    napari.utils.colormaps.CyclicLabelColormap or None
        One colour per label; ids that an edit adds take colours from the start again. None where
        there are so many superpixels that it would take seconds.
    """
    if labels.max(initial=0) > _MOST_COLOURS:
        return None
    palette = np.asarray(label_colormap(_PALETTE_SIZE).colors)[1:]
    rows = contrasting_colors(labels, rgb2lab(palette[:, :3]))
    transparent = np.zeros((1, 4), palette.dtype)
    # With a single superpixel the colormap still needs a second colour to be cyclic.
    colors = palette[rows] if len(rows) > 1 else palette[:2]
    return CyclicLabelColormap(colors=np.concatenate([transparent, colors]))


def _filled(layer: Labels) -> CyclicLabelColormap:
    """Colours for labels that were not delivered just now."""
    found = None
    if isinstance(layer.data, np.ndarray) and layer.data.ndim <= 3:
        found = neighbour_colormap(layer.data)
    return found or label_colormap(_PALETTE_SIZE)
