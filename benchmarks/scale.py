"""Time and memory from 1 to 64 megapixels, in tiles, against tiled SLIC in the same run.

Each run is a process of its own; its memory is that of it and all its children, every 0.1 s. Tiled
SLIC is scikit-image's on the same tiles, one after another, with the same number of superpixels in
all, read and written piece by piece; its superpixels end at the edges of tiles.

    python benchmarks/scale.py --folder FOLDER_FOR_RASTERS
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import zarr

import raster
from common import RESULTS, machine
from napari_superpixels.io.images import open_image

if TYPE_CHECKING:
    from collections.abc import Callable

SUPERPIXEL_PX = 1600
TILE_PX = 512
MEGAPIXELS = (1, 4, 16, 64)


def measured(command: list[str], out: Path) -> dict[str, Any]:
    """Run a command; seconds, peak memory of its process tree and on disk, and what it printed."""
    begin = time.perf_counter()
    load = os.getloadavg()[0]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak = disk = 0
    looked = -math.inf
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        if time.perf_counter() - looked > 3:
            looked = time.perf_counter()
            disk = max(disk, on_disk(out) + on_disk(out.with_name(f"{out.name}.partial")))
        total = 0
        try:
            for each in (watched, *watched.children(recursive=True)):
                total += each.memory_info().rss
        except psutil.NoSuchProcess:
            pass
        peak = max(peak, total)
        time.sleep(0.1)
    seconds = time.perf_counter() - begin
    printed = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(printed)
    return {
        "seconds": round(seconds, 1),
        "peak_gib": round(peak / 2**30, 2),
        "disk_mb": round(max(disk, on_disk(out)) / 1e6, 1),
        # Of other programs, as a rule; a run has two cores for itself at 0.
        "load_before": round(load, 1),
        "printed": printed,
    }


def on_disk(folder: Path) -> int:
    """Bytes of all files; some go meanwhile."""
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def ours(image: Path, out: Path, n: int, *further: str) -> dict[str, Any]:
    """`napari-superpixels segment` in tiles."""
    shutil.rmtree(out, ignore_errors=True)
    found = measured(
        [
            *(sys.executable, "-m", "napari_superpixels", "segment", str(image)),
            *("-o", str(out), "--n-segments", str(n), "--tile-size-px", str(TILE_PX), *further),
        ],
        out,
    )
    printed = found.pop("printed")
    told = re.search(r"at most ([\d.]+) GB of memory and ([\d.]+) GB on disk, about (.*)", printed)
    got = re.search(r": (\d+) superpixels of .*?, (\d+) tiles?, in ([\d.]+) s", printed)
    assert told is not None
    assert got is not None
    return found | {
        "superpixels": int(got[1]),
        "tiles": int(got[2]),
        "output_mb": round(on_disk(out) / 1e6, 1),
        "estimated": {"memory_gb": float(told[1]), "disk_gb": float(told[2]), "time": told[3]},
    }


def slic_tiles(image: Path, out: Path, n: int) -> None:
    """Tiled SLIC, in this process."""
    from skimage.segmentation import slic

    array = open_image(image).array
    height, width = array.shape[:2]
    labels = zarr.create_array(
        out, shape=(height, width), chunks=(TILE_PX, TILE_PX), dtype=np.uint32, overwrite=True
    )
    done = 0
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            part = array[top : top + TILE_PX, left : left + TILE_PX]
            part = part.compute(scheduler="synchronous")
            wanted = max(1, round(n * part.shape[0] * part.shape[1] / (height * width)))
            found = slic(part, wanted, compactness=20, channel_axis=-1, start_label=1)
            labels[top : top + TILE_PX, left : left + TILE_PX] = found + done
            done += int(found.max())
    print(done)


def tiled_slic(image: Path, out: Path, n: int) -> dict[str, Any]:
    """Tiled SLIC, in a process of its own."""
    goes_to = Path(f"{out}.slic")
    found = measured(
        [sys.executable, __file__, "--slic", str(image), str(goes_to), str(n)], goes_to
    )
    return found | {"superpixels": int(found.pop("printed").split()[-1])}


def cases(megapixels: int, image: Path, out: Path, n: int) -> dict[str, Callable[[], Any]]:
    """What is measured on a raster."""
    found = {"ours": partial(ours, image, out, n)}
    if megapixels == 16:
        for workers in "12":
            name = f"ours, {workers} worker{'s' * (workers == '2')}"
            found[name] = partial(ours, image, out, n, "--workers", workers)
    return found | {"tiled SLIC": partial(tiled_slic, image, out, n)}


def main() -> None:
    """Measure what is not measured yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("scale_rasters"))
    parser.add_argument("--megapixels", type=int, nargs="+", default=list(MEGAPIXELS))
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    parser.add_argument("--slic", nargs=3, metavar=("IN", "OUT", "N"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.slic:
        slic_tiles(Path(given.slic[0]), Path(given.slic[1]), int(given.slic[2]))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    file = RESULTS / "scale.json"
    result: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    result |= {"machine": machine(), "tile_px": TILE_PX, "superpixel_px": SUPERPIXEL_PX, "seed": 0}
    runs = result.setdefault("runs", {})
    for megapixels in given.megapixels:
        image = given.folder / f"raster_{megapixels}.tif"
        out = given.folder / f"labels_{megapixels}.zarr"
        if not image.exists():
            raster.write(image, megapixels)
        n = round(megapixels * 1e6 / SUPERPIXEL_PX)
        for name, run in cases(megapixels, image, out, n).items():
            key = f"{megapixels} megapixels: {name}"
            if key not in runs or given.again:
                runs[key] = run()
                file.write_text(json.dumps(result, indent=1))
            print(key, json.dumps(runs[key]), flush=True)
    summarise(result)
    file.write_text(json.dumps(result, indent=1))


def summarise(result: dict[str, Any]) -> None:
    """Ratios, and a projection."""
    runs = result["runs"]

    def of(megapixels: int, name: str = "ours") -> dict[str, Any] | None:
        return runs.get(f"{megapixels} megapixels: {name}")

    summary: dict[str, Any] = {}
    for megapixels in MEGAPIXELS:
        mine, slic = of(megapixels), of(megapixels, "tiled SLIC")
        if mine and slic:
            summary[f"seconds, ours / SLIC, {megapixels} megapixels"] = round(
                mine["seconds"] / slic["seconds"], 2
            )
    one, two = of(16, "ours, 1 worker"), of(16, "ours, 2 workers")
    if one and two:
        summary["1 worker / 2 workers, seconds"] = round(one["seconds"] / two["seconds"], 2)
    small, large = of(16), of(64)
    if small and large:
        summary["memory, 64 / 16 megapixels"] = round(large["peak_gib"] / small["peak_gib"], 2)
        rate = (large["seconds"] - small["seconds"]) / 48  # seconds a megapixel, start-up left out
        summary["projection for 1 gigapixel"] = {
            "hours on this machine": round(rate * 1000 / 3600, 2),
            "hours on 100 workers of one core each": round(
                rate * 1000 * result["machine"]["cores"] / 100 / 3600, 3
            ),
            "output_gb": round(large["output_mb"] / 64 * 1000 / 1e3, 2),
            "assumptions": "time a megapixel as from 16 to 64 megapixels; tiles and superpixels of "
            "the same size; every worker as fast as one core here and never waiting for storage; "
            f"of the {math.ceil(31623 / TILE_PX) ** 2} tiles a quarter can run at once",
        }
    result["summary"] = summary
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
