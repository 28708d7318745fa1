"""One run an output: a second one is refused, and told who is at work."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from napari_superpixels.errors import OutputTaken, TilingError
from napari_superpixels.io.atomic import not_written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_run(output: Path) -> Iterator[None]:
    """Have an output for oneself until the block ends, or the process does, however it ends.

    Parameters
    ----------
    output : Path
        What is to be written. Its folder is made.

    Yields
    ------
    None

    Raises
    ------
    OutputTaken
        If another run has it.
    TilingError
        If nothing can be written there.
    """
    name = os.path.normcase(output.name)
    lock_file, owner = (output.with_name(f".{name}.{kind}") for kind in ("lock", "owner"))
    # Released by whichever thread a run ends in.
    lock = FileLock(lock_file, timeout=0, thread_local=False)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise _taken(output, owner) from None
    except OSError as error:
        raise TilingError(str(not_written(output, error))) from error
    try:
        owner.write_text(json.dumps(_this_process()), "utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        if sys.platform == "win32":  # which deletes no open file
            lock.release()
            _unlink_if_free(lock_file)
        else:  # while it is held: whoever waits for it sees that its name is gone, and begins anew
            lock_file.unlink(missing_ok=True)
            lock.release()


def _unlink_if_free(lock_file: Path) -> None:
    try:
        lock_file.unlink(missing_ok=True)
    except PermissionError:
        return  # another run has it by now


def _this_process() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "user": _user(),
        "since": datetime.now().astimezone().isoformat(" ", "seconds"),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # of a container, without a name
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _taken(output: Path, owner: Path) -> OutputTaken:
    try:
        known = json.loads(owner.read_text("utf-8"))
        said = [str(known[name]) for name in ("pid", "host", "user", "since")]
    except (OSError, ValueError, KeyError, TypeError):  # it is being written
        said = [""] * 4
    return OutputTaken(str(output), *said)
