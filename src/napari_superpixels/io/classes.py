"""What files say of each superpixel besides its pixels: its class, its lock, columns of others."""

# pydantic reads the annotations when the classes are made, so their types are real imports.
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from napari_superpixels.errors import ExportError, FileError, reason_of
from napari_superpixels.io.strict_values import Strict, check

CLASS, LOCK = "class", "lock"
_FREE = "free"
# The dock writes these anew for each layer, and tables measure them; no file keeps them twice.
COMPUTED = ("index", "label", "frames", "area_px", "area", "fragments")
# Of the provenance.
CLASSES, COLUMNS, CLASS_MAP, CORRECTION = "classes", "columns", "class map", "correction"

_Name = Annotated[str, Field(max_length=10_000)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Label = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Value = bool | int | FiniteFloat | str | None


class PlainClass(Strict):
    """A class as plain values."""

    number: Annotated[int, Field(ge=1, le=255)]
    name: _Name
    color: Annotated[Sequence[_Share], Field(min_length=3, max_length=3)]


class _Record(Strict):
    category: Annotated[int, Field(ge=0, le=255, alias="class")]
    lock: Literal["free", "edited", "held"]


class _Correction(Strict):
    superpixels: dict[Annotated[str, Field(pattern=r"^-?[0-9]{1,18}$")], _Record] = Field({})


class _Columns(Strict):
    label: Sequence[_Label]


class _Said(Strict):
    classes: Sequence[PlainClass] = ()
    columns: dict[_Name, Sequence[_Value]] = Field({})
    class_map: bool = Field(default=False, alias="class map")
    correction: _Correction | None = None


@dataclass(frozen=True, slots=True)
class LabelClass:
    """A class that superpixels can have.

    Attributes
    ----------
    number : int
        1 to 255: its value in a map of classes.
    name : str
    color : tuple of float
        Red, green, blue from 0 to 1.
    """

    number: int
    name: str
    color: tuple[float, float, float]

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Its colour as bytes."""
        red, green, blue = (round(255 * share) for share in self.color)
        return red, green, blue


@dataclass(frozen=True, slots=True, eq=False)
class LabelColumns:
    """Columns of superpixels, and the classes that there are.

    Attributes
    ----------
    table : DataFrame
        A row a superpixel, by its label; texts, numbers, truth values. ``class`` holds names of
        classes, empty for none; ``lock`` is free, edited or held.
    classes : tuple of LabelClass
        In the order of their numbers.
    is_class_map : bool
        Whether the labels are the numbers of classes.
    """

    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    classes: tuple[LabelClass, ...] = ()
    is_class_map: bool = False

    @property
    def by_name(self) -> dict[str, LabelClass]:
        """The classes; of two that have one name, the first."""
        found: dict[str, LabelClass] = {}
        for known in self.classes:
            found.setdefault(known.name, known)
        return found

    def of(self, ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Take the columns of some superpixels.

        Parameters
        ----------
        ids : ndarray of int64, shape (K,)
            Labels.

        Returns
        -------
        dict of str to ndarray, each of shape (K,)
            Where nothing is known, an empty text or NaN; a lock is free then.
        """
        found: dict[str, NDArray[Any]] = {}
        for name, values in self.table.items():
            known = values.reindex(ids)
            if _is_text(values):
                nothing = _FREE if name == LOCK else ""
                found[str(name)] = known.fillna(nothing).to_numpy(object)
            else:  # where one is not known, truth values become numbers
                found[str(name)] = (known.astype(float) if known.isna().any() else known).to_numpy()
        return found

    def class_of(self, ids: NDArray[np.int64]) -> list[LabelClass | None]:
        """Find the classes of some superpixels.

        Parameters
        ----------
        ids : ndarray of int64, shape (K,)
            Labels.

        Returns
        -------
        list of LabelClass or None
            None where a superpixel has none.
        """
        if CLASS not in self.table:
            return [None] * len(ids)
        known = self.by_name
        return [known.get(name) for name in self.of(ids)[CLASS].tolist()]

    def as_plain(self) -> dict[str, Any]:
        """Write it as plain values, for the provenance in a file; `columns_of` reads them."""
        plain: dict[str, Any] = {}
        if self.classes:
            plain[CLASSES] = [
                {"number": c.number, "name": c.name, "color": list(c.color)} for c in self.classes
            ]
        if self.is_class_map:
            return plain | {CLASS_MAP: True}
        if self.table.shape[1]:
            values = {str(name): _plain(column) for name, column in self.table.items()}
            plain[COLUMNS] = {"label": self.table.index.tolist()} | values
        return plain


def label_columns(
    table: pd.DataFrame | Mapping[str, Sequence[Any]] | None, classes: Iterable[Mapping[str, Any]]
) -> LabelColumns:
    """Bring a table of superpixels into a form that every format can hold.

    Parameters
    ----------
    table : DataFrame, mapping of str to sequence, or None
        Rows belong to the labels in ``index``, or else to whole numbers in ``label``, or else to
        0, 1, 2, ….
    classes : iterable of mapping
        ``number``, ``name``, ``color`` of each class.

    Returns
    -------
    LabelColumns
        Without what is measured anew for a file.

    Raises
    ------
    ExportError
        If a class is not as it must be.
    """
    plain = [dict(known) for known in classes]
    try:
        check(_Said, {CLASSES: plain})
    except ValueError as error:
        raise ExportError(
            f"a class needs number (1 to 255), name, and color (three shares): {error}"
        ) from error
    frame = pd.DataFrame() if table is None else pd.DataFrame(table)
    if "label" in frame and not pd.api.types.is_integer_dtype(frame["label"]):
        frame = frame.rename(columns={"label": "label text"})
    ids = next((frame[name] for name in ("index", "label") if name in frame), None)
    frame.index = pd.Index(np.arange(len(frame)) if ids is None else ids.to_numpy())
    frame = frame.drop(columns=[name for name in COMPUTED if name in frame])
    frame.columns = frame.columns.astype(str)
    first = [name for name in (CLASS, LOCK) if name in frame]
    frame = frame[[*first, *(name for name in frame if name not in first)]]
    frame = frame.loc[:, ~frame.columns.duplicated()]
    frame = frame[~frame.index.duplicated()]
    simple = pd.DataFrame({name: _simple(frame[name]) for name in frame}, index=frame.index)
    return LabelColumns(simple, _classes(plain))


def columns_of(provenance: Mapping[str, Any], source: object) -> LabelColumns:
    """Take from what a label file of ours says of itself what it says of its superpixels.

    Parameters
    ----------
    provenance : mapping
        See `read_provenance`; of a file that the correction dock has saved, or that was exported.
    source : object
        Names the file in messages.

    Returns
    -------
    LabelColumns
        Empty where it says nothing.

    Raises
    ------
    FileError
        If it cannot be used.
    """
    names = (CLASSES, COLUMNS, CLASS_MAP, CORRECTION)
    said: Mapping[str, Any] = {name: provenance[name] for name in names if name in provenance}
    try:
        check(_Said, said)
        classes = _classes(said.get(CLASSES, ()))
        columns = dict(said.get(COLUMNS, {}))
        if columns:
            check(_Columns, columns)
        if len({len(values) for values in columns.values()}) > 1:
            raise ValueError("its columns differ in length")
    except ValueError as error:
        raise FileError(
            f"{source}: what it says of its superpixels cannot be used ({reason_of(error)}): it "
            "may be damaged, or changed by other software; its labels open in napari like any image"
        ) from error
    found = label_columns(columns or None, ())
    table, is_map = found.table, bool(said.get(CLASS_MAP))
    if said.get(CORRECTION) is not None:
        table = _with_corrections(table, said[CORRECTION].get("superpixels", {}), classes)
    if is_map:
        names_of = [known.name for known in classes]
        table = pd.DataFrame({CLASS: names_of}, index=[known.number for known in classes])
    return LabelColumns(table, classes, is_map)


def only_class(
    labels: NDArray[np.integer], columns: LabelColumns, name: str
) -> tuple[NDArray[np.integer], LabelColumns]:
    """Leave out the superpixels that do not have a class.

    Parameters
    ----------
    labels : ndarray of int
        Label map.
    columns : LabelColumns
        What is known of it.
    name : str
        Name of the class.

    Returns
    -------
    labels : ndarray of int
        Of the same shape and dtype; 0 for what is left out.
    columns : LabelColumns

    Raises
    ------
    ExportError
        If there is no such class, or no superpixel has it.
    """
    wanted = _class_named(columns, name)
    ids = np.unique(labels)
    has_it = np.array([known == wanted for known in columns.class_of(ids.astype(np.int64))])
    if not has_it[ids != 0].any():
        raise ExportError(
            f"no superpixel has the class “{name}”: choose another class, or export all superpixels"
        )
    kept = np.where(has_it & (ids != 0), ids, 0).astype(labels.dtype)
    return kept[np.searchsorted(ids, labels)], columns


def dissolved(
    labels: NDArray[np.integer], columns: LabelColumns
) -> tuple[NDArray[np.integer], LabelColumns]:
    """Make one object of all superpixels of a class: a map of classes.

    Parameters
    ----------
    labels : ndarray of int
        Label map.
    columns : LabelColumns
        What is known of it.

    Returns
    -------
    labels : ndarray of uint8
        Numbers of the classes; 0 where a superpixel has none.
    columns : LabelColumns
        A row a class, with the number of its superpixels.

    Raises
    ------
    ExportError
        If no superpixel has a class.
    """
    if columns.is_class_map:
        return labels, columns
    ids = np.unique(labels)
    found = columns.class_of(ids.astype(np.int64))
    numbers = np.array([0 if known is None else known.number for known in found], np.uint8)
    numbers[ids == 0] = 0
    if not numbers.any():
        raise ExportError(
            "no superpixel has a class yet, so there is nothing to dissolve: give some a class in "
            "the correction dock, or export the superpixels"
        )
    counts = np.bincount(numbers, minlength=256)
    present = [known for known in columns.classes if counts[known.number]]
    table = pd.DataFrame(
        {
            CLASS: [known.name for known in present],
            "superpixels": [int(counts[known.number]) for known in present],
        },
        index=[known.number for known in present],
    )
    return numbers[np.searchsorted(ids, labels)], LabelColumns(table, columns.classes, True)


def class_map_columns(classes: Iterable[Mapping[str, Any]]) -> LabelColumns:
    """Describe a label map whose labels are the numbers of classes.

    Parameters
    ----------
    classes : iterable of mapping
        ``number``, ``name``, ``color`` of each class.

    Returns
    -------
    LabelColumns

    Raises
    ------
    ExportError
        If a class is not as it must be.
    """
    known = label_columns(None, classes).classes
    table = pd.DataFrame({CLASS: [c.name for c in known]}, index=[c.number for c in known])
    return LabelColumns(table, known, True)


def _class_named(columns: LabelColumns, name: str) -> LabelClass:
    known = columns.by_name
    if name in known:
        return known[name]
    if not known:
        raise ExportError(
            "these labels have no classes: save or export them from napari once superpixels have "
            "some"
        )
    raise ExportError(f"there is no class “{name}”: choose one of {', '.join(known)}")


def _with_corrections(
    table: pd.DataFrame, records: Mapping[str, Any], classes: Sequence[LabelClass]
) -> pd.DataFrame:
    """Classes and locks as the correction dock saves them, before the other columns."""
    names = {known.number: known.name for known in classes}
    index = pd.Index([int(label) for label in records], dtype=np.int64)
    own = pd.DataFrame(
        {
            CLASS: [
                names.get(r["class"], f"class {r['class']}" if r["class"] else "")
                for r in records.values()
            ],
            LOCK: [record["lock"] for record in records.values()],
        },
        index=index,
        dtype=object,
    )
    rest = table.drop(columns=[name for name in own if name in table])
    return own.join(rest, how="outer")


def _classes(plain: Iterable[Mapping[str, Any]]) -> tuple[LabelClass, ...]:
    found = [LabelClass(c["number"], c["name"], tuple(c["color"])) for c in plain]
    if len({known.number for known in found}) < len(found):
        raise ValueError("two of its classes have one number")
    return tuple(sorted(found, key=lambda known: known.number))


def _is_text(values: "pd.Series[Any]") -> bool:
    return not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values))


def _simple(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Truth values, numbers and texts; nothing that only pandas knows."""
    if pd.api.types.is_bool_dtype(values) and not values.isna().any():
        return values.astype(bool)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values):
        is_whole = pd.api.types.is_integer_dtype(values) and not values.isna().any()
        return values.astype(np.int64) if is_whole else values.astype(np.float64)
    return pd.Series(
        ["" if missing else str(v) for v, missing in zip(values, values.isna(), strict=True)],
        index=values.index,
        dtype=object,
    )


def _plain(values: "pd.Series[Any]") -> list[Any]:
    known = values.tolist()
    return [None if isinstance(v, float) and not np.isfinite(v) else v for v in known]
