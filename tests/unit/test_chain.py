"""However wrong workers guess where their first record begins, a few rounds later the shards join and lose nothing."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.chain import ROUNDS, recut, unjoined
from nightlake.core.shard import Plan, Receipt, Shard, SourceObject, fingerprint

cut_anew = partial(recut, contract_hash="c", code_version="1")
named = partial(fingerprint, contract_hash="c", code_version="1")
Guess = Callable[[int], int]
Span = tuple[int, int]


def record_end(text: bytes, at: int) -> int:
    """Where the record ends that begins at a byte: at a line end outside of quotes, or with the text."""
    inside = False
    for place in range(at, len(text)):
        if text[place : place + 1] == b'"':
            inside = not inside
        elif text[place : place + 1] == b"\n" and not inside:
            return place + 1
    return len(text)


def read(text: bytes, shard: Shard, guess: Guess) -> tuple[Receipt, list[Span]]:
    """What a worker does, and the records that it read; it begins where it guesses unless it knows better."""
    size = len(text) - shard.footer
    begin = at = shard.start if shard.exact else min(max(guess(shard.start), shard.start + 1), size)
    records = []
    while at <= shard.end and at < size:
        records.append((at, record_end(text[:size], at)))
        at = records[-1][1]
    count = len(records)
    receipt = Receipt(
        shard=shard,
        run_id="r",
        begin=begin,
        stop=at,
        lines=count,
        records=count,
        header=0,
        skipped=0,
        rows=count,
        quarantined=0,
        files=(),
    )
    return receipt, records


def planned(texts: Sequence[bytes], cuts: Sequence[int], footer: int = 0) -> Plan:
    """A plan of one object for each text, all cut at the same bytes."""
    objects = tuple(
        SourceObject(key=f"{number}.csv", version_id="v", etag="e", size=len(text)) for number, text in enumerate(texts)
    )
    shards = [
        Shard(
            pipeline="p",
            dataset="d",
            date=date(2017, 6, 12),
            index=index,
            object=source,
            start=start,
            end=end,
            exact=start == 0,
            footer=footer,
            fingerprint=named(source, start, end, exact=start == 0),
        )
        for source in objects
        for index, (start, end) in enumerate(pairwise([0, *(at for at in cuts if at < source.size), source.size]))
    ]
    return Plan(dataset="d", attempt=1, delivery="d", objects=objects, shards=tuple(shards))


def prove(plan: Plan, texts: Sequence[bytes], guess: Guess) -> tuple[Plan, list[Receipt], dict[str, list[Span]]]:
    """Convert round after round until no shard is cut anew: the last plan, its receipts and the records by object."""
    done: dict[str, tuple[Receipt, list[Span]]] = {}
    while True:
        for shard in plan.shards:
            if shard.fingerprint not in done:
                done[shard.fingerprint] = read(texts[int(shard.object.key[0])], shard, guess)
        receipts = [done[shard.fingerprint][0] for shard in plan.shards]
        again = cut_anew(plan, receipts)
        if again is None:
            break
        assert again.round == plan.round + 1
        plan = again
    records: dict[str, list[Span]] = {source.key: [] for source in plan.objects}
    for shard in plan.shards:
        records[shard.object.key] += done[shard.fingerprint][1]
    return plan, receipts, records


TEXT = st.lists(st.sampled_from([b'"', b"\n", b"a", b'"\n"', b"\n\n", b"bcd,", b'"x\ny"\n']), min_size=1).map(b"".join)


@settings(deadline=None, max_examples=500)
@given(
    texts=st.lists(TEXT, min_size=1, max_size=3),
    cuts=st.sets(st.integers(1, 200), max_size=12).map(sorted),
    lies=st.lists(st.integers(1, 200), min_size=1, max_size=12),
    footer=st.integers(0, 3),
)
def test_any_cuts_and_any_guesses_end_with_the_records_of_one_shard(
    texts: list[bytes], cuts: list[int], lies: list[int], footer: int
) -> None:
    footer = min(footer, *map(len, texts))
    start = planned(texts, cuts, footer)
    plan, receipts, records = prove(start, texts, lambda at: at + lies[at % len(lies)])
    assert plan.round <= ROUNDS
    assert [*unjoined(plan, receipts, "raw")] == []
    whole = prove(planned(texts, [], footer), texts, lambda at: at)
    assert records == whole[2]
    assert sum(receipt.lines or 0 for receipt in receipts) == sum(receipt.lines or 0 for receipt in whole[1])


@settings(deadline=None)
@given(text=TEXT, cuts=st.sets(st.integers(1, 100), max_size=12).map(sorted))
def test_right_guesses_need_no_round(text: bytes, cuts: list[int]) -> None:
    begins = [begin for begin, _ in read(text, planned([text], []).shards[0], int)[1]]
    plan, receipts, _ = prove(
        planned([text], cuts), [text], lambda at: next((begin for begin in begins if begin > at), len(text))
    )
    assert plan.round == 0
    assert [*unjoined(plan, receipts, "raw")] == []


def test_one_wrong_shard_is_the_only_one_that_is_converted_again() -> None:
    text = b"0123456\n" * 10
    plan, _, _ = prove(planned([text], [20, 40, 60]), [text], lambda at: at + (3 if at == 40 else -at % 8 or 8))
    first = planned([text], [20, 40, 60]).shards
    assert plan.round == 1
    assert [(shard.start, shard.end, shard.exact) for shard in plan.shards if shard not in first] == [(48, 60, True)]


def test_far_apart_wrong_shards_are_mended_in_one_round() -> None:
    text = b"0123456\n" * 40
    wrong = (40, 160, 280)
    cuts = range(20, 320, 20)
    plan, _, _ = prove(planned([text], cuts), [text], lambda at: at + (3 if at in wrong else -at % 8 or 8))
    assert plan.round == 1


def test_the_last_round_reads_all_that_is_not_proved_as_one_shard() -> None:
    """Every record ends wrong for who begins wrong, and everybody does."""
    text = b'"\n' * 400
    plan, receipts, records = prove(planned([text], range(50, 800, 50)), [text], lambda at: at + 1)
    assert plan.round <= ROUNDS
    assert [*unjoined(plan, receipts, "raw")] == []
    assert plan.shards[-1].end == 800
    assert records["0.csv"] == prove(planned([text], []), [text], int)[2]["0.csv"]


def test_a_rest_that_is_too_much_for_one_worker_is_told_with_its_bytes() -> None:
    text = b"0123456\n" * 40
    plan = planned([text], range(20, 320, 20)).model_copy(update={"round": ROUNDS - 1})
    receipts = [read(text, shard, lambda at: at + 3)[0] for shard in plan.shards]
    rest = cut_anew(plan, receipts, rest_bytes=296)
    assert rest is not None
    assert [(shard.start, shard.end) for shard in rest.shards] == [(0, 20), (24, 320)]
    assert cut_anew(plan, receipts, rest_bytes=295) is None
    first = next(unjoined(plan, receipts, "raw"))
    assert (first.rule, first.where) == ("chain.unproved", "s3://raw/0.csv")
    assert first.reason.startswith("records end at byte 24, the next shard read from byte 23 on")
