"""How long a run still takes, from how it went on so far."""

from __future__ import annotations

from collections import deque


class TimeLeft:
    """Estimates from the later half of the time so far.

    The beginning tells little: the first iteration carries start-up costs, the first frame of a
    series takes longer than those that follow it, coarse iterations take less than fine ones.
    """

    def __init__(self) -> None:
        self._begin = 0.0
        self._total = 0
        self._reports: deque[tuple[int, float]] = deque()

    def after(self, done: int, total: int, now: float) -> float | None:
        """Take note of a report.

        Parameters
        ----------
        done, total : int
            How far the run is; another `total` is another phase of it.
        now : float
            When, in seconds of any clock.

        Returns
        -------
        float or None
            Seconds that are left; None while that is unknown.
        """
        if total != self._total or (self._reports and done < self._reports[-1][0]):
            self._reports.clear()
            self._begin, self._total = now, total
        self._reports.append((done, now))
        middle = (self._begin + now) / 2
        while len(self._reports) > 2 and self._reports[1][1] <= middle:
            self._reports.popleft()
        before, then = self._reports[0]
        if done == before:
            return None
        return (now - then) / (done - before) * (total - done)
