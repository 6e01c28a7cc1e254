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
    import pyarrow.compute as pc

    return pc.is_valid(texts).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def only(texts: "pa.StringArray", rows: "pa.BooleanArray") -> "pa.StringArray":
    """The texts of these rows, null in all others; no text is copied."""
    import pyarrow as pa
    import pyarrow.compute as pc

    there = pc.and_(pc.is_valid(texts), pc.fill_null(rows, False))
    _, places, held = texts.buffers()
    places = places.slice(texts.offset * 4)
    return pa.StringArray.from_buffers(len(texts), places, held, there.buffers()[1])


def matching(texts: "pa.StringArray", pattern: str) -> "pa.StringArray":
    """The texts that a regular expression of RE2 matches, null for all others."""
    import pyarrow.compute as pc

    return only(texts, pc.match_substring_regex(texts, f"^(?:{pattern})$"))


def made_of(texts: "pa.StringArray", allowed: bytes) -> "pa.StringArray":
    """The texts that hold none but these bytes, null for all others."""
    import numpy as np
    import pyarrow as pa

    strange = np.ones(256, bool)
    strange[list(allowed)] = False
    rows = np.ones(len(texts), bool)
    rows[np.searchsorted(offsets(texts)[1:], np.flatnonzero(strange[content(texts)]), side="right")] = False
    return only(texts, pa.array(rows))
