"""The command ``napari-superpixels``: segment, evaluate, replay, export, info, demo, napari."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from napari_superpixels.cli_export import add_export
from napari_superpixels.cli_replay import add_replay
from napari_superpixels.errors import SuperpixelError
from napari_superpixels.params import SuperpixelParams
from napari_superpixels.presets import DEFAULT_PRESET, get_preset, list_presets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_superpixels.files import ImageFile
    from napari_superpixels.result import SuperpixelResult

OK, FAILED, INTERRUPTED = 0, 1, 130
# RuntimeError is what PyTorch raises.
_EXPECTED = (SuperpixelError, ValueError, TypeError, OSError, RuntimeError, MemoryError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process if None.

    Returns
    -------
    int
        Exit code: 0 done, 1 something failed, 2 wrong usage, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # Not every terminal can show λ, nor every file name.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        _complain("interrupted; nothing was left under a final name")
        return INTERRUPTED
    except _EXPECTED as error:
        _complain(_in_cli_words(str(error)))
        return FAILED
    return code


def _complain(message: str) -> None:
    print(f"napari-superpixels: {message}", file=sys.stderr)


def _in_cli_words(message: str) -> str:
    """Spell a message of the API as options."""
    message = message.replace(
        "pass one 2D plane of a stack", "choose one plane of a stack with --plane"
    )
    return re.sub(
        r"\b(channel_axis|nodata|device)=(\S+)",
        lambda found: f"--{found[1].replace('_', '-')} {found[2]}",
        message,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-superpixels",
        description="Superpixels from a CNN that is optimised on one image, without training.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_segment(commands)
    _add_evaluate(commands)
    add_replay(commands)
    add_export(commands)

    info = commands.add_parser("info", help="show versions and devices, and why not CUDA")
    info.set_defaults(run=_info)

    demo = commands.add_parser("demo", help="open napari with a sample image and segment it")
    demo.add_argument("--preset", choices=list_presets(), default=DEFAULT_PRESET)
    demo.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="save a screenshot and the label TIFF there, print their paths, and quit",
    )
    demo.set_defaults(run=_demo)

    opener = commands.add_parser(
        "napari",
        help="open napari with PyTorch loaded first (Windows needs that order) and the dock",
    )
    opener.add_argument("images", nargs="*", help="files to open")
    opener.set_defaults(run=_napari)
    return parser


def _add_segment(commands: Any) -> None:
    segment = commands.add_parser(
        "segment",
        help="segment image files",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    segment.add_argument("images", nargs="+", metavar="IN", type=Path, help="TIFF, PNG, JPEG, NPY")
    segment.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="label file (.tif, .png, .npy), or a folder, where each becomes NAME_superpixels.tif",
    )
    segment.add_argument("--preset", choices=list_presets(), default=DEFAULT_PRESET)
    segment.add_argument("--params", type=Path, metavar="TOML", help="parameter file")
    segment.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu")
    segment.add_argument(
        "--channel-axis", type=int, help="axis of the channels, where the file does not say"
    )
    segment.add_argument(
        "--plane",
        type=int,
        nargs="+",
        metavar="I",
        help="position on each axis of a stack that is neither rows, columns nor channels",
    )
    segment.add_argument("--nodata", type=float, help="value of pixels to leave out")
    segment.add_argument("--mask", type=Path, help="label or mask file; 0 is left out")
    segment.add_argument("--memory-limit-gb", type=float, help="refuse runs estimated above this")
    segment.add_argument("--force", action="store_true", default=False, help="overwrite files")
    segment.add_argument("--quiet", action="store_true", default=False, help="no progress bar")
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


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="measure labels against a ground truth")
    evaluate.add_argument("labels", type=Path, help="label file")
    evaluate.add_argument("ground_truth", type=Path, help="label file, or BSDS500 .mat")
    evaluate.add_argument("--image", type=Path, help="image, for the explained variation")
    evaluate.add_argument("--tolerance", type=int, default=1, help="pixels, of the boundary recall")
    evaluate.add_argument("--ignore-label", type=int, help="ground-truth label that does not count")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(run=_evaluate)


def _params(arguments: argparse.Namespace) -> SuperpixelParams:
    base = get_preset(arguments.preset)
    if "params" in arguments:
        if not arguments.params.is_file():
            raise SuperpixelError(f"{arguments.params}: no such file")
        base = SuperpixelParams.load(arguments.params)
    given = {f.name: getattr(arguments, f.name) for f in fields(base) if f.name in arguments}
    return base.replace(**given)


def _targets(arguments: argparse.Namespace) -> list[Path]:
    from napari_superpixels.export import LABEL_SUFFIXES, ExportError

    output = Path(arguments.output)
    is_folder = output.is_dir() or arguments.output.endswith(("/", os.sep))
    if not is_folder and len(arguments.images) > 1:
        raise ExportError(f"{output}: several images need a folder; end its name with a slash")
    if is_folder:
        targets = [output / f"{image.stem}_superpixels.tif" for image in arguments.images]
        twice = {str(t) for t in targets if targets.count(t) > 1}
        if twice:
            raise ExportError(f"two images would be written to {sorted(twice)[0]}; rename one")
        output.mkdir(parents=True, exist_ok=True)
        return targets
    if output.suffix.lower() not in LABEL_SUFFIXES:
        raise ExportError(f"{output}: write labels as one of {', '.join(LABEL_SUFFIXES)}")
    if not output.parent.is_dir():
        raise ExportError(f"{output.parent}: no such folder")
    return [output]


def _segment(arguments: argparse.Namespace) -> int:
    params = _params(arguments)
    failures = 0
    for image, target in zip(arguments.images, _targets(arguments), strict=True):
        try:
            result = _segment_file(image, target, params, arguments)
        # One bad file must not stop the others.
        except _EXPECTED as error:
            text = _in_cli_words(str(error))
            _complain(text if text.startswith(str(image)) else f"{image}: {text}")
            failures += 1
            continue
        print(
            f"{target}: {result.n_obtained} superpixels of {result.n_requested} asked for, in "
            f"{result.seconds:.1f} s on {result.device}"
        )
    if failures and len(arguments.images) > 1:
        _complain(f"{failures} of {len(arguments.images)} images failed")
    return FAILED if failures else OK


def _segment_file(
    image: Path, target: Path, params: SuperpixelParams, arguments: argparse.Namespace
) -> SuperpixelResult:
    from tqdm import tqdm

    from napari_superpixels.api import iter_superpixels
    from napari_superpixels.export import ExportError, save_labels
    from napari_superpixels.files import read_image

    if target.exists() and not arguments.force:
        raise ExportError(f"{target}: exists already; use --force to replace it")
    inputs = [image, *([arguments.mask] if "mask" in arguments else [])]
    if any(target.exists() and path.exists() and target.samefile(path) for path in inputs):
        raise ExportError(f"{target}: is an input; write the labels to another file")
    loaded = read_image(image)
    array, channel_axis = loaded.array, getattr(arguments, "channel_axis", loaded.channel_axis)
    if "plane" in arguments:
        array, channel_axis = _plane(array, channel_axis, arguments.plane)
    elif "channel_axis" not in arguments:
        _refuse_stack(loaded)
    mask = read_image(arguments.mask).array if "mask" in arguments else None
    steps = iter_superpixels(
        array,
        params,
        channel_axis=channel_axis,
        nodata=getattr(arguments, "nodata", loaded.nodata),
        mask=mask,
        device=arguments.device,
        memory_limit_gb=getattr(arguments, "memory_limit_gb", None),
    )
    with tqdm(
        total=params.iterations, desc=image.name, disable=arguments.quiet or None, leave=False
    ) as bar:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: SuperpixelResult = end.value
                break
            bar.update(step.iteration - bar.n)
            bar.set_postfix(loss=f"{step.losses.total:.3f}", superpixels=step.n_superpixels)
    provenance = result.provenance() | {"source": image.name} | _origin(image)
    save_labels(target, result.labels, provenance, overwrite=arguments.force)
    return result


def _origin(image: Path) -> dict[str, Any]:
    """What `export` will need to know of the image, as plain values."""
    from napari_superpixels.export import ExportError
    from napari_superpixels.export.origin import read_origin

    try:
        origin = read_origin(image, ndim=2)
    except ExportError:  # without rasterio, labels are made all the same
        return {}
    return {name: value for name, value in asdict(origin).items() if value}


def _refuse_stack(image: ImageFile) -> None:
    """Say what to do with the depths or times of a file that says that it holds some."""
    if set("ZT") & set(image.axes):
        sizes = zip(image.axes, image.array.shape, strict=True)
        axes = ", ".join(f"{name} ({n})" for name, n in sizes)
        raise ValueError(
            f"it is a stack with the axes {axes}: choose one plane with --plane, or say with "
            "--channel-axis which axis holds channels"
        )


def _plane(
    array: NDArray[np.generic], channel_axis: int | None, position: list[int]
) -> tuple[NDArray[np.generic], int | None]:
    """Cut a plane out of a stack; rows and columns are its last axes besides the channels."""
    channels = None if channel_axis is None else channel_axis % array.ndim
    others = [axis for axis in range(array.ndim) if axis != channels][:-2]
    sizes = [array.shape[axis] for axis in others]
    if len(position) != len(others) or any(
        not 0 <= i < n for i, n in zip(position, sizes, strict=True)
    ):
        wanted = ", ".join(f"0 to {n - 1}" for n in sizes) or "no number: this is no stack"
        raise ValueError(f"--plane takes {wanted}; got {', '.join(map(str, position))}")
    index: list[int | slice] = [slice(None)] * array.ndim
    for axis, i in zip(others, position, strict=True):
        index[axis] = i
    cut = array[tuple(index)]
    return cut, None if channels is None else channels - sum(axis < channels for axis in others)


def _evaluate(arguments: argparse.Namespace) -> int:
    import numpy as np

    from napari_superpixels import metrics
    from napari_superpixels.files import read_ground_truths, read_image, read_labels

    labels = read_labels(arguments.labels)
    truths = read_ground_truths(arguments.ground_truth)
    ignore, tolerance = arguments.ignore_label, arguments.tolerance

    def mean(measure: Any, **options: Any) -> float:
        return float(np.mean([measure(labels, truth, **options) for truth in truths]))

    figures: dict[str, float] = {
        "superpixels": len(np.unique(labels[labels != 0])),
        "achievable segmentation accuracy": mean(
            metrics.achievable_segmentation_accuracy, ignore_label=ignore
        ),
        "boundary recall": mean(metrics.boundary_recall, tolerance=tolerance),
        "boundary precision": mean(metrics.boundary_precision, tolerance=tolerance),
        "undersegmentation error": mean(metrics.undersegmentation_error, ignore_label=ignore),
        "compactness": metrics.compactness(labels),
        "boundary share": float(metrics.boundary_mask(labels).mean()),
    }
    if arguments.image is not None:
        image = read_image(arguments.image)
        figures["explained variation"] = metrics.explained_variation(
            labels, image.array, channel_axis=image.channel_axis
        )
    if arguments.json:
        print(json.dumps(figures | {"ground truths": len(truths)}))
        return OK
    for name, value in figures.items():
        print(f"{name:34} {value:.4f}" if isinstance(value, float) else f"{name:34} {value}")
    print(f"{'ground truths averaged':34} {len(truths)}")
    return OK


def _info(_arguments: argparse.Namespace) -> int:
    from napari_superpixels.core.device import available_devices, why_not_cuda
    from napari_superpixels.result import versions

    for name, version in versions().items():
        print(f"{name:20} {version}")
    devices = available_devices()
    for device in devices:
        print(f"device               {device}")
    print(f"auto picks           {devices[0].device}")
    reason = why_not_cuda()
    if reason:
        print(f"no CUDA              {reason}")
    return OK


def _demo(arguments: argparse.Namespace) -> int:
    import torch  # noqa: F401  (before Qt: Windows needs that order)

    from napari_superpixels._napari.demo import run_demo

    return run_demo(arguments.preset, arguments.output)


def _napari(arguments: argparse.Namespace) -> int:
    import torch  # noqa: F401  (before Qt: Windows needs that order)

    from napari_superpixels._napari.demo import open_napari

    open_napari(arguments.images)
    return OK


if __name__ == "__main__":
    sys.exit(main())
