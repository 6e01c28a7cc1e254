"""Judges the keys and relationships of a run by what Athena counted."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any, NamedTuple

from nightlake.core import layout
from nightlake.core.errors import DuplicateKeysError, RelationshipBrokenError
from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import Dataset, Pipeline, Relationship, Rule
from nightlake.core.query_result import QueryResult
from nightlake.core.rule_result import RuleResult, not_checked, of_relationship, result
from nightlake.core.shard import Finding
from nightlake.core.source_rules import queried_rules
from nightlake.core.store import Store
from nightlake.core.verdict import Count, Verdict, in_words


class Request(Frozen):
    """What the state machine asks: the verdict on the answers of `query_ids`, the queries of kind `across`."""

    pipeline: str
    date: date
    run_id: str
    query_ids: tuple[str, ...]


def audit_across(
    request: Request, pipeline: Pipeline, answers: Iterable[QueryResult], *, lake: Store, staging_database: str
) -> dict[str, Any]:
    """Write the verdict and answer `{verdict, checks, warnings}`: its key, and how many there are.

    Sources that this run did not seal are not judged: what is left of an earlier run says nothing about this one.
    Raises DuplicateKeysError or RelationshipBrokenError when a rule of severity fail is broken.
    """
    counts = _added(answers)
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
        query_ids=request.query_ids,
        counts=tuple(Count(rule=rule, broken=broken, checked=checked) for rule, (broken, checked) in counts.items()),
        problems=tuple(each.finding for each in found if each.finding and each.fails),
        warnings=tuple(each.finding for each in found if each.finding and not each.fails),
        rules=tuple(each.result for each in found),
    )
    lake.put_model(key, verdict)
    text = in_words(verdict.problems, key)
    if any(each.fails for each in keys):
        raise DuplicateKeysError(text)
    if verdict.problems:
        raise RelationshipBrokenError(text)
    return {"verdict": key, "checks": len(counts), "warnings": len(verdict.warnings)}


def _added(answers: Iterable[QueryResult]) -> dict[str, tuple[int, int]]:
    """By rule, the rows that break it and those that were checked: each answer has the counts of its part."""
    counts: dict[str, tuple[int, int]] = {}
    for each in chain.from_iterable(answer.records() for answer in answers):
        broken, checked = counts.get(str(each["rule"]), (0, 0))
        counts[str(each["rule"])] = broken + int(str(each["broken"])), checked + int(str(each["checked"]))
    return counts


class _Judged(NamedTuple):
    """What became of one check; what a person should know, where it is broken or could not be made."""

    result: RuleResult
    finding: Finding | None = None

    @property
    def fails(self) -> bool:
        """Whether the night ends with it."""
        return self.result.verdict == "broken" and self.result.severity == "fail"


@dataclass(frozen=True)
class _Judge:
    """Judges every check of the sources that came."""

    pipeline: Pipeline
    counts: Mapping[str, tuple[int, int]]
    sealed: Collection[str]
    day: date
    staging_database: str

    def keys(self) -> Iterator[_Judged]:
        for dataset in self.pipeline.datasets:
            if dataset.name in self.sealed:
                for rule in queried_rules(dataset):
                    yield self._key(rule, dataset)

    def _key(self, rule: Rule, dataset: Dataset) -> _Judged:
        judged = result(rule, dataset.name, *self.counts[rule.id])
        if judged.verdict == "kept":
            return _Judged(judged)
        from nightlake.core.across import duplicates_query  # only what is broken is looked at

        columns = ", ".join(rule.columns)
        finding = Finding(
            rule=rule.id,
            where=f"{self._place(dataset)}, rows with the same {columns}",
            reason=f"rows that repeat the {columns} of another row: {judged.found}",
            sql=duplicates_query(rule, dataset, day=self.day, database=self.staging_database),
        )
        return _Judged(judged, finding)

    def relationships(self) -> Iterator[_Judged]:
        datasets = {dataset.name: dataset for dataset in self.pipeline.datasets}
        for dataset in self.pipeline.datasets:
            if dataset.name in self.sealed:
                for relationship in dataset.relationships:
                    yield self._relationship(relationship, dataset, datasets[relationship.to])

    def _relationship(self, relationship: Relationship, dataset: Dataset, to: Dataset) -> _Judged:
        if to.name not in self.sealed:
            judged = not_checked(relationship, dataset.name, f"this run has no rows of {to.name}")
            told = Finding(rule=relationship.id, where=f"the source {to.name}", reason=judged.found)
            return _Judged(judged, told)
        judged = of_relationship(relationship, dataset.name, *self.counts[relationship.id])
        if judged.verdict == "kept":
            return _Judged(judged)
        from nightlake.core.across import missing_query

        finding = Finding(
            rule=relationship.id,
            where=f"{self._place(dataset)}, rows whose {', '.join(relationship.columns)} {to.name} does not have",
            reason=judged.found,
            sql=missing_query(relationship, dataset, to, day=self.day, database=self.staging_database),
        )
        return _Judged(judged, finding)

    def _place(self, dataset: Dataset) -> str:
        return f"{self.staging_database}.{dataset.name} of {self.day}"
