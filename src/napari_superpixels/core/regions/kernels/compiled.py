"""How loops are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound="Callable[..., Any]")


def compiled(function: _F) -> _F:
    """Compile a loop when it is first called; other threads run meanwhile."""
    return cast("_F", njit(cache=True, nogil=True)(function))
