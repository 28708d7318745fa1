"""The command ``napari-superpixels segment``: one file, many files, or a raster in tiles."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from napari_superpixels.cli.messages import complain, text_of
from napari_superpixels.cli.output import is_plain, write_output
from napari_superpixels.cli.paths import input_files, output_files
from napari_superpixels.cli.pixels import left_out, mask_of, nodata_of
from napari_superpixels.cli.skip_existing import made_otherwise
from napari_superpixels.cli.stacks import (
    bands_as_planes,
    has_frames,
    is_volume,
    plane_of,
    refuse_formats_of_planes,
    refuse_stack,
    segment_series,
    voxel_size,
)
from napari_superpixels.cli.tiles import (
    add_tile_options,
    has_tile_options,
    is_tiled,
    may_be_tiled,
    output_of_tiles,
    segment_in_tiles,
)
from napari_superpixels.core.prepare.channels import channel_numbers, chosen_channels
from napari_superpixels.errors import (
    FileExists,
    MaskMismatch,
    SuperpixelError,
    cannot_read,
    to_plain,
)
from napari_superpixels.errors.quantities import counted
from napari_superpixels.io.suffixes import SEGMENT_FORMATS
from napari_superpixels.params import DEFAULT_PRESET, SuperpixelParams, get_preset, list_presets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_superpixels.api.result import SuperpixelResult
    from napari_superpixels.events import Step

OK, FAILED = 0, 1
# RuntimeError is what PyTorch raises.
EXPECTED = (SuperpixelError, ValueError, TypeError, OSError, RuntimeError, MemoryError)
_MOST_AT_ONCE = 65535


def add_segment(commands: Any) -> None:
    """Add the command to the parser.

    Parameters
    ----------
    commands : argparse subparsers
        Of the main parser.
    """
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
        nargs="+",
        choices=SEGMENT_FORMATS,
        default=["tif"],
        help="into a folder: one file of each format",
    )
    segment.add_argument("--preset", choices=list_presets(), default=DEFAULT_PRESET)
    segment.add_argument("--params", type=Path, metavar="TOML", help="parameter file")
    segment.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu")
    segment.add_argument(
        "--channel-axis",
        type=_axis,
        help="axis of the channels, where the file does not say; none to take its bands for planes",
    )
    segment.add_argument(
        "--channels",
        type=_channel_numbers,
        metavar="LIST",
        help="channels to segment by, such as 0,2,5-7: numbers from 0 along their axis",
    )
    segment.add_argument(
        "--plane",
        type=int,
        nargs="+",
        metavar="I",
        help="position on each axis of a stack that is neither rows, columns nor channels",
    )
    segment.add_argument(
        "--series",
        choices=("follow", "alone"),
        help="segment every plane of a stack or time series: each follows from the one before, so "
        "that superpixels keep their ids, or each is on its own; files of one plane are segmented "
        "as ever",
    )
    segment.add_argument(
        "--volume",
        action="store_true",
        default=False,
        help="segment a stack of planes as one volume, into supervoxels",
    )
    segment.add_argument(
        "--spacing",
        type=float,
        nargs=3,
        metavar=("Z", "Y", "X"),
        help="size of a voxel, where the file does not say; means --volume",
    )
    segment.add_argument("--nodata", type=_nodata_value, help="value of pixels to leave out")
    segment.add_argument("--mask", type=Path, help="label or mask file; 0 is left out")
    segment.add_argument(
        "--memory-limit-gb", type=_positive, help="segment in tiles what is estimated above this"
    )
    segment.add_argument("--force", action="store_true", default=False, help="overwrite files")
    segment.add_argument(
        "--json",
        action="store_true",
        default=False,
        help="for scripts: a line of JSON on standard output for each file: file, state (done, "
        "skipped or failed), written, text, and total, the number of files",
    )
    segment.add_argument("--quiet", action="store_true", default=False, help="no progress bar")
    add_tile_options(segment)
    group = segment.add_argument_group("parameters (those given replace the preset's)")
    hints = get_type_hints(SuperpixelParams)
    for f in fields(SuperpixelParams):
        info = SuperpixelParams.info(f.name)
        kind = hints[f.name]
        group.add_argument(
            f"--{f.name.replace('_', '-')}",
            type=kind if kind in (int, float, str) else int,
            nargs=None if kind in (int, float, str) else "+",
            choices=info.choices,
            # argparse formats help with %
            help=info.tooltip.replace("%", "%%"),
        )
    segment.set_defaults(run=_segment)


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


def _params(arguments: argparse.Namespace) -> SuperpixelParams:
    base = get_preset(arguments.preset)
    if "params" in arguments:
        if not arguments.params.is_file():
            raise SuperpixelError(f"{arguments.params}: no such file")
        try:
            base = SuperpixelParams.load(arguments.params)
        except OSError as error:
            raise SuperpixelError(cannot_read(arguments.params, error)) from error
    given = {f.name: getattr(arguments, f.name) for f in fields(base) if f.name in arguments}
    if may_be_tiled(arguments):  # the number is for the whole image, and may be any
        given.pop("n_segments", None)
    elif given.get("n_segments", 0) > _MOST_AT_ONCE:
        raise ValueError(
            f"more than {_MOST_AT_ONCE} superpixels need tiles: give an option of tiles, such as "
            "--tile-size-px 512, or an OUT that ends in .zarr"
        )
    return base.replace(**given)


def _segment(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    images = input_files(arguments)
    params = _params(arguments)
    targets, is_folder = output_files(images, arguments)
    failures: list[str] = []
    n_skipped = 0
    is_batch = len(images) > 1
    hide = arguments.quiet or None  # None hides it where the output is no terminal
    for image, files in tqdm(
        list(zip(images, targets, strict=True)), desc="files", disable=hide if is_batch else True
    ):
        wanted = [f for f in files if arguments.force or not (is_folder and f.exists())]
        is_kept = is_folder and not arguments.force
        other = made_otherwise(files, params, arguments) if is_kept else None
        if other is not None:
            complain(f"{image}: {text_of(other)}")
            wanted = []  # files of two runs side by side would contradict each other
        if not wanted:
            n_skipped += 1
            if arguments.json:
                text = text_of(other) if other else "done already"
                _tell(image, "skipped", len(images), text, written=files, error=other)
            continue
        try:
            told = _segment_file(image, wanted, params, arguments)
        # One bad file must not stop the others.
        except EXPECTED as error:
            if isinstance(error, MaskMismatch):
                error.name = str(arguments.mask)
            text = text_of(error)
            failures.append(text if text.startswith(str(image)) else f"{image}: {text}")
            complain(failures[-1])
            if arguments.json:
                _tell(image, "failed", len(images), failures[-1], error=error)
            continue
        if arguments.json:
            _tell(image, "done", len(images), told, written=wanted)
        else:
            tqdm.write(f"{', '.join(map(str, wanted))}: {told}")
    if n_skipped and not arguments.json:
        print(f"{n_skipped} of {len(images)} were done already (--force does them again)")
    if failures and is_batch:
        complain(f"{len(failures)} of {len(images)} images failed:")
        for text in failures:
            complain(f"  {text}")
    return FAILED if failures else OK


def _tell(
    image: Path,
    state: str,
    total: int,
    text: str,
    *,
    written: Sequence[Path] = (),
    error: BaseException | None = None,
) -> None:
    """Print what became of a file, for a program to read."""
    told = {"file": str(image), "state": state, "written": [*map(str, written)], "text": text}
    plain = None if error is None else to_plain(error)
    print(json.dumps(told | {"error": plain, "total": total}, default=str), flush=True)


def _segment_file(
    image: Path, targets: list[Path], params: SuperpixelParams, arguments: argparse.Namespace
) -> str:
    """Segment a file; return what to say of it."""
    from napari_superpixels.errors import ExportError

    inputs = [image, *([arguments.mask] if "mask" in arguments else [])]
    for target in targets:
        may_be_done = "resume" in arguments and target == output_of_tiles(targets)
        if target.exists() and not (arguments.force or may_be_done):
            raise FileExists(str(target))
        if any(target.exists() and path.exists() and target.samefile(path) for path in inputs):
            raise ExportError(f"{target}: is an input; write the labels to another file")
    if "series" in arguments:
        if has_tile_options(arguments):
            raise ValueError("--series does not work in tiles: leave out their options")
        if has_frames(image, arguments):
            return segment_series(image, targets, params, arguments, _origin)
    if is_volume(arguments):
        if has_tile_options(arguments) or "plane" in arguments:
            raise ValueError("--volume takes no plane, and does not work in tiles")
        refuse_formats_of_planes(targets)
        return _segment_at_once(image, targets, params, arguments)
    if is_tiled(image, targets, params, arguments):
        return segment_in_tiles(image, targets, params, arguments, _origin)
    return _segment_at_once(image, targets, params, arguments)


def _segment_at_once(
    image: Path, targets: list[Path], params: SuperpixelParams, arguments: argparse.Namespace
) -> str:
    from napari_superpixels.api.image import iter_superpixels
    from napari_superpixels.io.images import read_image, without_nodata
    from napari_superpixels.io.lazy_images import open_image, read_now
    from napari_superpixels.io.spatial import Origin

    chosen = getattr(arguments, "channels", None)
    # Of a file that holds more than is wanted, only that is read.
    in_part = chosen is not None or "plane" in arguments or image.is_dir()
    loaded = bands_as_planes(open_image(image) if in_part else read_image(image), arguments)
    array, channel_axis = loaded.array, getattr(arguments, "channel_axis", loaded.channel_axis)
    alpha = loaded.alpha
    known = _origin(image, ndim=3 if is_volume(arguments) else 2)
    spacing = None
    if is_volume(arguments):
        spacing = voxel_size(image, known, arguments)
    elif "plane" in arguments:
        array, channel_axis = plane_of(array, channel_axis, arguments.plane)
        alpha = None if alpha is None else plane_of(alpha, None, arguments.plane)[0]
    elif "channel_axis" not in arguments:
        refuse_stack(loaded)
    nodata = nodata_of(loaded, arguments)
    mask = mask_of(image, alpha, arguments)
    steps = iter_superpixels(
        read_now(chosen_channels(array, channel_axis, chosen), image),
        params,
        channel_axis=channel_axis,
        nodata=nodata,
        mask=mask,
        spacing=spacing,
        device=arguments.device,
        memory_limit_gb=getattr(arguments, "memory_limit_gb", None),
    )
    result = _with_progress(steps, params, image.name, arguments)
    provenance = result.provenance() | {"source": image.name} | known
    if chosen is not None:
        provenance["channels"] = list(chosen)
    if spacing is not None:
        provenance["spacing"] = list(spacing)
    origin = Origin.from_dict(known)
    for target in targets:
        write_output(
            target,
            result.labels,
            provenance,
            origin,
            image=None if is_plain(target) else without_nodata(array, nodata),
            channel_axis=channel_axis,
            overwrite=arguments.force,
        )
    kind = "superpixel" if spacing is None else "supervoxel"
    return (
        f"{counted(result.n_obtained, kind)} of {result.n_requested} asked for, in "
        f"{result.seconds:.1f} s on {result.device}{left_out(result.labels)}"
    )


def _with_progress(
    steps: Any, params: SuperpixelParams, name: str, arguments: argparse.Namespace
) -> SuperpixelResult:
    from tqdm import tqdm

    from napari_superpixels.events import drain

    hide = arguments.quiet or None
    with tqdm(total=params.iterations, desc=name, disable=hide, leave=False) as bar:

        def show(step: Step) -> None:
            bar.update(step.iteration - bar.n)
            bar.set_postfix(loss=f"{step.losses.total:.3f}", superpixels=step.n_superpixels)

        result: SuperpixelResult = drain(steps, show)
        return result


def _origin(image: Path, ndim: int = 2) -> dict[str, Any]:
    """What `export` will need to know of the image, as plain values."""
    from napari_superpixels.errors import ExportError
    from napari_superpixels.io.spatial import read_origin

    try:
        origin = read_origin(image, ndim)
    except ExportError:  # without rasterio, labels are made all the same
        return {}
    return origin.to_dict()
