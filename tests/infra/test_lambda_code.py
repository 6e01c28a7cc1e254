"""The code asset: our package, the compiled contracts and their SQL; the same path for the same content."""

from pathlib import Path

from nightlake.core.pipeline import Pipeline

from infra.lambda_code import lambda_code


def test_it_is_the_package_the_contracts_and_the_sql(tmp_path: Path, pipelines: tuple[Pipeline, ...]) -> None:
    directory = lambda_code(pipelines, build=tmp_path)
    files = {file.relative_to(directory) for file in directory.rglob("*") if file.is_file()}
    assert {Path("nightlake/handlers/prepare.py"), Path("nightlake/core/prices.json")} <= files
    assert {file.suffix for file in files} <= {".py", ".json", ".sql", ".css", ".js", ""}
    assert {file.name for file in files if not file.suffix} == {"LICENSE"}
    contracts = {file.name for file in files if file.parent == Path("nightlake/contracts")}
    assert contracts == {f"{pipeline.name}.json" for pipeline in pipelines}


def test_a_lambda_loads_the_contract_that_was_compiled(tmp_path: Path, pipelines: tuple[Pipeline, ...]) -> None:
    directory = lambda_code(pipelines, build=tmp_path)
    for pipeline in pipelines:
        stored = (directory / "nightlake" / "contracts" / f"{pipeline.name}.json").read_bytes()
        assert Pipeline.model_validate_json(stored) == pipeline


def test_sql_that_a_night_runs_comes_along_and_other_sql_does_not(
    tmp_path: Path, pipelines: tuple[Pipeline, ...]
) -> None:
    sql = tmp_path / "sql"
    for name in ("sales/merge/enriched.sql", "sales/tables/orders.sql", "other/merge/theirs.sql"):
        (sql / name).parent.mkdir(parents=True, exist_ok=True)
        (sql / name).write_text("SELECT 1\n")
    packed = lambda_code(pipelines, sql=sql, build=tmp_path / "build") / "nightlake" / "sql"
    assert [file.relative_to(packed).as_posix() for file in packed.rglob("*.sql")] == ["sales/merge/enriched.sql"]


def test_the_path_changes_with_a_contract_and_only_then(tmp_path: Path, pipelines: tuple[Pipeline, ...]) -> None:
    first = lambda_code(pipelines, build=tmp_path)
    assert lambda_code(pipelines, build=tmp_path) == first
    changed = [pipeline.model_copy(update={"description": "Another."}) for pipeline in pipelines]
    assert lambda_code(changed, build=tmp_path) != first
