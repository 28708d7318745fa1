"""What is read of an image, how tiles run, where: frozen, and handed on as one."""

from __future__ import annotations

from dataclasses import dataclass

from napari_superpixels.errors import InvalidParameter

# How borders of given objects keep superpixels apart: always, or at a cost.
WALLS = ("hard", "soft")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelOptions:
    """Which pixels of an image count.

    Attributes
    ----------
    channel_axis : int or None
        Axis that holds channels.
    channels : tuple of int or None
        Channels to segment by; None for all.
    level : int
        Level of a pyramid, 0 for full resolution.
    nodata : float or None
        Value of pixels to leave out; NaN leaves out NaN and infinite values.
    """

    channel_axis: int | None = None
    channels: tuple[int, ...] | None = None
    level: int = 0
    nodata: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorOptions:
    """How values become the colours that are compared; see `SuperpixelParams`.

    Attributes
    ----------
    color_space : str
        ``"auto"``, ``"lab"`` or ``"channels"``.
    outliers : str
        ``"clip"`` or ``"keep"``.
    max_channels : int
        More channels are reduced to so many principal components; 0 keeps all.
    """

    color_space: str = "auto"
    outliers: str = "clip"
    max_channels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TilingOptions:
    """How a run in tiles is done; all of it may be left to us.

    Attributes
    ----------
    tile_size_px : int or None
        Side of a tile.
    halo_px : int or None
        What a tile sees around it.
    n_workers : int or None
        Processes on this machine; None for threads of this process.
    scheduler : str or None
        Address of a running Dask scheduler.

    Raises
    ------
    InvalidParameter
        If there is less than one worker.
    """

    tile_size_px: int | None = None
    halo_px: int | None = None
    n_workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Check the number of workers."""
        if self.n_workers is not None and self.n_workers < 1:
            raise InvalidParameter("n_workers", "1 or more", self.n_workers)

    @property
    def are_given(self) -> bool:
        """Whether one of them is chosen."""
        return self != TilingOptions()


@dataclass(frozen=True, slots=True)
class Resources:
    """Where a run is done, and what it may take.

    Attributes
    ----------
    device : str
        ``"auto"``, ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"cpu"``.
    memory_limit_gb : float or None
        Most memory in GB (10⁹ bytes); None for what is free.
    """

    device: str = "auto"
    memory_limit_gb: float | None = None
