"""Tiles on this machine: in threads of this process, or in processes that talk to it by pipes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import wait
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, Self

from napari_superpixels.errors import TilingError, WorkersDied, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Processes that may die with a task before it fails.
_MOST_DEATHS = 3
# Each process takes one core; set before the libraries that read them are loaded.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(eq=False, slots=True)
class _Job:
    """A task whose earlier ones are done, or are waited for."""

    task: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: Future[Any] = field(default_factory=Future)
    deaths: int = 0

    def values(self) -> tuple[Any, ...]:
        return tuple(a.result() if isinstance(a, Future) else a for a in self.arguments)

    def is_void(self) -> bool:
        """Fail, if an earlier task did."""
        for earlier in self.arguments:
            if not isinstance(earlier, Future):
                continue
            if earlier.cancelled():
                self.future.cancel()
                return True
            error = earlier.exception()
            if error is not None:
                self.future.set_exception(error)
                return True
        return False


class Local(ABC):
    """Runs tasks on this machine; as much of Dask's client as we need.

    A task that waits for others holds no thread and no process: it begins once they are done.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._is_closed = True
        self._close()

    def submit(self, task: Callable[..., Any], *arguments: Any, pure: bool = False) -> Future[Any]:
        """Run a task once the futures among its arguments are done.

        Parameters
        ----------
        task : callable
            What to run.
        *arguments : object
            Its arguments; a future stands for its result. If that failed, so does the task.
        pure : bool
            As of Dask, without a meaning here: every call runs.

        Returns
        -------
        Future
            Of the result.
        """
        job = _Job(task, arguments)
        earlier = [a for a in arguments if isinstance(a, Future)]
        n_missing = len(earlier) + 1  # one for this call

        def one_is_done(_: object) -> None:
            nonlocal n_missing
            with self._lock:
                n_missing -= 1
                if n_missing:
                    return
                if self._is_closed:
                    job.future.cancel()
                elif not job.is_void():
                    self._begin(job)

        for future in earlier:
            future.add_done_callback(one_is_done)
        one_is_done(None)
        return job.future

    @abstractmethod
    def _begin(self, job: _Job) -> None:
        """Take a job of which nothing is missing; the lock is held."""

    @abstractmethod
    def _close(self) -> None:
        """Drop jobs that have not begun, and wait for the others."""


def _hand_on(job: _Job, done: Future[Any]) -> None:
    """Give the result of a future to that which `submit` returned."""
    if done.cancelled():
        job.future.cancel()
        return
    error = done.exception()
    if error is not None:
        job.future.set_exception(error)
    else:
        job.future.set_result(done.result())


class Threads(Local):
    """Runs tasks in threads of this process.

    Parameters
    ----------
    n : int
        Number of threads.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(n, "tile")

    def _begin(self, job: _Job) -> None:
        self._pool.submit(job.task, *job.values()).add_done_callback(partial(_hand_on, job))

    def _close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


class Processes(Local):
    """Runs tasks in processes, which are reached through pipes: no port is opened.

    Where a process dies, its task goes to another. They end with this process, however it ends.

    Parameters
    ----------
    n : int
        Number of processes.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self._waiting: deque[_Job] = deque()
        self._deaths_in_a_row = 0
        # Those of one task each, and one for which nothing goes well.
        self._most_in_a_row = _MOST_DEATHS * (n + 1)
        # One process each, so that the death of one leaves the others alone.
        self._idle = [_new_process() for _ in range(n)]
        self._all = set(self._idle)

    def _begin(self, job: _Job) -> None:
        self._waiting.append(job)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._idle and self._waiting:
            job, process = self._waiting.popleft(), self._idle.pop()
            try:
                with _interrupts_kept_from_children():
                    running = process.submit(_run, job.task, job.values())
            except BrokenProcessPool:  # it died while it had nothing to do
                self._replace(process)
                self._waiting.appendleft(job)
                continue
            running.add_done_callback(partial(self._done, job, process))

    def _replace(self, process: ProcessPoolExecutor) -> None:
        # Not shut down: a broken one has ended, and may hold its own lock while it tells us.
        self._all.discard(process)
        new = _new_process()
        self._all.add(new)
        self._idle.append(new)

    def _done(self, job: _Job, process: ProcessPoolExecutor, running: Future[Any]) -> None:
        has_died = not running.cancelled() and isinstance(running.exception(), BrokenProcessPool)
        with self._lock:
            if not has_died:
                self._deaths_in_a_row = 0
                self._idle.append(process)
                _hand_on(job, running)
            elif self._is_closed:
                job.future.cancel()
            else:
                self._replace(process)
                self._died_with(job)
            if not self._is_closed:
                self._dispatch()

    def _died_with(self, job: _Job) -> None:
        job.deaths += 1
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row >= self._most_in_a_row:
            jobs = [job, *self._waiting]
            self._waiting.clear()
            for each in jobs:
                each.future.set_exception(WorkersDied(self._deaths_in_a_row, is_every_task=True))
        elif job.deaths >= _MOST_DEATHS:
            job.future.set_exception(WorkersDied(job.deaths))
        else:
            self._waiting.appendleft(job)

    def _close(self) -> None:
        with self._lock:
            jobs = list(self._waiting)
            self._waiting.clear()
        for job in jobs:
            job.future.cancel()
        for process in self._all:
            process.shutdown(cancel_futures=True)


def _new_process() -> ProcessPoolExecutor:
    # Not forked: threads of torch do not survive that.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_set_up)


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """A process that starts would tell of Ctrl+C before `_set_up` makes it ignore that."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _set_up() -> None:
    """Prepare a process."""
    # Ctrl+C reaches all processes of a terminal; the first decides what becomes of the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # in the middle of a task: what it was for is gone


def _run(task: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return task(*arguments)
    except Exception as error:
        if not _survives_a_pipe(error):  # it would look like the death of this process
            raise TilingError(reason_of(error)) from None
        raise


def _survives_a_pipe(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  (libraries' errors raise anything)
        return False
    return True
