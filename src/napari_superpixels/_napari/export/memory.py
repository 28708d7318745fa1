"""Where and how somebody exported last."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_superpixels._napari.settings import plugin_settings
from napari_superpixels.io.formats.registry import FORMATS

_SUFFIX = ".tif"
# Where results went whose images lie in a folder; while napari runs.
_beside: dict[Path, Path] = {}


@dataclass(frozen=True, slots=True)
class ExportMemory:
    """Folder and format of the last export; napari keeps them among the plugin's settings.

    Attributes
    ----------
    suffix : str
        Of the last format.
    folder : Path or None
        The last folder, if it is there still.
    """

    suffix: str = _SUFFIX
    folder: Path | None = None

    @classmethod
    def read(cls) -> ExportMemory:
        """Read what was noted last."""
        settings = plugin_settings()
        if settings is None:
            return cls()
        known = {suffix for form in FORMATS for suffix in form.suffixes}
        suffix, folder = settings.export.format, Path(settings.export.folder)
        is_there = settings.export.folder and folder.is_dir()
        return cls(suffix if suffix in known else _SUFFIX, folder if is_there else None)

    def folder_for(self, near: Path | None) -> Path | None:
        """Choose where to begin.

        Parameters
        ----------
        near : Path or None
            Folder of the image.

        Returns
        -------
        Path or None
            That, or where results of its images went last; without an image's folder, the last one.
        """
        if near is None:
            return self.folder
        there = _beside.get(near, near)
        return there if there.is_dir() else near

    def note(self, path: Path, near: Path | None) -> None:
        """Note what was chosen.

        Parameters
        ----------
        path : Path
            File to write.
        near : Path or None
            Folder of the image.
        """
        if near is not None:
            _beside[near] = path.parent
        settings = plugin_settings()
        if settings is None:
            return
        settings.export.format = suffix_of(path) or self.suffix
        settings.export.folder = str(path.parent)


def suffix_of(path: Path) -> str:
    """Suffix that says in which format a file is written.

    Parameters
    ----------
    path : Path
        File to write.

    Returns
    -------
    str
        Such as ``".edges.csv"``; empty if there is no such format.
    """
    name = path.name.lower()
    ends = (suffix for form in FORMATS for suffix in form.suffixes if name.endswith(suffix))
    return next(ends, "")
