"""Interactions: read from any rows in any order, with nothing lost silently; split without a leak."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening import COLUMNS, clusters, interactions, rows
from nightlake.core.errors import InteractionsUnusableError
from nightlake.core.model.declaration import InteractionColumns
from nightlake.core.model.interactions import Interactions, from_table, stored_columns, to_table
from nightlake.core.model.split import sample, split

ENTRIES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(1, 5).map(float)), min_size=1, max_size=60
)


def held(found: Interactions) -> dict[tuple[object, object], float]:
    """Counts by user and item."""
    columns = (to_table(found)[name].to_pylist() for name in ("user", "item", "count"))
    return {(user, item): count for user, item, count in zip(*columns, strict=True)}


def test_rows_of_the_same_user_and_item_are_added_up() -> None:
    found = interactions([("b", "y", 2), ("a", "x", 1), ("b", "y", 3), ("b", "x", 1)])
    assert held(found) == {("a", "x"): 1, ("b", "x"): 1, ("b", "y"): 5}
    assert found.users.to_pylist() == ["a", "b"]
    assert found.left_out == 0


def test_rows_that_say_nothing_are_counted_as_left_out() -> None:
    found = interactions(
        [("a", "x", 1), (None, "x", 1), ("a", None, 1), ("a", "y", 0), ("a", "z", -1), ("a", "w", float("nan"))]
    )
    assert held(found) == {("a", "x"): 1}
    assert found.left_out == 5


@pytest.mark.parametrize(
    ("table", "columns", "told"),
    [
        (rows([(None, 1, 1)]), COLUMNS, "none of the 1 rows of listens says who had what"),
        (rows([(1, 1, 1)]), COLUMNS.model_copy(update={"user": "usr_id"}), "no column 'usr_id' in listens"),
        (rows([(1.5, 1, 1)]), COLUMNS, "ids in listens are double"),
        (rows([(1, 1, 1)]).set_column(2, "plays", pa.array(["many"])), COLUMNS, "a count is a number"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(table: pa.Table, columns: InteractionColumns, told: str) -> None:
    with pytest.raises(InteractionsUnusableError, match=told):
        from_table(table, columns)


@given(ENTRIES, st.randoms(use_true_random=False))
def test_the_order_of_rows_is_of_no_account(entries: list[tuple[int, int, float]], random: "random.Random") -> None:  # noqa: F821
    shuffled = random.sample(entries, len(entries))
    one, other = interactions(list(entries)), interactions(list(shuffled))
    assert to_table(one).equals(to_table(other))
    for left, right in zip(split(one, 30), split(other, 30), strict=True):
        assert to_table(left).equals(to_table(right))


@given(ENTRIES, st.integers(1, 99))
def test_a_split_loses_and_doubles_nothing_and_leaves_every_user_something(
    entries: list[tuple[int, int, float]], percent: int
) -> None:
    whole = interactions(list(entries))
    train, test = split(whole, percent)
    assert held(train) | held(test) == held(whole)
    assert not held(train).keys() & held(test).keys()
    assert (train.lengths > 0).all()
    expected = np.minimum(np.round(whole.lengths * percent / 100), whole.lengths - 1)
    assert (test.lengths == expected).all()


def test_the_newest_are_held_out_where_an_order_says_so() -> None:
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (3, 1, 2, 4, 4, 1, 3, 2)]
    table = pa.table({"user": ["a"] * 4 + ["b"] * 4, "item": [*"wxyz"] * 2, "at": days})
    columns = InteractionColumns(dataset="listens", user="user", item="item", order=("at",))
    train, test = split(from_table(table, columns), 50)
    assert held(train).keys() == {("a", "x"), ("a", "y"), ("b", "x"), ("b", "z")}
    assert held(test).keys() == {("a", "w"), ("a", "z"), ("b", "w"), ("b", "y")}


def test_an_item_is_as_old_as_its_first_hearing() -> None:
    table = pa.table({"user": ["a"] * 4, "item": [*"xyzx"], "at": [1, 2, 3, 9], "position": [0, 0, 0, 0]})
    columns = InteractionColumns(dataset="listens", user="user", item="item", order=("at", "position"))
    _, test = split(from_table(table, columns), 34)
    assert held(test).keys() == {("a", "z")}


def test_later_columns_of_order_decide_only_between_equals() -> None:
    table = pa.table({"user": ["a"] * 3, "item": [*"xyz"], "at": [1, 2, 2], "position": [9, 1, 0]})
    columns = InteractionColumns(dataset="listens", user="user", item="item", order=("at", "position"))
    _, test = split(from_table(table, columns), 34)
    assert held(test).keys() == {("a", "y")}


def test_who_is_drawn_does_not_depend_on_who_else_there_is() -> None:
    table = clusters(users=60)
    found = from_table(table, COLUMNS)
    some = sample(found, 20)
    assert len(some.users) == 20
    wider = from_table(pa.concat_tables([table, rows([("zz", "t1", 1)])]), COLUMNS)
    assert set(sample(wider, 21).users.to_pylist()) >= set(some.users.to_pylist()) - {"zz"}


def test_what_is_stored_is_read_again() -> None:
    found = from_table(clusters(users=30), COLUMNS)
    table = to_table(found)
    again = from_table(table, stored_columns(table))
    assert to_table(again).equals(table)
    assert again.users.equals(found.users)


def test_others_are_told_apart_by_their_ids_not_their_codes() -> None:
    ours = interactions([("a", "x", 1), ("b", "x", 1), ("b", "z", 1)])
    theirs = interactions([("0", "a", 1), ("b", "z", 7), ("a", "y", 1)])
    assert held(ours.without(theirs)).keys() == {("a", "x"), ("b", "x")}
    assert held(ours.with_users(theirs.users)).keys() == {("a", "x"), ("b", "x"), ("b", "z")}
    assert ours.with_users(theirs.users).lengths.tolist() == [0, 1, 2]
