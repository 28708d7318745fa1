"""Errors of runs in tiles."""

from __future__ import annotations

from dataclasses import dataclass

from napari_superpixels.errors.base import ExportError, TilingError


@dataclass(eq=False)
class UnfinishedRun(TilingError):
    """The checkpoint of another run, or of this one, is in the way.

    Attributes
    ----------
    folder : str
        The checkpoint.
    differences : tuple of str
        In what that run differs; empty if it is this one and was not to go on.
    """

    folder: str
    differences: tuple[str, ...] = ()

    def problem(self) -> str:
        """What is in the folder, and what can be done."""
        if not self.differences:
            return (
                f"{self.folder}: holds a run that was not finished; go on with it (resume=True), "
                "or delete the folder"
            )
        return (
            f"{self.folder}: holds a run that differs in {', '.join(self.differences)}; go on with "
            "the same image and parameters, or delete the folder"
        )


@dataclass(eq=False)
class RunBrokenOff(TilingError):
    """A run in tiles ended before it was done; another can go on from there.

    Attributes
    ----------
    reason : str
        Why, with what it stands in, such as a phase or folder.
    folder : str
        Where what is done is kept.
    """

    reason: str
    folder: str

    def problem(self) -> str:
        """The reason, where what is done is kept, and how to go on."""
        return (
            f"{self.reason}. What is done is kept in {self.folder}: mend the cause, and go on with "
            "resume=True"
        )


@dataclass(eq=False)
class OutputTaken(TilingError):
    """Another run in tiles writes to the same output.

    Attributes
    ----------
    path : str
        The output.
    pid, host, user, since : str
        The process, its machine and user, and when it began; empty if not known.
    """

    path: str
    pid: str = ""
    host: str = ""
    user: str = ""
    since: str = ""

    def problem(self) -> str:
        """Who has it, and what can be done."""
        who = "another run"
        if self.pid:
            who += f" (process {self.pid} of {self.user} on {self.host}, since {self.since})"
        return f"{self.path}: {who} writes to it; wait for that, end it, or take another name"


@dataclass(eq=False)
class ForeignFolder(TilingError):
    """The work folder of an unfinished run belongs to another user.

    Attributes
    ----------
    folder : str
    """

    folder: str

    def problem(self) -> str:
        """Why it is not gone on with, and what can be done."""
        return (
            f"{self.folder}: belongs to another user, who could make this run do anything: have "
            "them finish or delete it, or take another name"
        )


@dataclass(eq=False)
class InTheWay(ExportError):
    """Something lies where a run in tiles puts its labels together, and was not made for that.

    Attributes
    ----------
    path : str
    target : str
        What is to be written from the labels.
    """

    path: str
    target: str

    def problem(self) -> str:
        """What it is in the way of, and what can be done."""
        return (
            f"{self.path}: is where tiles would be put together for {self.target}, and was not "
            "made for that; move it, or choose another name"
        )


@dataclass(eq=False)
class DamagedTile(TilingError):
    """A file in which a run keeps a tile is damaged.

    Attributes
    ----------
    file : str
        It was deleted, so that the tile is made again.
    reason : str
    """

    file: str
    reason: str

    def problem(self) -> str:
        """Which, and that it is made again."""
        return f"{self.file}: was damaged ({self.reason}), and is made again when the run goes on"


@dataclass(eq=False)
class WorkersDied(TilingError):
    """Processes ended while they worked on tiles.

    Attributes
    ----------
    times : int
        How often, with one tile or in a row.
    is_every_task : bool
        Whether none of the last ones went well, whatever they had to do.
    """

    times: int
    is_every_task: bool = False

    def problem(self) -> str:
        """How often, and what it may come from."""
        if not self.is_every_task:
            return f"{self.times} workers died while they had it, perhaps for want of memory"
        return (
            f"workers die again and again, the last {self.times} without having done anything: "
            "there may be too little memory for so many, or, in a script, the call needs to stand "
            'under “if __name__ == "__main__":”'
        )


@dataclass(eq=False)
class LabelsKept(ExportError):
    """The labels of a run in tiles could not be written to another format.

    Attributes
    ----------
    cause : Exception
        Why.
    labels : str
        OME-Zarr that holds the labels.
    target : str
        What could not be written.
    """

    cause: Exception
    labels: str
    target: str

    def problem(self) -> str:
        """The cause, and where the labels are."""
        return f"{str(self.cause).rstrip('.')}; the labels are kept in {self.labels}"
