"""Task DefineTable: the definition of one table, small enough for Step Functions, or a refusal by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.errors import PayloadTooLargeError, PipelineNotDeployedError, TableNotInContractError
from nightlake.core.pipeline import Column, Pipeline
from nightlake.core.table import empty_location, table_input, tables
from nightlake.handlers.define_table import handler

Define = Callable[..., dict[str, Any]]


@pytest.fixture
def define(environment: object, lambda_context: Any) -> Define:
    """`define(table)`: DefineTable's answer for a table of sales, in the served database unless another is named."""

    def defined(
        table: str, database: str = "nightlake_dev", pipeline: str = "sales", columns: Any = None
    ) -> dict[str, Any]:
        found = {"Error": "Glue.EntityNotFoundException"} if columns is None else {"columns": columns}
        return handler({"pipeline": pipeline, "database": database, "table": table, "found": found}, lambda_context)

    return defined


def test_every_table_of_the_contract_is_defined_as_glue_takes_it(define: Define, sales: Pipeline) -> None:
    published = [table for dataset in sales.datasets for table in tables(dataset)]
    bucket = "nightlake-dev-lake-123456789012-eu-west-1"
    inputs = [table_input(table, empty_location(bucket, sales, table)) for table in published]
    assert "customers_private" in [wanted["Name"] for wanted in inputs]
    for wanted in inputs:
        created = {"change": "create", "input": wanted}
        assert define(wanted["Name"]) == define(wanted["Name"], "nightlake_dev_staging") == created


def test_a_table_that_is_as_the_contract_says_is_left_alone(define: Define) -> None:
    columns = define("customers")["input"]["StorageDescriptor"]["Columns"]
    assert define("customers", columns=columns) == {"change": "none", "input": None}


@pytest.mark.parametrize("change", [{"Comment": "What it was called before."}, {"Type": "int"}, {"Name": "elder"}])
def test_a_table_gets_the_columns_and_comments_of_a_changed_contract(define: Define, change: dict[str, str]) -> None:
    wanted = define("customers")["input"]
    before = [dict(column) for column in wanted["StorageDescriptor"]["Columns"]]
    before[0] |= change
    assert define("customers", columns=before) == {"change": "update", "input": wanted}


def test_a_column_that_came_with_a_delivery_stays(define: Define) -> None:
    wanted = define("customers")["input"]["StorageDescriptor"]["Columns"]
    came = {"Name": "tip", "Type": "string", "Comment": "'Tip' of the delivery.", "Parameters": {"drift": "true"}}
    assert define("customers", columns=[*wanted, came])["change"] == "none"
    defined = define("customers", columns=[*wanted[1:], came])
    assert defined["change"] == "update"
    assert defined["input"]["StorageDescriptor"]["Columns"] == [*wanted, came]


def test_refused_rows_of_all_datasets_have_one_table_under_the_name_of_the_pipeline(define: Define) -> None:
    columns = define("sales", "nightlake_dev_quarantine")["input"]["StorageDescriptor"]["Columns"]
    assert ("rules", "array<string>") in [(column["Name"], column["Type"]) for column in columns]
    with pytest.raises(TableNotInContractError, match=r"no table 'customers_private' in database '.*_quarantine'"):
        define("customers_private", "nightlake_dev_quarantine")


def test_a_table_that_no_contract_describes_is_refused_with_those_there_are(define: Define) -> None:
    with pytest.raises(
        TableNotInContractError, match=r"'sales' has no table 'sale' in .*'nightlake_dev' .*transactions"
    ):
        define("sale")


def test_a_pipeline_that_was_not_deployed_is_refused(define: Define) -> None:
    with pytest.raises(PipelineNotDeployedError, match="'weather' is not in this deployment"):
        define("transactions", pipeline="weather")


def test_a_definition_that_step_functions_would_not_carry_is_refused(
    define: Define, environment: Callable[..., object], tmp_path: Path, sales: Pipeline
) -> None:
    dataset = sales.datasets[0]
    extra = tuple(Column(name=f"extra_{number}", type="string", description="x" * 200) for number in range(1_000))
    wide = sales.model_copy(update={"datasets": (dataset.model_copy(update={"columns": dataset.columns + extra}),)})
    (tmp_path / "sales.json").write_text(wide.model_dump_json())
    environment(CONTRACTS=str(tmp_path))
    with pytest.raises(PayloadTooLargeError, match="The result is"):
        define(dataset.name)


def test_the_log_names_pipeline_and_table(define: Define, log: Callable[[], list[dict[str, Any]]]) -> None:
    define("products")
    (line,) = log()
    assert (line["message"], line["pipeline"], line["table"]) == ("Table defined", "sales", "products")
    assert line["change"] == "create"
