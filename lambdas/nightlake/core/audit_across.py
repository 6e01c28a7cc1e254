"""Judges the keys and relationships of a run by what Athena counted."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from nightlake.core import layout
from nightlake.core.errors import DuplicateKeysError, RelationshipBrokenError
from nightlake.core.expectation import described, is_met, percent
from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import Dataset, Pipeline, Relationship, Rule
from nightlake.core.query_result import QueryResult
from nightlake.core.shard import Finding
from nightlake.core.source_rules import queried_rules
from nightlake.core.store import Store
from nightlake.core.verdict import Count, Verdict, in_words


class Request(Frozen):
    """What the state machine asks: the verdict on the answer of `query_id`, the query of kind `across`."""

    pipeline: str
    date: date
    run_id: str
    query_id: str


def audit_across(
    request: Request, pipeline: Pipeline, result: QueryResult, *, lake: Store, staging_database: str
) -> dict[str, Any]:
    """Write the verdict and answer `{verdict, checks, warnings}`: its key, and how many there are.

    Sources that this run did not seal are not judged: what is left of an earlier run says nothing about this one.
    Raises DuplicateKeysError or RelationshipBrokenError when a rule of severity fail is broken.
    """
    counts = {str(each["rule"]): (int(str(each["broken"])), int(str(each["checked"]))) for each in result.records()}
    sealed = {
        dataset.name
        for dataset in pipeline.datasets
        if lake.head(layout.sealed_table(pipeline.name, request.date, request.run_id, dataset.name))
    }
    judge = _Judge(pipeline, counts, sealed, request.date, staging_database)
    keys, relationships = [*judge.keys()], [*judge.relationships()]
    found = [*keys, *relationships]
    key = layout.across_audit(pipeline.name, request.date, request.run_id)
    verdict = Verdict(
        subject="across",
        date=request.date,
        run_id=request.run_id,
        query_id=request.query_id,
        counts=tuple(Count(rule=rule, broken=broken, checked=checked) for rule, (broken, checked) in counts.items()),
        problems=tuple(finding for severity, finding in found if severity == "fail"),
        warnings=tuple(finding for severity, finding in found if severity == "warn"),
    )
    lake.put_model(key, verdict)
    text = in_words(verdict.problems, key)
    if any(severity == "fail" for severity, _ in keys):
        raise DuplicateKeysError(text)
    if verdict.problems:
        raise RelationshipBrokenError(text)
    return {"verdict": key, "checks": len(counts), "warnings": len(verdict.warnings)}


_Judged = tuple[str, Finding]


@dataclass(frozen=True)
class _Judge:
    """Every check that is broken, or that could not be made, with its severity."""

    pipeline: Pipeline
    counts: Mapping[str, tuple[int, int]]
    sealed: Collection[str]
    day: date
    staging_database: str

    def keys(self) -> Iterator[_Judged]:
        for dataset in self.pipeline.datasets:
            if dataset.name in self.sealed:
                for rule in queried_rules(dataset):
                    yield from self._key(rule, dataset)

    def _key(self, rule: Rule, dataset: Dataset) -> Iterator[_Judged]:
        repeated, checked = self.counts[rule.id]
        if not is_met(rule, repeated, checked):
            from nightlake.core.across import duplicates_query  # only what is broken is looked at

            reason = f"rows that repeat {', '.join(rule.columns)} of another: {described(rule, repeated, checked)}"
            where = duplicates_query(rule, dataset, day=self.day, database=self.staging_database)
            yield rule.severity, Finding(rule=rule.id, where=where, reason=reason)

    def relationships(self) -> Iterator[_Judged]:
        datasets = {dataset.name: dataset for dataset in self.pipeline.datasets}
        for dataset in self.pipeline.datasets:
            if dataset.name in self.sealed:
                for relationship in dataset.relationships:
                    yield from self._relationship(relationship, dataset, datasets[relationship.to])

    def _relationship(self, relationship: Relationship, dataset: Dataset, to: Dataset) -> Iterator[_Judged]:
        if to.name not in self.sealed:
            reason = f"was not checked: this run has no rows of {to.name}"
            yield "warn", Finding(rule=relationship.id, where=f"the source {to.name}", reason=reason)
            return
        missing, checked = self.counts[relationship.id]
        if missing:
            from nightlake.core.across import missing_query

            reason = (
                f"{missing:,} of {checked:,} rows ({percent(missing, checked)} %) name a "
                f"{', '.join(relationship.columns)} that {to.name} does not have"
            )
            where = missing_query(relationship, dataset, to, day=self.day, database=self.staging_database)
            yield relationship.severity, Finding(rule=relationship.id, where=where, reason=reason)
