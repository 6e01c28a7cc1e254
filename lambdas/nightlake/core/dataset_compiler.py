"""Compiles the schema of an ODCS contract into datasets: columns, keys, rules and relationships."""

from collections.abc import Mapping, Sequence
from typing import Literal

from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty
from open_data_contract_standard.model import Relationship as OdcsRelationship

from nightlake.core import column_type
from nightlake.core.column_type import ColumnType
from nightlake.core.odcs import LOGICAL_TYPES
from nightlake.core.pipeline import Column, Dataset, Relationship
from nightlake.core.rule_compiler import RuleCompiler
from nightlake.core.table import PRIVATE_SUFFIX, RESERVED_COLUMNS
from nightlake.core.wording import identifier_fault, nearest, shown
from nightlake.core.yaml_file import Location, YamlFile

OPEN_CLASSES = ("public", "internal")
PRIVATE_CLASSES = ("confidential", "restricted", "personal")
PHYSICAL_TYPES: dict[str, tuple[str, ...]] = {
    "string": ("string",),
    "integer": ("bigint", "int", "smallint", "tinyint"),
    "number": ("decimal", "double", "float"),
    "boolean": ("boolean",),
    "date": ("date",),
    "timestamp": ("timestamp",),
}
_DATASET_KEYS = {"physicalName": "a table is called like its dataset: remove it"}
_COLUMN_KEYS = {
    "physicalName": "a column is called by its name; say its name in the source under `columns` in pipeline.yaml",
    "partitioned": "tables are partitioned by day; say `partition_by` in pipeline.yaml",
    "partitionKeyPosition": "tables are partitioned by day; say `partition_by` in pipeline.yaml",
    "encryptedName": "columns are not encrypted one by one; use `classification: personal` for a table of their own",
}
_WHOLE_COLUMN_KEYS = (
    "required",
    "unique",
    "primaryKey",
    "classification",
    "enum",
    "logicalTypeOptions",
    "relationships",
    "quality",
)


def compile_datasets(file: YamlFile, contract: OpenDataContractStandard) -> tuple[Dataset, ...]:
    """The datasets of a contract; what is wrong is reported to the file, and the result is then of no use."""
    schemas = contract.schema_ or []
    if not schemas:
        file.report(("schema",), "the contract has no datasets: list them under `schema`")
    datasets = [_dataset(file, ("schema", index), schema) for index, schema in enumerate(schemas)]
    _check_names(file, datasets)
    spelled = _qualified(schemas)
    return tuple(
        dataset.model_copy(update={"relationships": _relationships(file, ("schema", index), schema, datasets, spelled)})
        for index, (schema, dataset) in enumerate(zip(schemas, datasets, strict=True))
    )


def _check_names(file: YamlFile, datasets: Sequence[Dataset]) -> None:
    names = [dataset.name for dataset in datasets]
    for index, name in enumerate(names):
        if name in names[:index]:
            file.report(("schema", index, "name"), f"there are two datasets {name!r}: rename one")


def _dataset(file: YamlFile, location: Location, schema: SchemaObject) -> Dataset:
    name = schema.name or ""
    if fault := table_fault(name):
        file.report((*location, "name"), fault)
    if schema.physicalType not in (None, "table"):
        file.report((*location, "physicalType"), f"{shown(schema.physicalType)} is not published: write table")
    _refuse(file, location, schema, _DATASET_KEYS)
    properties = schema.properties or []
    if not properties:
        file.report(location, f"the dataset {shown(name)} has no columns: list them under `properties`")
    types: dict[str, ColumnType] = {}
    columns = []
    for index, column in enumerate(properties):
        where = (*location, "properties", index)
        _check_column_name(file, where, column.name or "", types)
        kind = _type(file, where, column)
        types[column.name or ""] = kind
        columns.append(_column(file, where, column, kind))
    primary_key = _primary_key(file, location, properties)
    if any(column.private for column in columns) and not primary_key:
        file.report(
            location, f"{name} has private columns, whose table needs a key to join by: mark `primaryKey: true`"
        )
    rules = RuleCompiler(file, name, types).compile(location, schema, primary_key)
    return Dataset(
        name=name,
        description=schema.description or "",
        columns=tuple(columns),
        primary_key=primary_key,
        rules=rules,
    )


def table_fault(name: str) -> str | None:
    """Why a dataset or a merge cannot be called so; None when it can."""
    if name.endswith(PRIVATE_SUFFIX):
        return f"{name!r} ends like the table of a dataset's private columns: choose a name without {PRIVATE_SUFFIX}"
    return identifier_fault(name)


def _check_column_name(file: YamlFile, location: Location, name: str, earlier: Mapping[str, ColumnType]) -> None:
    if name in earlier:
        file.report((*location, "name"), f"there are two columns {name!r}: rename or remove one")
    elif name in RESERVED_COLUMNS:
        file.report((*location, "name"), f"{name!r} is a column that Nightlake adds itself: rename yours")
    elif fault := identifier_fault(name):
        file.report((*location, "name"), fault)


