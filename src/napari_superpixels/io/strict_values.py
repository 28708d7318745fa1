"""Plain values that files say, checked before anything of them is used."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """Exact types; what else a file says is left alone, as newer versions may say more."""

    model_config = ConfigDict(strict=True, extra="ignore")


def check(schema: type[BaseModel], said: object) -> None:
    """Refuse what is not as a schema says.

    Parameters
    ----------
    schema : type of BaseModel
        How it must be.
    said : object
        Plain values.

    Raises
    ------
    ValueError
        With where the first fault is, and what it is.
    """
    try:
        schema.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None
