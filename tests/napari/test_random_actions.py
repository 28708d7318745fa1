"""Whatever a user does with both docks, nothing breaks and nobody's data change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_random_actions(seed):
    """In a process of its own: a crash of Qt or vispy would take the other tests along."""
    command = [sys.executable, "-m", "tests.napari.random_actions", str(seed), "100"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
