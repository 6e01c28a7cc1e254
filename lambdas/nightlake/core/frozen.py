"""The base of every model in a compiled pipeline."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable and hashable; refuses unknown keys and never converts a value of another type."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", serialize_by_alias=True, defer_build=True)
