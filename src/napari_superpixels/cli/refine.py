"""The command ``napari-superpixels refine``: borders of labels moved to the image's edges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.cli.messages import complain, text_of
from napari_superpixels.cli.output import write_output
from napari_superpixels.cli.paths import REFINED, input_files, output_files
from napari_superpixels.cli.segment import FAILED, OK, check_target, compile_loops, told_error
from napari_superpixels.cli.stacks import bands_as_planes, refuse_formats_of_planes, subject_of
from napari_superpixels.cli.subject import Pixels, Subject
from napari_superpixels.errors.quantities import counted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_superpixels.cli.options import RefineOptions


def refine_files(options: RefineOptions) -> int:
    """Run the command.

    Parameters
    ----------
    options : RefineOptions

    Returns
    -------
    int
        Exit code: 1 if a file failed.
    """
    from tqdm import tqdm

    images = input_files(options)
    targets, _ = output_files(images, options.output, REFINED)
    failures: list[str] = []
    hide = (options.output.quiet or None) if len(images) > 1 else True
    for image, files in tqdm(list(zip(images, targets, strict=True)), desc="files", disable=hide):
        own = options
        try:
            own = replace(options, input=options.input.for_image(image))
            tqdm.write(f"{files[0]}: {_refine_file(image, files[0], own)}")
        except Exception as raised:  # noqa: BLE001  (a file must not stop the others)
            text = text_of(told_error(raised, own.input))
            failures.append(text if text.startswith(str(image)) else f"{image}: {text}")
            complain(failures[-1])
    if failures and len(images) > 1:
        complain(f"{len(failures)} of {len(images)} images failed:")
        for text in failures:
            complain(f"  {text}")
    return FAILED if failures else OK


def _refine_file(image: Path, target: Path, options: RefineOptions) -> str:
    """Refine the labels of an image, and say what was done."""
    from napari_superpixels.api.result import versions
    from napari_superpixels.io.classes import columns_of
    from napari_superpixels.io.images import open_image
    from napari_superpixels.io.provenance import carried, read_provenance

    asked = options.input
    path = asked.given["labels"]
    check_target(target, image, asked, may_replace=options.output.force)
    with open_image(image) as opened:
        subject = subject_of(bands_as_planes(opened, asked), asked)
        if subject.frames or asked.is_volume:
            refuse_formats_of_planes([target])
        compile_loops()
        before, after = _refined(subject, options)
    of_labels = read_provenance(path)
    provenance: dict[str, Any] = {
        **carried(of_labels, frames=subject.frames),
        **subject.spatial.to_dict(),
        "refined": {
            "labels": path.name,
            "keep_background": options.keep_background,
            **options.chosen,
        },
        "source": image.name,
        "versions": versions(),
    }
    # Labels keep their numbers, and so what is known of each.
    about = subject.described(provenance, columns_of(of_labels, path))
    write_output(target, after, None, about, overwrite=options.output.force)
    n_labels, n_changed = len(np.unique(after[after > 0])), int((before != after).sum())
    return (
        f"{counted(n_labels, 'label')} refined; {n_changed} of {counted(after.size, 'pixel')} "
        "changed label"
    )


def _refined(
    subject: Subject, options: RefineOptions
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Labels before and after."""
    from napari_superpixels.api.image import refine
    from napari_superpixels.api.series import frame_of
    from napari_superpixels.core.prepare.given_labels import check_labels

    pixels = Pixels(subject, options.input.channels)
    axis, given = subject.channel_axis, subject.given["labels"]
    if subject.frames and axis is not None:
        axis -= 1
    if subject.frames and given.shape == subject.shape[1:]:  # the same for every frame
        given = np.broadcast_to(given, subject.shape)
    before = check_labels(given, subject.shape, "labels")

    def refined(number: int, labels: NDArray[np.integer]) -> NDArray[np.integer]:
        return refine(
            pixels.read(number),
            labels,
            keep_background=options.keep_background,
            channel_axis=axis,
            mask=frame_of(subject.mask, number) if subject.frames else subject.mask,
            nodata=subject.nodata,
            spacing=subject.spacing,
            **options.chosen,
        )

    if not subject.frames:
        return before, refined(0, before)
    return before, np.stack([refined(k, labels) for k, labels in enumerate(before)])
