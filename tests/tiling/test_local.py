"""Tasks in threads and in processes of this machine: their order, their deaths, their doors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_superpixels.errors import FileError, OutputTaken, TilingError, WorkersDied
from napari_superpixels.tiling.local import Processes, Threads
from tests.fixtures.quick import FAST

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and users of POSIX")


def process_id(*_earlier):
    return os.getpid()


def fail(*_earlier):
    raise FileError("a.tif: cannot be read")


class OddError(Exception):
    """As of some libraries: it does not come back from where it was pickled."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail_oddly():
    raise OddError("one", "two")


def die(*_earlier):
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(file):
    if not Path(file).exists():
        Path(file).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@pytest.mark.parametrize("pool", [Threads, Processes])
def test_a_task_begins_when_those_before_it_are_done(pool):
    with pool(2) as client:
        earlier = [client.submit(process_id) for _ in range(5)]
        assert client.submit(process_id, *earlier).result() in {f.result() for f in earlier}
        failed = client.submit(fail)
        later = client.submit(process_id, client.submit(process_id, failed), *earlier)
        with pytest.raises(FileError, match=r"a\.tif: cannot be read"):
            later.result()


def test_a_task_that_waits_holds_no_thread():
    go_on = threading.Event()
    with Threads(2) as client:
        first = client.submit(go_on.wait)
        waiting = [client.submit(process_id, first) for _ in range(4)]
        assert client.submit(process_id).result(timeout=30) == os.getpid()
        assert not any(future.done() for future in waiting)
        go_on.set()
        assert {future.result() for future in waiting} == {os.getpid()}


@pytest.mark.parametrize("pool", [Threads, Processes])
def test_what_has_not_begun_is_dropped_at_the_end(pool):
    with pool(1) as client:
        first = client.submit(time.sleep, 0.5)
        others = [client.submit(process_id) for _ in range(9)]
        last = client.submit(process_id, *others)
    assert first.result() is None
    assert last.cancelled()


def test_errors_that_cannot_be_pickled_keep_their_text():
    with Processes(1) as client:
        error = client.submit(fail_oddly).exception()
        assert isinstance(error, TilingError)
        assert str(error) == "one and two"
        assert client.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"


@POSIX
def test_a_task_whose_process_died_goes_to_another(tmp_path):
    with Processes(2) as client:
        before = client.submit(process_id).result()
        os.kill(before, signal.SIGKILL)  # while it has nothing to do
        assert client.submit(die_once, str(tmp_path / "died")).result() != before
        # Those that were started anew ignore Ctrl+C as well.
        found = [client.submit(signal.getsignal, signal.SIGINT) for _ in range(4)]
        assert {future.result() for future in found} == {signal.SIG_IGN}


@POSIX
def test_a_task_that_kills_processes_fails_and_others_do_not():
    with Processes(2) as client:
        killer = client.submit(die)
        others = [client.submit(process_id) for _ in range(6)]
        later = client.submit(process_id, killer)
        assert isinstance(killer.exception(), WorkersDied)
        assert later.exception() is killer.exception()
        assert all(future.result() for future in others)


@POSIX
def test_where_all_processes_die_there_is_an_end():
    with Processes(2) as client:
        futures = [client.submit(die) for _ in range(200)]
        errors = [future.exception(timeout=120) for future in futures]
    assert all(isinstance(error, WorkersDied) for error in errors)
    assert "there may be too little memory for so many" in str(errors[-1])


