"""A tiled run, as its workers need to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_superpixels.tiling.identity import fingerprint

if TYPE_CHECKING:
    from napari_superpixels.core.prepare.scaling import Scaling
    from napari_superpixels.params import SuperpixelParams
    from napari_superpixels.plan.tile_grid import TileGrid
    from napari_superpixels.tiling.reader import ImageReader


@dataclass(frozen=True, slots=True, eq=False)
class RunSpec:
    """A tiled run, as its workers need to know it.

    Attributes
    ----------
    image : ImageReader
    mask : ImageReader or None
        Pixels to segment are not 0.
    nodata : float or None
        Value of pixels to leave out.
    grid : TileGrid
        The tiles.
    n_segments : int
        Upper bound of superpixels in the whole image.
    params : SuperpixelParams
        The other parameters.
    device : str
        Where workers run.
    """

    image: ImageReader
    mask: ImageReader | None
    nodata: float | None
    grid: TileGrid
    n_segments: int
    params: SuperpixelParams
    device: str

    def identity(self) -> dict[str, Any]:
        """What decides the result besides the pixels, as plain values."""
        return {
            "image": fingerprint(self.image),
            "mask": None if self.mask is None else fingerprint(self.mask),
            "nodata": None if self.nodata is None else repr(float(self.nodata)),
            "tile_px": list(self.grid.tile_px),
            "halo_px": list(self.grid.halo_px),
            "parameters": self.params.to_dict() | {"n_segments": self.n_segments},
        }


@dataclass(frozen=True, slots=True)
class Statistics:
    """What all tiles need to know of the whole image.

    Attributes
    ----------
    n_valid : int
        Pixels that count.
    scaling : Scaling
        Of the colours.
    """

    n_valid: int
    scaling: Scaling
