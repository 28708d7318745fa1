"""How the command speaks."""

from __future__ import annotations

import re
import sys


def complain(message: str) -> None:
    """Print a message for the user, not part of the output."""
    print(f"napari-superpixels: {message}", file=sys.stderr)


def in_cli_words(message: str) -> str:
    """Spell a message of the API as options."""
    message = (
        message.replace("by the size of its voxels, for example spacing=(1, 1, 1)", "with --volume")
        .replace(
            "the three numbers of spacing are for a volume, give two or none for a 2D image",
            "it is no volume, leave out --volume and --spacing",
        )
        .replace("pass one 2D plane of a stack", "choose one plane of a stack with --plane")
    )
    return re.sub(
        r"\b(channel_axis|nodata|device)=(\S+)",
        lambda found: f"--{found[1].replace('_', '-')} {found[2]}",
        message,
    )
