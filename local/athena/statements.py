"""One statement of Athena's SQL: which kind it is, and how it is run."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Protocol, cast

from sqlglot import exp

from local.athena import ctas, ddl, parser, show
from local.athena.errors import InvalidParameterUsageError, NotFoundError, NotSupportedError, QuerySyntaxError
from local.athena.execution import Execution, Result, Statement
from local.athena.session import Session
from local.athena.tokens import Tokens


class _Runnable(Protocol):
    def run(self, execution: Execution) -> Result: ...


def parse(sql: str, session: Session, *, bound: bool = False) -> Statement:
    """The statement that a text is; EXECUTE becomes what it names. With `bound` its parameters are given elsewhere.

    Raises:
        QuerySyntaxError: it is no statement, or more than one.
        NotSupportedError: this engine does not run such statements.
        NotFoundError: EXECUTE names a statement that was not prepared.
    """
    tokens = Tokens(sql, hive=True)
    if any(tokens.at(*words) for words in _EITHER):
        tokens = Tokens(sql, hive=True, quotes=("backquoted", "quoted"))
    elif not any(tokens.at(*words) for words in _HIVE):
        tokens = Tokens(sql, hive=False)
    if tokens.peek().kind == "end":
        raise QuerySyntaxError("mismatched input '<EOF>'. Expecting: <query>", (1, 1))
    for words, read in _READERS:
        if tokens.accept(*words):
            found = read(tokens, session)
            tokens.end()
            _check_parameters(found, None if bound else session)
            return found
    raise tokens.refusal("<query>")


def run(statement: Statement, execution: Execution) -> Result:
    """Run any statement but a query.

    Raises:
        QueryError: in Athena's words why it failed.
    """
    return cast("_Runnable", statement.tree).run(execution)


@dataclass(frozen=True)
class Prepare:
    """PREPARE name FROM statement; the session's caller keeps it."""

    name: str
    text: str

    def run(self, execution: Execution) -> Result:
        _kept(execution)[self.name] = self.text
        return Result()


@dataclass(frozen=True)
class Deallocate:
    name: str

    def run(self, execution: Execution) -> Result:
        if _kept(execution).pop(self.name, None) is None:
            raise NotFoundError(f"Prepared statement not found: {self.name}")
        return Result()


def _kept(execution: Execution) -> MutableMapping[str, str]:
    prepared = execution.session.prepared
    if not isinstance(prepared, MutableMapping):
        raise NotSupportedError("This session keeps no prepared statements")
    return prepared


