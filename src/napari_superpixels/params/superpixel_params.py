"""The parameters of a run: the only home of their defaults, ranges, names and explanations.

The dock, the command line, the API, parameter files and provenance all read them from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_superpixels.params.options import ColorOptions
from napari_superpixels.params.parameter_info import AUTO, parameter
from napari_superpixels.params.parameter_set import ParameterSet

OUTLIERS = ("clip", "keep")
COLOR_SPACES = ("auto", "lab", "channels")
COUNTS = ("adaptive", "exact")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "bfloat16")
_ENOUGH_PIECES = 4000  # for small images; in large ones they are as dense as in a photograph
_LEAST_PIXELS_PER_PIECE = 40


@dataclass(frozen=True, kw_only=True)
class SuperpixelParams(ParameterSet):
    """Everything that decides the result of a run, besides the image and the device.

    The defaults are those of the ``balanced`` preset. Symbols refer to arXiv 2002.06765.

    Raises
    ------
    ValueError
        If a value is out of range, with the allowed range.
    TypeError
        If a value has the wrong type.
    """

    n_segments: int = parameter(
        100,
        "Superpixels",
        "N, the largest number of superpixels, 1 to 65535. Plain images get fewer, unless the "
        "count is exact; the number obtained is shown after the run.",
        ge=1,
        le=65535,
        step=10,
    )
    count: str = parameter(
        "adaptive",
        "Number means",
        "adaptive: at most N, as many as the image and λ ask for. exact: N, by merging the most "
        "alike or splitting the least homogeneous.",
        choices=COUNTS,
    )
    lam: float = parameter(
        2.0,
        "Keep similar apart",
        "λ in eq. (2), 0 to 3, no unit: how many superpixels survive. 3 keeps N; lower merges "
        "those that look alike, down to about a tenth of N at 0. No effect on an exact count. "
        "Without oversegmentation (paper) it acts on the network only, which hardly changes the "
        "number.",
        ge=0,
        le=3,
        step=0.1,
    )
    alpha: float = parameter(
        2.0,
        "Smoothness",
        "α in eq. (1), 0 to 100, no unit: weight of smooth superpixels whose borders follow the "
        "image's edges. Higher gives fewer, rounder pieces.",
        ge=0,
        le=100,
        step=0.5,
    )
    beta: float = parameter(
        10.0,
        "Reconstruction",
        "β in eq. (1), 0 to 1000, no unit: weight of reconstructing the image, which makes "
        "superpixels follow fine structures. 0 switches the reconstruction off.",
        ge=0,
        le=1000,
        step=1,
    )
    sigma: float = parameter(
        0.1,
        "Edge contrast scale",
        "σ in eq. (3), 0.01 to 10000, in squared standard deviations of the image: colour steps "
        "whose square is well above σ count as edges. The paper uses 8.",
        ge=0.01,
        le=1e4,
        step=0.01,
    )
    iterations: int = parameter(
        25,
        "Iterations",
        "Steps of the optimiser, 1 to 100000. More steps take proportionally more time.",
        ge=1,
        le=100_000,
        step=10,
    )
    coarse_share: float = parameter(
        0.8,
        "Coarse share",
        "Share of the iterations, 0 to 1, that see the image at half the working resolution first: "
        "four times faster. 0 as in the paper.",
        ge=0,
        le=1,
        step=0.1,
    )
    learning_rate: float = parameter(
        0.02,
        "Learning rate",
        "Step size of the Adam optimiser, 0.0001 to 1, no unit.",
        ge=1e-4,
        le=1,
        step=0.0001,
    )
    schedule: str = parameter(
        "cosine",
        "Learning rate schedule",
        "constant as in the paper; cosine rises over the first iterations and falls to 0 at the "
        "last one.",
        choices=SCHEDULES,
    )
    settle_percent: float = parameter(
        0.0,
        "Stop when settled",
        "End early when less than this percentage of the mask's pixels changed label in 10 "
        "iterations, 0 to 100; looked at every 10 iterations after the coarse ones, from the 20th "
        "on: no effect in balanced and fast as they are. 0 never ends early.",
        ge=0,
        le=100,
        step=0.1,
    )
    seed: int = parameter(
        0,
        "Seed",
        "Seed of the network's initial weights, 0 to 4294967295. The same seed, image, "
        "parameters, device and version give the same superpixels.",
        ge=0,
        le=2**32 - 1,
        step=1,
    )
    restarts: int = parameter(
        1,
        "Restarts",
        "Runs with different initial weights, 1 to 100; the one with the lowest loss is kept. "
        "Takes proportionally more time. A run that starts from given weights is done once.",
        ge=1,
        le=100,
        step=1,
    )
    min_size_px: int = parameter(
        0,
        "Minimum size",
        "Smallest superpixel in pixels before borders are refined, 0 to 1000000; smaller pieces "
        "join the neighbour that they resemble most. 0 (auto) takes a twentieth of the mean area "
        "of N superpixels.",
        ge=0,
        le=1_000_000,
        step=5,
    )
    downscale: int = parameter(
        4,
        "Working resolution 1/",
        "The network sees the image reduced by this factor, 1 to 64; borders are then refined at "
        "full resolution. 1 is full resolution, as in the paper: slow and memory-hungry.",
        ge=1,
        le=64,
        step=1,
    )
    label_maps: int = parameter(
        50,
        "Label maps",
        "Labels that the network tells apart, 0 to 65535. Separate pieces of a label become "
        "superpixels of their own, so it need not be N; memory and time grow with it. 0 takes N, "
        "as in the paper.",
        ge=0,
        le=65535,
        step=10,
    )
    hidden_channels: tuple[int, ...] = parameter(
        (16, 16),
        "Network widths",
        "Channels of the network's 3x3 layers, 1 to 4096 each; 32, 64, 128, 256 in the paper.",
        ge=1,
        le=4096,
    )
    color_space: str = parameter(
        "auto",
        "Colour space",
        "lab converts RGB to CIELAB, where distances match what the eye sees; channels uses the "
        "values as they are, each channel scaled by itself; auto is lab for RGB, else channels.",
        choices=COLOR_SPACES,
    )
    outliers: str = parameter(
        "clip",
        "Outliers",
        "clip: values far beyond nearly all others in their channel (hot pixels, specks of dust, a "
        "nodata value that the file does not name) count as the farthest usual ones, so that they "
        "cost no contrast; keep: values as they are, as in the paper. 8-bit images stay as they "
        "are.",
        choices=OUTLIERS,
    )
    max_channels: int = parameter(
        32,
        "Channels at most",
        "More channels than this, 0 to 65535, are reduced to so many principal components, which "
        "saves time and memory in spectral images. 0 keeps all channels, as in the paper.",
        ge=0,
        le=65535,
        step=1,
    )
    precision: str = parameter(
        "float32",
        "Precision",
        "Numbers that the network computes with; the loss is always float32. bfloat16 takes half "
        "the memory and is faster on recent GPUs.",
        choices=PRECISIONS,
    )
    oversegmentation: int = parameter(
        1500,
        "Oversegmentation",
        "Pieces, 0 to 1000000, that the labels are cut into before the most alike merge to N; for "
        "each 100 superpixels where the image is large enough, at least 2 N, and 4 N up to 4000. "
        "0 switches it off, as in the paper.",
        ge=0,
        le=1_000_000,
        step=100,
    )
    refine_iterations: int = parameter(
        20,
        "Refinement rounds",
        "Rounds of boundary refinement, 0 to 1000 (half as many at full resolution): pixels on "
        "borders move to the superpixel that they fit best. 0 switches it off, as in the paper.",
        ge=0,
        le=1000,
        step=5,
    )
    refine_compactness: float = parameter(
        0.1,
        "Refinement compactness",
        "Weight of the distance to the superpixel's centre in the refinement, 0 to 100, no unit. "
        "Higher gives rounder superpixels.",
        ge=0,
        le=100,
        step=0.1,
    )
    refine_smoothness: float | str = parameter(
        AUTO,
        "Border smoothness",
        "Weight of the border's length in the refinement, 0 to 100, no unit. Higher gives "
        "straighter, cleaner borders; lower follows every detail. auto: 0.15, up to 1 in an image "
        "with much noise.",
        ge=0,
        le=100,
        step=0.05,
    )

    @property
    def colors(self) -> ColorOptions:
        """How values become colours."""
        return ColorOptions(
            color_space=self.color_space, outliers=self.outliers, max_channels=self.max_channels
        )

    @property
    def n_label_maps(self) -> int:
        """Channels of the network's label maps."""
        return self.label_maps or self.n_segments

    def n_pieces(self, n_pixels: int) -> int:
        """Pieces that the labels are cut into before they merge.

        Parameters
        ----------
        n_pixels : int
            Of the image, at the resolution at which they merge.

        Returns
        -------
        int
            0 for none.
        """
        if self.oversegmentation == 0:
            return 0
        n = self.n_segments
        dense = min(self.n_pieces_wanted, n_pixels // _LEAST_PIXELS_PER_PIECE)
        return max(self.oversegmentation, 2 * n, min(4 * n, _ENOUGH_PIECES), dense)

    @property
    def n_pieces_wanted(self) -> int:
        """Pieces that are as dense as in a photograph, if there are pixels enough."""
        # More pieces are better as long as each shows a colour of its own; then they only take
        # time (benchmarks/seams.py: a mosaic of photographs needs as many as the photographs do).
        return max(self.oversegmentation, self.oversegmentation * self.n_segments // 100)
