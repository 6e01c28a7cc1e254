"""An alert names some refused rows by key and place, and nothing of them that is private."""

from typing import Any

import pytest
from nightlake.core.samples import samples
from nightlake.core.source import JsonLinesSource, Ready
from shop_shard import ORDERS, Shop, csv_source

HEADER = "id,email,amount,sold_at"
KEYED = ORDERS.model_copy(update={"primary_key": ("id",)})
PRIVATE = ORDERS.model_copy(update={"primary_key": ("id", "email")})


def of(shop: Shop, text: str, **limits: Any) -> tuple[str, ...]:
    receipt = shop.convert(shop.land(text))
    return samples(shop.dataset, shop.source, [receipt], shop.quarantine, **limits)


def test_a_refused_row_is_named_by_its_key_its_place_and_its_rule() -> None:
    (told,) = of(Shop(dataset=KEYED), f"{HEADER}\n1,a@b,2,\n7,b@c,much,\n")
    assert told.startswith("id = 7, line 3 of s3://")
    assert told.endswith(": orders.amount.type")


def test_a_private_key_is_masked() -> None:
    (told,) = of(Shop(dataset=PRIVATE), f"{HEADER}\n7,SECRET@b,much,\n")
    assert told.startswith("id = 7, email = ***, line 2 of s3://")
    assert "SECRET" not in told


def test_a_row_that_could_not_be_read_has_its_place_alone() -> None:
    (told,) = of(Shop(dataset=KEYED), f"{HEADER}\n7,SECRET\n")
    assert told.startswith("line 2 of s3://")
    assert "SECRET" not in told


def test_there_are_never_more_than_were_asked_for() -> None:
    rows = "".join(f"{number},a@b,much,\n" for number in range(50))
    told = of(Shop(dataset=KEYED), f"{HEADER}\n{rows}", limit=3)
    assert [each.split(",")[0] for each in told] == ["id = 0", "id = 1", "id = 2"]


def test_a_long_or_odd_key_is_cut_and_shown_in_letters() -> None:
    (told,) = of(Shop(dataset=KEYED), f"{HEADER}\n{'9' * 500}\x1b,a@b,much,\n")
    assert "\x1b" not in told
    assert len(told) < 300


def test_the_lines_count_from_the_top_of_the_object() -> None:
    shop = Shop(dataset=KEYED)
    receipt = shop.convert(shop.land(f"{HEADER}\n7,b@c,much,\n"))
    first = receipt.model_copy(update={"quarantine": None, "lines": 100})
    (told,) = samples(shop.dataset, shop.source, [first, receipt], shop.quarantine)
    assert "line 102 of" in told


def test_a_json_row_is_named_by_the_path_of_its_key() -> None:
    source = JsonLinesSource.model_validate(
        {
            "from": "s3",
            "dataset": "orders",
            "format": "jsonl",
            "path": "a/{date:%Y-%m-%d}",
            "ready": Ready(files=1),
            "columns": {"id": "order.id"},
            "on_drift": "ignore",
        }
    )
    (told,) = of(Shop(dataset=KEYED, source=source), '{"order": {"id": 7}, "email": "a@b", "amount": "much"}\n')
    assert told.startswith("id = 7, line 1 of")


@pytest.mark.parametrize("lost", ["gone", "changed"])
def test_a_quarantine_file_that_is_not_as_it_was_has_no_samples(lost: str) -> None:
    shop = Shop(dataset=KEYED, source=csv_source())
    receipt = shop.convert(shop.land(f"{HEADER}\n7,b@c,much,\n"))
    assert receipt.quarantine is not None
    if lost == "gone":
        shop.quarantine.delete([receipt.quarantine.key])
    else:
        shop.quarantine.put(receipt.quarantine.key, b"other")
    assert samples(shop.dataset, shop.source, [receipt], shop.quarantine) == ()
