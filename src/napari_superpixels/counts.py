"""Numbers of things in words."""

from __future__ import annotations


def counted(n: int, thing: str) -> str:
    """Say how many things there are: "1 superpixel", "2 superpixels"."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
