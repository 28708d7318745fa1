"""What a tile reads: pixels, which of them are asked for, and what tells them from others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_superpixels.core.prepare.checks import is_wanted
from napari_superpixels.tiling.identity import digest, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_superpixels.plan.tile_grid import Box
    from napari_superpixels.tiling.run_spec import RunSpec


@dataclass(frozen=True, slots=True, eq=False)
class TilePixels:
    """Pixels of a window.

    Attributes
    ----------
    image : ndarray
        With the channels where they were; 0 where nothing was read.
    channel_axis : int or None
        Axis of the image that holds channels.
    wanted : ndarray of bool
        Which pixels are asked for.
    of_mask : ndarray of bool, or None
        Which of them the mask asks for, if there is one.
    """

    image: NDArray[Any]
    channel_axis: int | None
    wanted: NDArray[np.bool_]
    of_mask: NDArray[np.bool_] | None

    @property
    def channels(self) -> NDArray[Any]:
        """The image with its channels first."""
        if self.channel_axis is None:
            return self.image[None]
        return np.moveaxis(self.image, self.channel_axis, 0)

    def part(self, box: Sequence[slice]) -> TilePixels:
        """Cut a box out of the window."""
        index, here = list(box), tuple(box)
        if self.channel_axis is not None:
            index.insert(self.channel_axis % self.image.ndim, slice(None))
        of_mask = None if self.of_mask is None else self.of_mask[here]
        return TilePixels(self.image[tuple(index)], self.channel_axis, self.wanted[here], of_mask)

    def digests(self) -> dict[str, str]:
        """Find what tells the pixels that are asked for, and the mask, from others.

        Returns
        -------
        dict
            Of the image, and of the mask where there is one. What is not asked for does not count:
            it may not even be readable.
        """
        # As they lie in memory, where all count: to bring the channels to the front takes longer
        # than the hash.
        values = self.image if self.wanted.all() else self.channels[:, self.wanted]
        found = {"image": digest(self.wanted, values)}
        return found if self.of_mask is None else found | {"mask": digest(self.of_mask)}


def read_tile(spec: RunSpec, box: Box) -> TilePixels:
    """Read a window of the image and its mask.

    Parameters
    ----------
    spec : RunSpec
        The run.
    box : tuple of slice
        The window.

    Returns
    -------
    TilePixels
        Of the window's shape.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    wanted = spec.image.read_opaque(box)
    of_mask = None if spec.mask is None else is_wanted(spec.mask.read(box))
    if of_mask is not None:
        wanted &= of_mask
    masked, axis = of_mask is not None, spec.image.channel_axis
    if wanted.all():
        return TilePixels(spec.image.read(box, masked=masked), axis, wanted, of_mask)
    # Not the others, as far as that goes: the mask may leave out what cannot be read.
    (used,) = ndimage.find_objects(wanted.astype(np.uint8)) or [(slice(0, 0),) * wanted.ndim]
    pairs = zip(box, used, strict=True)
    inner = [slice(b.start + u.start, b.start + u.stop) for b, u in pairs]
    image = spec.image.read(inner, masked=masked)
    around = [(u.start, n - u.stop) for u, n in zip(used, wanted.shape, strict=True)]
    if axis is not None:
        around.insert(axis % image.ndim, (0, 0))
    return TilePixels(np.pad(image, around), axis, wanted, of_mask)


def iter_digests(spec: RunSpec) -> Iterator[dict[str, str]]:
    """Read all pixels of a run, and find what tells those of each tile from others.

    Parameters
    ----------
    spec : RunSpec

    Yields
    ------
    dict
        For each tile, see `TilePixels.digests`.
    """
    for tile in spec.grid.tiles.values():
        yield read_tile(spec, tile.core).digests()


def of_all(of_tiles: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Put digests of tiles together.

    Parameters
    ----------
    of_tiles : iterable of mapping
        In the order of the tiles.

    Returns
    -------
    dict
        Under the same names, those of the whole image and its mask.
    """
    several = list(of_tiles)
    return {name: joined(of_tile[name] for of_tile in several) for name in several[0]}
