"""Errors in what is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_superpixels.errors.base import SuperpixelError


@dataclass(eq=False)
class InvalidParameter(SuperpixelError, ValueError):
    """A parameter has a value that it cannot have.

    Attributes
    ----------
    name : str
        As in Python, such as ``"n_segments"``.
    allowed : str
        The values it may have, in words.
    value : object
        The value given.
    """

    name: str
    allowed: str
    value: Any

    def problem(self) -> str:
        """Name, allowed values, given value."""
        return f"{self.name} must be {self.allowed}, got {self.value!r}"


class InvalidParameterType(InvalidParameter, TypeError):
    """A parameter has a value of a type that it cannot have."""


@dataclass(eq=False)
class UnknownParameter(SuperpixelError, ValueError):
    """There is no such parameter.

    Attributes
    ----------
    name : str
        As given.
    nearest : str
        The one that may be meant; empty if none is near.
    known : tuple of str
        All names.
    """

    name: str
    nearest: str
    known: tuple[str, ...]

    def problem(self) -> str:
        """The nearest name, or all."""
        if self.nearest:
            return f"unknown parameter {self.name!r}: did you mean {self.nearest!r}?"
        return f"unknown parameter {self.name!r}; known are {', '.join(self.known)}"


@dataclass(eq=False)
class TooFewPixels(SuperpixelError, ValueError):
    """Exactly so many superpixels are asked for, and there are fewer pixels.

    Attributes
    ----------
    n_segments, n_pixels : int
        Superpixels asked for, pixels to segment.
    """

    n_segments: int
    n_pixels: int

    def problem(self) -> str:
        """Both numbers, and the other way to count."""
        return (
            f"exactly {self.n_segments} superpixels are asked for, but there are only "
            f"{self.n_pixels} pixels: ask for fewer, or for count='adaptive'"
        )


@dataclass(eq=False)
class TooFewSegments(SuperpixelError, ValueError):
    """Exactly so many superpixels are asked for, and given objects or scribbles need more.

    Attributes
    ----------
    n_segments, n_needed : int
        Superpixels asked for, and the least number: one for each connected part of an object, of
        a scribble, and of what lies between objects.
    """

    n_segments: int
    n_needed: int

    def problem(self) -> str:
        """Both numbers, and the other way to count."""
        return f"{self.shortage()}, or for count='adaptive'"

    def shortage(self) -> str:
        """Both numbers."""
        return (
            f"exactly {self.n_segments} superpixels are asked for, but each object or scribble, "
            "and each part of what lies between objects, takes one of its own: ask for "
            f"{self.n_needed} or more"
        )


@dataclass(eq=False)
class NotRGB(SuperpixelError, ValueError):
    """CIELAB is asked for, and the image has not three channels.

    Attributes
    ----------
    n_channels : int
        Channels of the image.
    """

    n_channels: int

    def problem(self) -> str:
        """The number of channels, and what to choose instead."""
        return (
            f"color_space='lab' needs 3 channels (RGB), the image has {self.n_channels}: use "
            "color_space='channels'"
        )


@dataclass(eq=False)
class DeviceUnavailableError(SuperpixelError, ValueError):
    """The device asked for does not exist here, or this PyTorch cannot use it.

    Attributes
    ----------
    reason : str
        Why not.
    has_automatic : bool
        Whether the automatic choice would find another one.
    """

    reason: str
    has_automatic: bool = False

    def problem(self) -> str:
        """The reason, and the automatic choice if that helps."""
        return f"{self.reason}. Use device='auto'" if self.has_automatic else self.reason
