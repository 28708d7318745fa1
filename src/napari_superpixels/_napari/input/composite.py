"""Three channels of a layer as a picture in red, green and blue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_superpixels._napari.input.placement import place_plane
from napari_superpixels._napari.input.plane import channel_names, full_shape, lazy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CONTRAST = (2, 98)  # percentiles
_SAMPLED = 512  # pixels along an axis that are looked at for the contrast


def rgb_layer(layer: Image, channel_axis: int, channels: Sequence[int]) -> Image:
    """Make a layer that shows three channels as red, green and blue, where they lie.

    Parameters
    ----------
    layer : napari.layers.Image
        Has channels.
    channel_axis : int
        Their axis.
    channels : sequence of int
        Numbers of those for red, green and blue.

    Returns
    -------
    napari.layers.Image
        Each channel stretched from its 2nd to its 98th percentile; black where there are no data.
        As lazy as the layer, with its levels.
    """
    levels = [lazy(level) for level in layer.data] if layer.multiscale else [lazy(layer.data)]
    limits = [_limits(np.take(levels[-1], i, axis=channel_axis)) for i in channels]
    made = [_stretched(level, channel_axis, channels, limits) for level in levels]
    others = [axis for axis in range(layer.ndim) if axis != channel_axis]
    placement = place_plane(layer, others, {}, [1.0] * layer.ndim, channel_axis)
    names = channel_names(layer, full_shape(layer)[channel_axis])
    return Image(
        made if layer.multiscale else made[0],
        rgb=True,
        multiscale=layer.multiscale,
        name=f"{layer.name} ({', '.join(names[i] for i in channels)})",
        **placement.spatial,
    )


def _limits(values: Any) -> tuple[float, float]:
    steps = tuple(slice(None, None, max(1, n // _SAMPLED)) for n in values.shape)
    return contrast_of(np.asarray(values[steps]))


def contrast_of(values: NDArray[Any]) -> tuple[float, float]:
    """Find the range that shows values well.

    Parameters
    ----------
    values : ndarray
        Numbers; those that are not finite do not count.

    Returns
    -------
    low, high : float
        2nd and 98th percentile; 0 and 1 where there is no value. Of one value, a range that float32
        can part, as the canvas needs it.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = map(float, np.percentile(known.astype(np.float64), _CONTRAST))
    return (low, high) if low < high else (low, low + max(1.0, abs(low) / 1000))


def _stretched(
    level: Any, channel_axis: int, channels: Sequence[int], limits: Sequence[tuple[float, float]]
) -> Any:
    """RGB of 8 bits, the colours last."""

    def scaled(values: Any, low: float, high: float) -> NDArray[np.float32]:
        part: NDArray[np.float32] = np.nan_to_num(values - low) / (high - low)
        return np.clip(part, 0, 1)

    colors = [
        scaled(np.take(level, i, axis=channel_axis), *stretch)
        for i, stretch in zip(channels, limits, strict=True)
    ]
    made = np.rint(np.stack(colors, axis=-1) * 255).astype(np.uint8)
    # A channel axis that is not the first one stays, see `place_plane`.
    return made if channel_axis == 0 else np.expand_dims(made, channel_axis)
