"""What the API says about datasets is the contract and what is published of it, and nothing of the data."""

from datetime import date, timedelta

import pytest
from nightlake.core.api.datasets import describe_dataset, find_dataset, list_datasets
from nightlake.core.api.published import Published
from nightlake.core.errors import DatasetNotFoundError
from nightlake.core.pipeline import Column, Pipeline
from published_lake import PublishedLake


def test_every_dataset_is_listed_with_the_contract_it_comes_from(sales: Pipeline) -> None:
    listed = list_datasets([sales], Published(PublishedLake().store))
    assert [each["name"] for each in listed] == ["transactions", "products", "customers", "sales_enriched"]
    assert [each["kind"] for each in listed] == ["dataset", "dataset", "dataset", "merge"]
    for each in listed:
        assert (each["pipeline"], each["version"]) == ("sales", sales.version)
        assert each["contract_hash"] == sales.contract_hash
    assert all(each["description"] for each in listed[:3])


def test_a_dataset_is_described_with_its_columns_in_the_contracts_order(sales: Pipeline) -> None:
    for dataset in sales.datasets:
        described = describe_dataset(find_dataset([sales], dataset.name), None)
        assert [(each["name"], each["type"]) for each in described["columns"]] == [
            (column.name, column.type) for column in dataset.columns
        ]
        assert described["primary_key"] == list(dataset.primary_key)
        assert described["published"] is None


def test_personal_columns_are_marked(sales: Pipeline) -> None:
    marked = {
        dataset.name: [
            column["name"]
            for column in describe_dataset(find_dataset([sales], dataset.name), None)["columns"]
            if column["private"]
        ]
        for dataset in sales.datasets
    }
    assert marked == {"transactions": [], "products": [], "customers": ["income", "marital_status"]}


def test_what_came_beside_the_contract_is_told_last_and_marked(sales: Pipeline) -> None:
    lake, products = PublishedLake(), sales.datasets[1]
    came = Column(name="tip", type="string", drift=True, description="'Tip' of the delivery.")
    taken_over = products.columns[0].model_copy(update={"drift": True})
    lake.publish("products", (*products.columns[1:], taken_over, came), {date(2017, 1, 1): [[]]})
    described = describe_dataset(find_dataset([sales], "products"), Published(lake.store).newest("sales"))
    assert [each["name"] for each in described["columns"]] == [*(each.name for each in products.columns), "tip"]
    assert [each["name"] for each in described["columns"] if each["drift"]] == ["tip"]


def test_the_last_hundred_days_are_told_and_how_many_there_are(sales: Pipeline) -> None:
    lake, first = PublishedLake(), date(2017, 1, 1)
    columns = sales.datasets[1].columns
    lake.publish("products", columns, {first + timedelta(days=number): [[]] for number in range(120)})
    described = describe_dataset(find_dataset([sales], "products"), Published(lake.store).newest("sales"))
    assert described["partition_count"] == described["published"]["days"] == 120
    assert [described["partitions"][at]["date"] for at in (0, -1)] == ["2017-01-21", "2017-04-30"]


def test_an_unknown_dataset_is_refused_with_those_that_exist(sales: Pipeline) -> None:
    with pytest.raises(DatasetNotFoundError, match="no dataset 'sale'; there are: customers, products, sales_enriched"):
        find_dataset([sales], "sale")
    with pytest.raises(DatasetNotFoundError, match="there are: none"):
        find_dataset([], "sales")
