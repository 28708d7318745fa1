"""Which device, what it can hold, and what to say when it cannot."""

from __future__ import annotations

import gc
import math
import os
import shutil
import warnings
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import psutil
import torch
import torch.utils.deterministic as torch_deterministic

from napari_superpixels.core.prepare.components import SAMPLE_SIZE
from napari_superpixels.errors import DeviceUnavailableError, NotEnoughMemory
from napari_superpixels.plan.resolution import finishing_factor, sides_of, working_factor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_superpixels.params import SuperpixelParams

_OVERHEAD = 50_000_000  # bytes of buffers that do not grow with the image
_BYTES_PER_PIECE = 3000  # of the graph of regions: neighbours, borders, queue
DEVICES = ("auto", "cuda", "mps", "cpu")
_GB = 1e9


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device as a user knows it.

    Attributes
    ----------
    device : str
        PyTorch's name of it, e.g. ``cuda``, ``cuda:1``, ``mps`` or ``cpu``.
    name : str
        The hardware's name, as far as it tells.
    free_bytes, total_bytes : int
        Memory.
    """

    device: str
    name: str
    free_bytes: int
    total_bytes: int

    @property
    def where(self) -> str:
        """What a result says of the place it was made: without what changes while it runs."""
        return f"{self.device} ({self.name})"

    def __str__(self) -> str:
        return (
            f"{self.device}: {self.name}, {self.free_bytes / _GB:.1f} of "
            f"{self.total_bytes / _GB:.1f} GB free"
        )


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
    name = f"{torch.get_num_threads()} CPU threads"
    return DeviceInfo("cpu", name, memory.available, memory.total)


def available_devices() -> list[DeviceInfo]:
    """All devices that PyTorch can use here, the one that ``auto`` picks first."""
    devices = [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    devices.append(torch.device("cpu"))
    return [describe_device(device) for device in devices]


def estimate_memory(
    shape: Sequence[int],
    n_channels: int,
    params: SuperpixelParams,
    *,
    n_labels: int = 0,
    covered: float = 1.0,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> int:
    """Estimate the peak memory of one iteration.

    Counts the tensors of an iteration, in float32, at the working resolution, and the arrays of
    preparation and refinement at full resolution; the largest of the three counts. Measured peaks
    lie within about 30 % of it (see ``benchmarks/memory.py``).

    Parameters
    ----------
    shape : sequence of int
        Height and width of the image, or depth, height and width of the volume (of the mask's
        bounding box).
    n_channels : int
        Image channels, before they are reduced to principal components.
    params : SuperpixelParams
        Parameters of the run.
    n_labels : int, default 0
        Labels that the network starts from; each needs a label map.
    covered : float, default 1.0
        Share of the pixels that the mask holds, in (0, 1].
    spacing : sequence of float
        Relative size of a voxel along each axis; does not matter for an image.

    Returns
    -------
    int
        Bytes.
    """
    n_pixels = math.prod(shape)
    # Colours are converted and scaled in float64, three channels at once or one after another.
    preparing = n_pixels * (56 * min(n_channels, 3) + max(n_channels - 3, 0))
    if 0 < params.max_channels < n_channels:
        preparing += min(n_pixels, SAMPLE_SIZE) * n_channels * 48
    n_channels = min(n_channels, params.max_channels or n_channels)
    factor = working_factor(shape, spacing, params, covered)
    working = n_pixels / math.prod(sides_of(factor, len(shape)))
    # Kept until the backward pass: each convolution's output and the next one's input.
    hidden = 2 * sum(params.hidden_channels)
    # Besides, either the label maps and their slope, or the gradients of the widest layer.
    n_maps = max(min(params.n_label_maps, working), n_labels) + 2 * n_channels
    training = hidden + max(2.3 * n_maps, 3.5 * max(params.hidden_channels))
    if len(shape) == 3:  # the plain formulas keep more
        training = hidden + 17 * n_maps + 16 * max(params.hidden_channels)
    # In the end, without hidden layers: the maps, normalised, as probabilities.
    optimizing = working * 4 * max(training, 3.2 * n_maps)
    # Borders are refined on float32 features.
    refining = n_pixels * 4 * (4 * n_channels + 26)
    merging_factor = finishing_factor(shape, spacing, params, covered)
    merged = n_pixels // math.prod(sides_of(merging_factor, len(shape)))
    merging = min(params.n_pieces(merged), n_pixels) * _BYTES_PER_PIECE
    features = n_pixels * n_channels * 4
    return int(features + max(preparing, optimizing, refining + merging) + _OVERHEAD)


def check_memory(needed: int, device: torch.device, limit_gb: float | None) -> None:
    """Refuse a run that cannot fit, before it starts.

    Parameters
    ----------
    needed : int
        Bytes, from `estimate_memory`.
    device : torch.device
        Where it would run.
    limit_gb : float or None
        The user's own limit in GB (10^9 bytes).

    Raises
    ------
    SuperpixelMemoryError
        If the estimate is above the free memory or the limit.
    """
    info = describe_device(device)
    is_cpu = device.type == "cpu"
    if limit_gb is not None and needed > limit_gb * _GB:
        raise NotEnoughMemory(needed, limit_gb * _GB, info.where, is_cpu, is_limit=True)
    if needed > info.free_bytes:
        raise NotEnoughMemory(needed, info.free_bytes, info.where, is_cpu)


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
        gc.collect()
        torch.cuda.empty_cache()
    elif device.type == "mps":
        gc.collect()
        torch.mps.empty_cache()


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
