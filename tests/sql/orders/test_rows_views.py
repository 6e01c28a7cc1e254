"""The view of orders: each order once, as it was exported last."""

from datetime import datetime
from typing import Any

from athena_shop import Shop
from nightlake.adapters.glue import Glue
from nightlake.core.view import is_current


def exported(order: int, day: str, *, line: int = 2, **values: Any) -> dict[str, Any]:
    placed = datetime(2021, 1, 5, 10)  # noqa: DTZ001 (as stored)
    row = {"order_id": order, "website": "VVNL", "order_status": "UNKNOWN", "order_date": placed}
    return row | {"_source": f"s3://raw/orders/{day}/orders.csv", "_position": line} | values


def current(shop: Shop) -> dict[int, dict[str, Any]]:
    shop.run("view", "current_orders", "2021-01-08")
    rows = shop.lake("TABLE current_orders", database="served").table.to_pylist()
    found = {row["order_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_current_orders_are_as_they_were_exported_last(shop: Shop) -> None:
    paid = {"order_status": "PAID", "payment_status": "PAID", "payment_date": datetime(2021, 1, 5, 11, 30)}  # noqa: DTZ001 (as stored)
    newest = [exported(1, "2021/01/07", **paid), exported(2, "2021/01/06", order_status="CANCELED")]
    shop.land("2021-01-01", orders=[*newest, exported(1, "2021/01/06"), exported(2, "2021/01/05", **paid)])
    rows = current(shop)
    assert {order: (row["order_status"], row["is_paid"], row["minutes_to_pay"]) for order, row in rows.items()} == {
        1: ("PAID", True, 90),
        2: ("CANCELED", False, None),
    }


def test_current_orders_spell_the_voucher_s_status_in_one_way(shop: Shop) -> None:
    spelled = ["EXPRIED", "EXPIRED", "USED", None]
    orders = [exported(order, "2021/01/06", voucher_status=status) for order, status in enumerate(spelled)]
    shop.land("2021-01-01", orders=orders)
    assert [current(shop)[order]["voucher_status"] for order in range(4)] == ["EXPIRED", "EXPIRED", "USED", None]


def test_current_orders_are_no_revenue_once_refunded(shop: Shop) -> None:
    shop.land("2021-01-01", orders=[exported(1, "2021/01/06", payment_status="REFUNDED"), exported(2, "2021/01/06")])
    assert [row["is_paid"] for row in current(shop).values()] == [False, False]


def test_a_view_that_was_created_needs_no_second_time(shop: Shop) -> None:
    shop.land("2021-01-01")
    shop.run("view", "current_orders", "2021-01-08")
    statement = shop.statement("view", "current_orders", "2021-01-09").query
    assert is_current(Glue(shop.lake.glue), "served", "current_orders", statement)
