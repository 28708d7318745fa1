"""Fig. 3: superpixel borders on sample images of scikit-image, ours beside SLIC and LSC.

python benchmarks/gallery.py
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from skimage import data
from skimage.segmentation import mark_boundaries

from common import RESULTS, match_count
from methods import ours, peers

IMAGES = {
    "coffee": data.coffee,
    "astronaut": data.astronaut,
    "chelsea": data.chelsea,
    "immunohistochemistry": data.immunohistochemistry,
}


def main() -> None:
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    known = peers()
    own = {
        f"ours ({preset})": ours(preset, arguments.device, arguments.seed)
        for preset in ("balanced", "fast")
    }
    methods = own | {
        name: known[name] for name in ("SLIC (compactness 10)", "LSC") if name in known
    }
    columns = [(name, n) for n in arguments.n for name in methods]
    figure = Figure(figsize=(3.2 * len(columns), 3.1 * len(IMAGES)), layout="constrained")
    axes = figure.subplots(len(IMAGES), len(columns))
    for row, (title, load) in zip(axes, IMAGES.items(), strict=True):
        image = load()
        for ax, (method, n) in zip(row, columns, strict=True):
            call = partial(methods[method], image)
            # Peers make other numbers than asked for: bring them to the same.
            labels = call(n if method in own else match_count(call, n, n / 4, n * 4))
            ax.imshow(mark_boundaries(image, labels, color=(1, 0.9, 0), mode="inner"))
            ax.set_title(f"{method}, K = {len(np.unique(labels))}", fontsize=9)
            ax.set_axis_off()
            print(title, method, len(np.unique(labels)), flush=True)
    figure.savefig(RESULTS / "gallery.jpg", dpi=75, pil_kwargs={"quality": 85})
    print(f"saved {RESULTS / 'gallery.jpg'}")


if __name__ == "__main__":
    main()
