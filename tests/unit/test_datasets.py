"""What the API says about datasets is the contract, all of it that a caller needs and nothing of the data."""

import pytest
from nightlake.core.datasets import describe_dataset, list_datasets
from nightlake.core.errors import DatasetNotFoundError
from nightlake.core.pipeline import Pipeline


def test_every_dataset_is_listed_with_the_contract_it_comes_from(sales: Pipeline) -> None:
    listed = list_datasets([sales])
    assert [each["name"] for each in listed] == ["transactions", "products", "customers"]
    for each in listed:
        assert (each["pipeline"], each["version"]) == ("sales", sales.version)
        assert each["contract_hash"] == sales.contract_hash
        assert each["description"]


def test_a_dataset_is_described_with_its_columns_in_the_contracts_order(sales: Pipeline) -> None:
    for dataset in sales.datasets:
        described = describe_dataset([sales], dataset.name)
        assert [(each["name"], each["type"]) for each in described["columns"]] == [
            (column.name, column.type) for column in dataset.columns
        ]
        assert described["primary_key"] == list(dataset.primary_key)


def test_personal_columns_are_marked(sales: Pipeline) -> None:
    marked = {
        dataset.name: [
            column["name"] for column in describe_dataset([sales], dataset.name)["columns"] if column["private"]
        ]
        for dataset in sales.datasets
    }
    assert marked == {
        "transactions": [],
        "products": [],
        "customers": [column.name for column in sales.datasets[2].columns if column.private],
    }
    assert marked["customers"]


def test_an_unknown_dataset_is_refused_with_those_that_exist(sales: Pipeline) -> None:
    with pytest.raises(DatasetNotFoundError, match="no dataset 'sale'; there are: customers, products, transactions"):
        describe_dataset([sales], "sale")
    with pytest.raises(DatasetNotFoundError, match="there are: none"):
        describe_dataset([], "sales")
