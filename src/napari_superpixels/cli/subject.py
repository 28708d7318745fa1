"""What of a file is segmented, other than in tiles: its pixels, each decoded once."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.output import is_plain, write_output
from napari_superpixels.core.prepare.channels import chosen_channels
from napari_superpixels.tiling.identity import digest, joined, with_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.cli.options import InputOptions
    from napari_superpixels.io.classes import LabelColumns
    from napari_superpixels.io.formats.label_image import LabelDescription
    from napari_superpixels.io.images import ImageFile
    from napari_superpixels.io.spatial import Spatial


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Subject:
    """What of a file is segmented.

    Attributes
    ----------
    found : ImageFile
        Opened; messages name it.
    array : array_like
        All channels of what is segmented, not read yet; of a series, frames come first.
    channel_axis : int or None
        Axis of it that holds channels.
    mask : ndarray of bool, or None
        False is left out.
    nodata : float or None
        Value of pixels to leave out.
    spatial : Spatial
        How large its pixels are, and where they lie.
    spacing : tuple of float or None
        Size of a voxel, of a volume.
    frames : bool
        Whether it is a series.
    given : dict of str to ndarray of int
        Labels to start from: ``"initial"``, ``"objects"``.
    """

    found: ImageFile
    array: Any
    channel_axis: int | None
    mask: NDArray[np.bool_] | None
    nodata: float | None
    spatial: Spatial
    spacing: tuple[float, ...] | None = None
    frames: bool = False
    given: dict[str, NDArray[np.integer]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its labels: that of the array, without channels."""
        axis, ndim = self.channel_axis, self.array.ndim
        sizes = self.array.shape
        return tuple(n for k, n in enumerate(sizes) if axis is None or k != axis % ndim)

    def identity(self, options: InputOptions) -> dict[str, Any]:
        """What decides the result besides pixels and parameters, as plain values.

        Parameters
        ----------
        options : InputOptions

        Returns
        -------
        dict
            As those of a run in tiles, see `RunSpec.identity`.
        """
        ndim = self.array.ndim
        return {
            "image": {
                "shape": list(self.array.shape),
                "dtype": self.array.dtype.name,
                "channel_axis": None if self.channel_axis is None else self.channel_axis % ndim,
                "channels": options.channels and list(options.channels),
            },
            "mask": None if options.mask is None else {},
            "initial": {} if "initial" in self.given else None,
            "objects": {"walls": options.object_walls} if "objects" in self.given else None,
            "nodata": None if self.nodata is None else repr(float(self.nodata)),
            "plane": options.plane and list(options.plane),
            "series": options.series if self.frames else None,
            "spacing": self.spacing and list(self.spacing),
            "tile_px": None,
            "halo_px": None,
        }

    def run(self, pixels: Pixels, options: InputOptions) -> dict[str, Any]:
        """What decided the result besides the parameters, to be kept with it."""
        digests = pixels.digests(has_mask=options.mask is not None)
        return with_pixels(self.identity(options), digests)

    def started_from(self, options: InputOptions) -> dict[str, Any]:
        """Name the files that it started from, for the provenance."""
        walls = {"objects": {"walls": options.object_walls}}
        return {
            role: {"file": path.name} | walls.get(role, {}) for role, path in options.given.items()
        }

    def columns(self, labels: NDArray[np.integer]) -> LabelColumns:
        """Tell which of the labels that were given each superpixel belongs to.

        Parameters
        ----------
        labels : ndarray of int
            Superpixels; of a series, those of all frames, each superpixel being one in them all.

        Returns
        -------
        LabelColumns
            ``object`` and ``initial``, see `SuperpixelResult.table`.
        """
        import numpy as np
        import pandas as pd

        from napari_superpixels.api.result import INITIAL, OBJECT, given_columns
        from napari_superpixels.io.classes import LabelColumns, label_columns

        if not self.given:
            return LabelColumns()
        names = {"initial": INITIAL, "objects": OBJECT}
        given = {
            names[role]: np.broadcast_to(values, labels.shape).astype(np.int64)
            for role, values in self.given.items()
        }
        index = np.unique(labels[labels > 0])
        table = pd.DataFrame({"index": index} | given_columns(labels, given))
        return label_columns(table, ())

    def described(
        self, provenance: Mapping[str, Any], columns: LabelColumns | None = None
    ) -> LabelDescription:
        """Say what is known of its labels.

        Parameters
        ----------
        provenance : mapping
            How they were made.
        columns : LabelColumns, optional
            What is known of each.

        Returns
        -------
        LabelDescription
        """
        from napari_superpixels.io.classes import LabelColumns
        from napari_superpixels.io.formats.label_image import LabelDescription

        return LabelDescription(
            channel_axis=self.channel_axis,
            **{field.name: getattr(self.spatial, field.name) for field in fields(self.spatial)},
            frames=self.frames,
            time_step=self.found.metadata.time_step if self.frames else None,
            provenance=provenance,
            columns=columns or LabelColumns(),
        )


