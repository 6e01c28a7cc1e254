"""A column of texts as Arrow holds it: one run of bytes, seen by numpy without a copy."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def offsets(texts: "pa.StringArray") -> "np.ndarray":
    """Where each text begins in `content`, and last where the last one ends."""
    import numpy as np

    places = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return places - places[0]  # type: ignore[no-any-return]


def content(texts: "pa.StringArray") -> "np.ndarray":
    """The bytes of all texts; what a missing one holds means nothing."""
    import numpy as np

    _, places, held = texts.buffers()
    start, stop = np.frombuffer(places, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return np.frombuffer(held or b"", np.uint8)[start:stop]


def valid(texts: "pa.Array") -> "np.ndarray":
    """Which values are there."""
    import numpy as np
    import pyarrow.compute as pc

    if not texts.null_count:
        return np.ones(len(texts), bool)
    return pc.is_valid(texts).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def only(texts: "pa.StringArray", rows: "np.ndarray") -> "pa.StringArray":
    """The texts where `rows` is true, null in all others; no text is copied."""
    import numpy as np
    import pyarrow as pa

    bits = np.packbits(rows & valid(texts), bitorder="little")
    _, places, held = texts.buffers()
    return pa.StringArray.from_buffers(len(texts), places.slice(texts.offset * 4), held, pa.py_buffer(bits))


def matching(texts: "pa.StringArray", pattern: str) -> "pa.StringArray":
    """The texts that a regular expression of RE2 matches, null for all others."""
    import pyarrow.compute as pc

    found = pc.fill_null(pc.match_substring_regex(texts, f"^(?:{pattern})$"), False)
    return only(texts, found.to_numpy(zero_copy_only=False))


def made_of(texts: "pa.StringArray", most: str, others: str = "") -> "pa.StringArray":
    """The texts of characters up to this one of ASCII, or one of the others; null for all others."""
    import numpy as np

    held = content(texts)
    strange = held > ord(most)
    for other in others:
        strange &= held != ord(other)
    places = np.flatnonzero(strange)
    if not len(places):
        return texts
    rows = np.ones(len(texts), bool)
    rows[rows_of(texts, places)] = False
    return only(texts, rows)


def rows_of(texts: "pa.StringArray", places: "np.ndarray") -> "np.ndarray":
    """The rows that bytes of the content belong to."""
    import numpy as np

    return np.searchsorted(offsets(texts)[1:], places, side="right")
