"""The image under a label map: raw values for statistics, scaled features for decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.color import rgb2lab

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import Box


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceImage:
    """Channels on the grid of the labels.

    Attributes
    ----------
    channels : array_like, shape (C, *labels.shape)
        Any real dtype; lazy arrays are read where they are needed.
    names : tuple of str
        One a channel.
    is_rgb : bool
        Whether the channels are red, green and blue; distances are then taken in CIELAB.
    name : str
        Of the image, for the log.
    """

    channels: Any
    names: tuple[str, ...]
    is_rgb: bool = False
    name: str = ""

    @property
    def kind(self) -> str:
        """What the log says of it."""
        return "rgb" if self.is_rgb else f"{len(self.names)} channels"

    @property
    def can_be_rgb(self) -> bool:
        """Whether there are three channels."""
        return len(self.names) == 3

    def values(self, box: Box | None = None) -> NDArray[np.generic]:
        """Read values as they are.

        Parameters
        ----------
        box : tuple of slice, optional
            Part of the labels; all of it if None.

        Returns
        -------
        ndarray, shape (C, *box)
            Values.
        """
        return np.asarray(self.channels if box is None else self.channels[:, *box])

    def at(self, indices: tuple[NDArray[np.intp], ...]) -> list[NDArray[np.generic]]:
        """Read the values of some pixels, by way of their bounding box.

        Parameters
        ----------
        indices : tuple of ndarray of intp, shape (n,)
            Pixels.

        Returns
        -------
        list of C ndarrays, shape (n,)
            Values.
        """
        if len(indices[0]) == 0:
            return [np.zeros(0) for _ in self.names]
        box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in indices)
        local = tuple(i - s.start for i, s in zip(indices, box, strict=True))
        return [channel[local] for channel in self.values(box)]

    def features(self, box: Box) -> NDArray[np.float32]:
        """Scale a part of the image to mean 0 and variance 1.

        Parameters
        ----------
        box : tuple of slice
            Part of the labels.

        Returns
        -------
        ndarray of float32, shape (C, *box)
            CIELAB for RGB, with one scale for its three channels; else each channel by itself.
            Values that are not finite become the mean.
        """
        values = self.values(box)
        if self.is_rgb:
            top = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype.str).max)
            scaled = np.nan_to_num(values.astype(np.float32) / top)
            out = np.moveaxis(rgb2lab(np.moveaxis(scaled, 0, -1)), -1, 0).astype(np.float32)
            out -= out.mean(axis=tuple(range(1, out.ndim)), keepdims=True)
            return np.asarray(out / (np.sqrt((out**2).sum(0).mean() / 3) or 1.0))
        out = values.astype(np.float32)
        for channel in out:
            finite = np.isfinite(channel)
            mean, std = (channel[finite].mean(), channel[finite].std()) if finite.any() else (0, 1)
            channel[~finite] = mean
            channel -= mean
            channel /= std or 1.0
        return out
