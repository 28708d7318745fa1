"""PNG, JPEG and whatever else Pillow reads."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

# Modes of Pillow that are converted; others are grey values or colours already.
_COLORS = {"CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBX": "RGB", "P": "RGB"}
_WITH_ALPHA = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
# Those in which it keeps a transparent colour apart.
_KEPT_APART = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}
# Pillow reads colours of more than 8 bits as 8; these decoders do not.
_DECODERS = {
    "PNG": imagecodecs.png_decode,
    "JPEG2000": imagecodecs.jpeg2k_decode,
    "AVIF": imagecodecs.avif_decode,
}
_EIGHT_BITS = ("L", "LA", "RGB", "RGBA")
_LARGEST_OF_8_BITS = 255
_DEEPER = re.compile(r";16[BLN]|SGI16")
# Formats whose frames are one after another in time; other files hold previews, say.
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_ORIENTATION = 274  # tag of EXIF
# For each orientation, whether rows and columns change places, and then what is reversed.
_TURNS = {
    2: (False, "x"),
    3: (False, "yx"),
    4: (False, "y"),
    5: (True, ""),
    6: (True, "x"),
    7: (True, "yx"),
    8: (True, "y"),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture.

    Attributes
    ----------
    array : ndarray, shape (H, W), (H, W, C), (T, H, W) or (T, H, W, C)
        Grey values or colours, of frames if it has several.
    axes : str
        A letter for each axis: T time, Y, X, S samples of a pixel.
    alpha : ndarray or None
        Transparency, 0 where there is no image; None where the file has none.
    indices : ndarray of uint8, shape (H, W), or None
        Of a picture with a palette, the indices into it.
    """

    array: NDArray[Any]
    axes: str
    alpha: NDArray[Any] | None = None
    indices: NDArray[np.uint8] | None = None


def read_picture(path: Path) -> Picture:
    """Read a picture at its full depth, turned as its EXIF orientation says.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Picture
        Its pixels.

    Raises
    ------
    ValueError
        If it is none that is known, or holds more than can be read.
    """
    try:
        image: ImageFile = Image.open(path)
    except UnidentifiedImageError as error:
        raise ValueError("its content is no picture of a kind that is known") from error
    with image:
        is_deeper = image.mode in _EIGHT_BITS and _is_deeper(image)  # known until it is read
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
        indices = np.asarray(image) if image.mode == "P" else None
        n_frames = getattr(image, "n_frames", 1) if image.format in _ANIMATED else 1
        if n_frames > 1:
            return _animation(image, n_frames)
        array, alpha = _parted(_samples(image, path, is_deeper=is_deeper))
        if image.mode.startswith("I;16") and "transparency" in image.info:
            alpha = (array != image.info["transparency"]).astype(np.uint8)
    if turn is not None:
        _log.warning("%s: is turned upright, as its EXIF orientation says", path)
        array = _turned(array, *turn)
        alpha = None if alpha is None else _turned(alpha, *turn)
        indices = None if indices is None else _turned(indices, *turn)
    return Picture(array, "YXS"[: array.ndim], alpha, indices)


def _samples(image: Image.Image, path: Path, *, is_deeper: bool) -> NDArray[Any]:
    """Values of a frame, at the depth that they are stored in."""
    if image.format in ("JPEG2000", "AVIF") or (image.format == "PNG" and is_deeper):
        samples = np.asarray(_DECODERS[image.format](path.read_bytes()))
        if samples.dtype.itemsize > 1:
            return samples
    elif is_deeper:
        raise ValueError(
            "it holds more than 8 bits a channel, which are not read from files of its kind; save "
            "it as TIFF or PNG"
        )
    return np.asarray(_in_colors(image))


def _is_deeper(image: ImageFile) -> bool:
    """Tell whether more is stored than Pillow gives."""
    for codec, _, _, args in image.tile:
        if _DEEPER.search(f"{codec} {args}"):
            return True
        if codec.startswith("ppm") and isinstance(args, tuple) and args[1] > _LARGEST_OF_8_BITS:
            return True
    return False


def _in_colors(image: Image.Image) -> Image.Image:
    mode = {**_COLORS, **_WITH_ALPHA}.get(image.mode)
    if "transparency" in image.info:
        mode = _KEPT_APART.get(image.mode, mode)
    return image if mode is None else image.convert(mode)


def _parted(samples: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Part grey values or colours, and transparency."""
    alpha = None
    if samples.ndim == 3 and samples.shape[-1] in (2, 4):
        samples, alpha = samples[..., :-1], samples[..., -1]
    if samples.ndim == 3 and samples.shape[-1] == 1:
        samples = samples[..., 0]
    return samples, alpha


def _animation(image: Image.Image, n_frames: int) -> Picture:
    """Frames one after another; a file of any size may claim many."""
    limit = 2 * (Image.MAX_IMAGE_PIXELS or np.inf)
    if n_frames * image.width * image.height > limit:
        raise Image.DecompressionBombError

    def frames() -> Iterator[NDArray[Any]]:
        for number in range(n_frames):
            image.seek(number)
            yield np.asarray(image.convert("RGBA"))

    stack = np.stack(list(frames()))
    alpha = stack[..., 3]
    return Picture(stack[..., :3], "TYXS", None if alpha.all() else alpha)


def _turned(array: NDArray[Any], swap: bool, reversed_axes: str) -> NDArray[Any]:
    turned = np.swapaxes(array, 0, 1) if swap else array
    for axis in reversed_axes:
        turned = np.flip(turned, "yx".index(axis))
    return np.ascontiguousarray(turned)
