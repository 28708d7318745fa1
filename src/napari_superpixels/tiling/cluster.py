"""Where tiles run: threads of this process, processes of this machine, or a Dask cluster."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, WorkerPlugin

from napari_superpixels.core.device import resolve_device
from napari_superpixels.tiling.memory import tiles_that_fit
from napari_superpixels.tiling.run_spec import TilingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Worker

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
            raise ValueError(f"n_workers must be 1 or more, got {self.n_workers}")

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
    def client(self, device: str) -> Iterator[Client]:
        """Connect, or start workers, until the block ends.

        Parameters
        ----------
        device : str
            Where tiles run.

        Yields
        ------
        Client
            Of Dask.

        Raises
        ------
        TilingError
            If the scheduler does not answer, or has no workers.
        """
        if self.scheduler is not None:
            try:
                client = Client(self.scheduler, timeout=_TIMEOUT_S, set_as_default=False)
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
            return
        with (
            dask.config.set(_WORKERS_MEMORY),
            LocalCluster(
                n_workers=self.n_workers or 1,
                threads_per_worker=1 if self.n_workers else self.parallel_tiles(device),
                processes=self.n_workers is not None,
                dashboard_address="127.0.0.1:0",  # any free port, seen on this machine only
                memory_limit=0,
                silence_logs=50,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            if self.n_workers is not None:
                client.register_plugin(_DeafToInterrupts())
            yield client


class _DeafToInterrupts(WorkerPlugin):
    """Ctrl+C reaches all processes of a terminal; ours alone decides what becomes of the others."""

    def setup(self, worker: Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