def _query(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001 (one shape for all)
    if tokens.at("FUNCTION") and tokens.peek(1).kind in ("word", "quoted") and not tokens.at("FUNCTION", "AS"):
        raise NotSupportedError("WITH FUNCTION is not supported by the local Athena")
    tokens.skip()
    return Statement("DML", "SELECT", parser.parse(tokens.sql))


def _create(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    if tokens.accept("DATABASE") or tokens.accept("SCHEMA"):
        return Statement("DDL", "CREATE_DATABASE", ddl.parse_create_database(tokens))
    if tokens.accept("EXTERNAL", "TABLE"):
        return Statement("DDL", "CREATE_TABLE", ddl.parse_create_table(tokens))
    if tokens.accept("TABLE"):
        return Statement("DDL", "CREATE_TABLE_AS_SELECT", ctas.parse_create_table_as(tokens))
    replaces = tokens.accept("OR", "REPLACE")
    if tokens.accept("VIEW"):
        name = ddl.parse_name(tokens)
        tokens.expect("AS")
        text = tokens.rest()
        tokens.skip()
        return Statement("DDL", "CREATE_VIEW", ddl.CreateView(name, replaces, text.strip(), parser.parse(text)))
    raise tokens.refusal("'DATABASE'", "'EXTERNAL TABLE'", "'TABLE'", "'VIEW'")


def _drop(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    if tokens.accept("DATABASE") or tokens.accept("SCHEMA"):
        return Statement("DDL", "DROP_DATABASE", ddl.parse_drop_database(tokens))
    if tokens.accept("TABLE"):
        return Statement("DDL", "DROP_TABLE", ddl.parse_drop_table(tokens))
    if tokens.accept("VIEW"):
        return Statement("DDL", "DROP_VIEW", ddl.parse_drop_table(tokens, view=True))
    raise tokens.refusal("'DATABASE'", "'TABLE'", "'VIEW'")


def _alter_database(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    return Statement("DDL", "ALTER_DATABASE_SET_PROPERTIES", ddl.parse_alter_database(tokens))


def _alter(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    return Statement("DDL", *ddl.parse_alter_table(tokens))


def _repair(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    return Statement("DDL", "MSCK_REPAIR", ddl.Repair(ddl.parse_name(tokens)))


def _show(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    return Statement("UTILITY", *show.parse_show(tokens))


def _describe(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    return Statement("UTILITY", "DESCRIBE_TABLE", show.parse_describe(tokens))


def _insert(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    return Statement("DML", "INSERT", ctas.parse_insert(tokens))


def _unload(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    return Statement("DML", "UNLOAD", ctas.parse_unload(tokens))


def _prepare(tokens: Tokens, session: Session) -> Statement:
    name = tokens.name()
    tokens.expect("FROM")
    text = tokens.rest().strip()
    tokens.skip()
    prepared = parse(text, session, bound=True)
    if prepared.substatement not in ("SELECT", "INSERT", "UNLOAD", "CREATE_TABLE_AS_SELECT"):
        raise NotSupportedError(
            f"PREPARE of {prepared.substatement} is not supported: it takes queries and writes only"
        )
    return Statement("DDL", "PREPARE", Prepare(name, text))


def _execute(tokens: Tokens, session: Session) -> Statement:
    name = tokens.name()
    text = session.prepared.get(name)
    if text is None:
        raise NotFoundError(f"Prepared statement not found: {name}")
    if not tokens.accept("USING"):
        return parse(text, session)
    found = parse(text, replace(session, parameters=()), bound=True)
    given = [parser.parse(f"SELECT {each}").expressions[0] for each in tokens.arguments()]
    wanted = sum(1 for _ in _query_of(found).find_all(exp.Placeholder, exp.Parameter))
    if wanted != len(given):
        raise InvalidParameterUsageError(f"Incorrect number of parameters: expected {wanted} but found {len(given)}")
    _bind(_query_of(found), given)
    return found


def _check_parameters(statement: Statement, session: Session | None) -> None:
    """Refuse a `?` that stands elsewhere than in a WHERE clause, and parameters of a session that no `?` takes.

    https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html: "Currently, ? parameters can be
    placed only in the WHERE clause. Syntax like SELECT ? FROM table is not supported."
    """
    tree = statement.tree if isinstance(statement.tree, exp.Expr) else getattr(statement.tree, "tree", None)
    found = list(tree.find_all(exp.Placeholder)) if isinstance(tree, exp.Expr) else []
    for each in found:
        if statement.substatement == "CREATE_VIEW":
            raise NotSupportedError("A view has no parameters (?)", parser.position(each))
        if not each.find_ancestor(exp.Where):
            raise NotSupportedError("Parameters (?) are supported in the WHERE clause only", parser.position(each))
    if session and len(found) != len(session.parameters):
        raise InvalidParameterUsageError(
            f"Incorrect number of parameters: expected {len(found)} but found {len(session.parameters)}",
            (parser.position(found[0]) if found else None) or (1, 1),
        )


def _query_of(statement: Statement) -> exp.Expr:
    tree = statement.tree
    return cast("exp.Expr", tree if isinstance(tree, exp.Expr) else tree.tree)


def _bind(tree: exp.Expr, given: list[exp.Expr]) -> None:
    for placeholder, value in zip(list(tree.find_all(exp.Placeholder, exp.Parameter, bfs=False)), given, strict=True):
        placeholder.replace(value.copy())


def _deallocate(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    tokens.accept("PREPARE")
    return Statement("DDL", "DEALLOCATE", Deallocate(tokens.name()))


def _refuse(tokens: Tokens, session: Session) -> Statement:  # noqa: ARG001
    raise NotSupportedError(f"{tokens.sql.split()[0].upper()} is not supported by the local Athena")


_EITHER = (("SHOW",), ("DESCRIBE",), ("DESC",), ("DROP", "VIEW"))
_HIVE = (
    *((word,) for word in ("ALTER", "DROP", "MSCK")),
    *(("CREATE", word) for word in ("EXTERNAL", "DATABASE", "SCHEMA")),
)
_REFUSED = ("EXPLAIN", "MERGE", "UPDATE", "DELETE", "OPTIMIZE", "VACUUM", "USING")
_READERS: tuple[tuple[tuple[str, ...], Callable[[Tokens, Session], Statement]], ...] = (
    *(((word,), _query) for word in ("SELECT", "WITH", "VALUES", "TABLE", "(")),
    (("CREATE",), _create),
    (("DROP",), _drop),
    (("ALTER", "TABLE"), _alter),
    (("ALTER", "DATABASE"), _alter_database),
    (("ALTER", "SCHEMA"), _alter_database),
    (("MSCK", "REPAIR", "TABLE"), _repair),
    (("SHOW",), _show),
    (("DESCRIBE",), _describe),
    (("DESC",), _describe),
    (("INSERT", "INTO"), _insert),
    (("UNLOAD",), _unload),
    (("PREPARE",), _prepare),
    (("EXECUTE",), _execute),
    (("DEALLOCATE",), _deallocate),
    *(((word,), _refuse) for word in (*_REFUSED, "INSERT", "ALTER")),
)
