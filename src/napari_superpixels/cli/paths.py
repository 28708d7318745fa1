"""Which files ``napari-superpixels segment`` reads, and which it writes for them."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_superpixels.errors import FileError, SuperpixelError
from napari_superpixels.io.ome_zarr import is_zarr

if TYPE_CHECKING:
    from napari_superpixels.cli.options import OutputOptions, RefineOptions, SegmentOptions

# Between the name of an image and the suffix of what is written for it into a folder.
OWN, REFINED = "_superpixels.", "_refined."
# Of the files that are meant when a folder is named.
# What cellpose writes beside its images.
_OF_CELLPOSE = ("_cp_masks", "_seg", "_flows", "_cp_output", "_outlines")
_IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".npy")
_LABEL_SUFFIXES = (".tif", ".tiff", ".png", ".npy")
# What stands after the name of an image in that of labels for it.
_OF_LABELS = (
    *("", "_mask", "_masks", "_cp_masks", "_label", "_labels", "_objects", "_scribbles"),
    *("_initial", "_gt", OWN.rstrip("."), REFINED.rstrip(".")),
)


def input_files(options: SegmentOptions | RefineOptions) -> list[Path]:
    """Find the images; what the command wrote for others fits no pattern.

    Parameters
    ----------
    options : SegmentOptions or RefineOptions

    Returns
    -------
    list of Path
        Those named, then those of patterns and folders.

    Raises
    ------
    SuperpixelError
        If a pattern fits no file, or a folder holds no image.
    """
    named: list[Path] = []
    matching: list[Path] = []
    for given in options.images:
        if glob.has_magic(given) and not Path(given).exists():
            matches = sorted(glob.glob(_escaped(given), recursive=True))  # noqa: PTH207  (absolute)
            if not matches:
                raise SuperpixelError(f"{given}: no file fits this pattern")
            matching += map(Path, matches)
        elif Path(given).is_dir() and not is_zarr(Path(given)):
            inside = sorted(path for path in Path(given).iterdir() if _is_image(path))
            if not inside:
                kinds = ", ".join(_IMAGE_SUFFIXES)
                raise SuperpixelError(f"{given}: is a folder without images ({kinds}, OME-Zarr)")
            matching += inside
        else:
            named.append(Path(given))
    stems = {image.stem for image in (*named, *matching)}
    folder = Path(options.output.output).resolve()

    def is_own(path: Path) -> bool:
        own = [path.name.rpartition(ending)[:2] for ending in (OWN, REFINED)]
        is_ours = any(found and stem in stems for stem, found in own)
        return is_ours and path.parent.resolve() == folder

    return [*named, *(path for path in matching if not is_own(path))]


def _escaped(pattern: str) -> str:
    """A pattern whose folders that exist are taken by their names, as “data [x]/*.tif”."""
    parts = Path(pattern).parts
    exist = [
        n for n in range(len(parts)) if glob.has_magic(parts[n]) and Path(*parts[: n + 1]).is_dir()
    ]
    return str(Path(*(glob.escape(part) if n in exist else part for n, part in enumerate(parts))))


def file_for(image: Path, given: Path) -> Path:
    """Find the labels or the mask of an image, where a folder is given for several.

    Parameters
    ----------
    image : Path
    given : Path
        A file, which counts for every image; or a folder.

    Returns
    -------
    Path
        The file; in a folder, that with the name of the image, or with an ending that says what
        it holds, such as ``_cp_masks``.

    Raises
    ------
    FileError
        If the folder holds none, or several.
    """
    if not given.is_dir() or is_zarr(given):
        return given
    name = _plain_name(image)
    names = {f"{name}{ending}" for ending in _OF_LABELS}
    found = [
        path
        for path in sorted(given.iterdir())
        if _plain_name(path) in names
        and (path.suffix.lower() in _LABEL_SUFFIXES or (path.is_dir() and is_zarr(path)))
        and not (image.exists() and path.samefile(image))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(path.name for path in found[:2])
        raise FileError(f"{given}: {both} both fit {image.name}: leave one of them there")
    raise FileError(
        f"{given}: holds no file for {image.name}: name it {name}.tif, or with an ending such as "
        f"{name}_masks.tif"
    )


def _plain_name(path: Path) -> str:
    return path.stem.removesuffix(".ome")


def _is_image(path: Path) -> bool:
    """Whether a file in a folder is meant when the folder is named."""
    if path.name.startswith(".") or path.stem.endswith(_OF_CELLPOSE):  # “._a.tif” of macOS
        return False
    return path.suffix.lower() in _IMAGE_SUFFIXES or (path.is_dir() and is_zarr(path))


def output_files(
    images: list[Path], options: OutputOptions, own: str = OWN
) -> tuple[list[list[Path]], bool]:
    """Find the files to write; a folder for them is made.

    Parameters
    ----------
    images : list of Path
        What is read.
    options : OutputOptions
    own : str
        What stands in a folder between the name of an image and the suffix.

    Returns
    -------
    list of list of Path
        For each image, one for each format.
    bool
        Whether they go into a folder.

    Raises
    ------
    ExportError
        If the output does not fit the images, or cannot be made.
    """
    from napari_superpixels.errors import ExportError
    from napari_superpixels.io.atomic import not_written
    from napari_superpixels.io.formats import LABEL_SUFFIXES

    output = Path(options.output)
    suffix = output.suffix.lower()
    has_slash = options.output.endswith(("/", os.sep))
    is_folder = suffix != ".zarr" and (has_slash or output.is_dir())
    if not is_folder and len(images) > 1:
        raise ExportError(f"{output}: several images need a folder; end its name with a slash")
    if is_folder:
        targets = [
            [output / f"{image.stem}{own}{kind}" for kind in options.formats] for image in images
        ]
        firsts = [files[0] for files in targets]
        twice = next((target for target in firsts if firsts.count(target) > 1), None)
        if twice is not None:
            one, other = [str(i) for i, t in zip(images, firsts, strict=True) if t == twice][:2]
            raise ExportError(
                f"{one} and {other} would both be written to {twice}; rename one of them, or give "
                "each a folder of its own"
            )
        if output.is_file():
            raise ExportError(f"{output}: is a file; choose a folder to write to")
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_written(output, error, "the folder cannot be made") from error
        return targets, True
    if suffix not in (*LABEL_SUFFIXES, ".zarr"):
        kinds = ", ".join(LABEL_SUFFIXES)
        raise ExportError(f"{output}: write labels as one of {kinds}, or in tiles as .zarr")
    if not output.parent.is_dir():
        what = "is a file; choose a folder" if output.parent.exists() else "no such folder; make it"
        raise ExportError(f"{output.parent}: {what}")
    return [[output]], False
