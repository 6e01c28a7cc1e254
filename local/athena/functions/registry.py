"""The allow-list of functions: each by name with overloads, chosen by argument types as Trino chooses.

    FUNCTIONS = Registry()
    FUNCTIONS.scalar("abs", "integer -> integer", "abs({0})")
    FUNCTIONS.scalar("transform", "array(T), function(T,U) -> array(U)", "list_transform({0}, {1})")
    FUNCTIONS.aggregate("sum", "bigint -> bigint", "sum")

A signature is Trino's: type names; variables T, U, V, K, E, S, R for any type; `p`, `s`, `x`, `y` for a decimal's,
varchar's or char's numbers, taken over to the return type; `T...` as last argument for any number of it, also none.
An emitter is a template over the arguments' DuckDB SQL, or a function of that list to SQL.
Every result is cast to its return type, so DuckDB's own return type need not be the same.
A function whose types follow other rules, or which reads literals or the session, is a resolver:
`FUNCTIONS.scalar("round", resolver)` with `resolver(call) -> Match | None` (None: these types are not mine).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from local.athena.types import (
    UNKNOWN,
    Array,
    Char,
    Decimal,
    Map,
    Row,
    Type,
    Varchar,
    can_coerce,
    common_super_type,
    parse_type,
)

VARIABLES = frozenset("TUVKESR")
Emitter = Callable[[Sequence[str]], str]
Kind = Literal["scalar", "aggregate", "window"]


@dataclass(frozen=True)
class Session:
    """What a statement runs under. `parameters` are the SQL texts of the execution parameters, in order."""

    catalog: str = "awsdatacatalog"
    database: str = "default"
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Argument:
    """One argument as it is written: its type, and its value where it is a literal (str, int, float, Decimal, bool)."""

    type: Type
    literal: object = None
    is_literal: bool = False


@dataclass(frozen=True)
class Lambda:
    """A lambda before its parameters have types: `body(types)` compiles it and gives the type of its result."""

    parameters: int
    body: Callable[[tuple[Type, ...]], Type]


@dataclass(frozen=True)
class Function(Type):
    """The type of a lambda argument, once resolved."""

    parameters: tuple[Type, ...]
    returns: Type

    def __str__(self) -> str:
        return f"function({','.join(map(str, (*self.parameters, self.returns)))})"


def function(parameters: Sequence[Type], returns: Type) -> Function:
    return Function("function", tuple(parameters), returns)


@dataclass(frozen=True)
class Call:
    """A call to be resolved."""

    name: str
    arguments: tuple[Argument | Lambda, ...]
    session: Session

    @property
    def types(self) -> tuple[Type, ...]:
        """The types of the arguments; a lambda's is unknown."""
        return tuple(UNKNOWN if isinstance(argument, Lambda) else argument.type for argument in self.arguments)


@dataclass(frozen=True)
class Match:
    """A resolved call: the arguments are coerced to `arguments` (a `Function` for a lambda) and given to `emit`.

    For a scalar, `emit` takes the arguments' SQL and returns the call's. For aggregates and windows it takes `invoke`
    first: `invoke("sum", arg, ...)` writes one DuckDB aggregate with the call's DISTINCT, ORDER BY, FILTER and OVER.
    """

    arguments: tuple[Type, ...]
    returns: Type
    emit: Callable[..., str]


Resolver = Callable[[Call], Match | None]


@dataclass(frozen=True)
class Overload:
    signature: str | None
    kind: Kind
    deterministic: bool
    resolve: Resolver


