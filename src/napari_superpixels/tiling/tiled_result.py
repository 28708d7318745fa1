"""What a tiled run returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_superpixels.api.result import versions

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.params import SuperpixelParams


@dataclass(frozen=True, slots=True)
class TiledResult:
    """Superpixels of a tiled run.

    Attributes
    ----------
    path : Path
        OME-Zarr with labels 1...K of uint32, each superpixel connected; 0 outside.
    params : SuperpixelParams
        Parameters of the run.
    n_requested, n_obtained : int
        N, and K, at most N (more only where the mask has more separate regions).
    n_tiles : int
        Number of tiles.
    tile_px, halo_px : tuple of int
        Size of the tiles and of what they see around them.
    seconds : float
        Wall-clock time of the run, since it was resumed.
    device : str
        Where tiles ran.
    channels : tuple of int or None
        Those that were chosen; None for all.
    """

    path: Path
    params: SuperpixelParams
    n_requested: int
    n_obtained: int
    n_tiles: int
    tile_px: tuple[int, ...]
    halo_px: tuple[int, ...]
    seconds: float
    device: str
    channels: tuple[int, ...] | None = None

    @property
    def why_more(self) -> str:
        """Why there are more superpixels than asked for, to stand after both numbers; or empty."""
        if self.n_obtained <= self.n_requested:
            return ""
        return "; more, since each separate region of the pixels to segment needs one of its own"

    def provenance(self) -> dict[str, Any]:
        """How the labels were made, as plain values."""
        return {
            # The number is for the whole image, and may be more than parameters hold.
            "parameters": self.params.to_dict() | {"n_segments": self.n_requested},
            "n_requested": self.n_requested,
            "n_obtained": self.n_obtained,
            "tiles": self.n_tiles,
            "tile_px": list(self.tile_px),
            "halo_px": list(self.halo_px),
            "seconds": round(self.seconds, 3),
            "device": self.device,
            **({} if self.channels is None else {"channels": list(self.channels)}),
            "versions": versions(),
        }
