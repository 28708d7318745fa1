"""Do borders of superpixels follow the edges of tiles more than other straight lines?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def seam_statistic(labels: NDArray[np.integer], tile_px: tuple[int, int]) -> dict[str, float]:
    """Compare the lines between tiles with all grids of the same spacing.

    For each line between two rows (or columns) it takes the share of pixels whose label changes
    across it, and the longest straight run of such pixels. A grid of lines is described by the mean
    share and the mean longest run of its lines. The tiles' own grid is one of `tile_px` grids that
    differ by a shift; without seams it is no special one. This is a permutation test whose
    permutations are all shifts.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Superpixels of a tiled run, or of any other on the same image.
    tile_px : (int, int)
        Height and width of a tile.

    Returns
    -------
    dict
        ``share`` on the tiles' edges and ``share_elsewhere``, ``longest_run_px`` and
        ``longest_run_elsewhere_px`` (both axes averaged); ``p_share`` and ``p_run``, the share of
        shifts that are as extreme or more (the smaller of both axes, doubled, at most 1).
    """
    found = [_one_axis(labels, tile_px[0]), _one_axis(labels.T, tile_px[1])]
    mean = {k: float(np.mean([f[k] for f in found])) for k in found[0] if not k.startswith("p_")}
    least = {k: min(1.0, 2 * min(f[k] for f in found)) for k in ("p_share", "p_run")}
    return {k: round(v, 4) for k, v in (mean | least).items()}


def _one_axis(labels: NDArray[np.integer], tile: int) -> dict[str, float]:
    n_lines = len(labels) - 1
    lines = [_line(labels[i] != labels[i + 1]) for i in range(n_lines)]
    share, run = np.array(lines, float).T
    # Grids that have as many lines as the tiles' own.
    n = len(range(tile - 1, n_lines, tile))
    shifts = [np.arange(n) * tile + first for first in range(n_lines - (n - 1) * tile)]
    shifts = shifts[:tile] if len(shifts) >= tile else shifts
    shares = np.array([share[s].mean() for s in shifts])
    runs = np.array([run[s].mean() for s in shifts])
    own = tile - 1
    return {
        "share": shares[own],
        "share_elsewhere": shares.mean(),
        "longest_run_px": runs[own],
        "longest_run_elsewhere_px": runs.mean(),
        "p_share": float((shares >= shares[own]).mean()),
        "p_run": float((runs >= runs[own]).mean()),
    }


def _line(changes: NDArray[np.bool_]) -> tuple[float, int]:
    """Share of changes along a line, and the longest run of them."""
    steps = np.diff(changes.astype(np.int8), prepend=0, append=0)
    lengths = np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)
    return float(changes.mean()), int(lengths.max(initial=0))
