"""Where tiles run: threads of this process, processes of this machine, or a Dask cluster."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask
from dask.system import CPU_COUNT

from napari_superpixels.core.device import resolve_device
from napari_superpixels.errors import InvalidParameter, TilingError
from napari_superpixels.errors.optional import need
from napari_superpixels.tiling.memory import tiles_that_fit
from napari_superpixels.tiling.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

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
    scheduler : str or None
        Address of a running Dask scheduler, such as ``tcp://10.0.0.1:8786``; its workers must see
        the checkpoint folder, and the image file, under the same path.
    n_workers : int or None
        Processes to start on this machine, one thread each; None for threads of this process: one
        a core as far as memory goes, or one in all on a GPU.
    tile_bytes : float
        Memory that a tile takes.
    memory_limit_gb : float or None
        Memory that threads may take together, in GB (10⁹ bytes); None for what is free.

    Raises
    ------
    ValueError
        If there are less than one worker.
    """

    scheduler: str | None = None
    n_workers: int | None = None
    tile_bytes: float = 0
    memory_limit_gb: float | None = None

    def __post_init__(self) -> None:
        """Check the number of workers."""
        if self.n_workers is not None and self.n_workers < 1:
            raise InvalidParameter("n_workers", "1 or more", self.n_workers)

    @property
    def is_in_process(self) -> bool:
        """Whether tiles run in threads of this process."""
        return self.scheduler is None and self.n_workers is None

    def parallel_tiles(self, device: str) -> int:
        """How many tiles run at once on this machine.

        Parameters
        ----------
        device : str
            Where they run; see `superpixels`.

        Returns
        -------
        int
            1 or more; 1 for a cluster: what it has is not known here.
        """
        if self.n_workers is not None:
            return self.n_workers
        if self.scheduler is not None or resolve_device(device).type != "cpu":
            return 1
        return min(CPU_COUNT, tiles_that_fit(self.tile_bytes, device, self.memory_limit_gb))

    @contextmanager
    def client(self, device: str) -> Iterator[Threads | Client]:
        """Connect, or start workers, until the block ends.

        Parameters
        ----------
        device : str
            Where tiles run.

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
            with Threads(self.parallel_tiles(device)) as threads:
                yield threads
            return
        distributed = need("distributed", "cluster")
        need("cloudpickle", "cluster")
        if self.scheduler is not None:
            with self._connected(distributed) as client:
                yield client
            return
        with (
            dask.config.set(_WORKERS_MEMORY),
            distributed.LocalCluster(
                n_workers=self.n_workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",  # any free port, seen on this machine only
                memory_limit=0,
                silence_logs=50,
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            client.run(_ignore_interrupts)
            yield client

    @contextmanager
    def _connected(self, distributed: Any) -> Iterator[Client]:
        """Connect to the scheduler, if it answers and has workers."""
        try:
            client = distributed.Client(self.scheduler, timeout=_TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise TilingError(
                f"the Dask scheduler at {self.scheduler} does not answer ({error}): start it "
                "with “dask scheduler”, and workers with “dask worker ADDRESS”"
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_WORKERS_TIMEOUT_S)
            except TimeoutError as error:
                raise TilingError(
                    f"the Dask scheduler at {self.scheduler} has no workers: start one with "
                    f"“dask worker {self.scheduler}” on each machine"
                ) from error
            yield client


def _ignore_interrupts() -> None:
    """Ctrl+C reaches all processes of a terminal; ours alone decides what becomes of the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
