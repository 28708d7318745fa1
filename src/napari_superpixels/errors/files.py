"""Errors in files to read or to write."""

from __future__ import annotations

from dataclasses import dataclass

from napari_superpixels.errors.base import ExportError, SuperpixelError


@dataclass(eq=False)
class FileExists(ExportError):
    """A file or folder is there already, and was not to be replaced.

    Attributes
    ----------
    path : str
    """

    path: str

    def problem(self) -> str:
        """Its name, and how to replace it."""
        return f"{self.path}: exists already; pass overwrite=True to replace it"


@dataclass(eq=False)
class MadeOtherwise(SuperpixelError):
    """A result is there already that was made of another image, or in another way; it was kept.

    Attributes
    ----------
    differences : tuple of str
        In what it differs.
    unreadable : str
        Why it cannot be told how it was made; empty if it can.
    """

    differences: tuple[str, ...]
    unreadable: str = ""

    def problem(self) -> str:
        """In what it differs, or why that is not known."""
        if self.unreadable:
            return f"what is there cannot be read ({self.unreadable}); kept"
        return f"made otherwise, {', '.join(self.differences)}; kept"


@dataclass(eq=False)
class NotTold(SuperpixelError):
    """A result that should tell how it was made does not, or others were to stand beside it.

    Attributes
    ----------
    path : str
    """

    path: str

    def problem(self) -> str:
        """Its name, and that it was kept."""
        return (
            f"{self.path}: is there already, and does not tell of which image and how it was made; "
            "kept"
        )


@dataclass(eq=False)
class FormatForPlanes(ExportError):
    """A format holds one plane, and a stack is to be segmented.

    Attributes
    ----------
    path : str
        File to write.
    """

    path: str

    def problem(self) -> str:
        """Its name, and what to do."""
        return (
            f"{self.path}: this format holds one plane, not a stack; leave it out, and write the "
            "planes that you need"
        )


@dataclass(eq=False)
class MissingLibrary(SuperpixelError):
    """Something needs a library that is not installed.

    Attributes
    ----------
    library : str
    extra : str
        The extra of this package that installs it.
    """

    library: str
    extra: str

    def problem(self) -> str:
        """Its name, and what to install."""
        return (
            f"this needs {self.library}, which is not installed: "
            f'pip install "napari-superpixels[{self.extra}]"'
        )


@dataclass(eq=False)
class NotGeoreferenced(ExportError):
    """A raster does not say where on the map it lies.

    Attributes
    ----------
    path : str
    """

    path: str

    def problem(self) -> str:
        """Its name, and that another raster can be named."""
        return (
            f"{self.path}: does not say where on the map it lies (no CRS, no transform); name the "
            "raster that does with like=..."
        )


@dataclass(eq=False)
class HoldsPlanes(ExportError):
    """A format holds one plane, and the labels are a stack or volume.

    Attributes
    ----------
    format_name : str
        The format.
    shape : tuple of int
        Of the labels.
    """

    format_name: str
    shape: tuple[int, ...]

    def problem(self) -> str:
        """The shape, and that one plane can be chosen."""
        return (
            f"{self.format_name} holds planes, and the labels have the shape {self.shape}: choose "
            "one plane, labels[i]"
        )


@dataclass(eq=False)
class NeedsImage(ExportError):
    """A format shows the image, and there is none."""

    def problem(self) -> str:
        """That the image can be given."""
        return "a picture shows the borders on the image: give it with image="


@dataclass(eq=False)
class UnitNotKnown(ExportError):
    """A format has no name for the unit of the pixel size.

    Attributes
    ----------
    format_name, unit : str
        Both.
    """

    format_name: str
    unit: str

    def problem(self) -> str:
        """The unit, and that another can be given."""
        return (
            f"{self.format_name} has no unit “{self.unit}”; give the pixel size in another, such "
            "as um or m (pixel_size, unit)"
        )


@dataclass(eq=False)
class ColumnsDifferByCase(ExportError):
    """GeoPackage does not tell apart columns that differ by their case only.

    Attributes
    ----------
    names : tuple of str
        In lower case.
    """

    names: tuple[str, ...]

    def problem(self) -> str:
        """The columns, and that the channels can be named."""
        return (
            f"GeoPackage does not tell columns apart by their case ({', '.join(self.names)}); "
            "name the channels with channel_names"
        )
