"""Waiting for tiles: progress several times a second, and in the end what failed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Any

from napari_superpixels.errors import RunBrokenOff, UnfinishedRun, reason_of
from napari_superpixels.io.atomic import with_remedy
from napari_superpixels.tiling.cluster import PATIENCE_S, is_killed_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from napari_superpixels.plan.tile_grid import TileGrid
    from napari_superpixels.tiling.checkpoint import Checkpoint

# Reasons that are told, and letters of each; the others are counted, the rest is left out.
_MOST_TOLD, _LONGEST_TOLD = 3, 300
# How often a consumer hears from a run, so that it can cancel.
_PULSE_S = 0.2
# The first phase.
LOOKING = "looking at the image"


@dataclass(frozen=True, slots=True)
class TileStep:
    """Progress of a tiled run.

    Attributes
    ----------
    phase : str
        What is being done, in words.
    done, total : int
        Tiles of this phase.
    note : str
        What to tell the user, once; mostly empty.
    """

    phase: str
    done: int
    total: int
    note: str = ""


def all_done(
    phase: str,
    futures: dict[Any, Future[Any]],
    checkpoint: Checkpoint,
    watch: Callable[[int], str],
) -> Generator[TileStep, None, None]:
    """Wait for tiles; on a failure let the others finish, then say what failed.

    Parameters
    ----------
    phase : str
        What they do, in words.
    futures : dict
        Of threads or of Dask, by the index of the tile or the number of the part.
    checkpoint : Checkpoint
    watch : callable
        Tells why nothing is done, see `Engine.watch`.

    Yields
    ------
    TileStep
        Several times a second.

    Raises
    ------
    TilingError
        If some failed, found that the run is not the one that was begun, or nothing can be done
    for long.
    """
    total = len(futures)
    # Not dask's `wait`: each call that runs out of time leaves something behind for every tile
    # that is still to come, gigabytes in the end.
    one_is_done = Event()
    for future in futures.values():
        future.add_done_callback(lambda _: one_is_done.set())
    problem, since = "", 0.0
    while True:
        one_is_done.clear()
        n_done = sum(f.done() for f in futures.values())
        found, now = watch(n_done), time.monotonic()
        if found and not problem:
            since = now
        yield TileStep(phase, n_done, total, found if found != problem else "")
        problem = found
        if n_done == total:
            break
        if problem and now - since >= PATIENCE_S:
            minutes = round(PATIENCE_S / 60)
            raise RunBrokenOff(
                f"{phase}: for {minutes} minutes nothing was done: {problem}", str(checkpoint.path)
            )
        one_is_done.wait(_PULSE_S)
    errors = {index: None if f.cancelled() else f.exception() for index, f in futures.items()}
    failed = {
        index: errors[index] for index, f in futures.items() if f.cancelled() or errors[index]
    }
    for error in failed.values():
        if isinstance(error, UnfinishedRun):  # it has not failed: it is another run
            raise error
    if failed:
        reason = _what_failed(phase, failed, total, checkpoint.spec().grid)
        raise RunBrokenOff(reason, str(checkpoint.path)) from next(iter(failed.values()))


def _what_failed(
    phase: str, failed: dict[Any, BaseException | None], total: int, grid: TileGrid
) -> str:
    reasons: dict[str, list[Any]] = {}
    for key, error in failed.items():
        if is_killed_worker(error):
            text = "several workers died while they had it, perhaps for want of memory"
        elif isinstance(error, OSError):
            text = with_remedy(error)
        else:
            text = "the scheduler or its workers were lost" if error is None else reason_of(error)
        if len(text) > _LONGEST_TOLD:
            text = f"{text[:_LONGEST_TOLD]}…"
        reasons.setdefault(text, []).append(key)
    told = "; ".join(
        f"{grid.tiles.get(first, 'one')}{f' and {len(more)} more' if more else ''}: {text}"
        for text, (first, *more) in islice(reasons.items(), _MOST_TOLD)
    )
    if len(reasons) > _MOST_TOLD:
        told += f"; and {len(reasons) - _MOST_TOLD} other reasons like these"
    return f"{phase}: {len(failed)} of {total} tiles failed ({told})"
