"""The names of our errors are a contract with Step Functions: leaf classes, unique, told apart from all others."""

import builtins
import inspect

from nightlake.core import errors
from nightlake.core.errors import ContractError, NightlakeError, ParameterError, Problem, TransientError

BASES = (NightlakeError, ParameterError, TransientError)
RAISED = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, NightlakeError) and error not in BASES
]


def test_every_error_is_a_leaf_under_a_base() -> None:
    assert RAISED
    assert [error.__name__ for error in RAISED if error.__base__ not in BASES or error.__subclasses__()] == []


def test_names_end_in_error_and_belong_to_nobody_else() -> None:
    assert [error.__name__ for error in RAISED if not error.__name__.endswith("Error")] == []
    assert [error.__name__ for error in RAISED if hasattr(builtins, error.__name__)] == []


def test_every_error_says_when_it_is_raised() -> None:
    assert [error.__name__ for error in RAISED if not error.__doc__] == []


def test_a_contract_error_reads_like_a_compiler() -> None:
    error = ContractError((Problem("a.yaml", 3, "'x' is missing: add it"), Problem("b.yaml", 1, "empty")))
    assert str(error) == "a.yaml:3: 'x' is missing: add it\nb.yaml:1: empty"
    assert error.problems[0].line == 3
