"""How much smaller the network sees an image or a volume."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_superpixels.params import SuperpixelParams

# Side of the blocks of pixels that make one: the same for all axes, or one for each.
Factor = int | tuple[int, ...]

MIN_PIXELS_PER_SEGMENT = 16
# Smaller pieces lose recall and accuracy to the blocks of pixels; larger ones only take time.
_PIXELS_PER_PIECE = 100
# Of an image at the working resolution that a small mask makes finer.
_MOST_MASKED_PIXELS = 500_000
# Enough for the network to tell 100 labels apart; an iteration on two cores takes half a second.
_VOXELS = 60_000
# Of a volume that a small mask makes finer.
_MOST_MASKED_VOXELS = 500_000


def sides_of(factor: Factor, n_axes: int) -> tuple[int, ...]:
    """Return the side of the blocks along each axis.

    Parameters
    ----------
    factor : int or tuple of int
        One for all, or one an axis.
    n_axes : int
        Number of axes.

    Returns
    -------
    tuple of int
        `n_axes` of them.
    """
    return (factor,) * n_axes if isinstance(factor, int) else factor


def working_factor(
    shape: Sequence[int], spacing: Sequence[float], params: SuperpixelParams, covered: float = 1.0
) -> Factor:
    """Return the sides of the blocks of pixels that are one for the network.

    Parameters
    ----------
    shape : sequence of int
        Of the image (H, W) or volume (D, H, W).
    spacing : sequence of float
        Relative size of a pixel along each axis; does not matter for an image.
    params : SuperpixelParams
        For an image, see `working_downscale`. A volume is reduced to about 60,000 blocks,
        or to 16 for each label map where that is more.
    covered : float, default 1.0
        Share of the pixels that the mask holds, in (0, 1].

    Returns
    -------
    int or tuple of int
        One for all axes of an image, one for each axis of a volume: such that the blocks are
        nearly cubes.
    """
    if len(shape) == 2:
        return working_downscale((shape[0], shape[1]), params, covered)
    return _nearly_cubic(shape, spacing, params.n_label_maps, covered)


def finishing_factor(
    shape: Sequence[int], spacing: Sequence[float], params: SuperpixelParams, covered: float = 1.0
) -> Factor:
    """Return the sides of the blocks of pixels that are one while superpixels merge.

    Parameters
    ----------
    shape, spacing, params, covered
        As for `working_factor`; superpixels count instead of label maps.

    Returns
    -------
    int or tuple of int
        As `working_factor` does.
    """
    if len(shape) == 2:
        return finishing_downscale((shape[0], shape[1]), params, covered)
    return _nearly_cubic(shape, spacing, params.n_segments, covered)


def _nearly_cubic(
    shape: Sequence[int], spacing: Sequence[float], n: int, covered: float
) -> tuple[int, ...]:
    least = max(_VOXELS, MIN_PIXELS_PER_SEGMENT * n)
    # Voxels outside the mask take memory too, so a small mask cannot have any resolution.
    wanted = max(least, min(least / covered, _MOST_MASKED_VOXELS))
    sides = [1] * len(shape)

    def blocks() -> list[int]:
        return [-(-n // side) for n, side in zip(shape, sides, strict=True)]

    while math.prod(blocks()) > wanted:
        left = [axis for axis, n_blocks in enumerate(blocks()) if n_blocks > 1]
        sides[min(left, key=lambda axis: sides[axis] * spacing[axis])] += 1
    return tuple(sides)


def working_downscale(
    shape: tuple[int, int], params: SuperpixelParams, covered: float = 1.0
) -> int:
    """Return the factor by which the network sees the image reduced.

    Parameters
    ----------
    shape : (int, int)
        Height and width.
    params : SuperpixelParams
        ``downscale`` is the largest factor; it shrinks until each label map has
        `MIN_PIXELS_PER_SEGMENT` pixels to be optimised on.
    covered : float, default 1.0
        Share of the pixels that the mask holds, in (0, 1].

    Returns
    -------
    int
        >= 1.
    """
    wanted = MIN_PIXELS_PER_SEGMENT * params.n_label_maps
    return _fitting_factor(shape, params.downscale, wanted, covered)


def finishing_downscale(
    shape: tuple[int, int], params: SuperpixelParams, covered: float = 1.0
) -> int:
    """Return the factor by which the image is reduced while superpixels merge.

    Parameters
    ----------
    shape : (int, int)
        Height and width.
    params : SuperpixelParams
        Half the working resolution's factor at most; it shrinks until each superpixel has
        `MIN_PIXELS_PER_SEGMENT` pixels, and each piece that merges 100.
    covered : float, default 1.0
        Share of the pixels that the mask holds, in (0, 1].

    Returns
    -------
    int
        >= 1.
    """
    wanted = max(
        MIN_PIXELS_PER_SEGMENT * params.n_segments, _PIXELS_PER_PIECE * params.n_pieces_wanted
    )
    return _fitting_factor(shape, max(1, params.downscale // 2), wanted, covered)


def _fitting_factor(shape: tuple[int, int], factor: int, wanted: int, covered: float) -> int:

    def blocks(side: int) -> int:
        return math.ceil(shape[0] / side) * math.ceil(shape[1] / side)

    # Pixels outside the mask take memory too, so a small mask cannot have any resolution.
    while factor > 1 and (
        blocks(factor) < wanted
        or (blocks(factor) * covered < wanted and blocks(factor - 1) <= _MOST_MASKED_PIXELS)
    ):
        factor -= 1
    return factor
