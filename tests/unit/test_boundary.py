"""A worker in the middle of an object guesses its first record, nearly always rightly, and shards join into one."""

from bisect import bisect_right
from itertools import pairwise

import pytest
from csv_text import csv_source, lines, read_batches, refused, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.readers.batch import Batch
from nightlake.core.readers.boundary import first_record
from nightlake.core.readers.csv_record import dialect_of, read_record
from nightlake.core.source import CsvSource

CSV = csv_source(header=False, nulls=())
PROSE = 'the quick, brown\nfox ""jumps"" over, and ""then\n'
INNER = "".join(f"{n},a,b\n" for n in range(30))

# what 40 records are made of, and how many fields they have
TEXTS = {
    "no quotes": ("{n},abc,def\n", 3),
    "one column of text": (f'"{PROSE * 2}{{n}}"\n', 1),
    "text in the middle": (f'{{n}},"{PROSE}",2020-01-01\n', 3),
    "text at the end": (f'{{n}},0.5,"{PROSE}x"\n', 3),
    "text at the beginning, and CRLF": (f'"{PROSE}",{{n}},x\r\n', 3),
    "all in quotes": (f'"{{n}}","{PROSE}","","x\n"\n', 4),
    "line ends at both ends": ('{n},"\nabc\n","\n"\n', 3),
    "JSON": ('{n},"{{""k"": [1,\n""a,b"",\n{{}}]}}",x\n', 3),
    "CSV in a field": (f'{{n}},"{INNER}",x\n', 3),
    "CSV with quotes in a field": ('{n},"1,""a,b"",c\n2,""d"",e\n",x\n', 3),
}


def begins_of(body: bytes, source: CsvSource, columns: int) -> list[int]:
    """Where every record begins, and where the last one ends."""
    begins = [0]
    while begins[-1] < len(body):
        record = read_record(body, begins[-1], dialect_of(source), columns, final=True)
        assert record is not None
        begins.append(record.end)
    return begins


@pytest.mark.parametrize("kind", TEXTS)
def test_well_formed_text_may_be_entered_anywhere(kind: str) -> None:
    record, columns = TEXTS[kind]
    body = "".join(record.format(n=n) for n in range(100, 140)).encode()
    begins = begins_of(body, CSV, columns)
    for at in range(len(begins[:20]), begins[20], 3):
        guess = first_record(body[at:], CSV, columns, final=True)
        assert guess == (begins[bisect_right(begins, at)] - at, False), (at, body[at : at + 40])


@pytest.mark.parametrize("escape", ["doubled", "backslash"])
def test_so_may_text_of_another_dialect(escape: str) -> None:
    source = csv_source(delimiter="§", quote="'", escape=escape, header=False)
    quote = "''" if escape == "doubled" else "\\'"
    body = "".join(f"{n}§'it{quote}s\n§ {quote}a{quote}\n'§x\r\n" for n in range(30)).encode()
    begins = begins_of(body, source, 3)
    assert len(begins) == 31
    for at in range(1, begins[20]):
        assert first_record(body[at:], source, 3, final=True) == (begins[bisect_right(begins, at)] - at, False)


