"""Tiles of an image: what each reads, and which come before it. Pure geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Box = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the image that is segmented in one go.

    Attributes
    ----------
    index : tuple of int
        Row and column among the tiles (or depth, row and column).
    core : tuple of slice
        Its own pixels; the cores of all tiles cover the image once.
    window : tuple of slice
        The pixels that it reads: the core and a halo, as far as the image goes.
    earlier : tuple of tuple of int
        Neighbours that are segmented before it, ascending.
    """

    index: tuple[int, ...]
    core: Box
    window: Box
    earlier: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        """Row and column as text, for file names."""
        return "-".join(map(str, self.index))

    def __str__(self) -> str:
        """For messages: which tile, and where in the image."""
        return f"tile {self.name} (pixels {spelled(self.window)})"


@dataclass(frozen=True)
class TileGrid:
    """Tiles in rows and columns.

    Neighbouring tiles never run at the same time: even rows come before odd ones, and even columns
    before odd ones within a row. So each tile knows what its earlier neighbours have, whatever the
    number of workers.

    Parameters
    ----------
    shape : tuple of int
        Of the image, without channels.
    tile_px : tuple of int
        Size of a core.
    halo_px : tuple of int
        How much further a tile reads on every side; at most half of `tile_px`, so that only
        neighbours share pixels.

    Raises
    ------
    ValueError
        If a tile is empty or a halo too wide.
    """

    shape: tuple[int, ...]
    tile_px: tuple[int, ...]
    halo_px: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the sizes."""
        for size, halo in zip(self.tile_px, self.halo_px, strict=True):
            if size < 1 or not 0 <= 2 * halo <= size:
                raise ValueError(
                    f"tiles of {size} pixels with a halo of {halo}: the halo must be 0 to half "
                    "the tile"
                )

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Tiles along each axis."""
        return tuple(-(-n // t) for n, t in zip(self.shape, self.tile_px, strict=True))

    def __len__(self) -> int:
        """Number of tiles."""
        return prod(self.counts)

    @cached_property
    def tiles(self) -> dict[tuple[int, ...], Tile]:
        """Tiles by index, in an order in which each comes after its earlier neighbours."""
        every = sorted(product(*map(range, self.counts)), key=lambda index: (_phase(index), index))
        return {index: self._tile(index) for index in every}

    def _tile(self, index: tuple[int, ...]) -> Tile:
        core, window = [], []
        for i, n, size, halo in zip(index, self.shape, self.tile_px, self.halo_px, strict=True):
            start, stop = i * size, min((i + 1) * size, n)
            core.append(slice(start, stop))
            window.append(slice(max(0, start - halo), min(n, stop + halo)))
        earlier = tuple(i for i in self.around(index) if _phase(i) < _phase(index))
        return Tile(index, tuple(core), tuple(window), earlier)

    def around(self, index: Sequence[int]) -> list[tuple[int, ...]]:
        """Indices of the neighbouring tiles, diagonal ones too, ascending."""
        spans = zip(index, self.counts, strict=True)
        near = product(*(range(max(0, i - 1), min(n, i + 2)) for i, n in spans))
        return [i for i in near if i != tuple(index)]


def _phase(index: Sequence[int]) -> tuple[int, ...]:
    return tuple(i % 2 for i in index)


def spelled(box: Sequence[slice]) -> str:
    """First and last pixels of a box along each axis, for messages."""
    return ", ".join(f"{s.start} to {s.stop - 1}" for s in box)


def inside(part: Sequence[slice], whole: Sequence[slice]) -> Box:
    """Return a box in the coordinates of a box that holds it."""
    return tuple(
        slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, whole, strict=True)
    )


def common(one: Sequence[slice], other: Sequence[slice]) -> Box | None:
    """Return the pixels that two boxes share; None if there are none."""
    box = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return box if all(s.start < s.stop for s in box) else None
