"""One dataset of a contract with one source of it, without the rest of a project: what converts files of a machine."""

from collections.abc import Callable
from pathlib import Path

from nightlake.core.contract import check_source, with_all_columns
from nightlake.core.dataset_compiler import compile_datasets
from nightlake.core.errors import ContractError, Problem
from nightlake.core.odcs import read_odcs
from nightlake.core.pipeline import BusinessDate, Dataset, Pipeline, Schedule
from nightlake.core.pipeline_file import read_pipeline_file
from nightlake.core.service_level import compile_service_levels
from nightlake.core.source import AnyS3Source, S3Source
from nightlake.core.wording import nearest, shown
from nightlake.core.yaml_file import YamlFile


def one_source(
    contract: Path, name: str, *, pipeline_file: Path | None, propose: Callable[[Dataset], AnyS3Source]
) -> Pipeline:
    """The pipeline of one dataset, its source read from `pipeline_file`, or proposed where there is no such file.

    Raises ContractError with every problem of the files.
    """
    file, model = read_odcs(contract)
    datasets = compile_datasets(file, model) if model is not None else ()
    latency, retention = compile_service_levels(file, model) if model is not None else (0, 0)
    if file.problems or model is None:
        raise ContractError(tuple(sorted(file.problems)))
    dataset = next((candidate for candidate in datasets if candidate.name == name), None)
    if dataset is None:
        known = nearest(name, [candidate.name for candidate in datasets])
        raise ContractError((Problem(file.name, 1, f"there is no dataset {shown(name)}: {known}"),))
    if pipeline_file is None:
        source, said = propose(dataset), file
    else:
        source, said = _declared(pipeline_file, name)
    check_source(said, source, dataset)
    if said.problems:
        raise ContractError(tuple(sorted(said.problems)))
    return Pipeline(
        name=str(model.id),
        version=str(model.version),
        schedule=Schedule(),
        business_date=BusinessDate(),
        datasets=(dataset,),
        sources=(with_all_columns(source, dataset),),
        latency_minutes=latency,
        retention_days=retention,
    )


def _declared(path: Path, dataset: str) -> tuple[AnyS3Source, YamlFile]:
    file, _, sources = read_pipeline_file(path)
    if file.problems:
        raise ContractError(tuple(sorted(file.problems)))
    for source in sources:
        if source.dataset == dataset:
            if isinstance(source, S3Source):
                return source, file
            file.report(("sources", dataset, "from"), f"{source.from_!r} has no files that could be converted: use s3")
            raise ContractError(tuple(file.problems))
    known = nearest(dataset, [source.dataset for source in sources])
    raise ContractError((Problem(file.name, 1, f"there is no source of {shown(dataset)}: {known}"),))
