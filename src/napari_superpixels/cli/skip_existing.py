"""What a batch finds in place of a result: whether it was made as it would be made now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.paths import OWN
from napari_superpixels.errors import MadeOtherwise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_superpixels.cli.options import SegmentOptions
    from napari_superpixels.params import SuperpixelParams


def made_otherwise(
    files: Sequence[Path], params: SuperpixelParams, options: SegmentOptions
) -> MadeOtherwise | None:
    """Say in what the files that are there differ from those that would be made now.

    Parameters
    ----------
    files : sequence of Path
        What is to be written for one image; those that exist, and results of other formats beside
        them, are looked at.
    params : SuperpixelParams
        Parameters of the command line.
    options : SegmentOptions

    Returns
    -------
    MadeOtherwise or None
        To tell the user; None where all is the same, or no file knows how it was made.
    """
    from napari_superpixels.errors import FileError, reason_of
    from napari_superpixels.io.formats import read_provenance
    from napari_superpixels.tiling.identity import differences

    now: dict[str, Any] = params.to_dict()
    now["n_segments"] = options.n_segments(params)  # of tiles, more than the parameters hold
    for file in _results_beside(files):
        try:
            before: Mapping[str, Any] = read_provenance(file).get("parameters", {})
        except FileError as error:
            reason = reason_of(error.__cause__ or error)
            return MadeOtherwise((), reason)
        known = {name: value for name, value in now.items() if name in before}
        other = differences({"parameters": before}, {"parameters": known}) if before else []
        if other:
            return MadeOtherwise(tuple(other))
    return None


def _results_beside(files: Sequence[Path]) -> list[Path]:
    """Results of the same image in formats that know how they were made; tables do not."""
    stem = files[0].name.rpartition(OWN)[0]
    known = [files[0].with_name(f"{stem}{OWN}{kind}") for kind in ("tif", "ome.tif", "zarr")]
    return [file for file in known if file.exists()]
