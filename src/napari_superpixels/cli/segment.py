"""The command ``napari-superpixels segment``: one file, many files, or a raster in tiles."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.messages import EXPECTED, complain, text_of
from napari_superpixels.cli.output import is_plain, write_output
from napari_superpixels.cli.paths import input_files, output_files
from napari_superpixels.cli.pixels import left_out, mask_of
from napari_superpixels.cli.skip_existing import made_otherwise
from napari_superpixels.cli.stacks import (
    bands_as_planes,
    has_frames,
    plane_of,
    refuse_formats_of_planes,
    refuse_stack,
    segment_series,
    spatial_fields,
    spatial_of,
    voxel_size,
)
from napari_superpixels.cli.tiles import TilesOutput, is_tiled, segment_in_tiles
from napari_superpixels.core.prepare.channels import chosen_channels
from napari_superpixels.errors import (
    ExportError,
    FileExists,
    MaskMismatch,
    to_plain,
)
from napari_superpixels.errors.quantities import counted
from napari_superpixels.io.atomic import is_taken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_superpixels.api.result import SuperpixelResult
    from napari_superpixels.cli.options import SegmentOptions
    from napari_superpixels.events import Step
    from napari_superpixels.io.images import ImageFile
    from napari_superpixels.params import SuperpixelParams

OK, FAILED = 0, 1


def segment(options: SegmentOptions) -> int:
    """Run the command.

    Parameters
    ----------
    options : SegmentOptions

    Returns
    -------
    int
        Exit code: 1 if a file failed.
    """
    from tqdm import tqdm

    images = input_files(options)
    params = options.params()
    targets, is_folder = output_files(images, options.output)
    told = options.output
    failures: list[str] = []
    n_skipped = 0
    is_batch = len(images) > 1
    hide = told.quiet or None  # None hides it where the output is no terminal
    for image, files in tqdm(
        list(zip(images, targets, strict=True)), desc="files", disable=hide if is_batch else True
    ):
        wanted = [f for f in files if told.force or not (is_folder and f.exists())]
        is_kept = is_folder and not told.force
        other = made_otherwise(files, params, options) if is_kept else None
        if other is not None:
            complain(f"{image}: {text_of(other)}")
            wanted = []  # files of two runs side by side would contradict each other
        if options.resume and other is None and not wanted:
            TilesOutput(files[0]).tidy_up()
        if not wanted:
            n_skipped += 1
            if told.json:
                text = text_of(other) if other else "done already"
                _tell(image, "skipped", len(images), text, written=files, error=other)
            continue
        try:
            # A run that is gone on with had to make all files.
            output = TilesOutput((files if options.resume else wanted)[0])
            text = _segment_file(image, wanted, output, params, options)
        # One bad file must not stop the others.
        except EXPECTED as error:
            # The mask may also be the image's own transparency.
            if isinstance(error, MaskMismatch) and options.input.mask is not None:
                error.name = str(options.input.mask)
            text = text_of(error)
            failures.append(text if text.startswith(str(image)) else f"{image}: {text}")
            complain(failures[-1])
            if told.json:
                _tell(image, "failed", len(images), failures[-1], error=error)
            continue
        if told.json:
            _tell(image, "done", len(images), text, written=wanted)
        else:
            tqdm.write(f"{', '.join(map(str, wanted))}: {text}")
    if n_skipped and not told.json:
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
    image: Path,
    targets: list[Path],
    output: TilesOutput,
    params: SuperpixelParams,
    options: SegmentOptions,
) -> str:
    """Segment a file; return what to say of it."""
    from napari_superpixels.io.images import open_image

    asked = options.input
    inputs = [image, *([] if asked.mask is None else [asked.mask])]
    for target in targets:
        may_be_done = options.resume and output.path.exists()
        if is_taken(target) and not (options.output.force or may_be_done):
            raise FileExists(str(target))
        if any(target.exists() and path.exists() and target.samefile(path) for path in inputs):
            raise ExportError(f"{target}: is an input; write the labels to another file")
    if asked.series is not None and options.has_tile_options:
        raise ValueError("--series does not work in tiles: leave out their options")
    if asked.is_volume and options.has_tile_options:
        raise ValueError("--volume does not work in tiles: leave out their options")
    _compile_loops()
    with open_image(image) as opened:
        found = bands_as_planes(opened, asked)
        if asked.series is not None and has_frames(found, asked):
            return segment_series(found, targets, params, options)
        if asked.is_volume:
            refuse_formats_of_planes(targets)
        elif is_tiled(found, output, params, options):
            return segment_in_tiles(opened, targets, output, params, options)
        return _segment_at_once(found, targets, params, options)


@cache  # not for each file
def _compile_loops() -> None:
    """Compile what every run needs; say so if that is to be waited for."""
    from napari_superpixels.core.regions.warm_up import compile_loops

    compile_loops(lambda: complain("compiling, once on this machine; this takes some seconds"))


def _segment_at_once(
    found: ImageFile, targets: list[Path], params: SuperpixelParams, options: SegmentOptions
) -> str:
    from napari_superpixels.api.image import iter_superpixels
    from napari_superpixels.io.formats.label_image import LabelDescription
    from napari_superpixels.io.images import read_now, without_nodata

    asked, image = options.input, found.path
    array, channel_axis, alpha = found.array, asked.axis_of(found), found.alpha
    spatial = spatial_of(found, 3 if asked.is_volume else 2)
    spacing = None
    if asked.is_volume:
        spacing = voxel_size(image, spatial, asked)
    if asked.plane is not None:
        n_kept = 3 if asked.is_volume else 2
        array, channel_axis = plane_of(array, channel_axis, asked.plane, found.axes, n_kept)
        if alpha is not None:
            alpha, _ = plane_of(alpha, None, asked.plane, found.plane_axes, n_kept)
    elif asked.is_volume:
        pass
    elif isinstance(asked.channel_axis, str):  # as the file says
        refuse_stack(found)
    nodata = asked.nodata_of(found)
    mask = mask_of(found, alpha, asked.mask)
    steps = iter_superpixels(
        read_now(chosen_channels(array, channel_axis, asked.channels), image),
        params,
        channel_axis=channel_axis,
        nodata=nodata,
        mask=mask,
        spacing=spacing,
        device=options.resources.device,
        memory_limit_gb=options.resources.memory_limit_gb,
    )
    result = _with_progress(steps, params, image.name, hide=options.output.quiet or None)
    provenance = result.provenance() | {"source": image.name} | spatial.to_dict()
    if asked.channels is not None:
        provenance["channels"] = list(asked.channels)
    if spacing is not None:
        provenance["spacing"] = list(spacing)
    about = LabelDescription(
        channel_axis=channel_axis,
        **spatial_fields(spatial),
        provenance=provenance,
    )
    pixels = None
    if not all(map(is_plain, targets)):
        pixels = without_nodata(read_now(array, image), nodata)
    for target in targets:
        write_output(target, result.labels, pixels, about, overwrite=options.output.force)
    kind = "superpixel" if spacing is None else "supervoxel"
    return (
        f"{counted(result.n_obtained, kind)} of {result.n_requested} asked for, in "
        f"{result.seconds:.1f} s on {result.device}{left_out(result.labels)}"
    )


def _with_progress(
    steps: Any, params: SuperpixelParams, name: str, *, hide: bool | None
) -> SuperpixelResult:
    from tqdm import tqdm

    from napari_superpixels.events import drain

    with tqdm(total=params.iterations, desc=name, disable=hide, leave=False) as bar:

        def show(step: Step) -> None:
            bar.update(step.iteration - bar.n)
            bar.set_postfix(loss=f"{step.losses.total:.3f}", superpixels=step.n_superpixels)

        result: SuperpixelResult = drain(steps, show)
        return result