def _column(file: YamlFile, location: Location, column: SchemaProperty, kind: ColumnType) -> Column:
    _refuse(file, location, column, _COLUMN_KEYS)
    if column.semanticType not in (None, "column"):
        file.report((*location, "semanticType"), "only columns are stored: compute measures in sql/<pipeline>/views")
    classification = column.classification or "public"
    if classification not in (*OPEN_CLASSES, *PRIVATE_CLASSES):
        file.report(
            (*location, "classification"),
            f"{shown(classification)} is no classification: use {', '.join(OPEN_CLASSES)} for columns that all readers "
            f"see, {', '.join(PRIVATE_CLASSES)} for columns of the private table",
        )
    return Column(
        name=column.name or "",
        type=str(kind),
        required=bool(column.required),
        private=classification in PRIVATE_CLASSES,
        description=column.description or "",
    )


def _refuse(
    file: YamlFile, location: Location, element: SchemaObject | SchemaProperty, keys: Mapping[str, str]
) -> None:
    for key, advice in keys.items():
        if getattr(element, key) not in (None, False, -1):
            file.report((*location, key), f"{key!r} has no effect: {advice}")


def _primary_key(file: YamlFile, location: Location, properties: Sequence[SchemaProperty]) -> tuple[str, ...]:
    keys: list[tuple[int | None, int, str]] = []
    for index, column in enumerate(properties):
        if column.primaryKey:
            where = (*location, "properties", index)
            position = index + 1 if column.primaryKeyPosition in (None, -1) else column.primaryKeyPosition
            if position in (taken for taken, _, _ in keys):
                reason = f"position {position} of the primary key is taken: number its columns 1, 2 and so on"
                file.report((*where, "primaryKeyPosition"), reason)
            keys.append((position, index, column.name or ""))
            if not column.required:
                file.report(where, f"{column.name!r} is of the primary key: add `required: true`")
            if column.classification in PRIVATE_CLASSES:
                file.report(where, f"{column.name!r} is of the primary key, which both tables carry: make it public")
            if column.properties or column.items or column.map:
                file.report(where, f"{column.name!r} is nested and cannot be of the primary key")
        elif column.primaryKeyPosition not in (None, -1):
            file.report((*location, "properties", index, "primaryKeyPosition"), "add `primaryKey: true` or remove this")
    return tuple(name for _, _, name in sorted(keys))


def _type(file: YamlFile, location: Location, column: SchemaProperty) -> ColumnType:
    """The column's type; `string` stands in for one that is reported as wrong."""
    logical, wrong = column.logicalType or "", ColumnType("string")
    if logical in PHYSICAL_TYPES:
        return _plain_type(file, location, column)
    if logical not in LOGICAL_TYPES:
        file.report((*location, "logicalType"), f"{shown(logical)} has no Athena type: use {', '.join(LOGICAL_TYPES)}")
        return wrong
    kind = _nested_type(file, location, column)
    if kind is None:
        return wrong
    if column.physicalType is not None:
        try:
            matches = column_type.parse(column.physicalType) == kind
        except ValueError:
            matches = False
        if not matches:
            reason = f"{shown(column.physicalType)} is not what the parts below make, {kind}: remove it"
            file.report((*location, "physicalType"), reason)
    return kind


def _plain_type(file: YamlFile, location: Location, column: SchemaProperty) -> ColumnType:
    logical = str(column.logicalType)
    allowed = PHYSICAL_TYPES[logical]
    if column.physicalType is None:
        if logical == "number":
            file.report(
                location, "a number has no type of its own: add physicalType, decimal(p,s) for money, or double"
            )
            return ColumnType("double")
        return ColumnType(allowed[0])
    try:
        kind = column_type.parse(column.physicalType)
    except ValueError as error:
        file.report((*location, "physicalType"), str(error))
        return ColumnType("double") if logical == "number" else ColumnType(allowed[0])
    if kind.name not in allowed:
        reason = f"{kind} does not hold a logicalType {logical}: use {' or '.join(allowed)}, or change logicalType"
        file.report((*location, "physicalType"), reason)
    return kind


def _nested_type(file: YamlFile, location: Location, column: SchemaProperty) -> ColumnType | None:
    if column.logicalType == "array" and column.items:
        return column_type.array(_part(file, (*location, "items"), column.items))
    if column.logicalType == "map" and column.map and column.map.key and column.map.value:
        key = _part(file, (*location, "map", "key"), column.map.key)
        if key.is_nested:
            file.report((*location, "map", "key"), "a map's key cannot be nested: use a plain type")
        return column_type.map_of(key, _part(file, (*location, "map", "value"), column.map.value))
    if column.logicalType == "object" and column.properties:
        fields: dict[str, ColumnType] = {}
        for index, part in enumerate(column.properties):
            where, name = (*location, "properties", index), part.name or ""
            if fault := f"there are two fields {name!r}: rename one" if name in fields else identifier_fault(name):
                file.report((*where, "name"), fault)
            fields[name] = _part(file, where, part)
        return column_type.struct(tuple(fields.items()))
    parts = {"array": "items", "map": "map", "object": "properties"}[str(column.logicalType)]
    file.report(location, f"a column of logicalType {column.logicalType} says what it is made of: add `{parts}`")
    return None