class Registry:
    """Functions by lower-case name."""

    def __init__(self) -> None:
        self._overloads: dict[str, list[Overload]] = {}

    def scalar(
        self, name: str, signature: str | Resolver, emit: str | Emitter | None = None, *, deterministic: bool = True
    ) -> None:
        """Adds a scalar overload: a signature with its emitter (template `f({0}, {1})` or function), or a resolver."""
        self._add(name, signature, _template(emit) if isinstance(emit, str) else emit, "scalar", deterministic)

    def aggregate(self, name: str, signature: str | Resolver, emit: str | Callable[..., str] | None = None) -> None:
        """Adds an aggregate overload; `emit` is DuckDB's function name or `emit(invoke, arguments) -> SQL`."""
        self._add(name, signature, _invocation(emit) if isinstance(emit, str) else emit, "aggregate", True)

    def window(self, name: str, signature: str | Resolver, emit: str | Callable[..., str] | None = None) -> None:
        """Adds a window-only overload; `emit` as of aggregates."""
        self._add(name, signature, _invocation(emit) if isinstance(emit, str) else emit, "window", True)

    def _add(
        self, name: str, signature: str | Resolver, emit: Callable[..., str] | None, kind: Kind, deterministic: bool
    ) -> None:
        if callable(signature):
            overload = Overload(None, kind, deterministic, signature)
        elif emit is None:
            raise TypeError(f"{name}: a signature needs an emitter")
        else:
            overload = Overload(signature, kind, deterministic, Signature(signature, emit))
        self._overloads.setdefault(name.lower(), []).append(overload)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._overloads

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._overloads))

    def kind(self, name: str) -> Kind:
        """Whether `name` is a scalar, an aggregate or a window function. Raises KeyError."""
        return self._overloads[name.lower()][0].kind

    def deterministic(self, name: str) -> bool:
        return all(overload.deterministic for overload in self._overloads[name.lower()])

    def expected(self, name: str) -> str:
        """The signatures of `name` as Trino's error lists them."""
        known = [f"{name}({o.signature.split('->')[0].strip()})" for o in self._overloads[name] if o.signature]
        return ", ".join(known)

    def resolve(self, call: Call) -> Match | None:
        """The overload that fits: exactly, else by the fewest and narrowest coercions, else None."""
        matches = [m for m in (overload.resolve(call) for overload in self._overloads[call.name]) if m is not None]
        for match in matches:
            if all(isinstance(a, Lambda) or a.type == t for a, t in zip(call.arguments, match.arguments, strict=True)):
                return match
        for match in matches:
            if all(_narrower(match, other) for other in matches):
                return match
        return matches[0] if matches else None


def _narrower(one: Match, other: Match) -> bool:
    pairs = zip(one.arguments, other.arguments, strict=True)
    return all(isinstance(a, Function) or a == b or can_coerce(a, b) for a, b in pairs)


def _template(text: str) -> Emitter:
    return lambda arguments: text.format(*arguments)


def _invocation(name: str) -> Callable[..., str]:
    return lambda invoke, arguments: str(invoke(name, *arguments))


class Signature:
    """A resolver made of a signature's text."""

    def __init__(self, text: str, emit: Callable[..., str]) -> None:
        arguments, _, returns = text.rpartition("->")
        self.emit = emit
        self.returns = returns.strip()
        self.parameters = _split(arguments.strip())
        self.variadic = bool(self.parameters) and self.parameters[-1].endswith("...")
        if self.variadic:
            self.parameters[-1] = self.parameters[-1].removesuffix("...")

    def __call__(self, call: Call) -> Match | None:
        parameters = self.parameters
        if self.variadic:
            missing = len(call.arguments) - len(parameters) + 1
            parameters = parameters[:-1] + parameters[-1:] * max(missing, 0)
        if len(parameters) != len(call.arguments):
            return None
        bound: dict[str, Type] = {}
        numbers: dict[str, int | None] = {}
        pairs = list(zip(parameters, call.arguments, strict=True))
        plain = [(text, argument) for text, argument in pairs if isinstance(argument, Argument)]
        if any(text.startswith("function(") for text, _ in plain):
            return None
        if not all(_bind(text, argument.type, bound, numbers) for text, argument in plain):
            return None
        for text, argument in pairs:
            if isinstance(argument, Lambda) and not _bind_lambda(text, argument, bound):
                return None
        kinds = tuple(_instance(text, bound, numbers) for text in parameters)
        coerced = zip(kinds, call.arguments, strict=True)
        if not all(isinstance(a, Lambda) or can_coerce(a.type, kind) for kind, a in coerced):
            return None
        return Match(kinds, _instance(self.returns, bound, numbers), self.emit)


