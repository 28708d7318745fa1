"""Which device, what it can hold, and what to say when it cannot."""

from __future__ import annotations

import os
import shutil
import warnings
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import psutil
import torch
import torch.utils.deterministic as torch_deterministic

from napari_superpixels.errors import DeviceUnavailableError
from napari_superpixels.errors.quantities import counted
from napari_superpixels.plan.memory import DeviceInfo
from napari_superpixels.plan.run_plan import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_superpixels.params.options import Resources

# Up to here a second thread gains less on an idle machine than it loses on a busy one.
_PIXELS_FOR_THREADS = 2**14

DEVICES = ("auto", "cuda", "mps", "cpu")


def resolve_device(device: str = "auto") -> torch.device:
    """Choose the device to run on.

    Parameters
    ----------
    device : str, default "auto"
        ``auto`` picks CUDA, then MPS (Apple), then CPU; otherwise a PyTorch device name.

    Returns
    -------
    torch.device
        A device that exists.

    Raises
    ------
    DeviceUnavailableError
        If the device does not exist here or this PyTorch cannot use it (a ValueError).
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind = device.split(":")[0]
    if kind not in DEVICES:
        raise DeviceUnavailableError(
            f"unknown device {device!r}: use one of {', '.join(DEVICES)} (or cuda:1 and so on)"
        )
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise DeviceUnavailableError(f"unknown device {device!r}: {error}") from None
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise DeviceUnavailableError(f"no CUDA device: {why_not_cuda()}", has_automatic=True)
        if (chosen.index or 0) >= torch.cuda.device_count():
            raise DeviceUnavailableError(
                f"there is no {device}: the machine has {torch.cuda.device_count()} CUDA device(s)"
            )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceUnavailableError(
            "no MPS device: it needs an Apple GPU, macOS 12.3 or later and a PyTorch built for it",
            has_automatic=True,
        )
    return chosen


def why_not_cuda() -> str:
    """Say why CUDA cannot be used, with the cure; empty if it can."""
    if torch.cuda.is_available():
        return ""
    if shutil.which("nvidia-smi") is None:
        return "no NVIDIA driver was found on this machine"
    if torch.version.cuda is None:
        return (
            "an NVIDIA driver is installed, but this PyTorch is built without CUDA; install a CUDA "
            "build with the command that pytorch.org/get-started gives"
        )
    return (
        f"an NVIDIA driver is installed, but this PyTorch (CUDA {torch.version.cuda}) cannot use "
        "it; update the driver, or install a PyTorch for the driver's CUDA version"
    )


def describe_device(device: torch.device) -> DeviceInfo:
    """Name and memory of a device.

    Parameters
    ----------
    device : torch.device
        A device that exists.

    Returns
    -------
    DeviceInfo
        Name, free and total memory at this moment.
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        # Memory that PyTorch has cached is free to us.
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return DeviceInfo(str(device), torch.cuda.get_device_name(device), free + cached, total)
    memory = psutil.virtual_memory()
    if device.type == "mps":
        limit = torch.mps.recommended_max_memory()
        free = min(memory.available, limit - torch.mps.driver_allocated_memory())
        return DeviceInfo("mps", "Apple GPU", int(free), int(limit))
    name = counted(torch.get_num_threads(), "CPU thread")
    return DeviceInfo("cpu", name, memory.available, memory.total)


def machine_here(resources: Resources) -> Machine:
    """Describe the machine for a plan, as it is now.

    Parameters
    ----------
    resources : Resources
        Device and memory limit that are chosen.

    Returns
    -------
    Machine
        With what is free.

    Raises
    ------
    DeviceUnavailableError
        If there is no such device.
    """
    from dask.system import CPU_COUNT  # knows the limits of containers

    info = describe_device(resolve_device(resources.device))
    return Machine(info, resources.memory_limit_gb, CPU_COUNT)


def available_devices() -> list[DeviceInfo]:
    """All devices that PyTorch can use here, the one that ``auto`` picks first."""
    devices = [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    devices.append(torch.device("cpu"))
    return [describe_device(device) for device in devices]


def is_out_of_memory(error: BaseException) -> bool:
    """Tell an out-of-memory error of any backend from other errors.

    Parameters
    ----------
    error : BaseException
        As raised by PyTorch or NumPy.

    Returns
    -------
    bool
        True for CUDA, MPS and host allocation failures.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )


def release_memory(device: torch.device) -> None:
    """Give freed tensors back to the device.

    Parameters
    ----------
    device : torch.device
        Where the run was.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


@contextmanager
def threads_for(n_pixels: int) -> Iterator[None]:
    """Use as many threads as pay for tensors of a size; what was set before is set again.

    PyTorch's threads wait for each other at every operation. Of small ones there are thousands in a
    run, and beside other busy processes each waits for a thread that is not running.

    Parameters
    ----------
    n_pixels : int
        Of a label map of the network.
    """
    before = torch.get_num_threads()
    if before == 1 or n_pixels > _PIXELS_FOR_THREADS:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Deterministic:
    """The settings are global to the process: the first thread sets them, the last one restores."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_inside = 0
        self._before = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._before.enter_context(_deterministic_settings())
            self._n_inside += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._before.close()


_DETERMINISTIC = _Deterministic()


def deterministic() -> AbstractContextManager[None]:
    """Use PyTorch's deterministic algorithms inside the block, where it has them.

    Returns
    -------
    context manager
        May be entered by several threads at once. The setting is global to the process: keep the
        block free of ``yield``.
    """
    return _DETERMINISTIC


@contextmanager
def _deterministic_settings() -> Iterator[None]:
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch_deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # cuBLAS reads this when it first starts; without it, it warns and is not reproducible.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # A guard against reading uninitialised memory, which we do not; it costs a fifth of the time.
    torch_deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have a deterministic")
            yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch_deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
