"""What the axes of a layer are, in words, and which of them are segmented together; no Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from napari_superpixels._napari.plane import SourceError, View, axis_name, plane_axes

if TYPE_CHECKING:
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


# Names that people give to axes.
_NAMES = {
    Role.CHANNEL: {"c", "ch", "channel", "channels", "band", "bands", "wavelength"},
    Role.TIME: {"t", "time", "times", "frame", "frames", "date"},
    Role.Z: {"z", "depth", "plane", "planes", "section", "sections"},
}
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
        SourceError
            With the axes, and what to do.
        """
        if layer.ndim < 2:
            raise SourceError(f"“{layer.name}” has one axis only; an image needs two.")
        for role in Role:
            names = [axis_name(layer, axis) for axis, r in enumerate(self.roles) if r == role]
            if len(names) > 1 and role not in _MANY:
                raise SourceError(
                    f"{_and(names)} of “{layer.name}” are both “{role}”: give each role to one "
                    f"axis, and “{Role.OTHER}” to axes without one."
                )
            if role in (Role.Y, Role.X) and not names:
                raise SourceError(
                    f"No axis of “{layer.name}” is “{role}”: say which holds the "
                    f"{'rows' if role == Role.Y else 'columns'} of the image."
                )
        if self.rgb and Role.CHANNEL in self.roles:
            raise SourceError(
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
    """Propose roles: rows and columns are what the viewer shows, others go by name, unit and place.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    view : View
        What the viewer shows.

    Returns
    -------
    Axes
        An axis without a name holds channels if it comes after rows and columns. Of those before
        them, depth is the one whose pixels have a size, or else the last, and time the next.
    """
    if layer.ndim < 2:
        return Axes((Role.OTHER,) * layer.ndim, layer.rgb)
    roles: list[Role | None] = [None] * layer.ndim
    for axis, role in zip(plane_axes(layer, view), (Role.Y, Role.X), strict=True):
        roles[axis] = role
    for axis in range(layer.ndim):
        named = named_role(layer, axis)
        if roles[axis] is None and named not in roles and not (layer.rgb and named == Role.CHANNEL):
            roles[axis] = named
    unnamed = [axis for axis in range(layer.ndim) if roles[axis] is None]
    after = [axis for axis in unnamed if axis > max(plane_axes(layer, view))]
    if after and Role.CHANNEL not in roles and not layer.rgb:
        roles[after[0]] = Role.CHANNEL
        unnamed.remove(after[0])
    # Nobody gives frames or the like a scale, but depth often has one.
    for axis in sorted(unnamed, key=lambda a: (layer.scale[a] == 1, -a)):
        free = [role for role in (Role.Z, Role.TIME) if role not in roles]
        roles[axis] = free[0] if free else Role.OTHER
    return Axes(tuple(role or Role.OTHER for role in roles), layer.rgb)


def named_role(layer: Layer, axis: int) -> Role | None:
    """Tell the role of an axis by its label, or by a unit of time.

    Parameters
    ----------
    layer : napari.layers.Layer
        The layer.
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
