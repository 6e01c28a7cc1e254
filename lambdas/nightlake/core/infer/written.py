"""A proposal as the two files that a person edits: the contract, and the source in pipeline.yaml."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from nightlake.core.column_type import INTEGER_BITS, ColumnType
from nightlake.core.infer.columns import ProposedColumn
from nightlake.core.infer.proposal import Proposal
from nightlake.core.source import AnyS3Source

_LOGICAL: Final = {
    **dict.fromkeys(INTEGER_BITS, "integer"),
    **dict.fromkeys(("decimal", "double", "float"), "number"),
    "struct": "object",
}


def contract_text(proposal: Proposal, *, looked_at: str) -> str:
    """The contract as YAML, with remarks for a person; `looked_at` names the file."""
    return "\n".join(_contract(proposal, looked_at)) + "\n"


def pipeline_text(source: AnyS3Source) -> str:
    """A pipeline.yaml with the one source; what is as usual is not said."""
    said = source.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"dataset", "columns"})
    if source.columns:
        said["columns"] = {mapping.column: mapping.source for mapping in source.columns}
    lines = [f"  {key}: {_flow(value)}" for key, value in said.items()]
    return "\n".join(["sources:", f"  {source.dataset}:", *(f"  {line}" for line in lines)]) + "\n"


def _contract(proposal: Proposal, looked_at: str) -> Iterator[str]:
    dataset = proposal.source.dataset
    seen = f"all {proposal.rows:,} rows" if proposal.whole else f"{proposal.rows:,} rows of its head, middle and tail"
    yield f"# Proposed from {seen} of {_comment(looked_at)}."
    yield "# Read it and correct it: a sample cannot know what is promised."
    if proposal.odd:
        yield f"# {proposal.odd:,} records of the sample could not be read and say nothing here."
    yield from ("apiVersion: v3.2.0", "kind: DataContract", f"id: {dataset}", "version: 1.0.0", "status: draft")
    yield from ("schema:", f"  - name: {dataset}", "    physicalType: table", "    properties:")
    for column in proposal.columns:
        yield from (f"      {line}" for line in _column(column, proposal))
    for name in proposal.left_out:
        yield f"      # {_comment(name)} was left out: no type holds all of its values"
    if proposal.rows:
        yield "    quality:"
        yield "      - {metric: rowCount, mustBeGreaterThan: 0, severity: fail}"
    yield from ("slaProperties:", "  - {property: latency, value: 60, unit: minutes}")
    yield "  - {property: retention, value: 2, unit: years}"
    yield ""
    yield "# How it is read, for pipelines/<id>/pipeline.yaml; `nightlake convert` reads such a file without it:"
    yield from (f"# {line}" for line in pipeline_text(proposal.source).splitlines())


def _column(column: ProposedColumn, proposal: Proposal) -> Iterator[str]:
    yield f"- name: {column.name}{_remark(column.guess.note)}"
    yield from (f"  {line}" for line in _type(column.guess.type))
    if column.required:
        yield "  required: true"
    if column.name in proposal.primary_key:
        yield "  primaryKey: true  # all values that were seen are different"
    elif column.unique and not proposal.primary_key:
        yield "  # all values that were seen are different: unique: true, or primaryKey: true, if that is promised"
    if column.personal and proposal.primary_key:
        yield f"  classification: personal  # looks like {column.personal}: it goes to a table of its own"
    elif column.personal:
        yield f"  # looks like {column.personal}: add `classification: personal` once a column has `primaryKey: true`"
    if column.values:
        yield "  enum:"
        yield from (f"    - {{value: {_flow(value)}}}" for value in column.values)
    elif column.perhaps:
        yield f"  # if these are all it may be, list them as `enum`: {_comment(', '.join(column.perhaps))}"
    elif column.lengths:
        low, high = column.lengths
        yield f"  # {low:,} to {high:,} characters" if low < high else f"  # {high:,} characters"


def _type(kind: ColumnType) -> Iterator[str]:
    yield f"logicalType: {_LOGICAL.get(kind.name, kind.name)}"
    parts = dict(kind.parts)
    if kind.name == "array":
        yield "items:"
        yield from (f"  {line}" for line in _type(parts["element"]))
    elif kind.name == "map":
        yield "map:"
        for side in ("key", "value"):
            yield f"  {side}:"
            yield from (f"    {line}" for line in _type(parts[side]))
    elif kind.name == "struct":
        yield "properties:"
        for name, part in kind.parts:
            yield f"  - name: {name}"
            yield from (f"    {line}" for line in _type(part))
    elif kind.name not in ("string", "boolean", "date", "timestamp"):
        yield f"physicalType: {kind}"


def _remark(note: str) -> str:
    return f"  # {_comment(note)}" if note else ""


def _comment(text: str) -> str:
    """The text as it may stand behind a #: on one line, nothing that YAML refuses."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _flow(value: Any) -> str:
    """A value on one line; texts in quotes, whatever they look like."""
    if isinstance(value, str):
        return str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=float("inf"))).rstrip("\n")
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return json.dumps(value)