class Pixels:
    """Pixels of a subject, frame by frame; each frame is decoded once.

    Parameters
    ----------
    subject : Subject
    channels : sequence of int or None
        Those to segment by; None for all.
    keep : bool, default False
        Keep all channels of what is read, for `values`.
    """

    def __init__(
        self, subject: Subject, channels: Sequence[int] | None, *, keep: bool = False
    ) -> None:
        self._subject = subject
        self._channels = channels
        self._keep = keep
        self._kept: dict[int, NDArray[Any]] = {}
        self._digests: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._subject.array) if self._subject.frames else 1

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> NDArray[Any]:
        """Read a frame: the channels to segment by. Errors are those of the reader."""
        import numpy as np

        return self._read(number, np.asarray)

    def read(self, number: int = 0) -> NDArray[Any]:
        """Read a frame; errors name the file."""
        from napari_superpixels.io.images import read_now

        return self._read(number, partial(read_now, path=self._subject.found.path))

    def _read(self, number: int, decoded: Any) -> NDArray[Any]:
        subject, channels = self._subject, self._channels
        frame = subject.array[number] if subject.frames else subject.array
        axis = subject.channel_axis
        if subject.frames and axis is not None:
            axis -= 1
        if number in self._kept:
            frame = self._kept[number]
        elif self._keep:
            frame = self._kept[number] = decoded(frame)
        chosen: NDArray[Any] = decoded(chosen_channels(frame, axis, channels))
        if number not in self._digests:
            self._digests[number] = digest(chosen)
        return chosen

    def values(self) -> NDArray[Any]:
        """All channels of all frames, with NaN where there is no data; only if they are kept."""
        import numpy as np

        from napari_superpixels.io.images import without_nodata

        for number in range(len(self)):
            if number not in self._kept:
                self.read(number)
        frames = [self._kept[number] for number in range(len(self))]
        values = np.stack(frames) if self._subject.frames else frames[0]
        return without_nodata(values, self._subject.nodata)

    def digests(self, *, has_mask: bool) -> dict[str, str]:
        """Find what tells the pixels, the mask and given labels from others.

        Parameters
        ----------
        has_mask : bool
            Whether a mask is given; else that of the subject is the image's own transparency.

        Returns
        -------
        dict
            See `with_pixels`.
        """
        for number in range(len(self)):
            if number not in self._digests:
                self.read(number)
        image = [self._digests[number] for number in range(len(self))]
        mask = self._subject.mask
        # Whatever kind of numbers a file holds them as.
        found = {role: digest(given.astype("i8")) for role, given in self._subject.given.items()}
        if mask is not None and has_mask:
            found["mask"] = digest(mask)
        elif mask is not None:
            image.append(digest(mask))
        return {"image": joined(image)} | found


def write_all(
    targets: Sequence[Path],
    labels: NDArray[np.integer],
    pixels: Pixels,
    about: LabelDescription,
    *,
    overwrite: bool,
) -> None:
    """Write labels in each format.

    Parameters
    ----------
    targets : sequence of Path
        What to write.
    labels : ndarray of int
        Superpixels.
    pixels : Pixels
        For tables and graphs; what is not read yet is read, once.
    about : LabelDescription
        Of `Subject.described`.
    overwrite : bool
        Replace existing files.

    Raises
    ------
    ExportError, InvalidLabels
        If one cannot be written.
    """
    values = None if all(map(is_plain, targets)) else pixels.values()
    for target in targets:
        write_output(target, labels, values, about, overwrite=overwrite)
