"""How libpq is told to connect to a database: what the settings and the secret say, and what neither may change."""

import json
import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from nightlake.core.errors import DatabaseSecretError
from nightlake.core.frozen import Frozen

_SECONDS: Final = 10
_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1|/.*")


class Address(Frozen):
    """Where a database is, as far as the stage's settings say it: what they leave open stands in the secret."""

    secret_name: str
    host: str | None = None
    port: int | None = None
    dbname: str | None = None


class Login(Frozen):
    """Everything that opens a session. `sslrootcert` are certificates in PEM, or the path of a file that has them.

    A secret may have more: RDS writes `engine`, `dbInstanceIdentifier` and others.
    """

    host: Annotated[str, Field(min_length=1, pattern=r"^[^\x00,]+$")]
    port: int = Field(5432, ge=1, le=65535)
    dbname: Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")]
    username: Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$", repr=False)]
    password: Annotated[str, Field(pattern=r"^[^\x00]*$", repr=False)]
    sslmode: Literal["verify-full", "disable"] = "verify-full"
    sslrootcert: str | None = None

    @model_validator(mode="after")
    def _is_safe(self) -> "Login":
        if self.sslmode == "disable" and not _LOOPBACK.fullmatch(self.host):
            raise ValueError("sslmode: disable is for a database on the same machine alone; remove it")
        return self

    def conninfo(self, certificates: str) -> str:
        """As libpq reads it; `certificates` is the path of those that prove the server's."""
        words: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "dbname": self.dbname,
            "user": self.username,
            "password": self.password,
            "sslmode": self.sslmode,
            "sslrootcert": certificates if self.sslmode == "verify-full" else None,
            "gssencmode": "disable",
            "application_name": "nightlake",
            "client_encoding": "UTF8",
            "connect_timeout": _SECONDS,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,
        }
        return " ".join(f"{word}={_quoted(str(value))}" for word, value in words.items() if value is not None)

    def without_secrets(self, text: str) -> str:
        """A message of libpq, in which neither name nor password of the role is to be read."""
        for secret in (self.password, self.username):
            if secret:
                text = text.replace(secret, "***")
        return text


def login(name: str, address: Address, secret: str | None) -> Login:
    """What the settings say, and for the rest the secret: JSON as RDS writes it.

    Raises DatabaseSecretError, which names what is wrong and never shows it.
    """
    where = f"The secret {address.secret_name!r} of the database {name!r}"
    if secret is None:
        raise DatabaseSecretError(f"{where} is not there or has no text; put host, port, dbname, username, password")
    try:
        told = json.loads(secret)
        if not isinstance(told, dict):
            raise ValueError("is no object")  # noqa: TRY004, TRY301
    except ValueError:
        raise DatabaseSecretError(f"{where} is no JSON object; write it as RDS does") from None
    said = address.model_dump(exclude={"secret_name"}, exclude_none=True)
    known = {key: value for key, value in {**told, **said}.items() if key in Login.model_fields and value is not None}
    if isinstance(known.get("port"), str) and known["port"].isdecimal():
        known["port"] = int(known["port"])
    try:
        return Login.model_validate(known)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'sslmode'}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise DatabaseSecretError(f"{where} does not say how to connect ({wrong}); mend it") from None


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
