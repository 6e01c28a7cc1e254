"""What the stack tells every function through its environment, read once."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, Json, model_validator

from nightlake.core.api.issuer import Issuer
from nightlake.core.databases import Databases
from nightlake.core.postgres_login import Address

COMPILED_CONTRACTS: Final = Path(__file__).parents[1] / "contracts"
PACKED_SQL: Final = Path(__file__).parents[1] / "sql"
PACKED_LIBRARIES: Final = Path(__file__).parents[1] / "libraries"
_LOOPBACK: Final = re.compile(r"http://127\.0\.0\.1:[0-9]+")


class Webhook(BaseModel):
    """A chat channel; its URL is the text of the secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["slack", "teams"]
    secret_name: str


class Settings(BaseModel):
    """The environment of a function; a missing name is an error of the stack and ends the cold start."""

    # An error would show its input, and a function's environment holds the credentials of its role.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    stage: str = Field(alias="STAGE", min_length=1)
    raw_bucket: str = Field(alias="RAW_BUCKET", min_length=1)
    lake_bucket: str = Field(alias="LAKE_BUCKET", min_length=1)
    quarantine_bucket: str = Field(alias="QUARANTINE_BUCKET", min_length=1)
    database: str = Field(alias="DATABASE", min_length=1)
    staging_database: str = Field(alias="STAGING_DATABASE", min_length=1)
    quarantine_database: str = Field(alias="QUARANTINE_DATABASE", min_length=1)
    webhooks: Json[tuple[Webhook, ...]] = Field(alias="WEBHOOKS", default=())
    cors_origins: Json[tuple[str, ...]] = Field(alias="CORS_ORIGINS", default=())
    endpoints: Json[dict[str, str]] = Field(alias="ENDPOINTS", default={})
    postgres: Json[dict[str, Address]] = Field(alias="DATABASES", default={})
    keys_table: str = Field(alias="KEYS_TABLE", default="")
    tokens: Json[Issuer] | None = Field(alias="TOKENS", default=None)
    serves_private: Json[bool] = Field(alias="SERVES_PRIVATE", default=False)
    callers: Json[dict[str, tuple[str, ...]]] = Field(alias="CALLERS", default={})
    api_workgroup: str = Field(alias="API_WORKGROUP", default="")
    queries_at_once: Json[int] = Field(alias="QUERIES_AT_ONCE", default=2)
    contracts: Path = Field(alias="CONTRACTS", default=COMPILED_CONTRACTS)
    sql: Path = Field(alias="SQL", default=PACKED_SQL)
    libraries: Path = Field(alias="LIBRARIES", default=PACKED_LIBRARIES)

    @model_validator(mode="after")
    def _stands_in_only_here(self) -> "Settings":
        strange = [address for address in self.endpoints.values() if not _LOOPBACK.fullmatch(address)]
        if self.endpoints and (self.stage != "local" or strange):
            raise ValueError("ENDPOINTS are stand-ins of the stage local, at http://127.0.0.1:PORT: remove the others")
        return self

    @property
    def databases(self) -> Databases:
        """The Glue databases of the stage."""
        return Databases(served=self.database, staging=self.staging_database, quarantine=self.quarantine_database)


@cache
def settings() -> Settings:
    """The settings of this function. Raises pydantic's ValidationError naming what the environment lacks."""
    return Settings.model_validate(dict(os.environ))