def test_damage_leads_guesses_astray_only_next_to_it() -> None:
    record = TEXTS["text in the middle"][0]
    records = [record.format(n=n) for n in range(100, 140)]
    records[20] = records[20].replace("quick", 'qu"ick')
    body = "".join(records).encode()
    begins = begins_of(body, CSV, 3)
    near = range(sum(map(len, records[:19])), sum(map(len, records[:21])))
    for at in (at for at in range(1, begins[-10]) if at not in near):
        guess = first_record(body[at:], CSV, 3, final=True)
        assert guess == (begins[bisect_right(begins, at)] - at, False)


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_a_guess_does_not_depend_on_how_much_is_at_hand(data: st.DataObject) -> None:
    source = csv_source(header=False, max_record_bytes=4096)
    unit = data.draw(st.text(st.sampled_from('ab",\n'), min_size=1, max_size=80))
    body = (data.draw(st.text(st.sampled_from('ab",\n'), max_size=30)) + unit * (40_000 // len(unit))).encode()
    whole = first_record(body, source, 2, final=True)
    assert whole is not None
    for size in range(0, len(body), 3001):
        assert first_record(body[:size], source, 2, final=False) in (None, whole)
    assert first_record(body[: 2 * 4096 + 16], source, 2, final=False) == whole


def test_without_line_ends_in_quotes_the_next_line_is_it() -> None:
    for source in (csv_source(multiline=False), csv_source(quote=None)):
        for body, at in ((b'"a\nb"\n', 3), (b"\na\n", 1), (b"\r\na\n", 2), (b"a\rb\n", 2), (b"ab", 2), (b"a\r", 2)):
            assert first_record(body, source, 2, final=True) == (at, False)


def test_a_line_longer_than_any_record_is_left_to_go_on() -> None:
    source = csv_source(max_record_bytes=1024)
    assert first_record(b"a" * 1000, source, 2, final=False) is None
    assert first_record(b"a" * 5000, source, 2, final=False) == (2 * 1024 + 16, True)
    body = b"1,2\n" + b"a" * 9000 + b"\r\n3,4\n5,6\n"
    for start in (5, 4000, 9003, 9005):
        (batch,) = read_batches(
            body, csv_source(header=False, max_record_bytes=1024), 2, piece=100, start=start, exact=False
        )
        assert (rows([batch]), batch.start, batch.stop) == ([("3", "4"), ("5", "6")], 9006, len(body))


def test_delimited_text_in_a_long_field_deceives_a_worker_and_the_shard_before_knows() -> None:
    inner = "".join(f"{n},a,b\n" for n in range(20_000))
    body = f'1,"{inner}",x\n2,y,z\n'.encode()
    middle = body.index(b"\n9000,") + 3
    (before,) = read_batches(body, CSV, 3, end=middle)
    deceived = read_batches(body, CSV, 3, start=middle, exact=False)
    assert rows([before]) == [("1", inner, "x")]
    assert before.stop == body.index(b"2,y,z")
    assert before.stop != deceived[0].start
    (proved,) = read_batches(body, CSV, 3, start=before.stop, exact=True)
    assert rows([proved]) == [("2", "y", "z")]


BYTES = st.lists(
    st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a", b'"a\nb"', b"1,2\n", b"\xff"]), max_size=80
)


@given(BYTES.map(b"".join), st.lists(st.integers(1, 100), max_size=4), st.integers(1, 3), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=300)
def test_shards_that_join_are_the_records_of_one(
    body: bytes, cuts: list[int], columns: int, multiline: bool, header: bool
) -> None:
    body = b"h\r\n" * header + body
    source = csv_source(header=header, nulls=(), multiline=multiline)
    whole = read_batches(body, source, columns)
    bounds = sorted({0, *(cut for cut in cuts if cut < len(body)), len(body)})
    found: list[Batch] = []
    stop = 0
    for start, end in pairwise(bounds):
        batches = read_batches(body, source, columns, start=start, end=end, exact=start == 0, piece=5)
        if batches[0].start != stop:  # what the chain of shards would find, and would have done
            batches = read_batches(body, source, columns, start=stop, end=end, piece=5)
        assert batches[0].start == stop
        stop = batches[-1].stop or stop
        found += batches
    assert stop == len(body)
    assert rows(found) == rows(whole)
    assert [(bad.rules, bad.offset, bad.raw) for bad in refused(found)] == [
        (bad.rules, bad.offset, bad.raw) for bad in refused(whole)
    ]
    assert [offset for batch in found for offset in batch.offsets] == [*whole[0].offsets]
    assert sum(batch.skipped for batch in found) == whole[0].skipped
    assert lines(found) == lines(whole)
