"""The options of all commands, and what they become: frozen values."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from napari_superpixels.cli.paths import file_for
from napari_superpixels.core.prepare.channels import channel_numbers
from napari_superpixels.errors import FileError, SuperpixelError, cannot_read
from napari_superpixels.io.suffixes import OME_ZARR_VERSIONS, SEGMENT_FORMATS
from napari_superpixels.params import (
    AUTO,
    DEFAULT_PRESET,
    SuperpixelParams,
    get_preset,
    list_presets,
)
from napari_superpixels.params.options import WALLS, Resources, TilingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_superpixels.io.images import ImageFile

T = TypeVar("T")
# The channel axis is the one that the file names.
AS_IN_FILE = "as in the file"
_MAX_SEGMENTS = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """What of a file is segmented.

    Attributes
    ----------
    channel_axis : int, None or `AS_IN_FILE`
        Axis of the channels; None takes what the file calls channels for planes.
    channels : tuple of int or None
        Channels to segment by; None for all.
    plane : tuple of int or None
        Position on each axis of a stack.
    series : str or None
        ``"follow"`` or ``"alone"``: every plane of a stack.
    volume : bool
        A stack of planes as one volume.
    spacing : tuple of float or None
        Size of a voxel; means `volume`.
    nodata : float or None
        Value of pixels to leave out; None for the file's own.
    mask : Path or None
        File whose zeros are left out; this and the labels may be folders, see `for_image`.
    initial, objects, labels : Path or None
        Label files to start from, or to refine.
    object_walls : str
        ``"hard"`` or ``"soft"``.
    level : int or None
        Level of a pyramid.
    """

    channel_axis: int | str | None = AS_IN_FILE
    channels: tuple[int, ...] | None = None
    plane: tuple[int, ...] | None = None
    series: str | None = None
    volume: bool = False
    spacing: tuple[float, ...] | None = None
    nodata: float | None = None
    mask: Path | None = None
    initial: Path | None = None
    objects: Path | None = None
    labels: Path | None = None
    object_walls: str = "hard"
    level: int | None = None

    @property
    def is_volume(self) -> bool:
        """Whether supervoxels are asked for."""
        return self.volume or self.spacing is not None

    @property
    def given(self) -> dict[str, Path]:
        """Label files that are given, by the names of their options."""
        files = {"initial": self.initial, "objects": self.objects, "labels": self.labels}
        return {role: path for role, path in files.items() if path is not None}

    def for_image(self, image: Path) -> InputOptions:
        """Take from each folder that is given for masks or labels the file of an image.

        Raises
        ------
        FileError
            If a folder has none for it, or several.
        """

        def own(given: Path | None) -> Path | None:
            return None if given is None else file_for(image, given)

        return replace(
            self,
            mask=own(self.mask),
            initial=own(self.initial),
            objects=own(self.objects),
            labels=own(self.labels),
        )

    def axis_of(self, image: ImageFile) -> int | None:
        """Take the channel axis that is given, or else the file's own."""
        if isinstance(self.channel_axis, str):
            return image.channel_axis
        return self.channel_axis

    def nodata_of(self, image: ImageFile) -> float:
        """Take the nodata value that is given, or else the file's own, or else NaN."""
        nodata = image.nodata if self.nodata is None else self.nodata
        return math.nan if nodata is None else nodata


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is written, and told.

    Attributes
    ----------
    output : str
        File, or folder; a slash at the end makes it a folder.
    formats : tuple of str
        Into a folder, one file of each.
    force : bool
        Overwrite files.
    json : bool
        A line of JSON on standard output for each file.
    quiet : bool
        No progress bars.
    """

    output: str
    formats: tuple[str, ...] = ("tif",)
    force: bool = False
    json: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOptions:
    """A command line of ``segment``.

    Attributes
    ----------
    images : tuple of str
        Files, folders, patterns.
    given : dict
        Parameters that replace those of the preset or file.
    preset : str
        Name of the preset.
    params_file : Path or None
        Parameter file, in place of the preset.
    input, output, tiling, resources
        The rest, by what it concerns.
    resume : bool
        Go on with a run in tiles that was stopped, if any.
    """

    images: tuple[str, ...]
    given: dict[str, Any]
    preset: str
    params_file: Path | None
    input: InputOptions
    output: OutputOptions
    tiling: TilingOptions
    resources: Resources
    resume: bool

    @property
    def has_tile_options(self) -> bool:
        """Whether options of tiles are given."""
        return self.tiling.are_given or self.input.level is not None

    @property
    def asks_for_tiles(self) -> bool:
        """Whether tiles are asked for: by an option of theirs, or for an OME-Zarr of a plane."""
        if self.input.series is not None or self.input.is_volume:
            return False
        if self.input.given:
            return self.has_tile_options
        to_zarr = self.output.output.lower().rstrip("/").endswith(".zarr")
        return to_zarr or "zarr" in self.output.formats or self.has_tile_options

    def params(self) -> SuperpixelParams:
        """Take the preset or file, with what is given in place of its values.

        Returns
        -------
        SuperpixelParams
            Checked. In tiles, the number of superpixels is `n_segments` instead.

        Raises
        ------
        SuperpixelError
            If there is no such file, or a value cannot be.
        ValueError
            If there are too many superpixels for a run in one piece.
        """
        base = get_preset(self.preset)
        if self.params_file is not None:
            if not self.params_file.is_file():
                raise SuperpixelError(f"{self.params_file}: no such file")
            try:
                base = SuperpixelParams.load(self.params_file)
            except OSError as error:
                raise FileError(cannot_read(self.params_file, error)) from error
        given = dict(self.given)
        if self.asks_for_tiles:  # the number is for the whole image, and may be any
            given.pop("n_segments", None)
        elif given.get("n_segments", 0) > _MAX_SEGMENTS:
            raise ValueError(
                f"more than {_MAX_SEGMENTS} superpixels need tiles: give an option of tiles, such "
                "as --tile-size-px 512, or an OUT that ends in .zarr"
            )
        return base.replace(**given)

    def n_segments(self, params: SuperpixelParams) -> int:
        """Number of superpixels of a run in tiles, which may be more than `params` holds."""
        return int(self.given.get("n_segments", params.n_segments))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefineOptions:
    """A command line of ``refine``; see its help.

    Attributes
    ----------
    images : tuple of str
        Files, folders, patterns.
    input, output
        With the labels.
    keep_background : bool
        Whether 0 stays 0.
    chosen : dict
        Other keywords of `napari_superpixels.refine` that replace its defaults.
    """

    images: tuple[str, ...]
    input: InputOptions
    output: OutputOptions
    keep_background: bool
    chosen: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """A command line of ``evaluate``; see its help."""

    labels: Path
    ground_truth: Path
    image: Path | None = None
    tolerance: int = 1
    ignore_label: int | None = None
    json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """A command line of ``replay``; see its help."""

    image: Path
    labels: Path
    log: Path
    output: Path
    channel_axis: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """A command line of ``export``; see its help."""

    labels: Path
    output: tuple[Path, ...]
    image: Path | None = None
    channel_axis: int | None = None
    channel_names: tuple[str, ...] | None = None
    pixel_size: tuple[float, ...] | None = None
    unit: str | None = None
    like: Path | None = None
    plane: int | None = None
    frames: bool = False
    of_class: str | None = None
    dissolve_classes: bool = False
    ome_zarr_version: str = "0.4"
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """A command line of ``demo``; see its help."""

    preset: str = DEFAULT_PRESET
    output: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NapariOptions:
    """A command line of ``napari``; see its help."""

    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoOptions:
    """A command line of ``info``, which has no options."""


AnyOptions = (
    SegmentOptions
    | RefineOptions
    | EvaluateOptions
    | ReplayOptions
    | ExportOptions
    | DemoOptions
    | NapariOptions
    | InfoOptions
)


def parse(argv: Sequence[str] | None) -> AnyOptions:
    """Read a command line.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments; those of the process if None.

    Returns
    -------
    SegmentOptions, EvaluateOptions, …
        By the command. Wrong usage ends the process with exit code 2.
    """
    arguments = _parser().parse_args(argv)
    options: AnyOptions = arguments.make(arguments)
    return options


def _filled(kind: type[T], arguments: argparse.Namespace, **more: Any) -> T:
    """Make options of what is given; the rest takes its default."""
    given = {
        field.name: getattr(arguments, field.name)
        for field in fields(kind)  # type: ignore[arg-type]
        if field.name in arguments
    }
    plain = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    return kind(**plain, **more)


def _segment(arguments: argparse.Namespace) -> SegmentOptions:
    names = SuperpixelParams.__dataclass_fields__
    return SegmentOptions(
        images=tuple(arguments.images),
        given={name: getattr(arguments, name) for name in names if name in arguments},
        preset=arguments.preset,
        params_file=getattr(arguments, "params", None),
        input=_filled(InputOptions, arguments),
        output=_filled(OutputOptions, arguments),
        tiling=_filled(TilingOptions, arguments),
        resources=_filled(Resources, arguments),
        resume="resume" in arguments,
    )


def _refine(arguments: argparse.Namespace) -> RefineOptions:
    names = ("compactness", "smoothness", "iterations", "color_space", "max_channels")
    return RefineOptions(
        images=tuple(arguments.images),
        input=_filled(InputOptions, arguments),
        output=_filled(OutputOptions, arguments),
        keep_background="keep_background" not in arguments,
        chosen={name: getattr(arguments, name) for name in names if name in arguments},
    )


# ---- the parser --------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-superpixels",
        description="Superpixels from a CNN that is optimised on one image, without training.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_segment(commands)
    _add_refine(commands)
    _add_evaluate(commands)
    _add_replay(commands)
    _add_export(commands)
    _add(commands, "info", InfoOptions, "show versions and devices, and why not CUDA")
    demo = _add(commands, "demo", DemoOptions, "open napari with a sample image and segment it")
    demo.add_argument("--preset", choices=list_presets(), default=DEFAULT_PRESET)
    demo.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="save a screenshot and the label TIFF there, print their paths, and quit",
    )
    opener = _add(
        commands,
        "napari",
        NapariOptions,
        "open napari with PyTorch loaded first (Windows needs that order) and the dock",
    )
    opener.add_argument("images", nargs="*", help="files to open")
    return parser


def _add(
    commands: Any, name: str, kind: type[Any], about: str, description: str | None = None
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=description
    )
    make: Callable[[argparse.Namespace], Any] = lambda given: _filled(kind, given)  # noqa: E731
    command.set_defaults(make=make)
    return command


def _add_evaluate(commands: Any) -> None:
    about = "measure labels against a ground truth"
    evaluate = _add(commands, "evaluate", EvaluateOptions, about)
    evaluate.add_argument("labels", type=Path, help="label file")
    evaluate.add_argument("ground_truth", type=Path, help="label file, or BSDS500 .mat")
    evaluate.add_argument("--image", type=Path, help="image, for the explained variation")
    evaluate.add_argument("--tolerance", type=int, default=1, help="pixels, of the boundary recall")
    evaluate.add_argument("--ignore-label", type=int, help="ground-truth label that does not count")
    evaluate.add_argument("--json", action="store_true", help="print JSON")


def _add_replay(commands: Any) -> None:
    about = "repeat the hand corrections that a log holds, on the labels it began with"
    command = _add(commands, "replay", ReplayOptions, about)
    command.add_argument("image", type=Path, help="the image that the labels were corrected on")
    command.add_argument(
        "labels",
        type=Path,
        help="the labels before correction; of a TIFF that the correction dock saved, those that "
        "its log began with",
    )
    command.add_argument(
        "log", type=Path, help="the log: JSON, or a TIFF that the correction dock saved"
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT", help="label TIFF to write"
    )
    command.add_argument(
        "--channel-axis", type=int, help="axis of the channels, where the file does not say"
    )
    command.add_argument("--force", action="store_true", help="overwrite OUT")


def _add_export(commands: Any) -> None:
    command = _add(
        commands,
        "export",
        ExportOptions,
        "write labels as a table, graph, polygons, ROIs, GeoTIFF, OME-TIFF, OME-Zarr, picture",
        "The format follows the suffix. Table of superpixels: .csv, .parquet. "
        "Neighbours: .edges.csv, .graphml. Polygons: .geojson, .gpkg. ImageJ ROIs: .zip. GeoTIFF "
        "where the labels lie on a map, else TIFF for ImageJ: .tif. OME: .ome.tif, .zarr. Image "
        "with borders: .png.",
    )
    command.add_argument("labels", type=Path, metavar="LABELS", help="label TIFF, NPY, PNG or Zarr")
    command.add_argument(
        "-o", "--output", required=True, type=Path, nargs="+", metavar="OUT", help="files to write"
    )
    command.add_argument("--image", type=Path, help="the image that the labels lie on")
    command.add_argument(
        "--channel-axis", type=int, help="axis of the channels, where the image does not say"
    )
    command.add_argument("--channel-names", nargs="+", metavar="NAME", help="one a channel")
    command.add_argument(
        "--pixel-size",
        type=float,
        nargs="+",
        metavar="SIZE",
        help="of a pixel along each axis, Y X or Z Y X (default: as LABELS or IMAGE says)",
    )
    command.add_argument("--unit", help="of the pixel size, such as um, nm or m")
    command.add_argument(
        "--like",
        type=Path,
        metavar="RASTER",
        help="raster whose CRS and transform to keep (default: LABELS or IMAGE, if a GeoTIFF)",
    )
    command.add_argument(
        "--plane", type=int, metavar="I", help="of a volume of labels, the plane to write"
    )
    command.add_argument(
        "--frames",
        action="store_true",
        help="LABELS hold frames that were segmented one by one, so that each is described on its "
        "own (default: as LABELS says)",
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--of-class",
        metavar="NAME",
        help="only superpixels of this class, where LABELS have classes: saved by the correction "
        "dock, or exported from napari",
    )
    which.add_argument(
        "--dissolve-classes",
        action="store_true",
        help="one object a class in place of superpixels: a map of classes, with their colours in "
        ".tif and .png (which needs no image then)",
    )
    command.add_argument(
        "--ome-zarr-version",
        choices=OME_ZARR_VERSIONS,
        default=OME_ZARR_VERSIONS[0],
        help="of .zarr; most software reads 0.4 today",
    )
    command.add_argument("--force", action="store_true", help="overwrite files")


def _add_segment(commands: Any) -> None:
    segment = commands.add_parser(
        "segment",
        help="segment image files",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    segment.add_argument(
        "images",
        nargs="+",
        metavar="IN",
        help="TIFF, PNG, JPEG, NPY, OME-Zarr; a pattern in quotes, such as 'folder/*.tif', or a "
        "folder is many",
    )
    segment.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="label file (.tif, .png, .npy, .zarr), or a folder, where each becomes "
        "NAME_superpixels.tif; those that are there already are skipped",
    )
    segment.add_argument(
        "--format",
        dest="formats",
        nargs="+",
        choices=SEGMENT_FORMATS,
        default=["tif"],
        help="into a folder: one file of each format",
    )
    segment.add_argument("--preset", choices=list_presets(), default=DEFAULT_PRESET)
    segment.add_argument("--params", type=Path, metavar="TOML", help="parameter file")
    segment.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu")
    _add_channels_and_plane(segment)
    segment.add_argument(
        "--series",
        choices=("follow", "alone"),
        help="segment every plane of a stack or time series: each follows from the one before, so "
        "that superpixels keep their ids, or each is on its own; files of one plane are segmented "
        "as ever",
    )
    _add_volume_and_nodata(segment)
    segment.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="label or mask file, 0 is left out; this, --initial and --objects may be a folder "
        "with a file for each image, of the same name or with _mask, _masks, _cp_masks, _labels or "
        "the like after it",
    )
    segment.add_argument(
        "--initial",
        type=Path,
        metavar="FILE",
        help="labels to start from: superpixels of other software, whose borders may move; or "
        "scribbles (labels on less than half of the pixels), each of which keeps superpixels of "
        "its own",
    )
    segment.add_argument(
        "--objects",
        type=Path,
        metavar="FILE",
        help="labels of objects (from Cellpose, StarDist, SAM…) whose borders no superpixel "
        "crosses; tables tell the object of each",
    )
    segment.add_argument(
        "--object-walls",
        choices=WALLS,
        default="hard",
        help="hard: never crossed; soft: only where stronger edges lie elsewhere",
    )
    segment.add_argument(
        "--memory-limit-gb", type=_positive, help="segment in tiles what is estimated above this"
    )
    segment.add_argument("--force", action="store_true", default=False, help="overwrite files")
    segment.add_argument(
        "--json",
        action="store_true",
        default=False,
        help="for scripts: a line of JSON on standard output for each file: file, state (done, "
        "skipped or failed), written (files), text, error (null, or its kind, data, text and "
        "context), and total, the number of files; numbers that JSON does not have (NaN) are null",
    )
    segment.add_argument("--quiet", action="store_true", default=False, help="no progress bar")
    _add_tiles(segment)
    group = segment.add_argument_group("parameters (those given replace the preset's)")
    hints = get_type_hints(SuperpixelParams)
    for f in fields(SuperpixelParams):
        info = SuperpixelParams.info(f.name)
        kind = hints[f.name]
        is_one = info.may_be_auto or kind in (int, float, str)
        group.add_argument(
            f"--{f.name.replace('_', '-')}",
            type=_number_or_auto if info.may_be_auto else kind if is_one else int,
            nargs=None if is_one else "+",
            choices=info.choices,
            # argparse formats help with %
            help=info.tooltip.replace("%", "%%"),
        )
    segment.set_defaults(make=_segment)


def _add_channels_and_plane(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--channel-axis",
        type=_axis,
        help="axis of the channels, where the file does not say; none to take its bands for planes",
    )
    command.add_argument(
        "--channels",
        type=_channel_numbers,
        metavar="LIST",
        help="channels to go by, such as 0,2,5-7: numbers from 0 along their axis",
    )
    command.add_argument(
        "--plane",
        type=int,
        nargs="+",
        metavar="I",
        help="position on each axis of a stack that is neither rows, columns nor channels",
    )


def _add_volume_and_nodata(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--volume",
        action="store_true",
        default=False,
        help="take a stack of planes for one volume of voxels",
    )
    command.add_argument(
        "--spacing",
        type=float,
        nargs=3,
        metavar=("Z", "Y", "X"),
        help="size of a voxel, where the file does not say; means --volume",
    )
    command.add_argument("--nodata", type=_nodata_value, help="value of pixels to leave out")


def _add_refine(commands: Any) -> None:
    refine = commands.add_parser(
        "refine",
        help="move the borders of labels from anywhere to the edges of the image",
        description="Labels keep their numbers; no network is involved. For superpixels of other "
        "software, masks of cells, hand-drawn objects.",
        argument_default=argparse.SUPPRESS,
    )
    refine.add_argument(
        "images",
        nargs="+",
        metavar="IN",
        help="images; a pattern in quotes or a folder is many",
    )
    refine.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="FILE",
        help="labels to refine; or a folder with a file for each image, of the same name or with "
        "_masks, _cp_masks, _labels or the like after it",
    )
    refine.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="label file (.tif, .png, .npy), or a folder, where each becomes NAME_refined.tif",
    )
    refine.add_argument(
        "--move-background",
        dest="keep_background",
        action="store_false",
        help="move borders between labels and background (0) too, as objects that lie apart need; "
        "else 0 stays 0, and only borders between two labels move",
    )
    refine.add_argument(
        "--iterations",
        type=int,
        metavar="N",
        help="how far a border moves at most, in pixels (default: 4)",
    )
    refine.add_argument(
        "--smoothness",
        type=_number_or_auto,
        help="weight of the border's length, 0 to 100: higher gives straighter borders (default: "
        "auto)",
    )
    refine.add_argument(
        "--compactness",
        type=float,
        help="weight of the distance to a label's centre, 0 to 100: higher gives rounder labels "
        "(default: 0.1)",
    )
    _add_channels_and_plane(refine)
    refine.add_argument(
        "--series",
        action="store_const",
        const="alone",
        help="refine each plane of a stack or time series on its own",
    )
    _add_volume_and_nodata(refine)
    refine.add_argument(
        "--mask", type=Path, metavar="FILE", help="label or mask file; labels where it is 0 stay"
    )
    for name, kind in (("color_space", str), ("max_channels", int)):
        info = SuperpixelParams.info(name)
        refine.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            choices=info.choices,
            help=info.tooltip.replace("%", "%%"),
        )
    refine.add_argument("--force", action="store_true", help="overwrite files")
    refine.add_argument("--quiet", action="store_true", help="no progress bar")
    refine.set_defaults(make=_refine)


def _add_tiles(segment: argparse.ArgumentParser) -> None:
    group = segment.add_argument_group(
        "tiles, for images larger than memory (any of these but --resume, an OUT that ends in "
        ".zarr, or an estimate above the memory segments in tiles)"
    )
    group.add_argument("--tile-size-px", type=int, help="size of a tile; chosen if not given")
    group.add_argument("--halo-px", type=int, help="what a tile sees around it")
    group.add_argument(
        "--workers", dest="n_workers", type=int, help="processes on this machine; else threads"
    )
    group.add_argument("--scheduler", metavar="ADDRESS", help="of a running Dask scheduler")
    group.add_argument(
        "--resume", action="store_true", help="go on with a run in tiles that was stopped, if any"
    )
    group.add_argument("--level", type=int, help="level of a pyramid, 0 for full resolution")


def _number_or_auto(text: str) -> float | str:
    if text == AUTO:
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"neither a number nor {AUTO}: {text!r}") from None


def _channel_numbers(text: str) -> tuple[int, ...]:
    try:
        return channel_numbers(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _axis(text: str) -> int | None:
    if text.lower() == "none":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of an axis, nor none") from None


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def _nodata_value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number; take one, or nan") from None
    if math.isinf(value) and "inf" not in text.lower():
        raise argparse.ArgumentTypeError(f"{text} is larger than any pixel can be; check it")
    return value
