"""Where tiles run: threads of this process, processes of this machine, or a Dask cluster."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_superpixels.core.device import machine_here
from napari_superpixels.errors import TilingError
from napari_superpixels.errors.optional import need
from napari_superpixels.plan.run_plan import parallel_tiles
from napari_superpixels.tiling.local import Local, Processes, Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

    from napari_superpixels.params.options import Resources, TilingOptions

# A scheduler answers within seconds, or not at all.
_TIMEOUT_S = 10
# Workers that were just started need a while to come.
_WORKERS_TIMEOUT_S = 60
# How often to look why nothing is done, from when on the package is looked for on workers, and when
# to give up where nothing can come.
_LOOK_S, _LONG_S, PATIENCE_S = 5, 60, 600


@dataclass(frozen=True, slots=True)
class Engine:
    """Where tiles run.

    Attributes
    ----------
    tiling : TilingOptions
        Without `n_workers` and `scheduler`, tiles run in threads of this process: one a core as far
        as memory goes, or one in all on a GPU. `n_workers` makes as many processes on this machine,
        of one thread each. Workers of `scheduler` must see the checkpoint, and the image file,
        under the same path.
    tile_bytes : float
        Memory that a tile takes.
    resources : Resources
        Device, and memory that threads may take together.
    """

    tiling: TilingOptions
    tile_bytes: float
    resources: Resources

    @property
    def is_in_process(self) -> bool:
        """Whether tiles run in threads of this process."""
        return self.tiling.scheduler is None and self.tiling.n_workers is None

    @contextmanager
    def client(self) -> Iterator[Local | Client]:
        """Connect, or start workers, until the block ends.

        Yields
        ------
        Threads, Processes or distributed.Client
            Its ``submit`` runs a task.

        Raises
        ------
        TilingError
            If the scheduler does not answer, or has no workers.
        MissingLibrary
            If Dask's scheduler is not installed, for clusters.
        """
        if self.is_in_process:
            machine = machine_here(self.resources)
            n = parallel_tiles(self.tile_bytes, self.tiling, machine)
            with Threads(n) as threads:
                yield threads
            return
        if self.tiling.scheduler is not None:
            with self._connected(need("distributed", "cluster")) as client:
                yield client
            return
        with Processes(self.tiling.n_workers or 1) as processes:
            yield processes

    def watch(self, client: Any) -> Callable[[int], str]:
        """Look why nothing is done.

        Parameters
        ----------
        client : Threads, Processes or distributed.Client
            From `client`.

        Returns
        -------
        callable
            Takes the number of tiles that are done; returns why there will be no more for now, or
            nothing.
        """
        if self.tiling.scheduler is None:  # tiles that run are sure to end
            return lambda _: ""
        return _Watch(client, self.tiling.scheduler).look

    @contextmanager
    def _connected(self, distributed: Any) -> Iterator[Client]:
        """Connect to the scheduler, if it answers and has workers."""
        address = self.tiling.scheduler
        try:
            client = distributed.Client(address, timeout=_TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise TilingError(
                f"the Dask scheduler at {address} does not answer ({error}): start it "
                "with “dask scheduler”, and workers with “dask worker ADDRESS”"
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_WORKERS_TIMEOUT_S)
            except TimeoutError as error:
                raise TilingError(
                    f"the Dask scheduler at {address} has no workers: start one with "
                    f"“dask worker {address}” on each machine"
                ) from error
            try:
                lacking = _lacking(client)
            except OSError as error:
                raise TilingError(_silent(address)) from error
            if lacking:
                raise TilingError(lacking)
            yield client


class _Watch:
    """Looks why nothing is done on a cluster."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._n_done, self._progress, self._looked = -1, 0.0, 0.0
        self._found = ""

    def look(self, n_done: int) -> str:
        now = time.monotonic()
        if n_done != self._n_done:
            self._n_done, self._progress, self._looked, self._found = n_done, now, now, ""
        elif now - self._looked >= _LOOK_S:
            self._looked = now
            self._found = self._problem(now - self._progress)
        return self._found

    def _problem(self, waited_s: float) -> str:
        try:
            if self._client.status != "running":
                return _silent(self._address)
            if not self._client.scheduler_info()["workers"]:
                return (
                    f"the Dask scheduler at {self._address} has no workers any more: start one "
                    f"with “dask worker {self._address}”"
                )
            return _lacking(self._client) if waited_s >= _LONG_S else ""
        except OSError:
            return _silent(self._address)


def _silent(address: str | None) -> str:
    return f"the Dask scheduler at {address} does not answer any more; start it again"


def _lacking(client: Any) -> str:
    """Name workers that cannot run tiles; nothing if all can."""

    def reason() -> str:  # travels as code, since workers may lack this module
        try:
            __import__("napari_superpixels.tiling.tasks")
        except ImportError as error:
            return str(error)
        return ""

    found = client.run(reason, on_error="return")
    lacking = [f"{worker} ({why})" for worker, why in found.items() if isinstance(why, str) and why]
    if not lacking:
        return ""
    return (
        f"workers of the Dask cluster lack this package: {', '.join(lacking[:3])}"
        f"{' and others' if len(lacking) > 3 else ''}; install there what is installed here"
    )


def is_killed_worker(error: BaseException | None) -> bool:
    """Tell whether a tile failed because workers of a cluster died.

    Parameters
    ----------
    error : BaseException or None
        Of the tile.

    Returns
    -------
    bool
        True for Dask's ``KilledWorker``.
    """
    distributed = sys.modules.get("distributed")  # without it, there are no workers
    return distributed is not None and isinstance(error, distributed.KilledWorker)
