"""The code asset: our package and the compiled contracts, the same path for the same content."""

from pathlib import Path

from nightlake.core.pipeline import Pipeline

from infra.lambda_code import lambda_code


def test_it_is_the_package_without_caches_and_the_contracts(tmp_path: Path, pipelines: tuple[Pipeline, ...]) -> None:
    directory = lambda_code(pipelines, build=tmp_path)
    files = {file.relative_to(directory) for file in directory.rglob("*") if file.is_file()}
    assert Path("nightlake/handlers/prepare.py") in files
    assert {file.suffix for file in files} == {".py", ".json"}
    contracts = {file.name for file in files if file.parent == Path("nightlake/contracts")}
    assert contracts == {f"{pipeline.name}.json" for pipeline in pipelines}


def test_a_lambda_loads_the_contract_that_was_compiled(tmp_path: Path, pipelines: tuple[Pipeline, ...]) -> None:
    directory = lambda_code(pipelines, build=tmp_path)
    for pipeline in pipelines:
        stored = (directory / "nightlake" / "contracts" / f"{pipeline.name}.json").read_bytes()
        assert Pipeline.model_validate_json(stored) == pipeline


def test_the_path_changes_with_a_contract_and_only_then(tmp_path: Path, pipelines: tuple[Pipeline, ...]) -> None:
    first = lambda_code(pipelines, build=tmp_path)
    assert lambda_code(pipelines, build=tmp_path) == first
    changed = [pipeline.model_copy(update={"description": "Another."}) for pipeline in pipelines]
    assert lambda_code(changed, build=tmp_path) != first
