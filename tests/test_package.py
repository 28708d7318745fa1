"""What is installed: manifest, lazy import, README."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest

from napari_superpixels.cli.main import main
from napari_superpixels.editing.actions.operations import merge
from napari_superpixels.editing.corrected_file import write_corrected
from napari_superpixels.editing.scope import Scope
from napari_superpixels.editing.session import Session
from napari_superpixels.io import sample_images as samples

ROOT = Path(__file__).parent.parent

# Resolves the manifest in a fresh interpreter as napari does, and imports what it names.
RESOLVE = """
import importlib.util, json
from npe2 import PluginManifest
manifest = PluginManifest.from_distribution("napari-superpixels")
manifest.validate_imports()
print(json.dumps([importlib.util.find_spec("napari_superpixels").origin,
                  [w.display_name for w in manifest.contributions.widgets]]))
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def test_import_is_light():
    loaded = run(
        sys.executable,
        "-c",
        "import sys, napari_superpixels; napari_superpixels.SuperpixelParams; "
        "print([m for m in ('torch', 'qtpy', 'napari', 'magicgui') if m in sys.modules])",
    )
    assert loaded.strip() == "[]"


def test_public_names_exist():
    import napari_superpixels

    for name in napari_superpixels.__all__:
        assert getattr(napari_superpixels, name) is not None
        assert name in dir(napari_superpixels)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = napari_superpixels.nonsense


def test_manifest_at_the_top_is_the_one_in_the_package():
    top, inside = ROOT / "napari.yaml", ROOT / "src/napari_superpixels/napari.yaml"
    assert top.is_symlink()
    assert top.resolve() == inside.resolve()


def test_editable_install_resolves_the_manifest():
    manifest = PluginManifest.from_distribution("napari-superpixels")
    contributions = manifest.contributions
    assert contributions.widgets[0].display_name == "Segment"
    assert "napari/layers/segment" in contributions.menus
    assert set(contributions.configurations["segmentation"].properties) == {
        "device",
        "memory_limit_gb",
        "seed",
        "preview",
    }
    assert len(contributions.sample_data) == 7


@pytest.fixture(scope="module")
def dists(tmp_path_factory):
    """The sdist, a wheel made from it, and a wheel made from the checkout."""
    folder = tmp_path_factory.mktemp("dists")
    build = [sys.executable, "-m", "build", "--no-isolation", str(ROOT)]
    run(*build, "--outdir", str(folder / "via-sdist"))
    run(*build, "--outdir", str(folder / "direct"), "--wheel")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("how", ["via-sdist", "direct"])
def test_wheels_resolve_the_manifest(dists, tmp_path, how):
    (wheel,) = (dists / how).glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    run(*pip, str(tmp_path), str(wheel))
    printed = run(sys.executable, "-W", "ignore", "-c", RESOLVE, env={"PYTHONPATH": str(tmp_path)})
    assert str(tmp_path) in printed
    assert "Segment" in printed
    assert (tmp_path / "napari_superpixels" / "py.typed").is_file()


def test_sdist_holds_both_manifests_and_the_licence(dists):
    (sdist,) = (dists / "via-sdist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"napari.yaml", "src/napari_superpixels/napari.yaml", "LICENSE"} <= names
    assert not any(name.endswith((".png.tif", ".pyc")) for name in names)


def blocks(language):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
def test_readme_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in blocks("python"):
        exec(block, namespace)
    assert namespace["labels"].max() > 1
    assert namespace["result"].n_obtained > 1


@pytest.mark.slow
def test_readme_commands_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite(
        "cells.tif", samples.nuclei(), photometric="minisblack", metadata={"axes": "CYX"}
    )
    tifffile.imwrite("stack.tif", samples.time_series(), metadata={"axes": "TYX"})
    tifffile.imwrite("photo.tif", samples.photo(), photometric="rgb")
    np.save("truth.npy", np.arange(400)[:, None].repeat(600, 1) // 50)
    session = Session(np.arange(400)[:, None].repeat(600, 1) // 50 + 1)
    session.commit(session.build(merge, Scope.whole(2), positions=[(0, 0), (60, 0)]))
    write_corrected(Path("corrected.tif"), session, {})
    commands = [
        line
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith("napari-superpixels ") and " demo" not in line
    ]
    assert len(commands) >= 4
    for line in commands:
        assert main(shlex.split(line, comments=True)[1:]) == 0, line
