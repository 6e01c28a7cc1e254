"""The evaluator does what CloudWatch's documentation says: its tables, its examples of rules and of suppression."""

from typing import get_args

import pytest
from alarm_evaluator import Alarm, Composite, Seen, Series, State, watch

METRIC = ("N", "M", frozenset[tuple[str, str]]())
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def alarm(**changed: object) -> Alarm:
    """`x` breaches and `0` does not: five minutes, three of three, without data for what is missing."""
    told = {"name": "a", "metric": METRIC, "statistic": "Maximum", "minutes": 5, "periods": 3, "breaching": 3}
    told |= {"threshold": 1, "comparison": "GreaterThanOrEqualToThreshold", "missing": "missing", "notifies": True}
    return Alarm(**(told | changed))  # type: ignore[arg-type]


def points(text: str) -> list[bool | None]:
    return [{"0": False, "X": True, "-": None}[mark] for mark in text.split()]


RETAIN = "RETAIN"


@pytest.mark.parametrize(
    ("breaching", "seen", "expected"),
    [
        # The first table: three of three, CloudWatch retrieves five.
        (3, "0 - X - X", ("OK", "OK", "OK", "OK")),
        (3, "- - - - 0", ("OK", "OK", "OK", "OK")),
        (3, "0 - - - -", ("OK", "OK", "OK", "OK")),
        (3, "- - - - -", ("INSUFFICIENT_DATA", RETAIN, "ALARM", "OK")),
        (3, "0 X X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (3, "- - X - -", ("ALARM", RETAIN, "ALARM", "OK")),
        (3, "X - - - -", ("ALARM", RETAIN, "ALARM", "OK")),
        # The second: two of three.
        (2, "0 - X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0 0 X 0 X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0 - X - -", ("OK", "OK", "ALARM", "OK")),
        (2, "- - - - 0", ("OK", "OK", "ALARM", "OK")),
        (2, "- - - X -", ("ALARM", RETAIN, "ALARM", "OK")),
        # "Avoiding premature transitions to alarm state".
        (3, "- - - - X", (RETAIN, RETAIN, "ALARM", "OK")),
        (3, "- - - X -", (RETAIN, RETAIN, "ALARM", "OK")),
    ],
)
@pytest.mark.parametrize("before", get_args(State))
def test_missing_data_as_in_the_tables_of_the_documentation(
    breaching: int, seen: str, expected: tuple[str, ...], before: State
) -> None:
    found = [alarm(breaching=breaching, missing=each).state(points(seen), before) for each in TREATMENTS]
    assert found == [before if state == RETAIN else state for state in expected]


def test_three_periods_in_a_row_as_in_the_figure_of_the_documentation() -> None:
    """Threshold three, three of three: on in the third period that breaches, off in the first that does not."""
    values = [4, 4, 4, 4, 4, 2, 1, 2, 4, 2]
    series: Series = {METRIC: {5 * period: [value] for period, value in enumerate(values)}}
    seen = watch([alarm(threshold=3)], [], series, range(5 * len(values)), spare=0)
    assert (min(seen.on["a"]), max(seen.on["a"])) == (10, 24)


@pytest.mark.parametrize(
    ("statistic", "breaches"),
    [("Sum", True), ("Maximum", False), ("Average", False), ("SampleCount", False), ("Minimum", False), ("p99", False)],
)
def test_a_statistic_is_of_all_that_a_period_holds(statistic: str, breaches: bool) -> None:
    series: Series = {METRIC: {1: [2, 3], 4: [1]}}
    assert alarm(statistic=statistic, threshold=6, periods=1).points(series, 5, 0) == [breaches]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ('ALARM("hot") AND ALARM("busy")', "OK"),
        ("ALARM(hot) OR ALARM(busy)", "ALARM"),
        ('ALARM("hot") AND NOT ALARM("busy")', "ALARM"),
        ('(ALARM("hot") OR ALARM("busy")) AND OK("busy")', "ALARM"),
        ('ALARM("busy") AND TRUE OR ALARM("hot")', "ALARM"),
        ('ALARM("hot") OR ALARM("busy") AND FALSE', "ALARM"),
        ('INSUFFICIENT_DATA("new")', "ALARM"),
        ("NOT (ALARM(hot) OR FALSE)", "OK"),
    ],
)
def test_rules_as_the_documentation_writes_them(rule: str, value: State) -> None:
    states: dict[str, State] = {"hot": "ALARM", "busy": "OK", "new": "INSUFFICIENT_DATA"}
    assert Composite("c", rule, notifies=True).state(states) == value


def suppressed(broken: range, deployed: range) -> Seen:
    """A composite that waits two minutes for its suppressor, and one minute after it."""
    series: Series = {
        ("N", "Broken", frozenset()): {minute: [1] for minute in broken},
        ("N", "Deployed", frozenset()): {minute: [1] for minute in deployed},
    }
    alarms = [
        alarm(name=name, metric=("N", metric, frozenset()), minutes=1, periods=1, breaching=1, missing="notBreaching")
        for name, metric in (("child", "Broken"), ("suppressor", "Deployed"))
    ]
    alarms = [Alarm(**(vars(each) | {"notifies": False})) for each in alarms]
    composite = Composite("c", 'ALARM("child")', notifies=True, suppressor="suppressor", hold=2, extension=1)
    return watch(alarms, [composite], series, range(60), spare=0)


@pytest.mark.parametrize(
    ("broken", "deployed", "pages"),
    [
        (range(10, 30), range(0), [12]),  # nobody suppresses: after the wait period
        (range(10, 11), range(0), []),  # over before the wait period is
        (range(10, 30), range(11, 20), [20]),  # the suppressor came within the wait period: after it and its extension
        (range(10, 30), range(5, 40), []),  # suppressed to the end
        (range(10, 30), range(5, 8), [12]),  # gone before
        (range(10, 30), range(15, 20), [12]),  # too late: it has been told, and once is enough
    ],
)
def test_a_suppressor_as_the_documentation_has_it(broken: range, deployed: range, pages: list[int]) -> None:
    assert [minute for minute, _ in suppressed(broken, deployed).pages] == pages
