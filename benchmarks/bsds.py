"""Fig. 2: ASA and boundary recall against the number of superpixels, ours and peers in one run.

For each image and each N, ours makes exactly N superpixels; every peer is brought as near to N as
its own settings allow. Means over the images are interpolated linearly in log K. What does not
depend on this package is kept in NAME_peers.json, and not measured again for another version of it.

    python benchmarks/bsds.py --data PATH --every 3 --n 25 50 100 200 400 --anchors ANCHORS.json

PATH has the layout of BSDS500 or of SBD (see `common.load_image`). ANCHORS is a JSON file with
``rows`` of method, settings, K, ASA, BR and boundary_share that were measured elsewhere on the
same images; it is optional. SEEDS, LSC and the plot need ``pip install -e . --group bench``.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from common import (
    RESULTS,
    BsdsImage,
    Results,
    image_names,
    load_image,
    machine,
    match_count,
    mean_rows,
    measured,
    quality,
)
from methods import our_methods, peers, rivals
from napari_superpixels import get_preset

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

COLUMNS = ["K", "ASA", "BR", "UE", "boundary_share", "compactness", "seconds", "peak_mb"]
OURS = "ours (balanced)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, nargs="+", default=[25, 50, 100, 200, 400])
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth sorted id")
    parser.add_argument("--images", type=int, help="so many of them, spread evenly")
    parser.add_argument("--anchors", type=Path, help="JSON with figures measured elsewhere")
    parser.add_argument(
        "--paper",
        action="store_true",
        help="also the presets paper and paper-no-recon: the better part of an hour an image and N "
        "on a CPU",
    )
    parser.add_argument(
        "--own-only", action="store_true", help="peers from ANCHORS only, none are measured"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of PyTorch on the CPU")
    parser.add_argument("--name", default="bsds", help="of the result files")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    names = image_names(arguments.data, every=arguments.every, count=arguments.images)
    own = our_methods(arguments.device, arguments.seed, paper=arguments.paper) | rivals()
    others = {} if arguments.own_only else peers()
    images = {"n": arguments.n, "images": names}
    settings = images | {
        "balanced": get_preset("balanced").to_dict(),
        "fast": get_preset("fast").to_dict(),
        "device": arguments.device,
        "seed": arguments.seed,
    }
    path = RESULTS / f"{arguments.name}.json"
    results = Results(path, {"machine": machine(), "settings": settings})
    kept = Results(path.with_stem(f"{path.stem}_peers"), {"machine": machine(), "settings": images})
    for name in names:
        image = load_image(arguments.data, name)
        for n in arguments.n:
            for method, make in (own | others).items():
                where = kept if method in others else results
                if where.find(method=method, n=n, image=name) is not None:
                    continue
                exact = method.startswith("ours") or method == "SLIC + our merging"
                call = partial(make, image.rgb)
                setting = n if exact else match_count(call, n, n / 4, n * 4)
                key = {"method": method, "n": n, "image": name, "setting": setting}
                measure(where, key, image, partial(call, setting))
    curves = summarise(results, [*own], arguments.n) | summarise(kept, [*others], arguments.n)
    if arguments.anchors:
        curves |= anchor_curves(json.loads(arguments.anchors.read_text())["rows"])
    reach = [reached(curves, k) for k in arguments.n]
    for row in reach:
        print(row)
    results.save(curves=curves, reach=reach)
    write_tables(curves, reach, RESULTS / f"{arguments.name}.md", len(names))
    plot(curves, RESULTS / f"{arguments.name}.png", len(names))
    print(f"\nsaved {path}")


def measure(
    results: Results,
    key: dict[str, Any],
    image: BsdsImage,
    call: Callable[[], NDArray[np.integer]],
) -> None:
    labels, seconds, peak = measured(call)
    row = key | quality(labels, image.truths)
    row |= {"seconds": round(seconds, 3), "peak_mb": round(peak, 1)}
    results.add(row)
    print(
        f"{key['image']:>8} {key['method']:34} K {row['K']:4}  ASA {row['ASA']:.4f}  "
        f"BR {row['BR']:.4f}  {seconds:6.2f} s",
        flush=True,
    )


def summarise(
    results: Results, methods: list[str], counts: list[int]
) -> dict[str, list[dict[str, float]]]:
    """Print and return the mean of each method at each N."""
    curves = {}
    print(f"\n{'':34}    N " + "".join(f"{name:>15}" for name in COLUMNS))
    for method in methods:
        curves[method] = []
        for n in counts:
            rows = results.select(method=method, n=n)
            means = mean_rows(rows, COLUMNS)
            curves[method].append({"n": n} | means)
            print(f"{method:34} {n:4} " + "".join(f"{means[name]:15.4f}" for name in COLUMNS))
    return curves


def anchor_curves(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, float]]]:
    """Curves of methods that were measured elsewhere, one for each smoothness setting."""
    curves: dict[str, list[dict[str, float]]] = {}
    for row in sorted(rows, key=lambda r: r["K"]):
        weight = row.get("settings", {}).get("length_weight")
        setting = row.get("setting") if weight is None else f"length weight {weight}"
        name = row["method"] + (f" ({setting})" if setting else "")
        point = {key: row[key] for key in ("K", "ASA", "BR", "boundary_share")}
        curves.setdefault(name, []).append(point)
    return curves


def at_count(curve: list[dict[str, float]], k: float, column: str) -> float:
    """Interpolate a column linearly in log K; NaN outside the measured range, but for 5 %."""
    points = sorted((np.log(p["K"]), p[column]) for p in curve)
    log_k, values = map(np.array, zip(*points, strict=True))
    if not log_k[0] - 0.05 <= np.log(k) <= log_k[-1] + 0.05:
        return float("nan")
    return float(np.interp(np.log(k), log_k, values))


def reached(curves: dict[str, list[dict[str, float]]], k: int) -> dict[str, Any]:
    """Ours against the best peer at one K: ASA, and BR at ours' share of boundary pixels."""
    own = {c: at_count(curves[OURS], k, c) for c in ("ASA", "BR", "boundary_share")}
    is_peer = {name: not name.startswith("ours") and " + our" not in name for name in curves}
    peer = {
        name: {c: at_count(curves[name], k, c) for c in ("ASA", "BR", "boundary_share")}
        for name in curves
    }
    known = [name for name in curves if is_peer[name] and np.isfinite(peer[name]["ASA"])]
    best = max(known, key=lambda name: peer[name]["ASA"])
    share = own["boundary_share"]
    envelope = upper_envelope([(peer[p]["boundary_share"], peer[p]["BR"]) for p in known], share)
    row: dict[str, Any] = {"K": k} | {f"ours_{c}": round(v, 4) for c, v in own.items()}
    row |= {"best_peer_ASA": round(peer[best]["ASA"], 4), "best_peer": best}
    row |= {"ASA_margin": round(own["ASA"] - peer[best]["ASA"], 4)}
    row |= {
        "best_peer_BR_at_equal_share": round(envelope, 4),
        "BR_margin": round(own["BR"] - envelope, 4),
    }
    # Ours at the rival's share of boundary pixels: along our own curve of smoothness settings.
    trade = sorted(
        (at_count(curve, k, "boundary_share"), at_count(curve, k, "BR"))
        for name, curve in curves.items()
        if name == OURS or "smoothness" in name
    )
    for name in curves:
        if " + our" in name:
            at_equal = float(np.interp(peer[name]["boundary_share"], *zip(*trade, strict=True)))
            row[f"BR_at_equal_share_over_{name}"] = round(at_equal - peer[name]["BR"], 4)
            row[f"ASA_over_{name}"] = round(own["ASA"] - peer[name]["ASA"], 4)
            row[f"BR_over_{name}"] = round(own["BR"] - peer[name]["BR"], 4)
            row[f"share_over_{name}"] = round(share - peer[name]["boundary_share"], 4)
    return row


