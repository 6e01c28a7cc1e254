"""The audits of a merge are counted by one query, word for word as their authors wrote them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from athena_lake import Lake, athena_lake
from nightlake.core.audit import audit_query
from nightlake.core.errors import MergeAuditError
from nightlake.core.merge_attempt import ROW_COUNT


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with athena_lake(tmp_path, monkeypatch) as lake:
        lake(
            "CREATE TABLE sums WITH (external_location = 's3://lake/sums/') AS "
            "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'c')) AS v (n, name)"
        )
        yield lake


def found(lake: Lake, **audits: str) -> dict[str, int]:
    return dict(lake.rows(audit_query("sums", audits)))


def test_wrong_rows_are_counted_by_audit_beside_all_rows(lake: Lake) -> None:
    audits = {
        "keys": "SELECT n FROM sums GROUP BY n HAVING count(*) > 1",
        "names": "WITH wrong AS (SELECT name FROM sums WHERE name > 'a') SELECT name FROM wrong ORDER BY name LIMIT 5",
        "none": "SELECT n FROM SUMS WHERE n > 9",
    }
    assert found(lake, **audits) == {ROW_COUNT: 3, "keys": 1, "names": 2, "none": 0}


def test_comments_and_a_semicolon_end_nothing_but_their_own_file(lake: Lake) -> None:
    audits = {"a": "-- first; second\nSELECT n FROM sums -- all of them", "b": "SELECT n FROM sums -- ' done\n;\n"}
    assert found(lake, **audits) == {ROW_COUNT: 3, "a": 3, "b": 3}


def test_an_audit_of_another_merge_is_not_asked(lake: Lake) -> None:
    assert found(lake, other="SELECT n FROM others", text="SELECT 'sums' AS name FROM others") == {ROW_COUNT: 3}


@pytest.mark.parametrize("text", ["DROP TABLE sums", "CREATE TABLE x AS SELECT n FROM sums", "SELECT FROM WHERE ("])
def test_what_is_no_query_is_refused_by_name(text: str) -> None:
    with pytest.raises(MergeAuditError, match="The audit 'bad' is"):
        audit_query("sums", {"bad": text})
