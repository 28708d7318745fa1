"""The device choice: what PyTorch finds, looked up without blocking the viewer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from psygnal import Signal
from qtpy.compat import isalive
from superqt.utils import create_worker

if TYPE_CHECKING:
    from napari_superpixels.plan.memory import DeviceInfo


def _warm_up(device: str) -> None:
    """Spare the first run what it would wait for; runs in a worker."""
    from napari_superpixels.api.warm_up import warm_up

    warm_up(device)


def _find_devices() -> tuple[list[DeviceInfo], str]:
    """Import torch and list the devices; runs in a worker.

    A tiny run loads what PyTorch loads on first use (its optimisers take a second), so that the
    first click on Segment neither waits nor makes the viewer stutter.
    """
    from napari_superpixels.api.image import superpixels
    from napari_superpixels.core.device import available_devices, why_not_cuda

    superpixels([[0, 1], [1, 0]], 2, iterations=1, device="cpu")
    return available_devices(), why_not_cuda()


_LOOKING = "Looking for devices (loading PyTorch)…"


class DeviceChoice:
    """Combo box of devices, with the resolved one in words.

    Parameters
    ----------
    preferred : str
        Default device from the preferences.

    Attributes
    ----------
    box : magicgui.widgets.ComboBox
        The control.
    changed : psygnal.Signal
        Emitted when the choice, or what is known about it, changed.
    """

    changed = Signal()

    def __init__(self, preferred: str) -> None:
        self._devices: list[DeviceInfo] = []
        # magicgui asks for the choices again when the control gets a parent.
        self.box = ComboBox(
            name="device",
            label="Device",
            choices=lambda _: ["auto", *(info.device for info in self._devices)],
            value="auto",
            tooltip="Where to run: auto takes CUDA (NVIDIA), then MPS (Apple), then the CPU. The "
            "resolved device and its free memory stand below.",
        )
        self._preferred = preferred
        self._why_not_cuda = ""
        self._problem = _LOOKING
        self.box.changed.connect(self._on_choice)
        worker = create_worker(_find_devices, _ignore_errors=True)
        worker.returned.connect(self._on_found)
        worker.errored.connect(self._on_error)
        worker.start()

    @property
    def problem(self) -> str:
        """Why no run can start, or an empty string."""
        return self._problem

    @property
    def is_looking(self) -> bool:
        """Whether PyTorch is being loaded, and nothing known yet."""
        return self._problem == _LOOKING

    @property
    def resolved(self) -> str:
        """PyTorch's name of the device that a run would use."""
        return self._devices[0].device if self.box.value == "auto" else str(self.box.value)

    @property
    def description(self) -> str:
        """The resolved device, its free memory, and a hint where a GPU goes unused."""
        if self._problem:
            return self._problem
        # Loaded by now; the free memory is that of this moment.
        import torch

        from napari_superpixels.core.device import describe_device

        text = f"Runs on {describe_device(torch.device(self.resolved))}"
        if self.resolved == "cpu" and "driver is installed" in self._why_not_cuda:
            text += f". Your NVIDIA GPU is not used: {self._why_not_cuda}"
        return text

    def _on_choice(self) -> None:
        self.changed.emit()

    def _on_found(self, found: tuple[list[DeviceInfo], str]) -> None:
        if not isalive(self.box.native):  # the viewer was closed meanwhile
            return
        self._devices, self._why_not_cuda = found
        names = [info.device for info in self._devices]
        self.box.reset_choices()
        wanted = f"{self._preferred}:0" if self._preferred == "cuda" else self._preferred
        if wanted in names:
            self.box.value = wanted
        self._problem = ""
        create_worker(_warm_up, self.resolved, _start_thread=True)
        self.changed.emit()

    def _on_error(self, error: Exception) -> None:
        self._problem = f"PyTorch could not be loaded: {error}."
        if sys.platform == "win32":
            self._problem += (
                " On Windows this happens when Qt loads first: close napari and start it with "
                "“napari-superpixels napari”, which loads PyTorch first."
            )
        self.changed.emit()
