"""A header is what its source takes, or is refused with every name at fault and what to do about it."""

from typing import Any

import pytest
from nightlake.core.drift import drift_names
from nightlake.core.errors import HeaderMismatchError
from nightlake.core.header import check_header
from shop_shard import ORDERS, csv_source

WHOLE = ["id", "email", "amount", "sold_at"]


def check(names: list[str], **options: Any) -> None:
    check_header(names, csv_source(**options), ORDERS, where="shop/a.csv")


@pytest.mark.parametrize("mode", ["strict", "ignore", "evolve"])
def test_the_declared_columns_are_taken_in_any_order(mode: str) -> None:
    check(WHOLE[::-1], on_drift=mode)
    check(["key", *WHOLE[1:]], on_drift=mode, columns={"id": "key"})


def test_strict_names_all_that_is_missing_and_all_that_is_undeclared() -> None:
    with pytest.raises(HeaderMismatchError) as refused:
        check(["email", "Amount", "tip"])
    assert str(refused.value) == (
        "shop/a.csv has the columns 'email', 'Amount', 'tip'; 'id' is missing: deliver it, or map its new name in "
        "`columns`; 'amount', 'sold_at' is missing: deliver it, or let it be NULL with `on_drift: ignore` or `evolve`; "
        "'Amount', 'tip' is not declared: add it to the contract, or take it with `on_drift: ignore` or `evolve`"
    )


@pytest.mark.parametrize("mode", ["ignore", "evolve"])
def test_what_may_be_null_may_be_missing_and_what_is_new_may_come(mode: str) -> None:
    check(["id", "tip", "Loyalty Points"], on_drift=mode)


@pytest.mark.parametrize("mode", ["strict", "ignore", "evolve"])
@pytest.mark.parametrize(
    ("names", "told"),
    [
        (WHOLE[1:], "'id' is missing"),
        ([*WHOLE, "tip", "tip"], "'tip' is there twice"),
        (["id;email;amount;sold_at"], "'id', 'email', 'amount', 'sold_at' is missing"),
        ([], r"columns \(none\)"),
    ],
)
def test_what_no_mode_takes(mode: str, names: list[str], told: str) -> None:
    with pytest.raises(HeaderMismatchError, match=told):
        check(names, on_drift=mode)


def test_an_object_without_any_declared_column_is_refused_where_all_may_be_null() -> None:
    free = ORDERS.model_copy(update={"columns": ORDERS.columns[2:], "primary_key": ()})
    with pytest.raises(HeaderMismatchError, match="'amount', 'sold_at' is missing"):
        check_header(["amount;sold_at"], csv_source(on_drift="ignore"), free, where="a")


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["Email"], "'Email' would be the column 'email', as 'email' is: rename it, or declare it"),
        (["Tip %", "tip"], "'tip' would be the column 'tip', as 'Tip %' is"),
        (["x" * 200, "x" * 300], "would be the column"),
        (
            [f"c{number}" for number in range(101)],
            r"more than 100 columns are not declared \('c0', 'c1', 'c2' \.\.\.\)",
        ),
    ],
)
def test_evolve_refuses_by_name_what_can_not_become_a_column(extra: list[str], told: str) -> None:
    with pytest.raises(HeaderMismatchError, match=told):
        check([*WHOLE, *extra], on_drift="evolve")
    check([*WHOLE, *extra], on_drift="ignore")


def test_a_name_becomes_an_identifier_as_in_a_proposal() -> None:
    becoming = {
        "tip": "tip",
        "Loyalty Points (€)": "loyalty_points",
        "2024": "_2024",
        "order": "order_",
        "Year": "year_",
    }
    assert drift_names(becoming) == becoming
