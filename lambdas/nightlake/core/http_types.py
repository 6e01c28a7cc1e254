"""Texts of an HTTP source that must have a form: addresses, hosts, names of headers and dotted paths."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

HEADER: Final = "$header."  # before the name of an answer's header, where `pages` says what to go by

TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a header's name
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_HOST: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_NOTHING: Final = frozenset(range(400, 500)) - {401, 403, 408, 429}  # statuses that may say that nothing is there


def _address(url: str) -> str:
    """An https address of a host, without what does not belong there."""
    if CONTROL.search(url) or " " in url:
        raise ValueError("an address has no blanks and no line ends: remove them")
    if not url.startswith("https://"):
        raise ValueError(f"{url!r} is not https: nothing is asked in clear text")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{url!r} is no address: write https://host/path") from None
    if "{" in parts.netloc or parts.hostname is None or not _HOST.fullmatch(parts.hostname.lower()):
        raise ValueError(f"{parts.netloc!r} is no name of a host: write one such as api.example.com")
    if "@" in parts.netloc:
        raise ValueError("an address holds no user and no password: put them into a secret and declare `auth`")
    if port == 0 or parts.fragment or "#" in url:
        raise ValueError(f"{url!r} has a port or a fragment (#...) that nobody can ask for: remove it")
    return url


def _url(url: str) -> str:
    if "?" in url:
        raise ValueError("the url goes up to its '?': write the parameters under `query`")
    return _address(url)


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no name of a host: write one such as pages.example.com, in lower case")
    return host


def dotted(path: str) -> str:
    """The path, if it is one. Raises ValueError."""
    if path.startswith("$") or any(not step for step in path.split(".")):
        raise ValueError(f"{path!r} is no dotted path: write names of objects with dots between, such as data.items")
    return path


def _said(path: str) -> str:
    if not path.startswith(HEADER):
        return dotted(path)
    if not TOKEN.fullmatch(path.removeprefix(HEADER)):
        raise ValueError(f"{path!r} names no header: write one such as {HEADER}X-Total-Count")
    return path


def _texts(value: object) -> tuple[object, ...]:
    texts = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{value!r} is neither a text nor a list of texts: put it in quotes")
    return texts


def _nothing_there(status: int) -> int:
    if status not in _NOTHING:
        raise ValueError(f"{status} never says that there is nothing: write one such as 404")
    return status


Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Path = Annotated[str, AfterValidator(dotted)]
Said = Annotated[str, AfterValidator(_said)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Address = Annotated[str, AfterValidator(_address)]
Url = Annotated[str, AfterValidator(_url)]
Host = Annotated[str, AfterValidator(_host)]
PathOrTop = Annotated[str, AfterValidator(lambda path: path and dotted(path))]
EmptyStatus = Annotated[int, AfterValidator(_nothing_there)]
