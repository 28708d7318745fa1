"""How the command speaks: options, where the messages of the API name arguments of Python."""

from __future__ import annotations

import re
import sys
from dataclasses import fields

from napari_superpixels.params import SuperpixelParams

PREFIX = "napari-superpixels: "
# Of a file whose results are there, as they would be made now.
DONE_ALREADY = "done already"
# Arguments of the API whose options have another name.
_OTHER_NAMES = {"n_workers": "workers"}
_ARGUMENTS = (
    "channel_axis",
    "channels",
    "device",
    "halo_px",
    "level",
    "memory_limit_gb",
    "n_workers",
    "nodata",
    "scheduler",
    "spacing",
    "tile_size_px",
    *(field.name for field in fields(SuperpixelParams)),
)
_ANY = "|".join(_ARGUMENTS)
# What to do in Python, behind what to do at the command line.
_IN_PYTHON = re.compile(
    r" \((?:resume=True|overwrite=True|like=\.\.\.|labels\[i\]|channel_names|pixel_size, unit)\)"
)
_NAMED = re.compile(rf"(?<!\.toml: )\b(?:{_ANY})(?= must be )")
# Words with their quotes only: a file may be called count=3.tif.
_GIVEN = re.compile(
    r"\b(channel_axis|nodata|device|(?:count|color_space|unit)(?=='))='?([^\s']+)'?"
)


def complain(message: str) -> None:
    """Print a message for the user, not part of the output."""
    print(f"{PREFIX}{message}", file=sys.stderr)


def in_cli_words(message: str) -> str:
    """Spell a message of the API as options."""
    message = _IN_PYTHON.sub("", message)
    message = (
        message.replace("(--resume, resume=True)", "(--resume)")
        .replace("(memory_limit_gb; in napari under Preferences > Plugins)", "(--memory-limit-gb)")
        .replace("'downscale'", "--downscale")
        .replace("(a plane: in tiles)", "(a plane: in smaller tiles, with --tile-size-px)")
        .replace("with channel_axis the image", "with --channel-axis the image")
        .replace("by the size of its voxels, for example spacing=(1, 1, 1)", "with --volume")
        .replace(
            "the three numbers of spacing are for a volume, give two or none for a 2D image",
            "it is no volume, leave out --volume and --spacing",
        )
        .replace("pass one 2D plane of a stack", "choose one plane of a stack with --plane")
    )
    message = _NAMED.sub(lambda found: _option(found[0]), message)
    return _GIVEN.sub(lambda found: f"{_option(found[1])} {found[2]}", message)


def _option(argument: str) -> str:
    return f"--{_OTHER_NAMES.get(argument, argument).replace('_', '-')}"
