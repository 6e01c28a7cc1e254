"""Breaks a delivery on purpose, to see what the night says of it."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from local.errors import DamageUnfitError
from local.sources.delivery import Delivery


class Damage(StrEnum):
    """How a file is broken."""

    MISSING = "missing"
    HEADER = "header"
    ROWS = "rows"
    ENCODING = "encoding"
    TRUNCATED = "truncated"


def damaged(deliveries: Sequence[Delivery], damage: Damage, dataset: str | None) -> tuple[Delivery, ...]:
    """The deliveries with one file broken: that of `dataset`, or the first that can be broken so.

    A file that is missing has no delivery any more.

    Raises:
        DamageUnfitError: the dataset is not delivered, or its file cannot be broken so.
    """
    suffix = _FORMATS.get(damage, "")
    fit = [each for each in deliveries if dataset in (None, each.dataset) and each.name.endswith(suffix)]
    if not fit:
        which = f"{suffix} file" if suffix else "file"
        delivered = ", ".join(f"{each.dataset} ({each.name})" for each in deliveries)
        raise DamageUnfitError(
            f"{dataset or 'The delivery'} has no {which} to be broken as {damage.value!r}; delivered are: {delivered}."
        )
    broken = fit[0]
    return tuple(
        each._replace(body=_BREAK[damage](each.body)) if each is broken else each
        for each in deliveries
        if each is not broken or damage is not Damage.MISSING
    )


def _other_header(body: bytes) -> bytes:
    """The first column is called otherwise."""
    return b"another_" + body


def _bad_rows(body: bytes) -> bytes:
    """Every row has one field more than the header."""
    header, *rows = body.splitlines(keepends=True)
    return header + b"".join(b"surplus," + row for row in rows)


def _other_encoding(body: bytes) -> bytes:
    return body.decode().encode("utf-16")


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


_FORMATS: Mapping[Damage, str] = {Damage.HEADER: ".csv", Damage.ROWS: ".csv", Damage.TRUNCATED: ".json"}
_BREAK: Mapping[Damage, Callable[[bytes], bytes]] = {
    Damage.HEADER: _other_header,
    Damage.ROWS: _bad_rows,
    Damage.ENCODING: _other_encoding,
    Damage.TRUNCATED: _half,
}
