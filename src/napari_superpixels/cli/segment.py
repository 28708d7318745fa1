"""The command ``napari-superpixels segment``: one file, many files, or a raster in tiles."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.messages import EXPECTED, complain, text_of
from napari_superpixels.cli.output import is_plain
from napari_superpixels.cli.paths import input_files, output_files
from napari_superpixels.cli.pixels import left_out
from napari_superpixels.cli.skip_existing import Results, other_parameters, results_there
from napari_superpixels.cli.stacks import (
    bands_as_planes,
    has_frames,
    refuse_formats_of_planes,
    segment_series,
    subject_of,
    whole_of,
)
from napari_superpixels.cli.subject import Pixels, Subject, write_all
from napari_superpixels.cli.tiles import (
    TilesOutput,
    is_tiled,
    other_in_tiles,
    segment_in_tiles,
    subject_in_tiles,
)
from napari_superpixels.errors import (
    ExportError,
    FileExists,
    LabelsMismatch,
    LabelsNotInTiles,
    MadeOtherwise,
    MaskMismatch,
    NotLabels,
    NotTold,
    Unexpected,
    to_plain,
)
from napari_superpixels.errors.quantities import counted
from napari_superpixels.io.atomic import is_taken
from napari_superpixels.io.strict_json import dumps
from napari_superpixels.tiling.identity import differences, has_pixels, with_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_superpixels.api.result import SuperpixelResult
    from napari_superpixels.cli.options import InputOptions, SegmentOptions
    from napari_superpixels.events import Step
    from napari_superpixels.io.images import ImageFile
    from napari_superpixels.params import SuperpixelParams

OK, FAILED = 0, 1
_DONE = "done already"
_UNTOLD = "of which image and how, the formats that are there do not say"


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
    n_done = n_untold = 0
    is_batch = len(images) > 1
    hide = told.quiet or None  # None hides it where the output is no terminal
    for image, files in tqdm(
        list(zip(images, targets, strict=True)), desc="files", disable=hide if is_batch else True
    ):
        own = options
        try:
            own = replace(options, input=options.input.for_image(image))
            # Files of two runs side by side would contradict each other.
            there = results_there(files) if is_folder and not told.force else Results()
            wanted = [f for f in files if f not in there.files]
            if there.files:
                _check_same(image, there, params, own)
            if not wanted:
                n_done += 1
                n_untold += not there.known
                if options.resume:
                    TilesOutput(files[0]).tidy_up()
                if told.json:
                    text = _DONE if there.known else f"{_DONE}; {_UNTOLD}"
                    _tell(image, "skipped", len(images), text, written=files)
                continue
            # A run that is gone on with had to make all files.
            output = TilesOutput((files if options.resume else wanted)[0])
            text = _segment_file(image, wanted, output, params, own, there)
        except (MadeOtherwise, NotTold) as other:
            complain(f"{image}: {text_of(other)}")
            if told.json:
                kept = [f for f in files if f in there.files]
                _tell(image, "skipped", len(images), text_of(other), written=kept, error=other)
            continue
        except Exception as raised:  # noqa: BLE001  (a file must not stop the others)
            error = told_error(raised, own.input)
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
    if n_done and not told.json:
        print(f"{n_done} of {len(images)} were {_DONE} (--force does them again)")
        if n_untold:
            print(f"{n_untold} of them: {_UNTOLD}")
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
    print(dumps(told | {"error": plain, "total": total}), flush=True)


def told_error(error: Exception, asked: InputOptions) -> Exception:
    """Make an error as it is told: which file does not fit; or that it is a fault of ours.

    Parameters
    ----------
    error : Exception
    asked : InputOptions
        Names the files.

    Returns
    -------
    Exception
        The same one, or what `EXPECTED` does not hold as one of ours.
    """
    if isinstance(error, MaskMismatch):
        error.name = "" if asked.mask is None else str(asked.mask)
        error.is_own = asked.mask is None
    if isinstance(error, LabelsMismatch | NotLabels):
        error.name = str(asked.given[error.role])
    return error if isinstance(error, EXPECTED) else Unexpected.of(error)


def _check_same(
    image: Path, there: Results, params: SuperpixelParams, options: SegmentOptions
) -> None:
    """Raise an error if what is there was made of another image, or in another way."""
    from napari_superpixels.io.images import open_image

    there.check(lambda known: other_parameters(known, params, options))
    # Version 0.1 noted no hash of the pixels.
    runs = [run for known in there.known.values() if has_pixels(run := known.get("run", {}))]
    if not runs:
        if options.input.given:
            raise MadeOtherwise(_new_labels(options))
        return
    with open_image(image) as opened:
        for run in runs:
            other = _other_run(opened, run, params, options)
            if other:
                raise MadeOtherwise(tuple(other))


def _new_labels(options: SegmentOptions) -> tuple[str, ...]:
    """Say that a result was made without the labels that are given now."""
    return tuple(f"{role} (none, now one)" for role in options.input.given)


def _other_run(
    opened: ImageFile, run: Mapping[str, Any], params: SuperpixelParams, options: SegmentOptions
) -> list[str]:
    """In what an image, and how it is segmented now, differs from a run before."""
    asked = options.input
    found = bands_as_planes(opened, asked)
    is_stack = asked.is_volume or (asked.series is not None and has_frames(found, asked))
    if run.get("tile_px") and asked.given:
        return [*_new_labels(options)]
    if run.get("tile_px") and not is_stack and asked.plane is None:
        return other_in_tiles(opened, run, params, options)
    if options.has_tile_options:
        return ["tiles (none, now asked for)"]
    subject = subject_of(found, options.input)
    now = subject.identity(asked)
    other = differences(run, now)
    if other:
        return other
    digests = Pixels(subject, asked.channels).digests(has_mask=asked.mask is not None)
    return differences(run, with_pixels(now, digests))


def check_target(target: Path, image: Path, asked: InputOptions, *, may_replace: bool) -> None:
    """Check that a file may be written.

    Parameters
    ----------
    target : Path
        What to write.
    image : Path
    asked : InputOptions
        Names what else is read.
    may_replace : bool
        Whether it may be there already.

    Raises
    ------
    FileExists
        If it may not, and is.
    ExportError
        If it is what is read.
    """
    inputs = [image, *([] if asked.mask is None else [asked.mask]), *asked.given.values()]
    if is_taken(target) and not may_replace:
        raise FileExists(str(target))
    if any(target.exists() and path.exists() and target.samefile(path) for path in inputs):
        raise ExportError(f"{target}: is an input; write the labels to another file")


def _segment_file(
    image: Path,
    targets: list[Path],
    output: TilesOutput,
    params: SuperpixelParams,
    options: SegmentOptions,
    there: Results,
) -> str:
    """Segment a file, or write the labels that are there in more formats; say what was done."""
    from napari_superpixels.io.images import open_image

    asked = options.input
    for target in targets:
        may_be_done = options.resume and output.path.exists()
        check_target(target, image, asked, may_replace=options.output.force or may_be_done)
    if asked.series is not None and options.has_tile_options:
        raise ValueError("--series does not work in tiles: leave out their options")
    if asked.is_volume and options.has_tile_options:
        raise ValueError("--volume does not work in tiles: leave out their options")
    if asked.given and options.has_tile_options:
        raise LabelsNotInTiles(next(iter(asked.given)))
    with open_image(image) as opened:
        found = bands_as_planes(opened, asked)
        if there.labels is not None:
            if there.is_tiled:
                subject = subject_in_tiles(opened, options)
            else:
                subject = subject_of(found, options.input)
            text = _write_more(subject, there.labels, targets, options)
            output.tidy_up()
            return text
        compile_loops()
        if asked.series is not None and has_frames(found, asked):
            return segment_series(found, targets, params, options)
        if asked.is_volume:
            refuse_formats_of_planes(targets)
        elif not asked.given and is_tiled(found, output, params, options):
            return segment_in_tiles(opened, targets, output, params, options)
        return _segment_at_once(found, targets, params, options)


@cache  # not for each file
def compile_loops() -> None:
    """Compile what every run needs; say so if that is to be waited for."""
    from napari_superpixels.core.regions import warm_up

    warm_up.compile_loops(
        lambda: complain("compiling, once on this machine; this takes some seconds")
    )


def _write_more(
    subject: Subject, labels: Path, targets: list[Path], options: SegmentOptions
) -> str:
    """Write labels that are there in more formats: another run might give other ones."""
    from napari_superpixels.io.classes import columns_of
    from napari_superpixels.io.formats import read_provenance
    from napari_superpixels.io.labels import read_labels

    if subject.array.ndim - (subject.channel_axis is not None) == 3:
        refuse_formats_of_planes(targets)
    pixels = Pixels(subject, None, keep=True)
    provenance = read_provenance(labels)
    about = subject.described(provenance, columns_of(provenance, labels))
    found = read_labels(labels).labels
    write_all(targets, found, pixels, about, overwrite=options.output.force)
    return f"written from {labels.name}"


def _segment_at_once(
    found: ImageFile, targets: list[Path], params: SuperpixelParams, options: SegmentOptions
) -> str:
    from napari_superpixels.api.image import iter_superpixels

    asked, image = options.input, found.path
    subject = whole_of(found, asked)
    pixels = Pixels(subject, asked.channels, keep=not all(map(is_plain, targets)))
    steps = iter_superpixels(
        pixels.read(),
        params,
        channel_axis=subject.channel_axis,
        nodata=subject.nodata,
        mask=subject.mask,
        spacing=subject.spacing,
        device=options.resources.device,
        memory_limit_gb=options.resources.memory_limit_gb,
        initial=subject.given.get("initial"),
        objects=subject.given.get("objects"),
        object_walls=asked.object_walls,
    )
    result = _with_progress(steps, params, image.name, hide=options.output.quiet or None)
    provenance = result.provenance() | {"source": image.name} | subject.spatial.to_dict()
    for role, file in subject.started_from(asked).items():
        provenance[role] |= file
    provenance["run"] = subject.run(pixels, asked)
    if asked.channels is not None:
        provenance["channels"] = list(asked.channels)
    if subject.spacing is not None:
        provenance["spacing"] = list(subject.spacing)
    about = subject.described(provenance, subject.columns(result.labels))
    write_all(targets, result.labels, pixels, about, overwrite=options.output.force)
    kind = "superpixel" if subject.spacing is None else "supervoxel"
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
