"""The command ``napari-superpixels``: segment, evaluate, replay, export, info, demo, napari."""

from __future__ import annotations

import argparse
import io
import json
import logging
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_superpixels.cli.export import add_export
from napari_superpixels.cli.messages import complain, text_of
from napari_superpixels.cli.replay import add_replay
from napari_superpixels.cli.segment import EXPECTED, add_segment
from napari_superpixels.params import DEFAULT_PRESET, list_presets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray


OK, FAILED, INTERRUPTED = 0, 1, 130


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
        with _terminated_as_interrupted(), _tifffile_is_quiet():
            code: int = arguments.run(arguments)
    except KeyboardInterrupt as stop:
        complain(f"interrupted; {str(stop) or 'nothing was left under a final name'}")
        return INTERRUPTED
    except EXPECTED as error:
        complain(text_of(error))
        return FAILED
    return code


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, by which clusters and the dock stop a process, ends it as Ctrl+C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _tifffile_is_quiet() -> Iterator[None]:
    """What tifffile logs of a broken file comes again, with the file's name, in our message."""
    log = logging.getLogger("tifffile")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-superpixels",
        description="Superpixels from a CNN that is optimised on one image, without training.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_segment(commands)
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


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="measure labels against a ground truth")
    evaluate.add_argument("labels", type=Path, help="label file")
    evaluate.add_argument("ground_truth", type=Path, help="label file, or BSDS500 .mat")
    evaluate.add_argument("--image", type=Path, help="image, for the explained variation")
    evaluate.add_argument("--tolerance", type=int, default=1, help="pixels, of the boundary recall")
    evaluate.add_argument("--ignore-label", type=int, help="ground-truth label that does not count")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(run=_evaluate)


def _plane_of_labels(path: Path) -> NDArray[np.integer]:
    from napari_superpixels.errors import FileError
    from napari_superpixels.io.labels import read_label_file

    labels, _ = read_label_file(path)
    if labels.ndim != 2:
        raise FileError(
            f"{path}: is a stack of {len(labels)} planes; write the one to measure with export "
            "--plane, and give that"
        )
    return labels


def _evaluate(arguments: argparse.Namespace) -> int:
    import numpy as np

    from napari_superpixels import metrics
    from napari_superpixels.io.ground_truth import read_ground_truths
    from napari_superpixels.io.images import read_image

    labels = _plane_of_labels(arguments.labels)
    truth = arguments.ground_truth
    truths = [_plane_of_labels(truth)] if truth.is_dir() else read_ground_truths(truth)
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
    from napari_superpixels.api.result import versions
    from napari_superpixels.core.device import available_devices, why_not_cuda

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
