"""What the stored values of a TIFF mean: grey values, colours, transparency, a palette."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import tifffile
from PIL import Image
from skimage.color import lab2rgb
from tifffile import COMPRESSION, PHOTOMETRIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_INK_SET = 332
_CMYK = 1
_JPEG = (COMPRESSION.JPEG, COMPRESSION.OJPEG, COMPRESSION.ALT_JPEG)  # decoded as RGB
_log = logging.getLogger(__name__)
_ALPHA = {tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA}


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """An image as it is meant to be seen.

    Attributes
    ----------
    array : dask array
        Grey values, colours or channels; samples of a pixel come last.
    axes : str
        A letter for each axis, as tifffile names them.
    nodata : float or None
        Value in `array` that means “no data”.
    alpha : dask array or None
        Declared transparency; 0 where there is no image.
    indices : dask array or None
        Of an image with a palette, the indices into it.
    """

    array: Any
    axes: str
    nodata: float | None
    alpha: Any = None
    indices: Any = None

    @property
    def channel_axis(self) -> int | None:
        """Axis that holds samples or channels."""
        if "S" in self.axes:
            return -1
        return self.axes.index("C") if "C" in self.axes else None


def as_shown(array: Any, axes: str, nodata: float | None, page: tifffile.TiffPage) -> Shown:
    """Find out what stored values mean.

    Parameters
    ----------
    array : dask array
        As stored; samples of a pixel come last.
    axes : str
        A letter for each axis.
    nodata : float or None
        Stored value that means “no data”.
    page : tifffile.TiffPage
        The first one.

    Returns
    -------
    Shown
        Inks are turned into colours, palettes into theirs, and white is the largest value.
    """
    shown = Shown(array, axes, nodata)
    if "S" in axes:
        shown = _without_alpha(shown, page)
    whole_numbers = array.dtype.kind in "bu"
    match page.photometric:
        case PHOTOMETRIC.SEPARATED if whole_numbers and _is_cmyk(shown, page):
            return replace(shown, array=_colored(shown.array, _from_cmyk, 1))
        case PHOTOMETRIC.CIELAB if _is_color(shown):
            return replace(shown, array=_colored(shown.array, _from_lab, 0))
        case PHOTOMETRIC.YCBCR if _is_color(shown) and page.compression not in _JPEG:
            return replace(shown, array=_colored(shown.array, _from_ycbcr, 0))
        case PHOTOMETRIC.PALETTE if whole_numbers and "S" not in axes and not _is_display(page):
            return _in_palette_colors(shown, page)
        # ImageJ's “inverting LUT” is but a way to look at values.
        case PHOTOMETRIC.MINISWHITE if whole_numbers and not page.parent.is_imagej:
            if page.software.startswith("tifffile.py") and array.dtype == bool:
                _log.warning(
                    "%s: stores white as 0, as Python's tifffile does for boolean arrays; pixels "
                    "that any viewer shows white are taken for True. If it is meant the other way "
                    "round, save it as uint8",
                    page.parent.filename,
                )
            white = 2**page.bitspersample - 1
            inverted = ~array if array.dtype == bool else array.dtype.type(white) - array
            return replace(shown, array=inverted, nodata=None if nodata is None else white - nodata)
    return shown


def _without_alpha(shown: Shown, page: tifffile.TiffPage) -> Shown:
    """Part samples from the transparency among them; what is not declared to be it is a channel."""
    samples, n = shown.array, shown.array.shape[-1]
    extra = page.extrasamples
    declared = [n - len(extra) + i for i, kind in enumerate(extra) if kind in _ALPHA]
    if declared:
        kept = [i for i in range(n) if i != declared[0]]
        # Slices where they do, as they copy nothing.
        rest = samples[..., :-1] if declared[0] == n - 1 else samples[..., kept]
        shown = replace(shown, array=rest, alpha=samples[..., declared[0]])
    if shown.array.shape[-1] == 1:
        shown = replace(shown, array=shown.array[..., 0], axes=shown.axes[:-1])
    return shown


def _is_color(shown: Shown) -> bool:
    return "S" in shown.axes and shown.array.dtype == np.uint8 and shown.array.shape[-1] == 3


def _is_cmyk(shown: Shown, page: tifffile.TiffPage) -> bool:
    ink_set = page.tags.get(_INK_SET)
    return (
        "S" in shown.axes
        and shown.array.shape[-1] >= 4
        and (ink_set is None or ink_set.value == _CMYK)
    )


def _is_display(page: tifffile.TiffPage) -> bool:
    """Tell whether a palette is but a way to look at measured values, as in microscopy."""
    tiff = page.parent
    return bool(tiff.is_imagej or tiff.is_ome or tiff.is_lsm or tiff.is_stk or tiff.is_fluoview)


def _in_palette_colors(shown: Shown, page: tifffile.TiffPage) -> Shown:
    colormap = page.colormap
    if colormap is None:
        return shown
    colors: NDArray[Any] = colormap.T
    if colors.max(initial=0) > np.iinfo(np.uint8).max:  # some software writes 8 bits of 16
        colors = colors >> 8
    look_up = partial(_look_up, colors.astype(np.uint8))
    indices = shown.array
    array = da.map_blocks(
        look_up,
        indices,
        dtype=np.uint8,
        new_axis=indices.ndim,
        chunks=(*indices.chunks, (3,)),
        meta=np.empty((0,) * (indices.ndim + 1), np.uint8),
    )
    # An index without data may have the colour of others.
    alpha = shown.alpha
    if shown.nodata is not None:
        alpha = (indices != shown.nodata).astype(np.uint8)
    return Shown(array, shown.axes + "S", None, alpha, indices)


def _look_up(colors: NDArray[np.uint8], indices: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(colors[np.minimum(indices, len(colors) - 1)], np.uint8)


def _colored(samples: Any, convert: Callable[[NDArray[Any]], NDArray[Any]], fewer: int) -> Any:
    """Convert all samples of a pixel at once; the result has `fewer` of them."""
    whole = samples.rechunk({samples.ndim - 1: -1})
    n = whole.shape[-1] - fewer
    return da.map_blocks(
        convert,
        whole,
        dtype=whole.dtype,
        chunks=(*whole.chunks[:-1], (n,)),
        meta=np.empty((0,) * whole.ndim, whole.dtype),
    )


def _from_cmyk(inks: NDArray[Any]) -> NDArray[Any]:
    """Red, green, blue and any further inks; full ink is the largest value."""
    full = np.iinfo(inks.dtype).max
    light = (full - inks[..., :4]).astype(np.float64) / full
    colors = np.rint(light[..., :3] * light[..., 3:] * full).astype(inks.dtype)
    return np.concatenate([colors, inks[..., 4:]], -1)


def _from_lab(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Red, green and blue; a* and b* are stored with a sign."""
    signed = samples[..., 1:3].astype(np.int8)
    lab = np.concatenate([samples[..., :1] / 2.55, signed.astype(np.float64)], -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # colours beyond sRGB are clipped
        colors = np.asarray(lab2rgb(lab))
    return np.asarray(np.rint(255 * colors), np.uint8)


def _from_ycbcr(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    flat = np.ascontiguousarray(samples).reshape(-1, 1, 3)
    colors: NDArray[np.uint8] = np.array(Image.fromarray(flat, "YCbCr").convert("RGB"))
    return colors.reshape(samples.shape)
