"""What the axes of a layer are, in words, and which of them are segmented together; no Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels._napari.input.plane import (
    InputError,
    View,
    axis_name,
    full_shape,
    plane_axes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Layer


class Role(StrEnum):
    """What an axis is."""

    Y = "Y"
    X = "X"
    Z = "Z"
    TIME = "time"
    CHANNEL = "channel"
    OTHER = "other"


class Mode(StrEnum):
    """Which planes of a stack are segmented, and how they belong together."""

    SLICE = "this slice"
    EACH = "every slice on its own"
    SERIES = "time series"
    VOLUME = "3D supervoxels"


# What a plane is called where planes are segmented one by one.
NOUNS = {Mode.EACH: "slice", Mode.SERIES: "frame"}

# Names that people give to axes.
_NAMES = {
    Role.CHANNEL: {"c", "ch", "channel", "channels", "band", "bands", "wavelength"},
    Role.TIME: {"t", "time", "times", "frame", "frames", "date"},
    Role.Z: {"z", "depth", "plane", "planes", "section", "sections"},
    Role.Y: {"y", "row", "rows"},
    Role.X: {"x", "column", "columns"},
}
# An axis that nothing names holds channels if it is at most that long, and rows and columns are
# that many times longer.
_MOST_CHANNELS, _TIMES_LONGER = 10, 16
# One behind rows and columns that the user has brought there may be longer: spectra of an image.
_TIMES_LONGER_THAN_SPECTRA = 3
_MANY = (Role.OTHER,)


@dataclass(frozen=True, slots=True)
class Axes:
    """Roles of the axes of a layer.

    Attributes
    ----------
    roles : tuple of Role, one an axis
        Besides the axis of RGB, which has no other role.
    rgb : bool
        Whether the data have one.
    """

    roles: tuple[Role, ...]
    rgb: bool = False

    @property
    def plane(self) -> tuple[int, int]:
        """Axes of rows and columns."""
        return self.roles.index(Role.Y), self.roles.index(Role.X)

    @property
    def channel(self) -> int | None:
        """Axis of the data that holds channels."""
        if self.rgb:
            return len(self.roles)
        return self.roles.index(Role.CHANNEL) if Role.CHANNEL in self.roles else None

    def with_channel(self, axis: int | None) -> Axes:
        """Let another axis hold channels.

        Parameters
        ----------
        axis : int or None
            The axis; None for no axis.

        Returns
        -------
        Axes
            Otherwise the same; what held channels is “other”.
        """
        others = (Role.OTHER if role == Role.CHANNEL else role for role in self.roles)
        roles = (Role.CHANNEL if i == axis else role for i, role in enumerate(others))
        return replace(self, roles=tuple(roles))

    def check(self, layer: Image) -> None:
        """Refuse roles that do not make an image.

        Parameters
        ----------
        layer : napari.layers.Image
            Whose axes they are.

        Raises
        ------
        InputError
            With the axes, and what to do.
        """
        if layer.ndim < 2:
            raise InputError(f"“{layer.name}” has one axis only; an image needs two.")
        for role in Role:
            names = [axis_name(layer, axis) for axis, r in enumerate(self.roles) if r == role]
            if len(names) > 1 and role not in _MANY:
                raise InputError(
                    f"{_and(names)} of “{layer.name}” are both “{role}”: give each role to one "
                    f"axis, and “{Role.OTHER}” to axes without one."
                )
            if role in (Role.Y, Role.X) and not names:
                raise InputError(
                    f"No axis of “{layer.name}” is “{role}”: say which holds the "
                    f"{'rows' if role == Role.Y else 'columns'} of the image."
                )
        if self.rgb and Role.CHANNEL in self.roles:
            raise InputError(
                f"“{layer.name}” holds RGB, which are its channels: give "
                f"{axis_name(layer, self.roles.index(Role.CHANNEL))} another role."
            )

    def modes(self) -> list[Mode]:
        """Which modes there are for these axes."""
        modes = [Mode.SLICE]
        if self.stack(Mode.EACH):
            modes.append(Mode.EACH)
        if Role.TIME in self.roles:
            modes.append(Mode.SERIES)
        if Role.Z in self.roles:
            modes.append(Mode.VOLUME)
        return modes

    def stack(self, mode: Mode) -> tuple[int, ...]:
        """Axes that are segmented whole, besides rows and columns.

        Parameters
        ----------
        mode : Mode
            What is segmented.

        Returns
        -------
        tuple of int
            Axes of the layer, in ascending order.
        """
        wanted = {
            Mode.SLICE: (),
            Mode.EACH: (Role.Z, Role.TIME, Role.OTHER),
            Mode.SERIES: (Role.TIME,),
            Mode.VOLUME: (Role.Z,),
        }[mode]
        return tuple(axis for axis, role in enumerate(self.roles) if role in wanted)


def proposed_axes(layer: Image, view: View) -> Axes:
    """Propose roles: by label and unit first, then rows and columns as shown, then by shape.

    Parameters
    ----------
    layer : napari.layers.Image
    view : View
        What the viewer shows.

    Returns
    -------
    Axes
        An axis without a name holds channels if it comes after rows and columns and these have
        names or are much longer (else a stack was turned), or is the only one before them, short,
        and not of another scale than they are. Of the others depth is the one whose pixels have a
        size, or else the last, and time the next.
    """
    if layer.ndim < 2:
        return Axes((Role.OTHER,) * layer.ndim, layer.rgb)
    roles: list[Role | None] = [None] * layer.ndim
    if layer.ndim > 2:
        for axis in range(layer.ndim):
            named = named_role(layer, axis)
            if named not in roles and not (layer.rgb and named == Role.CHANNEL):
                roles[axis] = named
    is_named = Role.Y in roles and Role.X in roles
    _add_plane(roles, plane_axes(layer, view))
    unnamed = [axis for axis in range(layer.ndim) if roles[axis] is None]
    shape, plane = full_shape(layer), (roles.index(Role.Y), roles.index(Role.X))
    shortest = min(shape[axis] for axis in plane)
    after = [
        axis
        for axis in unnamed
        if axis > max(plane) and (is_named or shape[axis] * _TIMES_LONGER_THAN_SPECTRA <= shortest)
    ]
    if not after and len(unnamed) == 1 and _looks_like_channels(layer, unnamed[0], roles):
        after = unnamed
    if after and Role.CHANNEL not in roles and not layer.rgb:
        roles[after[0]] = Role.CHANNEL
        unnamed = [axis for axis in unnamed if axis != after[0]]
    # Nobody gives frames or the like a scale, but depth often has one.
    for axis in sorted(unnamed, key=lambda a: (layer.scale[a] == 1, -a)):
        free = [role for role in (Role.Z, Role.TIME) if role not in roles]
        roles[axis] = free[0] if free else Role.OTHER
    return Axes(tuple(role or Role.OTHER for role in roles), layer.rgb)


def _add_plane(roles: list[Role | None], shown: tuple[int, int]) -> None:
    """Give the roles of rows and columns to axes without one: those shown, else the last."""
    missing = [role for role in (Role.Y, Role.X) if role not in roles]
    free = [axis for axis in range(len(roles)) if roles[axis] is None]
    # Where names leave no axis, they do not hold: there is no image without rows and columns.
    taken = [axis for axis in shown if roles[axis] not in (None, Role.Y, Role.X)]
    wanted = [
        *(axis for axis in shown if axis in free),
        *(axis for axis in reversed(free) if axis not in shown),
        *reversed(taken),
    ][: len(missing)]
    for axis, role in zip(sorted(wanted), missing, strict=True):
        roles[axis] = role


def _looks_like_channels(layer: Image, axis: int, roles: Sequence[Role | None]) -> bool:
    """Whether an axis before rows and columns is short, and has no sign of depth."""
    shape, plane = full_shape(layer), (roles.index(Role.Y), roles.index(Role.X))
    is_short = 2 <= shape[axis] <= _MOST_CHANNELS
    is_short &= shape[axis] * _TIMES_LONGER <= min(shape[a] for a in plane)
    in_plane = [layer.scale[a] for a in plane]
    # Channels that somebody has split into layers are drawn on top of each other.
    is_one_channel = layer.blending == "additive"
    has_unit = str(layer.units[axis]) != "pixel"
    is_spaced = not np.allclose(layer.scale[axis], in_plane)
    return bool(is_short and not (is_one_channel or has_unit or is_spaced))


def are_named(layer: Layer) -> bool:
    """Whether labels or units say what each axis of a layer is.

    Parameters
    ----------
    layer : napari.layers.Layer

    Returns
    -------
    bool
        Rows and columns need no name: they are what napari shows of an image with two axes.
    """
    roles = [named_role(layer, axis) for axis in range(layer.ndim)]
    others = roles[:-2] if roles[-2:] == [None, None] else roles
    return None not in others and len(set(others)) == len(others)


def named_role(layer: Layer, axis: int) -> Role | None:
    """Tell the role of an axis by its label, or by a unit of time.

    Parameters
    ----------
    layer : napari.layers.Layer
    axis : int
        Axis of its data.

    Returns
    -------
    Role or None
        None if neither says any.
    """
    label = layer.axis_labels[axis].strip().lower()
    for role, names in _NAMES.items():
        if label in names:
            return role
    return Role.TIME if layer.units[axis].is_compatible_with("second") else None


def _and(names: list[str]) -> str:
    text = f"{', '.join(names[:-1])} and {names[-1]}"
    return text[0].upper() + text[1:]
