"""Where tiles run: threads of this process, processes of this machine, or a Dask cluster."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask

from napari_superpixels.core.device import machine_here
from napari_superpixels.errors import TilingError
from napari_superpixels.errors.optional import need
from napari_superpixels.plan.run_plan import parallel_tiles
from napari_superpixels.tiling.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

    from napari_superpixels.params.options import Resources, TilingOptions

# Dask tells glibc to hand memory back at once, which then takes each large piece anew: tiles take
# twice as long. They give back what is left themselves, when they are done.
_WORKERS_MEMORY = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}
# A scheduler answers within seconds, or not at all.
_TIMEOUT_S = 10
# Workers that were just started need a while to come.
_WORKERS_TIMEOUT_S = 60


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
    def client(self) -> Iterator[Threads | Client]:
        """Connect, or start workers, until the block ends.

        Yields
        ------
        Threads or distributed.Client
            Its ``submit`` runs a task.

        Raises
        ------
        TilingError
            If the scheduler does not answer, or has no workers.
        MissingLibrary
            If Dask's scheduler is not installed, for processes and clusters.
        """
        if self.is_in_process:
            machine = machine_here(self.resources)
            n = parallel_tiles(self.tile_bytes, self.tiling, machine)
            with Threads(n) as threads:
                yield threads
            return
        distributed = need("distributed", "cluster")
        need("cloudpickle", "cluster")
        if self.tiling.scheduler is not None:
            with self._connected(distributed) as client:
                yield client
            return
        with (
            dask.config.set(_WORKERS_MEMORY),
            distributed.LocalCluster(
                n_workers=self.tiling.n_workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",  # any free port, seen on this machine only
                memory_limit=0,
                silence_logs=50,
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            client.register_plugin(_ignoring_interrupts(distributed))
            yield client

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
            yield client


def _ignoring_interrupts(distributed: Any) -> Any:
    """Make workers, those that are started anew too, go on at Ctrl+C.

    It reaches all processes of a terminal; ours alone decides what becomes of the others.
    """

    class IgnoreInterrupts(distributed.WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return IgnoreInterrupts()


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
