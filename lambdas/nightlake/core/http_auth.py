"""How an API knows who asks, as written in pipeline.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from nightlake.core.frozen import Frozen
from nightlake.core.http_types import Address


class HeaderAuth(Frozen):
    """A key in a header of every request."""

    by: Literal["header"]
    name: str = Field("X-Api-Key", min_length=1, description="The header.")
    secret: str = Field(min_length=1, description="The secret whose text, or whose JSON field `key`, is the key.")


class QueryAuth(Frozen):
    """A key in the query of every request."""

    by: Literal["query"]
    name: str = Field(min_length=1, description="The query parameter.")
    secret: str = Field(min_length=1, description="The secret whose text, or whose JSON field `key`, is the key.")


class BearerAuth(Frozen):
    """A token that does not change: `Authorization: Bearer ...`."""

    by: Literal["bearer"]
    secret: str = Field(min_length=1, description="The secret whose text, or whose JSON field `token`, is the token.")


class BasicAuth(Frozen):
    """A user and a password: `Authorization: Basic ...`."""

    by: Literal["basic"]
    secret: str = Field(
        min_length=1,
        description="The secret whose JSON has `username` and `password`, or whose text is `username:password`; "
        "either may be empty.",
    )


class OAuth2Auth(Frozen):
    """A token that is asked for with client credentials (RFC 6749, 4.4), and asked for again when it has expired."""

    by: Literal["oauth2"]
    token_url: Address = Field(description="Where tokens are given.")
    secret: str = Field(min_length=1, description="The secret whose JSON has `client_id` and `client_secret`.")
    scope: str = Field("", description="The scope that is asked for, if any.")
    parameters: dict[str, str] = Field(
        {}, description="More that is asked with, such as an `audience`; no secret may stand here."
    )


Auth = Annotated[HeaderAuth | QueryAuth | BearerAuth | BasicAuth | OAuth2Auth, Field(discriminator="by")]
