"""Tiles in threads of this process, without a cluster."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Threads:
    """Runs tasks in threads, in the order in which they come; as much of Dask's client as we need.

    A task may wait for others that came before it. They were begun before it was, so none waits
    for ever.

    Parameters
    ----------
    n : int
        Number of threads.
    """

    def __init__(self, n: int) -> None:
        self._pool = ThreadPoolExecutor(n, "tile")

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

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
        return self._pool.submit(_after, task, arguments)


def _after(task: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return task(*(a.result() if isinstance(a, Future) else a for a in arguments))