@POSIX
def test_processes_end_with_the_first(tmp_path):
    code = (
        "import os, sys, time\n"
        "from napari_superpixels.tiling.local import Processes\n"
        "if __name__ == '__main__':\n"
        "    with Processes(2) as client:\n"
        "        print(client.submit(os.getpid).result(), flush=True)\n"
        "        client.submit(time.sleep, 600)\n"
        "        client.submit(time.sleep, 600)\n"
        "        time.sleep(600)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.wait()
    process.stdout.close()
    worker.wait(timeout=60)


RUN = """
import sys
import numpy as np
from napari_superpixels import iter_superpixels_tiled
from napari_superpixels.params import get_preset
if __name__ == "__main__":
    steps = iter_superpixels_tiled(np.load("image.npy"), "out.zarr", 60,
        get_preset("fast").replace(iterations=10), channel_axis=-1, tile_size_px=64, halo_px=32,
        n_workers=int(sys.argv[1]) or None, resume=True)
    for step in steps:
        print(step.phase, step.done, flush=True)
"""


@pytest.fixture
def script(tmp_path, image):
    """``script(n_workers)``: a run that has done a tile, in a process of its own."""
    started = []

    def start(n_workers):
        np.save(tmp_path / "image.npy", image)
        (tmp_path / "run.py").write_text(RUN)
        command = [sys.executable, "run.py", str(n_workers)]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        started.append(process)
        for line in process.stdout:
            if line.startswith("segmenting tiles") and not line.endswith(" 0\n"):
                break
        assert process.poll() is None
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def doors(process):
    """Sockets on which a process and its children can be reached."""
    tree = [psutil.Process(process.pid)]
    tree += tree[0].children(recursive=True)
    found = []
    for each in tree:
        for socket in each.net_connections("all"):
            if socket.status == psutil.CONN_LISTEN or (socket.laddr and not socket.raddr):
                found.append((each.cmdline(), socket.laddr))
    return len(tree), found


# What another user may try; prints what was possible.
ATTACK = """
import os, sys
os.setgid(65534)
os.setuid(65534)
folder, *processes = sys.argv[1:]
open("/proc/self/status").close()
for path in [f"/proc/{p}/fd" for p in processes] + [folder]:
    try:
        print("listed", path, os.listdir(path))
    except PermissionError:
        pass
try:
    open(os.path.join(folder, "job.pickle"), "wb").close()
    print("wrote")
except PermissionError:
    pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_run_can_be_reached_by_nobody(script, tmp_path, n_workers):
    process = script(n_workers)
    n_processes, found = doors(process)
    assert n_processes > n_workers
    assert found == []
    if sys.platform == "win32":
        return
    folder = tmp_path / "out.zarr.partial"
    assert folder.stat().st_mode & 0o777 == 0o700
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root can try as another user")
    for above in (tmp_path, *tmp_path.parents):  # pytest closes them; other folders are open
        if above.stat().st_mode & 0o077 == 0:
            above.chmod(0o755)
    children = psutil.Process(process.pid).children(recursive=True)
    pids = [str(p.pid) for p in (psutil.Process(process.pid), *children)]
    done = subprocess.run(
        [sys.executable, "-I", "-c", ATTACK, str(folder), *pids],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.stderr == ""
    assert done.stdout == ""


@pytest.mark.slow
def test_a_second_run_is_told_who_is_at_work(script, tmp_path, segment, image, expected):
    process = script(0)
    with pytest.raises(OutputTaken) as refused:
        segment(image, channel_axis=-1, resume=True)
    assert int(refused.value.pid) == process.pid
    assert refused.value.host
    assert f"another run (process {process.pid} of " in str(refused.value)
    process.kill()
    process.wait()
    labels, _ = segment(image, channel_axis=-1, resume=True)  # the dead have no lock
    np.testing.assert_array_equal(labels, expected)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["image.npy", "out.zarr", "run.py"]


def test_a_second_run_of_the_same_process(image, segment, tmp_path):
    from napari_superpixels.tiling.run import iter_superpixels_tiled

    options = {"channel_axis": -1, "tile_size_px": 64}
    first = iter_superpixels_tiled(image, tmp_path / "out.zarr", 60, FAST, **options)
    next(first)
    for again in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(OutputTaken) as refused:
            segment(image, **options | again)
        assert int(refused.value.pid) == os.getpid()
    segment(image, "other.zarr", **options)
    first.close()
    labels, _ = segment(image, **options, resume=True)
    assert labels.min() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.zarr", "out.zarr"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs a second user")
def test_a_work_folder_of_another_user_is_not_trusted(image, segment, tmp_path):
    folder = tmp_path / "out.zarr.partial"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    for resume in (True, False):
        with pytest.raises(TilingError, match="belongs to another user"):
            segment(image, channel_axis=-1, resume=resume)
    os.chown(folder, 0, 0)
    folder.chmod(0o777)  # as an older version made it, or worse
    segment(image, channel_axis=-1)
