"""How this machine asks a stage's API: the address, what says who asks, and a curl that does the same."""

import os
import shlex
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final

from cli.api_keys import header_file, header_of
from cli.cloud import Cloud
from cli.errors import ApiUnreachableError, CredentialMissingError

KEY: Final = "NIGHTLAKE_API_KEY"
TOKEN: Final = "NIGHTLAKE_API_TOKEN"  # noqa: S105 - the name of a variable

_SECONDS = 35  # API Gateway gives up after 29


@dataclass(frozen=True)
class Answered:
    """What the API answered."""

    status: int
    media_type: str
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether it is what was asked for."""
        return self.status < 400  # noqa: PLR2004


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What the API points to is not the API: it must not get the caller's key."""

    def redirect_request(self, *_args: Any) -> None:
        return None


def get(cloud: Cloud, path: str, accept: str) -> Answered:
    """The answer to a GET of this path; where the API points to a large answer's place, that answer.

    Raises:
        CredentialMissingError: nothing says who asks.
        ApiUnreachableError: the API does not answer.
    """
    outputs = cloud.outputs()
    url = cloud.api_url(outputs).rstrip("/") + path
    status, headers, body = _send(cloud, url, {"accept": accept} | _credentials(cloud, outputs, url))
    if status in (302, 303, 307):
        status, headers, body = _send(cloud, headers["Location"], {})
    return Answered(status, headers.get_content_type(), body)


def curl(cloud: Cloud, outputs: Mapping[str, str], path: str) -> str:
    """A command line that asks for the path; it holds no secret."""
    url = cloud.api_url(outputs).rstrip("/") + path
    if outputs["ApiAuth"] == "jwt":
        return f'curl -H "Authorization: Bearer ${TOKEN}" {shlex.quote(url)}'
    if outputs["ApiAuth"] == "iam":
        signed = f'--aws-sigv4 aws:amz:{_region(cloud)}:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
        return f'curl {signed} -H "x-amz-security-token: $AWS_SESSION_TOKEN" {shlex.quote(url)}'
    if cloud.endpoint is None:
        return f'curl -H "x-api-key: ${KEY}" {shlex.quote(url)}'
    trust = ["--cacert", str(cloud.endpoint.ca_bundle)] if cloud.endpoint.ca_bundle else []
    return shlex.join(["curl", *trust, "-H", f"@{header_file(cloud, outputs)}", url])


def _credentials(cloud: Cloud, outputs: Mapping[str, str], url: str) -> dict[str, str]:
    """The headers that say who asks."""
    kind = outputs["ApiAuth"]
    if kind == "iam":
        return _signature(cloud, url)
    if kind == "jwt":
        return {"authorization": f"Bearer {_variable(TOKEN, 'a token of its issuer')}"}
    if KEY in os.environ or cloud.endpoint is None:
        how = f"a key; nightlake api keys create NAME --stage {cloud.stage} makes one"
        return {"x-api-key": _variable(KEY, how)}
    return header_of(header_file(cloud, outputs))


def _variable(name: str, holds: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise CredentialMissingError(f"The API asks who asks: set {name} to {holds}")
    return value


def _signature(cloud: Cloud, url: str) -> dict[str, str]:
    import boto3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    if cloud.endpoint:
        local = cloud.endpoint.environment()
        credentials: Any = Credentials(local["AWS_ACCESS_KEY_ID"], local["AWS_SECRET_ACCESS_KEY"])
    else:
        credentials = boto3.Session().get_credentials()
    request = AWSRequest("GET", url)
    SigV4Auth(credentials, "execute-api", _region(cloud)).add_auth(request)
    return dict(request.headers)


def _region(cloud: Cloud) -> str:
    return str(cloud.client("sts").meta.region_name)


def _send(cloud: Cloud, url: str, headers: Mapping[str, str]) -> "tuple[int, Message[str, str], bytes]":
    authority = cloud.endpoint.ca_bundle if cloud.endpoint else None
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    # A proxy of the caller's is not asked for 127.0.0.1.
    proxies = [urllib.request.ProxyHandler({})] if cloud.endpoint else []
    opener = urllib.request.build_opener(*proxies, _NoRedirect, urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - the stage's own address
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
    except OSError as error:
        raise ApiUnreachableError(f"The API does not answer at {url}: {error}") from error
