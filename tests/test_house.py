"""What keeps the house in order: signatures, folders, files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile

import napari_superpixels

ROOT = Path(napari_superpixels.__path__[0])
MOST_PARAMETERS = 7
# What users call has keywords, and hands them on as one object.
FACADES = {
    "superpixels",
    "iter_superpixels",
    "refine",
    "superpixels_series",
    "iter_series",
    "iter_superpixels_tiled",
    "export_labels",
}


def functions():
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield file.relative_to(ROOT).as_posix(), node


def parameters(node):
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [a.arg for a in named if a is not None and a.arg not in ("self", "cls")]


def test_functions_have_few_parameters():
    many = [
        f"{file}: {node.name}"
        for file, node in functions()
        if len(parameters(node)) > MOST_PARAMETERS and node.name not in FACADES
    ]
    assert many == []


def test_only_the_options_know_the_parser():
    knowing = [
        file.relative_to(ROOT).as_posix()
        for file in ROOT.rglob("*.py")
        if "argparse" in file.read_text(encoding="utf-8")
    ]
    assert knowing == ["cli/options.py"]


def test_the_top_is_small():
    entries = [p.name for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    assert len([name for name in entries if not name.startswith("__")]) <= 12
    assert len(list((ROOT / "_napari").glob("*.py"))) <= 8


def test_folders_are_small():
    folders = [ROOT, *(p for p in ROOT.rglob("*") if (p / "__init__.py").exists())]
    assert [p.name for p in folders if len(list(p.glob("*.py"))) > 17] == []


def test_an_input_is_opened_once(tmp_path, rng):
    """Counted by Python's audit events, in a process of its own: they cannot be taken off."""
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, rng.integers(0, 255, (40, 50, 3)).astype(np.uint8), photometric="rgb")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "opened = []\n"
        "def note(event, arguments):\n"
        "    if event == 'open' and isinstance(arguments[0], str | Path):\n"
        "        opened.append(Path(arguments[0]).name)\n"
        "sys.addaudithook(note)\n"
        "from napari_superpixels.cli.main import main\n"
        f"main(['segment', {str(path)!r}, '-o', {str(tmp_path / 'l.tif')!r}, '--iterations', '2',\n"
        f"    '--n-segments', '9'])\n"
        "print(opened.count('image.tif'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # By its first bytes, which tell its kind, and by the reader of that kind.
    assert done.stdout.splitlines()[-1] == "2"
