"""Roles of axes for tests that say which axis holds channels."""

from __future__ import annotations

from dataclasses import replace

from napari_superpixels._napari.input.axes import Axes, Role, proposed_axes


def axes_with(layer, view, channel_axis: int | None) -> Axes:
    """Those proposed, but for the channels."""
    axes = proposed_axes(layer, view)
    if layer.rgb:
        return axes
    roles = [Role.OTHER if role == Role.CHANNEL else role for role in axes.roles]
    if channel_axis is not None:
        roles[channel_axis] = Role.CHANNEL
    return replace(axes, roles=tuple(roles))


def set_roles(dock, *roles: str) -> None:
    """Choose what the axes are, one after another, as the user does."""
    for axis, role in enumerate(roles):
        dock.image.axes_box.choose(axis, Role(role))
