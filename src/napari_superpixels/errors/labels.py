"""Errors in labels that a run starts from: initial ones, objects, labels to refine."""

from __future__ import annotations

from dataclasses import dataclass

from napari_superpixels.errors.base import SuperpixelError

# What labels are for, by the argument that they are given as.
ROLES = {"initial": "initial labels", "objects": "objects", "labels": "labels to refine"}


def _named(role: str, name: str) -> str:
    return f"{ROLES[role]} {name}".rstrip()


@dataclass(eq=False)
class LabelsMismatch(SuperpixelError, ValueError):
    """Labels have not the pixels of the image.

    Attributes
    ----------
    role : str
        Argument that they were given as: ``"initial"``, ``"objects"`` or ``"labels"``.
    labels, image : tuple of int
        Their shapes, without channels.
    name : str
        The labels' file, where there is one.
    """

    role: str
    labels: tuple[int, ...]
    image: tuple[int, ...]
    name: str = ""

    def problem(self) -> str:
        """Both shapes."""
        return (
            f"the {_named(self.role, self.name)} {self.labels} and the image {self.image} differ "
            "in shape: they must have the same pixels"
        )


@dataclass(eq=False)
class NotLabels(SuperpixelError, ValueError):
    """Values are no labels: they are negative, have fractions, or are no numbers at all.

    Attributes
    ----------
    role : str
        See `LabelsMismatch`.
    found : str
        The first value that is none, or the kind of values.
    name : str
        The labels' file, where there is one.
    """

    role: str
    found: str
    name: str = ""

    def problem(self) -> str:
        """What was found, and what to do."""
        return (
            f"the {_named(self.role, self.name)} hold {self.found}, which is no label: give whole "
            "numbers, one for all pixels of each object and 0 where there is none; turn a map of "
            "probabilities or distances into numbered objects first"
        )


@dataclass(eq=False)
class NoLabels(SuperpixelError, ValueError):
    """Labels to start from are 0 wherever the image is segmented.

    Attributes
    ----------
    role : str
        See `LabelsMismatch`.
    """

    role: str

    def problem(self) -> str:
        """That none is there, and what to do."""
        return (
            f"the {ROLES[self.role]} have none above 0 inside the image or mask: leave them out, "
            "or check that they belong to this image"
        )


@dataclass(eq=False)
class LabelsNotInTiles(SuperpixelError, ValueError):
    """Labels are given to start from, and the image is segmented in tiles.

    Attributes
    ----------
    role : str
        See `LabelsMismatch`.
    """

    role: str

    def problem(self) -> str:
        """That it does not work, and what does."""
        return (
            f"{ROLES[self.role]} do not work in tiles: cut out the part of the image that you "
            "need, and segment it in one piece"
        )
