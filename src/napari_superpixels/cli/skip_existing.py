"""What a batch finds in place of a result: whether it was made as it would be made now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.paths import OWN
from napari_superpixels.errors import FileError, MadeOtherwise, NotTold, reason_of
from napari_superpixels.io.suffixes import SEGMENT_FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from napari_superpixels.cli.options import SegmentOptions
    from napari_superpixels.params import SuperpixelParams

# Formats that hold the labels and know how they were made.
_KNOWING = ("tif", "zarr", "ome.tif")


@dataclass(frozen=True, slots=True)
class Results:
    """Results that are there for one image.

    Attributes
    ----------
    files : list of Path
        All of them, in any format.
    known : dict of Path to mapping
        How labels were made, by the files that know it.
    """

    files: list[Path] = field(default_factory=list)
    known: dict[Path, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def labels(self) -> Path | None:
        """Labels to write other formats from, where there are some."""
        return next(iter(self.known), None)

    @property
    def is_tiled(self) -> bool:
        """Whether they were made in tiles."""
        return any(known.get("run", {}).get("tile_px") for known in self.known.values())

    def check(self, other: Callable[[Mapping[str, Any]], list[str]]) -> None:
        """Raise an error if one was not made as it would be made now.

        Parameters
        ----------
        other : callable
            Names in what a result differs, by how it was made.

        Raises
        ------
        MadeOtherwise
            If there is something.
        """
        for known in self.known.values():
            found = other(known)
            if found:
                raise MadeOtherwise(tuple(found))


def results_there(files: Sequence[Path]) -> Results:
    """Find the results of an image that are there, also in formats that are not asked for.

    Parameters
    ----------
    files : sequence of Path
        What is to be written for it.

    Returns
    -------
    Results
        Perhaps none.

    Raises
    ------
    MadeOtherwise
        If one of them cannot be read.
    NotTold
        If one of them should tell how it was made and does not: it is damaged, or not ours. If
        something is to be written beside files of which none can tell.
    """
    from napari_superpixels.io.formats import read_provenance

    stem = files[0].name.rpartition(OWN)[0]
    beside = {kind: files[0].with_name(f"{stem}{OWN}{kind}") for kind in SEGMENT_FORMATS}
    there = Results([file for file in beside.values() if file.exists()])
    for kind in _KNOWING:
        if beside[kind] not in there.files:
            continue
        try:
            provenance = read_provenance(beside[kind])
        except FileError as error:
            raise MadeOtherwise((), reason_of(error.__cause__ or error)) from error
        if "parameters" not in provenance:
            raise NotTold(str(beside[kind]))
        there.known[beside[kind]] = provenance
    if there.files and not there.known and not set(files) <= set(there.files):
        raise NotTold(str(there.files[0]))
    return there


def other_parameters(
    provenance: Mapping[str, Any], params: SuperpixelParams, options: SegmentOptions
) -> list[str]:
    """Name the parameters that are other ones now.

    Parameters
    ----------
    provenance : mapping
        Of a result.
    params : SuperpixelParams
        Parameters of the command line.
    options : SegmentOptions

    Returns
    -------
    list of str
        See `differences`.
    """
    from napari_superpixels.tiling.identity import differences

    now: dict[str, Any] = params.to_dict()
    now["n_segments"] = options.n_segments(params)  # of tiles, more than the parameters hold
    before: Mapping[str, Any] = provenance["parameters"]
    known = {name: value for name, value in now.items() if name in before}
    return differences({"parameters": before}, {"parameters": known})