def _part(file: YamlFile, location: Location, part: SchemaProperty) -> ColumnType:
    for key in _WHOLE_COLUMN_KEYS:
        if getattr(part, key):
            file.report((*location, key), f"{key!r} is kept for whole columns only: say it there, or remove it")
    _refuse(file, location, part, _COLUMN_KEYS)
    return _type(file, location, part)


def _relationships(
    file: YamlFile,
    location: Location,
    schema: SchemaObject,
    datasets: Sequence[Dataset],
    spelled: Mapping[str, str],
) -> tuple[Relationship, ...]:
    types = {dataset.name: {column.name: column.type for column in dataset.columns} for dataset in datasets}
    found: list[tuple[Location, tuple[str, ...], OdcsRelationship]] = []
    for index, column in enumerate(schema.properties or ()):
        for number, relationship in enumerate(column.relationships or ()):
            where = (*location, "properties", index, "relationships", number)
            found.append((where, (f"{schema.name}.{column.name}",), relationship))
    for number, relationship in enumerate(schema.relationships or ()):
        found.append(((*location, "relationships", number), _listed(relationship.from_), relationship))
    compiled = {}
    for where, from_, relationship in found:
        name, own = _target(file, (*where, "from"), from_, types, spelled)
        to, targets = _target(file, (*where, "to"), _listed(relationship.to), types, spelled)
        if name is not None and name != schema.name:
            file.report(
                (*where, "from"), f"a relationship of {schema.name!r} begins at its own columns: move it to {name!r}"
            )
        if name and to:
            own_types = [(f"{name}.{column}", types[name][column]) for column in own]
            _check_ends(file, where, own_types, [(f"{to}.{target}", types[to][target]) for target in targets])
        key = f"{schema.name}.{'_'.join(own)}.{to}"
        if key in compiled:
            file.report(where, f"{key!r} is declared twice: remove one")
        severity = _relationship_severity(file, where, relationship)
        compiled[key] = Relationship(id=key, columns=own, to=to or "", to_columns=targets, severity=severity)
    return tuple(compiled.values())


def _check_ends(
    file: YamlFile, location: Location, own: Sequence[tuple[str, str]], targets: Sequence[tuple[str, str]]
) -> None:
    """Columns with their types: as many at both ends, and of equal types pair by pair."""
    if len(own) != len(targets):
        file.report(
            location, f"{len(own)} columns refer to {len(targets)}: write as many in `to` as there are in `from`"
        )
        return
    for (column, kind), (target, other) in zip(own, targets, strict=True):
        if kind != other and not {kind, other} <= column_type.INTEGER_BITS.keys():
            reason = f"{column} is of type {kind} and {target} of type {other}: give both the same type"
            file.report((*location, "to"), reason)


def _qualified(schemas: Sequence[SchemaObject]) -> dict[str, str]:
    """`dataset.column` by the standard's fully qualified spelling: of ids, and of names where there are none."""
    return {
        f"schema/{schema.id or schema.name}/properties/{column.id or column.name}": f"{schema.name}.{column.name}"
        for schema in schemas
        for column in schema.properties or ()
    }


def _listed(reference: str | list[str] | None) -> tuple[str, ...]:
    return (reference,) if isinstance(reference, str) else tuple(reference or ())


def _target(
    file: YamlFile,
    location: Location,
    references: tuple[str, ...],
    columns: Mapping[str, Mapping[str, str]],
    spelled: Mapping[str, str],
) -> tuple[str | None, tuple[str, ...]]:
    """The dataset and columns that references name, spelled in either way; no dataset when one of them is wrong."""
    references = tuple(spelled.get(reference.removeprefix("/"), reference) for reference in references)
    if unresolved := [reference for reference in references if "/" in reference]:
        advice = "write `dataset.column`, or schema/<id>/properties/<id> of this file"
        file.report(location, f"{shown(unresolved[0])} names no column of this contract: {advice}")
        return None, ()
    names = {reference.partition(".")[0] for reference in references}
    targets = tuple(reference.partition(".")[2] for reference in references)
    if len(names) != 1:
        file.report(location, f"{', '.join(references)} name more than one dataset: refer to one")
        return None, targets
    (name,) = names
    if name not in columns:
        file.report(location, f"there is no dataset {shown(name)}: {nearest(name, columns)}")
        return None, targets
    unknown = [target for target in targets if target not in columns[name]]
    for target in unknown:
        file.report(location, f"{name} has no column {shown(target)}: {nearest(target, columns[name])}")
    return (None if unknown else name), targets


def _relationship_severity(
    file: YamlFile, location: Location, relationship: OdcsRelationship
) -> Literal["warn", "fail"]:
    for index, custom in enumerate(relationship.customProperties or ()):
        if custom.property == "severity":
            if custom.value == "fail":
                return "fail"
            if custom.value != "warn":
                file.report(
                    (*location, "customProperties", index, "value"),
                    f"{shown(custom.value)} is no severity of a relationship: use warn or fail",
                )
    return "warn"
