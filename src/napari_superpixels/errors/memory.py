"""Errors of runs that are too large."""

from __future__ import annotations

from dataclasses import dataclass

from napari_superpixels.errors.base import SuperpixelError, SuperpixelMemoryError
from napari_superpixels.errors.quantities import gigabytes


@dataclass(eq=False)
class NotEnoughMemory(SuperpixelMemoryError):
    """A run would need more memory than there is; it was not started.

    Attributes
    ----------
    needed_bytes, available_bytes : float
        What it would take; what is free, or what the limit allows.
    device : str
        Such as ``"cuda"``, with its name.
    is_cpu : bool
        Whether the device is the CPU.
    is_limit : bool
        Whether a limit that the user has set is in the way, not the device.
    in_tiles : bool
        Whether even a run in tiles would need so much.
    has_walls : bool
        Whether given labels keep superpixels apart, which does not work in tiles.
    """

    needed_bytes: float
    available_bytes: float
    device: str
    is_cpu: bool = True
    is_limit: bool = False
    in_tiles: bool = False
    has_walls: bool = False

    def shortage(self) -> str:
        """What is needed and what there is, without a remedy."""
        needed = f"about {gigabytes(self.needed_bytes)}"
        begin = (
            f"even in tiles this needs {needed}" if self.in_tiles else f"This run needs {needed}"
        )
        if self.is_limit:
            limit = f"{self.available_bytes / 1e9:g} GB"
            return f"{begin}, more than the memory limit of {limit}"
        return f"{begin}, but {self.device} has {gigabytes(self.available_bytes)} free"

    def problem(self) -> str:
        """The shortage, and what takes less."""
        if self.in_tiles:
            return f"{self.shortage()}: take smaller tiles (tile_size_px) or fewer n_workers"
        limit = " (memory_limit_gb)" if self.is_limit else ""
        raised = ", or raise the limit" if self.is_limit else ""
        return f"{self.shortage()}{limit}. {_less(self)}{raised}"


class TilesNeedAPlane(SuperpixelError, ValueError):
    """Tiles are asked for, for something else than a plane."""

    def problem(self) -> str:
        """What tiles are for."""
        return "tiles are for a single plane: segment one, or in one piece"


@dataclass(eq=False)
class OutOfMemory(SuperpixelMemoryError):
    """The memory ran out while a run was going on.

    Attributes
    ----------
    device : str
        With its name and what is free now.
    estimated_bytes : float
        What the run was estimated to take.
    is_cpu : bool
        Whether the device is the CPU.
    has_walls : bool
        See `NotEnoughMemory`.
    """

    device: str
    estimated_bytes: float
    is_cpu: bool = True
    has_walls: bool = False

    def problem(self) -> str:
        """The estimate, and what takes less."""
        return (
            f"{self.device}: out of memory. The estimate for this run was "
            f"{gigabytes(self.estimated_bytes)}. {_less(self)}"
        )


def _less(error: NotEnoughMemory | OutOfMemory) -> str:
    """What takes less memory."""
    tiles = "" if error.has_walls else " (a plane: in tiles)"
    less = (
        f"Ask for fewer superpixels, segment a smaller region{tiles}, choose the balanced or fast "
        "preset (or a larger downscale)"
    )
    return less if error.is_cpu else f"{less}, or run on the CPU"