def _split(text: str) -> list[str]:
    """The comma-separated parts of `text` at its outermost level."""
    parts, depth = [""], 0
    for symbol in text:
        depth += (symbol in "(<") - (symbol in ")>")
        if symbol == "," and not depth:
            parts.append("")
        else:
            parts[-1] += symbol
    return [part.strip() for part in parts if part.strip()]


_NUMBERED = re.compile(r"(decimal|varchar|char)\(([a-z]\d*)(?:,\s*([a-z]\d*))?\)$")


def _inner(text: str) -> list[str]:
    return _split(text[text.index("(") + 1 : text.rindex(")")])


def _bind(  # noqa: PLR0911
    text: str, kind: Type, bound: dict[str, Type], numbers: dict[str, int | None]
) -> bool:
    """Binds the variables of a parameter to what an argument of `kind` makes of them."""
    if text in VARIABLES:
        common = common_super_type(bound.get(text, UNKNOWN), kind)
        if common is not None:
            bound[text] = common
        return common is not None
    numbered = _NUMBERED.match(text)
    if numbered:
        return _bind_numbers(numbered, kind, numbers)
    if not (VARIABLES & set(re.findall(r"\w+", text))):
        return True
    if kind == UNKNOWN:
        return True
    if text.startswith("array(") and isinstance(kind, Array):
        return _bind(_inner(text)[0], kind.element, bound, numbers)
    if text.startswith("map(") and isinstance(kind, Map):
        key, value = _inner(text)
        return _bind(key, kind.key, bound, numbers) and _bind(value, kind.value, bound, numbers)
    if text.startswith("row(") and isinstance(kind, Row):
        inner = _inner(text)
        return len(inner) == len(kind.fields) and all(
            _bind(part, field_kind, bound, numbers) for part, (_, field_kind) in zip(inner, kind.fields, strict=True)
        )
    return False


def _bind_numbers(numbered: re.Match[str], kind: Type, numbers: dict[str, int | None]) -> bool:
    base, first, second = numbered.groups()
    if kind == UNKNOWN:
        found: tuple[int | None, int | None] = (1, 0)
    elif base == "decimal" and isinstance(kind, Decimal):
        found = (kind.precision, kind.scale)
    elif base == kind.name and isinstance(kind, Varchar | Char):
        found = (kind.length, None)
    else:
        return False
    numbers[first] = _widest(numbers.get(first, 0), found[0])
    if second:
        numbers[second] = _widest(numbers.get(second, 0), found[1])
    return True


def _widest(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _bind_lambda(text: str, argument: Lambda, bound: dict[str, Type]) -> bool:
    """Compiles a lambda for the types known so far and binds its result's; a state variable widens until it fits.

    One that goes on widening, as a sum of decimals does, fits never: as in Trino, its first value wants a cast.
    """
    if not text.startswith("function("):
        return False
    *parameters, returns = _inner(text)
    if len(parameters) != argument.parameters:
        return False
    for _ in range(4):
        body = argument.body(tuple(_instance(part, bound, {}) for part in parameters))
        before = dict(bound)
        if not _bind(returns, body, bound, {}):
            return False
        if returns not in parameters or bound == before:
            break
    else:
        return False
    return can_coerce(body, _instance(returns, bound, {}))


def _instance(text: str, bound: dict[str, Type], numbers: dict[str, int | None]) -> Type:
    if text.startswith("function("):
        *parameters, returns = [_instance(part, bound, numbers) for part in _inner(text)]
        return function(parameters, returns)
    if numbers:
        text = re.sub(r"(decimal|varchar|char)\([^)]*\)", lambda m: _numbered_instance(m[0], numbers), text)
    return parse_type(text, lambda word: bound.get(word.upper(), UNKNOWN) if word.upper() in VARIABLES else None)


def _numbered_instance(text: str, numbers: dict[str, int | None]) -> str:
    """`decimal(38,s)` with `s` known; an unbounded varchar's number leaves it without one."""
    values = [numbers.get(part, part) for part in _inner(text)]
    return text.partition("(")[0] if None in values else f"{text.partition('(')[0]}({','.join(map(str, values))})"


FUNCTIONS = Registry()
"""All functions; the modules beside this one fill it when `local.athena.functions` is imported."""
