"""The command ``napari-superpixels``: segment, refine, evaluate, replay, export, and more."""

from __future__ import annotations

import io
import logging
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_superpixels.cli.messages import EXPECTED, complain, text_of
from napari_superpixels.cli.options import (
    AnyOptions,
    DemoOptions,
    EvaluateOptions,
    ExportOptions,
    InfoOptions,
    NapariOptions,
    RefineOptions,
    ReplayOptions,
    SegmentOptions,
    parse,
)
from napari_superpixels.io.atomic import noting_written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


OK, FAILED, INTERRUPTED = 0, 1, 130
# Files that are named where a command is interrupted; others are counted.
_MOST_NAMED = 3


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
    written: list[Path] = []
    try:
        options = parse(argv)
        with _terminated_as_interrupted(), _tifffile_is_quiet(), noting_written() as written:
            code = _run(options)
    except KeyboardInterrupt as stop:
        complain(f"interrupted; {_what_is_there(str(stop), written)}")
        return INTERRUPTED
    except EXPECTED as error:
        complain(text_of(error))
        return FAILED
    return code


def _what_is_there(kept: str, written: Sequence[Path]) -> str:
    """Say what is kept of what is not done, and which files are done."""
    names = [str(path) for path in written if path.exists() and str(path) not in kept]
    done = ", ".join(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        done += f" and {len(names) - _MOST_NAMED} more"
    told = [kept] if kept else []
    told += [f"written before that: {done}"] if done else []
    return "; ".join(told) or "nothing was left under a final name"


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


def _run(options: AnyOptions) -> int:
    # Each command is loaded when it is asked for: the command line starts without the others.
    match options:
        case SegmentOptions():
            from napari_superpixels.cli.segment import segment

            return segment(options)
        case RefineOptions():
            from napari_superpixels.cli.refine import refine_files

            return refine_files(options)
        case EvaluateOptions():
            from napari_superpixels.cli.evaluate import evaluate

            return evaluate(options)
        case ReplayOptions():
            from napari_superpixels.cli.replay import replay_log

            return replay_log(options)
        case ExportOptions():
            from napari_superpixels.cli.export import export_files

            return export_files(options)
        case DemoOptions():
            return _demo(options)
        case NapariOptions():
            return _napari(options)
        case InfoOptions():
            return _info()


def _info() -> int:
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


def _demo(options: DemoOptions) -> int:
    import torch  # noqa: F401  (before Qt: Windows needs that order)

    from napari_superpixels._napari.demo import run_demo

    return run_demo(options.preset, options.output)


def _napari(options: NapariOptions) -> int:
    import torch  # noqa: F401  (before Qt: Windows needs that order)

    from napari_superpixels._napari.demo import open_napari

    open_napari(options.images)
    return OK


if __name__ == "__main__":
    sys.exit(main())
