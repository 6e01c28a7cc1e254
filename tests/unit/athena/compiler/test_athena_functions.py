"""Functions that are refused: by name, for what would be a guess, or as unknown ones."""

from collections.abc import Callable
from typing import Any

import pytest

from local.athena.errors import FunctionNotFoundError, NotSupportedError


@pytest.mark.parametrize("call", ["xxhash64(X'00')", "word_stem('running')", "ST_Point(1, 2)", "current_time"])
def test_what_athena_has_and_we_have_not_is_not_called_unknown(ask: Any, call: str) -> None:
    with pytest.raises(NotSupportedError):
        ask(f"SELECT {call}")


@pytest.mark.parametrize(
    "call", ["nvl(1, 2)", "len('abc')", "list_sort(ARRAY[1])", "strftime(DATE '2020-01-01', '%Y')"]
)
def test_what_athena_has_not_is_unknown(ask: Any, call: str) -> None:
    with pytest.raises(FunctionNotFoundError):
        ask(f"SELECT {call}")


def test_a_state_that_goes_on_widening_is_refused(ask: Any) -> None:
    with pytest.raises(FunctionNotFoundError):
        ask("SELECT reduce(ARRAY[1.5, 2.5], 0.0, (s, x) -> s + x, s -> s)")


@pytest.mark.parametrize(
    "call", [r"regexp_replace('Müller', '\W', '')", r"regexp_like('é', '\w')", r"regexp_split('a b', '\s')"]
)
def test_classes_of_letters_beyond_ascii_are_no_guess(calculator: Callable[[str], Any], call: str) -> None:
    with pytest.raises(NotSupportedError, match="beyond ASCII"):
        calculator(call.replace("a b", "a\u00a0b"))


def test_a_text_that_is_to_be_cut_is_refused(ask: Any) -> None:
    with pytest.raises(NotSupportedError):
        ask(
            "SELECT listagg(x, ',' ON OVERFLOW TRUNCATE '.' WITH COUNT) WITHIN GROUP (ORDER BY x)"
            " FROM (VALUES 'a') t(x)"
        )
