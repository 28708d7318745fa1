"""Errors in images, their axes and masks."""

from __future__ import annotations

from dataclasses import dataclass

from napari_superpixels.errors.base import SuperpixelError


@dataclass(eq=False)
class AmbiguousAxes(SuperpixelError, ValueError):
    """An image has three axes, and nothing says what they are.

    Attributes
    ----------
    shape : tuple of int
    """

    shape: tuple[int, ...]

    def problem(self) -> str:
        """The three things that they may be."""
        return (
            f"the image has 3 axes {self.shape}: say which holds the channels, for example "
            "channel_axis=-1 for RGB; or that it is a volume, by the size of its voxels, for "
            "example spacing=(1, 1, 1); or pass one 2D plane of a stack"
        )


@dataclass(eq=False)
class WrongAxes(SuperpixelError, ValueError):
    """An image has more or fewer axes than it should.

    Attributes
    ----------
    shape : tuple of int
    n_axes : int
        Axes besides the channels: 2 of an image, 3 of a volume.
    has_channels : bool
        Whether one more axis is said to hold channels.
    """

    shape: tuple[int, ...]
    n_axes: int
    has_channels: bool

    @property
    def wanted(self) -> int:
        """Number of axes that the image should have."""
        return self.n_axes + self.has_channels

    def problem(self) -> str:
        """Both numbers, and what to do."""
        given = "with channel_axis " if self.has_channels else ""
        if self.n_axes == 3:
            remedy = (
                "the three numbers of spacing are for a volume, give two or none for a 2D image"
            )
        elif len(self.shape) > self.wanted:
            remedy = "pass one 2D plane of a stack"
        else:
            remedy = self.too_few
        return (
            f"{given}the image must have {self.wanted} axes, got {len(self.shape)} {self.shape}: "
            f"{remedy}"
        )

    @property
    def too_few(self) -> str:
        """What is missing where there are too few axes."""
        if len(self.shape) == 2:
            return "none of its axes holds channels"
        return "it has no rows and columns"


@dataclass(eq=False)
class UnknownChannelAxis(SuperpixelError, ValueError):
    """Channels are chosen of an image that has none, as far as is known.

    Attributes
    ----------
    shape : tuple of int
    """

    shape: tuple[int, ...]

    def problem(self) -> str:
        """The shape, and that the axis can be named."""
        return (
            f"channels are chosen, but none of the axes {self.shape} is known to hold channels: "
            "say which, for example channel_axis=0"
        )


@dataclass(eq=False)
class MaskMismatch(SuperpixelError, ValueError):
    """A mask has not the pixels of the image.

    Attributes
    ----------
    mask, image : tuple of int
        Their shapes.
    name : str
        The mask's file, where there is one.
    is_own : bool
        Whether it is the image's own: its transparency, or what its file leaves out.
    """

    mask: tuple[int, ...]
    image: tuple[int, ...]
    name: str = ""
    is_own: bool = False

    def problem(self) -> str:
        """Both shapes."""
        mask = "its own transparency or mask" if self.is_own else f"the mask {self.name}".rstrip()
        return (
            f"{mask} {self.mask} and the image {self.image} differ in shape: they must have the "
            "same pixels"
        )


@dataclass(eq=False)
class UnchosenPlane(SuperpixelError, ValueError):
    """A file holds a stack, and nothing says what to do with its planes.

    Attributes
    ----------
    axes : str
        A letter for each axis, such as ``"TYX"``.
    shape : tuple of int
    """

    axes: str
    shape: tuple[int, ...]

    @property
    def axes_problem(self) -> str:
        """The axes with their lengths, in a sentence."""
        return f"it is a stack with the axes {_axes_text(self.axes, self.shape)}"

    def problem(self) -> str:
        """The axes, and that a plane must be chosen."""
        return f"{self.axes_problem}: choose one plane"


@dataclass(eq=False)
class NotASeries(SuperpixelError, ValueError):
    """A series is asked for of an image that has not one axis of frames.

    Attributes
    ----------
    axes : str
        A letter for each axis; ``"?"`` where it is not known.
    shape : tuple of int
    is_deeper : bool
        Whether more than one axis is known to hold frames.
    """

    axes: str
    shape: tuple[int, ...]
    is_deeper: bool = False

    @property
    def axes_text(self) -> str:
        """The axes with their lengths."""
        return _axes_text(self.axes, self.shape)

    def problem(self) -> str:
        """The axes that are there, and the one that is wanted."""
        return (
            "a series takes one axis of frames besides rows, columns and channels; this has the "
            f"axes {self.axes_text}"
        )


def _axes_text(axes: str, shape: tuple[int, ...]) -> str:
    """Name axes with their lengths: ``"T (6), Y (256), X (256)"``."""
    return ", ".join(f"{name} ({n})" for name, n in zip(axes, shape, strict=True))
