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
