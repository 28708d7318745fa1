"""Errors that carry data: what went wrong, where, and what can be done about it.

``str(error)`` speaks to a Python programmer. `napari_superpixels.cli.messages` and
`napari_superpixels._napari.messages` say the same with options or buttons, from the fields.

None of them subclasses RuntimeError: a generator worker of superqt swallows
RuntimeErrors, so one raised in a worker would never reach the user.
"""

from napari_superpixels.errors.base import (
    ExportError,
    FileError,
    NothingToSegmentError,
    SuperpixelError,
    SuperpixelMemoryError,
    TilingError,
    data_of,
    from_plain,
    to_plain,
)
from napari_superpixels.errors.files import (
    ColumnsDifferByCase,
    FileExists,
    FormatForPlanes,
    HoldsPlanes,
    MadeOtherwise,
    MissingLibrary,
    NeedsImage,
    NotGeoreferenced,
    NotTold,
    UnitNotKnown,
)
from napari_superpixels.errors.images import (
    AmbiguousAxes,
    MaskMismatch,
    NotASeries,
    UnchosenPlane,
    UnknownChannelAxis,
    WrongAxes,
)
from napari_superpixels.errors.labels import (
    LabelsMismatch,
    LabelsNotInTiles,
    NoLabels,
    NotLabels,
)
from napari_superpixels.errors.memory import (
    NotEnoughMemory,
    OutOfMemory,
    TilesNeedAPlane,
)
from napari_superpixels.errors.parameters import (
    DeviceUnavailableError,
    InvalidParameter,
    InvalidParameterType,
    NotRGB,
    TooFewPixels,
    TooFewSegments,
    UnknownParameter,
)
from napari_superpixels.errors.reason import (
    cannot_read,
    reason_of,
)
from napari_superpixels.errors.tiles import (
    DamagedTile,
    ForeignFolder,
    InTheWay,
    LabelsKept,
    OutputTaken,
    RunBrokenOff,
    UnfinishedRun,
    WorkersDied,
)
from napari_superpixels.errors.unexpected import Unexpected

__all__ = [
    "AmbiguousAxes",
    "ColumnsDifferByCase",
    "DamagedTile",
    "DeviceUnavailableError",
    "ExportError",
    "FileError",
    "FileExists",
    "ForeignFolder",
    "FormatForPlanes",
    "HoldsPlanes",
    "InTheWay",
    "InvalidParameter",
    "InvalidParameterType",
    "LabelsKept",
    "LabelsMismatch",
    "LabelsNotInTiles",
    "MadeOtherwise",
    "MaskMismatch",
    "MissingLibrary",
    "NeedsImage",
    "NoLabels",
    "NotASeries",
    "NotEnoughMemory",
    "NotGeoreferenced",
    "NotLabels",
    "NotRGB",
    "NotTold",
    "NothingToSegmentError",
    "OutOfMemory",
    "OutputTaken",
    "RunBrokenOff",
    "SuperpixelError",
    "SuperpixelMemoryError",
    "TilesNeedAPlane",
    "TilingError",
    "TooFewPixels",
    "TooFewSegments",
    "UnchosenPlane",
    "Unexpected",
    "UnfinishedRun",
    "UnitNotKnown",
    "UnknownChannelAxis",
    "UnknownParameter",
    "WorkersDied",
    "WrongAxes",
    "cannot_read",
    "data_of",
    "from_plain",
    "reason_of",
    "to_plain",
]