def upper_envelope(points: list[tuple[float, float]], share: float) -> float:
    """Return the highest recall at `share` on a line between two points of the peers.

    No border gives no recall, which is a point too; beyond the largest share of any peer the
    recall of the best one counts.
    """
    points = [(0.0, 0.0), *points]
    between = [
        a[1] + (b[1] - a[1]) * (share - a[0]) / (b[0] - a[0])
        for a in points
        for b in points
        if a[0] <= share <= b[0] and a[0] < b[0]
    ]
    return max([*between, *(recall for s, recall in points if s <= share)])


def write_tables(
    curves: dict[str, list[dict[str, float]]],
    reach: list[dict[str, Any]],
    path: Path,
    n_images: int,
) -> None:
    """Write what was measured as Markdown: at each K all methods, then ours against the best."""
    columns = ("ASA", "BR", "boundary_share")
    parts = [f"{n_images} images; means, interpolated linearly in log K.\n"]
    for row in reach:
        k = row["K"]
        parts.append(f"\n## K = {k}\n\n| method | ASA | BR | boundary share |\n|---|---|---|---|\n")
        for name, curve in curves.items():
            values = [at_count(curve, k, column) for column in columns]
            if np.isfinite(values).all():
                parts.append(f"| {name} | " + " | ".join(f"{v:.4f}" for v in values) + " |\n")
    parts.append("\n## Ours (balanced) against the best peer and against rivals\n\n| |")
    parts.append("".join(f" K = {row['K']} |" for row in reach) + "\n|---" + "|---" * len(reach))
    parts.append("|\n")
    for key in reach[0]:
        if key != "K":
            cells = " | ".join(str(row.get(key, "")) for row in reach)
            parts.append(f"| {key.replace('_', ' ')} | {cells} |\n")
    path.write_text("".join(parts))
    print(f"saved {path}")


def plot(curves: dict[str, list[dict[str, float]]], path: Path, n_images: int) -> None:
    """Draw ASA and BR against K, and BR against the share of boundary pixels."""
    try:
        from matplotlib import colormaps
        from matplotlib.figure import Figure
    except ImportError:
        print("no plot: pip install -e . --group bench")
        return
    figure = Figure(figsize=(15, 5.5), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax in axes:
        ax.set_prop_cycle(color=colormaps["tab20"].colors)
    for name, curve in curves.items():
        style = {"marker": "o", "markersize": 3, "linewidth": 2.5 if name == OURS else 1.0}
        style["linestyle"] = "-" if name.startswith("ours") else ":" if " + our" in name else "--"
        for ax, x, y in zip(axes, ("K", "K", "boundary_share"), ("ASA", "BR", "BR"), strict=True):
            ax.plot([p[x] for p in curve], [p[y] for p in curve], label=name, **style)
            ax.set(xlabel=x.replace("_", " "), ylabel=y)
            ax.grid(alpha=0.3)
    for ax in axes[:2]:
        ax.set_xscale("log")
        ax.set_xticks([25, 50, 100, 200, 400], ["25", "50", "100", "200", "400"])
        ax.minorticks_off()
    figure.suptitle(f"{n_images} images; dashed: peers; dotted: peers with parts of ours")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8
    )
    figure.savefig(path, dpi=110)
    print(f"saved {path}")


if __name__ == "__main__":
    main()
