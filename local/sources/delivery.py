"""One file as a producer delivers it."""

from typing import NamedTuple


class Delivery(NamedTuple):
    """The file `name` with rows of `dataset`; its folder is the one of the day in the source's path."""

    dataset: str
    name: str
    body: bytes
