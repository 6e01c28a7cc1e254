"""Loads `pipelines/<name>/` into compiled pipelines, or says everything that is wrong with its files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from open_data_contract_standard.model import OpenDataContractStandard

from nightlake.core.column_type import INTEGER_BITS, parse
from nightlake.core.dataset_compiler import compile_datasets, table_fault
from nightlake.core.errors import ContractError, Problem
from nightlake.core.model.drop_off import drop_off_faults
from nightlake.core.model.model_file import MODEL_FILE, read_model_file
from nightlake.core.odcs import read_odcs
from nightlake.core.payload import RESULT_LIMIT_BYTES, size
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.pipeline_file import PipelineFile, read_pipeline_file
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.service_level import compile_service_levels
from nightlake.core.source import BUSINESS_DATE, ColumnMapping, CsvSource, S3Source, TextValues
from nightlake.core.sources import AnySource
from nightlake.core.table import table_input, tables
from nightlake.core.wording import identifier_fault, nearest, shown
from nightlake.core.yaml_file import YamlFile

CONTRACT_FILE = "contract.odcs.yaml"
PIPELINE_FILE = "pipeline.yaml"
_MAX_LOCATION = 512  # a bucket's name has at most 63 characters, the pipeline's and the table's are bounded here
MAX_NAME = 30  # leaves room in the names of AWS resources, such as the 64 characters of a rule


def load_pipelines(root: Path) -> tuple[Pipeline, ...]:
    """All pipelines of the folder `pipelines/`, by name; raises ContractError with the problems of all of them."""
    problems: list[Problem] = []
    pipelines: list[Pipeline] = []
    owners: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for folder in sorted(path for path in root.glob("[!.]*") if path.is_dir()):
        try:
            pipeline = load_pipeline(folder)
        except ContractError as error:
            problems += error.problems
            continue
        pipelines.append(pipeline)
        # CloudFormation knows no underscores: what is named after a pipeline would be named after both.
        plain = pipeline.name.replace("_", "")
        if plain in spelled:
            reason = f"the name differs from that of pipeline {spelled[plain]!r} only by '_': rename one of them"
            problems.append(Problem((folder / CONTRACT_FILE).as_posix(), 1, reason))
        spelled[plain] = pipeline.name
        for table in _table_names(pipeline):
            if table in owners:
                reason = f"the table {table!r} is already that of pipeline {owners[table]!r}: rename the dataset"
                problems.append(Problem((folder / CONTRACT_FILE).as_posix(), 1, reason))
            owners[table] = pipeline.name
    problems += _strangers(root, pipelines)
    if problems:
        raise ContractError(tuple(problems))
    return tuple(pipelines)


def _strangers(root: Path, pipelines: Sequence[Pipeline]) -> Iterator[Problem]:
    """The models that deliver to a pipeline that there is not, that does not take what they deliver, or where another
    one delivers.
    """
    known = {pipeline.name: pipeline for pipeline in pipelines}
    taken: dict[str, str] = {}
    for pipeline in pipelines:
        if pipeline.model is None:
            continue
        to, file = pipeline.model.delivers_to, (root / pipeline.name / MODEL_FILE).as_posix()
        if to not in known:
            yield Problem(file, 1, f"'delivers_to': there is no pipeline {shown(to)}: {nearest(to, known)}")
        else:
            for fault in drop_off_faults(known[to], pipeline.model):
                yield Problem(file, 1, f"'delivers_to': {fault}")
            if to in taken:
                reason = (
                    f"the model of {taken[to]!r} delivers to {to!r} already, and one would replace the other's lists"
                )
                yield Problem(file, 1, f"'delivers_to': {reason}")
            taken[to] = pipeline.name


def load_pipeline(directory: Path) -> Pipeline:
    """The pipeline of one folder `pipelines/<name>/`; raises ContractError with every problem found.

    Merge statements are looked for in `sql/<name>/merge/` beside the folder `pipelines/`.
    """
    contract_file, contract = read_odcs(directory / CONTRACT_FILE)
    pipeline_file, content, sources = read_pipeline_file(directory / PIPELINE_FILE)
    if contract is not None:
        _check_identity(contract_file, contract, directory.resolve().name)
        datasets = compile_datasets(contract_file, contract)
        _check_definitions(contract_file, datasets)
        latency, retention = compile_service_levels(contract_file, contract)
        if content is not None:
            _check_sources(pipeline_file, contract_file, sources, datasets)
            _check_merge(pipeline_file, content, datasets, directory)
            _check_start(pipeline_file, content, sources)
    problems = {*contract_file.problems, *pipeline_file.problems}
    model = None
    if contract is not None and (directory / MODEL_FILE).exists():
        model_file, model = read_model_file(directory / MODEL_FILE, datasets)
        problems |= {*model_file.problems}
    if problems or contract is None or content is None:
        raise ContractError(tuple(sorted(problems)))
    by_name = {source.dataset: source for source in sources}
    return Pipeline(
        name=str(contract.id),
        version=str(contract.version),
        description=(contract.description.purpose if contract.description else None) or "",
        schedule=content.schedule,
        business_date=content.business_date,
        datasets=datasets,
        sources=tuple(with_all_columns(by_name[dataset.name], dataset) for dataset in datasets),
        merge=content.merge,
        latency_minutes=latency,
        retention_days=retention,
        model=model,
    )


def with_all_columns(source: AnySource, dataset: Dataset) -> AnySource:
    """The source with a name in it for every column, in the order of the dataset."""
    renamed = {mapping.column: mapping.source for mapping in source.columns}
    names = [column.name for column in dataset.columns]
    mappings = tuple(ColumnMapping(column=name, source=renamed.get(name, name)) for name in names)
    return source.model_copy(update={"columns": mappings})


def _check_identity(file: YamlFile, contract: OpenDataContractStandard, folder: str) -> None:
    if not str(contract.apiVersion).startswith("v3."):
        file.report(("apiVersion",), f"{contract.apiVersion} is not read: write the contract in v3.2.0 of the standard")
    name = str(contract.id)
    if name != folder:
        file.report(("id",), f"the id {shown(name)} is not the name of the folder, {folder!r}: make them equal")
    elif fault := identifier_fault(name):
        file.report(("id",), fault)
    elif len(name) > MAX_NAME:
        file.report(("id",), f"the id is longer than {MAX_NAME} characters: shorten it and its folder")


def _check_definitions(file: YamlFile, datasets: Sequence[Dataset]) -> None:
    """Definitions travel one by one through the state machine, whose Task DefineTable makes them."""
    for index, dataset in enumerate(datasets):
        for table in tables(dataset):
            needed = size(table_input(table, location="s" * _MAX_LOCATION))
            if needed > RESULT_LIMIT_BYTES:
                reason = (
                    f"the definition of {table.name!r} is {needed:,} bytes, Step Functions leaves room for "
                    f"{RESULT_LIMIT_BYTES:,}: split the dataset, or shorten its descriptions"
                )
                file.report(("schema", index, "properties"), reason)


def _check_sources(
    file: YamlFile, contract_file: YamlFile, sources: Sequence[AnySource], datasets: Sequence[Dataset]
) -> None:
    written = file.data["sources"]
    by_name = {dataset.name: dataset for dataset in datasets}
    for name in written:
        if name not in by_name:
            file.report(("sources", name), f"the contract has no dataset {shown(name)}: {nearest(name, by_name)}")
    for index, dataset in enumerate(datasets):
        if dataset.name not in written:
            reason = f"the dataset {shown(dataset.name)} has no source: add it under `sources` in {PIPELINE_FILE}"
            contract_file.report(("schema", index, "name"), reason)
    for source in sources:
        if source.dataset in by_name:
            check_source(file, source, by_name[source.dataset])


def check_source(file: YamlFile, source: AnySource, dataset: Dataset) -> None:
    """Report to the file what a source says that its dataset has not, or cannot take."""
    location = ("sources", source.dataset)
    columns = {column.name: column for column in dataset.columns}
    for mapping in source.columns:
        if mapping.column not in columns:
            reason = f"{dataset.name} has no column {shown(mapping.column)}: {nearest(mapping.column, columns)}"
            file.report((*location, "columns", mapping.column), reason)
    if source.partition_by != BUSINESS_DATE:
        column = columns.get(source.partition_by)
        if column is None or column.type not in ("date", "timestamp") or column.private or not column.required:
            file.report(
                (*location, "partition_by"),
                f"{shown(source.partition_by)} gives no day to every row: use {BUSINESS_DATE}, "
                "or a required, public column of type date or timestamp",
            )
    elif source.partition_grain != "day":
        file.report(
            (*location, "partition_grain"),
            f"a business date is a day: remove partition_grain, or let partition_by be the column whose "
            f"{source.partition_grain} the rows belong to",
        )
    if source.newest_wins and (source.partition_by == BUSINESS_DATE or not dataset.primary_key):
        file.report(
            (*location, "newest_wins"),
            "rows of several business dates meet where partition_by is a column, and are known by their primaryKey: "
            "declare both, or remove newest_wins",
        )
    if isinstance(source, TextValues):
        _check_durations(file, source, dataset)
    if isinstance(source, PostgresSource) and source.overlap_minutes and not dataset.primary_key:
        file.report(
            (*location, "overlap_minutes"),
            f"rows that are read twice are known by their key, and {dataset.name} has none: declare primaryKey",
        )
    if isinstance(source, CsvSource):
        _check_csv(file, source, dataset)


def _check_durations(file: YamlFile, source: TextValues, dataset: Dataset) -> None:
    whole = [column.name for column in dataset.columns if column.type in INTEGER_BITS]
    for place, name in enumerate(source.durations):
        if name not in whole:
            file.report(
                ("sources", source.dataset, "durations", place),
                f"{shown(name)} is no column of {dataset.name} that holds whole numbers, as seconds are: mend it",
            )


def _check_csv(file: YamlFile, source: CsvSource, dataset: Dataset) -> None:
    location = ("sources", source.dataset)
    if not source.header and source.columns:
        file.report(
            (*location, "columns"), "without a header the fields stand in the contract's order: remove `columns`"
        )
    if not source.header and source.on_drift != "strict":
        file.report((*location, "on_drift"), "without a header no column can be missing or new: remove `on_drift`")
    nested = [column.name for column in dataset.columns if parse(column.type).is_nested]
    if nested:
        file.report(
            (*location, "format"), f"CSV cannot hold the nested column {nested[0]!r}: use json, jsonl or parquet"
        )


def _check_merge(file: YamlFile, content: PipelineFile, datasets: Sequence[Dataset], directory: Path) -> None:
    taken = {table.name for dataset in datasets for table in tables(dataset)}
    folder = directory.resolve().parent.parent / "sql" / directory.resolve().name / "merge"
    for index, name in enumerate(content.merge):
        if fault := table_fault(name):
            file.report(("merge", index), fault)
        elif name in taken:
            file.report(("merge", index), f"there is already a table {name!r}: rename the merge")
        elif not (folder / f"{name}.sql").is_file():
            file.report(
                ("merge", index), f"there is no sql/{folder.parent.name}/merge/{name}.sql: write it, or remove this"
            )
        taken.add(name)


def _check_start(file: YamlFile, content: PipelineFile, sources: Sequence[AnySource]) -> None:
    """A run that a delivery starts would wait for the rest of it, and keep those out that the rest starts."""
    delivered = [source for source in sources if isinstance(source, S3Source)]
    if content.schedule.on_delivery and (len(delivered) != 1 or (delivered[0].ready.files or 1) > 1):
        file.report(
            ("schedule", "on_delivery"),
            "a delivery is complete at once where one source is from: s3, and is ready with a marker, a manifest or "
            "files: 1; remove on_delivery, or give the source a pipeline of its own",
        )
    elif content.schedule.on_delivery:
        try:
            _ = delivered[0].arrivals
        except ValueError as error:
            file.report(("sources", delivered[0].dataset, "path"), str(error))


def _table_names(pipeline: Pipeline) -> tuple[str, ...]:
    return (*(table.name for dataset in pipeline.datasets for table in tables(dataset)), *pipeline.merge)
