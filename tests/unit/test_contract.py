"""A pipeline's files compile to one object, or are refused with file, line and what to do."""

import json
from pathlib import Path

import pytest
from nightlake.core.contract import load_pipeline, load_pipelines
from nightlake.core.errors import ContractError, Problem
from nightlake.core.pipeline import Dataset, Pipeline

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: shop
version: 1.2.0
status: active
description: {purpose: What the shop sells.}
schema:
  - name: orders
    properties:
      - {name: order_id, logicalType: integer, physicalType: bigint, required: true, primaryKey: true}
      - {name: customer_id, logicalType: integer, relationships: [{to: customers.customer_id}]}
      - name: amount
        logicalType: number
        physicalType: decimal(12,2)
        required: true
        logicalTypeOptions: {minimum: 0}
      - {name: ordered_at, logicalType: timestamp, required: true}
      - {name: state, logicalType: string, enum: [{value: open}, {value: paid}]}
      - name: lines
        logicalType: array
        items:
          logicalType: object
          properties:
            - {name: sku, logicalType: string}
            - {name: pieces, logicalType: integer, physicalType: int}
    quality:
      - {metric: rowCount, mustBeGreaterThan: 0, severity: fail}
      - {metric: duplicateValues, arguments: {properties: [customer_id, ordered_at]}, mustBe: 0, severity: warn}
  - name: customers
    properties:
      - {name: customer_id, logicalType: integer, required: true, primaryKey: true}
      - name: email
        logicalType: string
        classification: personal
        quality:
          - {metric: missingValues, arguments: {missingValues: [null, '', '-']}, mustBeLessThan: 5, unit: percent}
      - {name: country, logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 2}}
slaProperties:
  - {property: latency, value: 2, unit: hours}
  - {property: retention, value: 3, unit: years}
"""
ROW_COUNT = "{metric: rowCount, mustBeGreaterThan: 0, severity: fail}"
CUSTOMER_KEY = "- {name: customer_id, logicalType: integer, required: true, primaryKey: true}"
PIPELINE = """\
schedule: {cron: "15 4 * * ? *", timezone: Europe/Berlin}
business_date: {offset_days: -1, timezone: Europe/Berlin}
sources:
  orders:
    from: s3
    path: shop/orders/{date:%Y/%m/%d}/*.jsonl
    format: jsonl
    ready: {files: 1, quiet_minutes: 5}
    partition_by: ordered_at
    columns: {ordered_at: meta.created, amount: total}
  customers:
    from: s3
    path: shop/customers/{date:%Y-%m-%d}/*.csv
    format: csv
    delimiter: ";"
    ready: {marker: _SUCCESS}
"""


def own_check(implementation: str, engine: str = "nightlake") -> str:
    return f"{{type: custom, engine: {engine}, implementation: {{{implementation}}}, severity: warn}}"


def write(root: Path, contract: str = CONTRACT, pipeline: str = PIPELINE, name: str = "shop") -> Path:
    folder = root / "pipelines" / name
    folder.mkdir(parents=True)
    (folder / "contract.odcs.yaml").write_text(contract)
    (folder / "pipeline.yaml").write_text(pipeline)
    return folder


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} must stand in the file once"
    return text.replace(old, new)


def problems(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(ContractError) as caught:
        load_pipeline(folder)
    return caught.value.problems


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return load_pipeline(write(tmp_path))


def rule_ids(dataset: Dataset) -> list[str]:
    return [rule.id for rule in dataset.rules]


def test_columns_carry_their_exact_types(pipeline: Pipeline) -> None:
    orders, customers = pipeline.datasets
    assert [(column.name, column.type) for column in orders.columns] == [
        ("order_id", "bigint"),
        ("customer_id", "bigint"),
        ("amount", "decimal(12,2)"),
        ("ordered_at", "timestamp"),
        ("state", "string"),
        ("lines", "array<struct<sku:string,pieces:int>>"),
    ]
    assert [column.name for column in customers.columns if column.private] == ["email"]
    assert orders.primary_key == ("order_id",)


def test_rules_have_stable_ids_and_say_what_they_count(pipeline: Pipeline) -> None:
    orders, customers = pipeline.datasets
    assert rule_ids(orders) == [
        "orders.primary_key",
        "orders.order_id.required",
        "orders.amount.required",
        "orders.amount.minimum",
        "orders.ordered_at.required",
        "orders.state.enum",
        "orders.row_count",
        "orders.duplicate_values_customer_id_ordered_at",
    ]
    rules = {rule.id: rule for dataset in (orders, customers) for rule in dataset.rules}
    minimum = rules["orders.amount.minimum"]
    assert (minimum.severity, minimum.valid and minimum.valid.minimum) == ("quarantine", "0")
    missing = rules["customers.email.missing_values"]
    assert (missing.missing, missing.operator, missing.operands, missing.unit, missing.severity) == (
        (None, "", "-"),
        "mustBeLessThan",
        (5,),
        "percent",
        "fail",
    )
    assert rules["orders.duplicate_values_customer_id_ordered_at"].severity == "warn"


def test_relationships_name_both_ends(pipeline: Pipeline) -> None:
    (relationship,) = pipeline.datasets[0].relationships
    assert (relationship.columns, relationship.to, relationship.to_columns, relationship.severity) == (
        ("customer_id",),
        "customers",
        ("customer_id",),
        "warn",
    )


def test_every_column_knows_its_name_in_the_source(pipeline: Pipeline) -> None:
    orders = pipeline.sources[0]
    assert {mapping.column: mapping.source for mapping in orders.columns} == {
        "order_id": "order_id",
        "customer_id": "customer_id",
        "amount": "total",
        "ordered_at": "meta.created",
        "state": "state",
        "lines": "lines",
    }
    assert orders.partition_by == "ordered_at"


def test_service_levels_are_minutes_and_days(pipeline: Pipeline) -> None:
    assert (pipeline.latency_minutes, pipeline.retention_days) == (120, 1095)


def test_it_survives_json_and_can_be_a_key(pipeline: Pipeline) -> None:
    again = Pipeline.model_validate_json(pipeline.model_dump_json())
    assert again == pipeline
    assert {again: "found"}[pipeline] == "found"
    assert json.loads(pipeline.model_dump_json())["contract_hash"] == pipeline.contract_hash


def test_the_hash_ignores_comments_and_the_order_of_keys(tmp_path: Path, pipeline: Pipeline) -> None:
    contract = changed(CONTRACT, "kind: DataContract\nid: shop\n", "id: shop  # the corner shop\nkind: DataContract\n")
    sources, customers = PIPELINE.split("  customers:\n")
    head, orders = sources.split("  orders:\n")
    swapped = f"{head}  customers:\n{customers}  orders:\n{orders}"
    assert load_pipeline(write(tmp_path / "again", contract, swapped)).contract_hash == pipeline.contract_hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("decimal(12,2)", "decimal(12,3)"),
        ("{minimum: 0}", "{minimum: 0.01}"),
        ("classification: personal", "classification: internal"),
        ("value: 3, unit: years", "value: 4, unit: years"),
        ("{value: open}, {value: paid}", "{value: open}"),
    ],
)
def test_the_hash_changes_with_the_meaning(tmp_path: Path, pipeline: Pipeline, old: str, new: str) -> None:
    other = load_pipeline(write(tmp_path / "other", changed(CONTRACT, old, new)))
    assert other.contract_hash != pipeline.contract_hash


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("logicalType: timestamp, required: true", "logicalType: timestamp, requird: true", "did you mean 'required'?"),
        ("logicalType: timestamp, required: true", "logicalType: timestamp, required: yes", "must be of type boolean"),
        ("status: active", "stauts: active", "did you mean 'status'?"),
        ("{purpose: What", "{purpos: What", "did you mean 'purpose'?"),
        ("{metric: rowCount, mustBe", "{type: text, mustBe", "name the `metric`"),
        ("{value: open}", "open", "'item 1' must be of type object"),
        ("apiVersion: v3.2.0", "apiVersion: v2.2.2", "write the contract in v3.2.0"),
        ("id: shop", "id: stall", "is not the name of the folder, 'shop'"),
        ("name: ordered_at, logicalType: timestamp", "name: ordered_at", "'logicalType' is missing"),
        ("name: ordered_at, logicalType: timestamp", "name: ordered_at, logicalType: time", "has no Athena type"),
        ("name: ordered_at", "name: orderedAt", "use lower-case letters"),
        ("name: ordered_at", "name: order", "reserved word of SQL"),
        ("name: ordered_at", "name: month", "a column that Nightlake adds itself"),
        ("name: ordered_at", "name: _run_id", "a column that Nightlake adds itself"),
        ("name: state", "name: order_id", "two columns 'order_id'"),
        ("name: pieces", "name: sku", "two fields 'sku'"),
        ("decimal(12,2)", "decimal(39,2)", "out of range"),
        ("decimal(12,2)", "decimal(2,3)", "out of range"),
        ("decimal(12,2)", "decimal", "write decimal(precision,scale)"),
        ("decimal(12,2)", "varchar(10)", "write string with logicalTypeOptions.maxLength"),
        ("decimal(12,2)", "bigint", "does not hold a logicalType number"),
        ("physicalType: int}", "physicalType: int, required: true}", "kept for whole columns only"),
        ("physicalType: bigint, required: true", "physicalType: bigint", "add `required: true`"),
        ("classification: personal", "classification: persnal", "is no classification"),
        ("to: customers.customer_id", "to: customer.customer_id", "did you mean 'customers'?"),
        ("to: customers.customer_id", "to: customers.id", "customers has no column 'id'"),
        ("to: customers.customer_id", "to: customers", "write `to: dataset.column`"),
        ("to: customers.customer_id", "to: customers.country", "customers.country of type string: give both the same"),
        ("to: customers.customer_id", "to: schema/customers/properties/id", "names no column of this contract"),
        ("to: customers.customer_id", "to: o.yaml#schema/a/properties/b", "names no column of this contract"),
        (
            "name: ordered_at",
            "name: ordered_at, primaryKey: true, primaryKeyPosition: 1",
            "position 1 of the primary key",
        ),
        ("{minimum: 0}", "{minimun: 0}", "did you mean 'minimum'?"),
        ("{minimum: 0}", "{minimum: 0.001}", "0.001 is not a value of decimal(12,2)"),
        ("{minimum: 0}", "{minimum: 1, maximum: 0.5}", "no value is valid"),
        ("{minLength: 2, maxLength: 2}", "{minLength: 3, maxLength: 2}", "no value is valid"),
        ("mustBeLessThan: 5, unit: percent", "mustBeBetween: [5, 1], unit: percent", "write the smaller number first"),
        ("{minimum: 0}", "{multipleOf: 5}", "'multipleOf' is not checked"),
        ("{minLength: 2, maxLength: 2}", "{format: email}", "'format' is not checked"),
        (
            "{minLength: 2, maxLength: 2}",
            "{pattern: '('}",
            "match with (missing ): (",
        ),
        ("{minLength: 2, maxLength: 2}", "{pattern: '^(?=x)'}", "is no pattern of RE2"),
        ("{minLength: 2, maxLength: 2}", r"{pattern: '(a)\1'}", "is no pattern of RE2"),
        ("{minLength: 2, maxLength: 2}", "{pattern: '^a{1001}$'}", "(invalid repetition size: {1001})"),
        ("{minLength: 2, maxLength: 2}", "{pattern: '^(a{50}b){50}$'}", "(invalid repetition size: {50})"),
        ("{minLength: 2, maxLength: 2}", r"{pattern: '[\u0041]'}", "is no pattern of RE2"),
        ("{minLength: 2, maxLength: 2}", "{pattern: '(?x) a'}", "is no pattern of RE2"),
        ("{minLength: 2, maxLength: 2}", "{pattern: '^a{,5}$'}", "repeats from nowhere: write {0,5}"),
        ("mustBeLessThan: 5, unit: percent", "mustBe: -1", "mustBe -1 is negative: rows are counted"),
        ("mustBeLessThan: 5, unit: percent", "mustBe: 1.5", "is no number of rows: write a whole number"),
        ("mustBeLessThan: 5, unit: percent", "mustBe: 101, unit: percent", "a percentage is 0 to 100"),
        ("mustBeLessThan: 5, unit: percent", "mustBeBetween: [-1, 5], unit: percent", "a percentage is 0 to 100"),
        ("mustBeLessThan: 5, unit: percent", "mustBeLessThan: 0", "can never be true"),
        ("mustBeLessThan: 5, unit: percent", "mustBeGreaterThan: 100, unit: percent", "can never be true"),
        ("{value: paid}", "{value: 7}", "7 is not a string: quote it"),
        ("metric: rowCount", "metric: rowcount", "did you mean 'rowCount'?"),
        ("metric: rowCount, mustBeGreaterThan: 0", "metric: rowCount", "say exactly one of mustBe,"),
        ("mustBeGreaterThan: 0, severity: fail", "mustBeGreaterThan: 0, severity: quarantine", "use warn or fail"),
        ("mustBeGreaterThan: 0, severity: fail", "mustBeGreaterThan: 0, severity: error", "use one of fail,"),
        ("mustBeGreaterThan: 0, severity: fail", "mustBeGreaterThan: 0, severity: failed", "did you mean 'fail'?"),
        ("[customer_id, ordered_at]", "[customer_id, orderd_at]", "did you mean 'ordered_at'?"),
        ("arguments: {properties:", "arguments: {property:", "did you mean 'properties'?"),
        ("mustBe: 0, severity: warn", "mustBe: none, severity: warn", "write a number"),
        ("missingValues: [null, '', '-']", "missingValues: '-'", "is not a list of texts"),
        ("unit: percent", "unit: per cent", "is no unit here"),
        (
            "{metric: rowCount, mustBeGreaterThan: 0, severity: fail}",
            "{type: sql, query: SELECT 1, mustBe: 1}",
            "sql/<pipeline>/audits",
        ),
        (ROW_COUNT, own_check("metric: rowCountChange, mustBeBetween: [-101, 5]"), "is less than nothing"),
        (ROW_COUNT, own_check("metric: rowCountChange, mustBeBetwen: [-1, 5]"), "did you mean 'mustBeBetween'?"),
        (ROW_COUNT, own_check("metric: rowCountChange, mustBe: 1, mustNotBe: 2"), "needs one operator"),
        (ROW_COUNT, own_check("metric: rowCountChange, mustBe: a lot"), "write a number"),
        (ROW_COUNT, own_check("metric: rowCountChanges, mustBe: 1"), "{metric: rowCountChange,"),
        (ROW_COUNT, own_check("metric: rowCountChange, mustBe: 1", engine="soda"), "a check of type custom is not run"),
        ("unit: hours", "unit: fortnights", "is no unit here"),
        ("property: latency", "property: latncy", "did you mean 'latency'?"),
        ("value: 2, unit: hours", "value: 0, unit: hours", "at least 1"),
        ("value: 2, unit: hours", "value: 25, unit: hours", "at most a day"),
    ],
)
def test_a_faulty_contract_is_refused_at_its_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    found = problems(write(tmp_path, changed(CONTRACT, old, new)))
    line = CONTRACT[: CONTRACT.index(old)].count("\n") + 1
    assert [problem.line for problem in found if reason in problem.reason] == [line], found


def test_one_bad_item_of_a_list_is_one_problem(tmp_path: Path) -> None:
    (found,) = problems(write(tmp_path, pipeline=changed(PIPELINE, 'delimiter: ";"', "date_formats: [x]")))
    assert found.reason.startswith("'x' is not a format of Python's strptime")


@pytest.mark.parametrize("name", ["{}", "/{}"])
def test_a_relationship_may_be_fully_qualified_by_names_or_by_ids(tmp_path: Path, name: str) -> None:
    wanted = load_pipeline(write(tmp_path / "short")).datasets[0].relationships
    reference = name.format("schema/customers/properties/customer_id")
    by_name = changed(CONTRACT, "to: customers.customer_id", f"to: {reference}")
    assert load_pipeline(write(tmp_path / "name", by_name)).datasets[0].relationships == wanted
    reference = name.format("schema/c1/properties/k1")
    by_id = changed(CONTRACT, "to: customers.customer_id", f"to: {reference}")
    by_id = changed(by_id, "  - name: customers\n", "  - name: customers\n    id: c1\n")
    by_id = changed(by_id, CUSTOMER_KEY, CUSTOMER_KEY.replace("{", "{id: k1, "))
    assert load_pipeline(write(tmp_path / "id", by_id)).datasets[0].relationships == wanted


def test_a_composite_relationship_is_checked_pair_by_pair(tmp_path: Path) -> None:
    pairs = "{from: [orders.customer_id, orders.customer_id], to: [customers.customer_id, customers.country]}"
    declared = f"    relationships:\n      - {pairs}\n    quality:\n      - {{metric: rowCount"
    contract = changed(CONTRACT, "    quality:\n      - {metric: rowCount", declared)
    (found,) = problems(write(tmp_path, contract))
    assert found.line == contract[: contract.index("{from:")].count("\n") + 1
    assert found.reason.startswith("orders.customer_id is of type bigint and customers.country of type string")


def test_the_change_of_the_row_count_is_a_check_of_our_own_engine(tmp_path: Path) -> None:
    check = own_check("metric: rowCountChange, mustBeBetween: [-50, 100]")
    rules = {
        rule.id: rule for rule in load_pipeline(write(tmp_path, changed(CONTRACT, ROW_COUNT, check))).datasets[0].rules
    }
    rule = rules["orders.row_count_change"]
    assert (rule.severity, rule.operator, rule.operands, rule.unit) == ("warn", "mustBeBetween", (-50, 100), "percent")


def test_a_count_may_be_as_large_as_anybody_writes(tmp_path: Path) -> None:
    large = changed(CONTRACT, "metric: rowCount, mustBeGreaterThan: 0", f"metric: rowCount, mustBeLessThan: {10**400}")
    rules = {rule.id: rule for rule in load_pipeline(write(tmp_path, large)).datasets[0].rules}
    assert rules["orders.row_count"].operands == (10**400,)


def test_integers_of_other_widths_may_refer_to_each_other(tmp_path: Path) -> None:
    narrow = CUSTOMER_KEY.replace("logicalType: integer", "logicalType: integer, physicalType: int")
    (relationship,) = load_pipeline(write(tmp_path, changed(CONTRACT, CUSTOMER_KEY, narrow))).datasets[0].relationships
    assert relationship.to == "customers"


def test_a_dataset_cannot_be_called_like_a_private_table(tmp_path: Path) -> None:
    contract = changed(CONTRACT, "  - name: orders\n", "  - name: orders_private\n")
    found = problems(write(tmp_path, contract))
    assert [problem.line for problem in found if "choose a name without _private" in problem.reason] == [8]


def test_a_definition_that_step_functions_cannot_carry_is_refused(tmp_path: Path) -> None:
    wide = "".join(
        f"      - {{name: c{number}, logicalType: string, description: {'x' * 250}}}\n" for number in range(900)
    )
    contract = changed(
        CONTRACT, "    quality:\n      - {metric: rowCount", f"{wide}    quality:\n      - {{metric: rowCount"
    )
    (found,) = problems(write(tmp_path, contract))
    assert found.line == 9
    assert "Step Functions leaves room for 240,000: split the dataset" in found.reason


@pytest.mark.parametrize(
    "pattern", [r"^[+*]+\d$", r"\++1", r"^(?P<year>[0-9]{4})$", r"[^\]+]+x", r"\\\\1", "[[:alpha:]]{1000}"]
)
def test_patterns_that_re2_knows_are_kept(tmp_path: Path, pattern: str) -> None:
    contract = changed(CONTRACT, "{minLength: 2, maxLength: 2}", f"{{pattern: '{pattern}'}}")
    rules = load_pipeline(write(tmp_path, contract)).datasets[1].rules
    assert [rule.valid.pattern for rule in rules if rule.id.endswith("pattern") and rule.valid] == [pattern]


def test_deep_nesting_is_compiled_in_time_linear_in_its_depth(tmp_path: Path) -> None:
    inner = "{logicalType: string}"
    for _ in range(30):
        inner = f"{{logicalType: array, items: {inner}}}"
    contract = changed(CONTRACT, "- {name: sku, logicalType: string}", f"- {{name: sku, {inner[1:]}")
    orders = load_pipeline(write(tmp_path, contract)).datasets[0]
    assert orders.columns[-1].type == f"array<struct<sku:{'array<' * 30}string{'>' * 30},pieces:int>>"


def test_a_fault_deep_inside_is_found_at_its_line(tmp_path: Path) -> None:
    contract = changed(CONTRACT, "{name: pieces, logicalType: integer", "{name: pieces, logicaltype: integer")
    assert ("contract.odcs.yaml", 25, "unknown key 'logicaltype': did you mean 'logicalType'?") in [
        (Path(problem.file).name, problem.line, problem.reason) for problem in problems(write(tmp_path, contract))
    ]


@pytest.mark.parametrize(
    ("old", "new", "at", "reason"),
    [
        ("kind: DataContract\n", "", "apiVersion", "'kind' is missing"),
        (
            CUSTOMER_KEY,
            CUSTOMER_KEY.replace("primaryKey: true", "unique: true"),
            "- name: customers",
            "mark `primaryKey: true`",
        ),
        ("  - name: customers\n", "  - name: clients\n", "[{to: customers", "there is no dataset 'customers'"),
    ],
)
def test_what_is_missing_is_refused_where_it_belongs(tmp_path: Path, old: str, new: str, at: str, reason: str) -> None:
    contract = changed(CONTRACT, old, new)
    found = problems(write(tmp_path, contract))
    line = contract[: contract.index(at)].count("\n") + 1
    assert [problem.line for problem in found if reason in problem.reason] == [line], found


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("from: s3\n    path: shop/orders", "from: ftp\n    path: shop/orders", "'ftp' is no kind of source"),
        ("format: jsonl", "format: xml", "'xml' is no format: use csv, json, jsonl, parquet"),
        ("schedule:", "schedul:", "did you mean 'schedule'?"),
        ("15 4 * * ? *", "15 4 * * *", "has 5 fields"),
        ("15 4 * * ? *", "15 24 * * ? *", "'24' is no hour"),
        ("15 4 * * ? *", "15 4 * * * *", "must have ? as day of month or as day of week"),
        (
            "timezone: Europe/Berlin}\nbusiness",
            "timezone: Europe/Bonn}\nbusiness",
            "'Europe/Bonn' is not an IANA time zone",
        ),
        ("offset_days: -1", "offset_days: 1", "less than or equal to 0"),
        ("offset_days: -1", "offset_days: '-1'", "should be a valid integer, not '-1'"),
        (
            "timezone: Europe/Berlin}\nbusiness",
            "timezone: localtime}\nbusiness",
            "'localtime' is not an IANA time zone",
        ),
        ("timezone: Europe/Berlin}\nbusiness", "timezone: Factory}\nbusiness", "'Factory' is not an IANA time zone"),
        ("{ordered_at: meta.created, amount: total}", "null", "None renames no columns: write `column: name in the"),
        ("{ordered_at: meta.created, amount: total}", "[amount]", "item 1 of 'columns' should be `key: value` pairs"),
        ("{ordered_at: meta.created, amount: total}", "{amount: 5}", "5 is no name of 'amount' in the source"),
        ('delimiter: ";"', 'delimiter: "||"', "'||' is no value of 'delimiter': One character between fields."),
        ('delimiter: ";"', "on_drift: evolve\n    header: false", "without a header no column can be missing or new"),
        ('delimiter: ";"', "on_drift: maybe", "'maybe'"),
        ('delimiter: ";"', "date_formats: []", "'date_formats' is empty: write at least one"),
        ('delimiter: ";"', "date_formats: '%Y'", "'date_formats' should be a list, such as [a, b], not '%Y'"),
        ('delimiter: ";"', "nulls: ['', 1]", "item 2 of 'nulls' should be a text, in quotes, not 1"),
        ("{marker: _SUCCESS}", "null", "'ready' has no value: write one, or remove it"),
        ("{marker: _SUCCESS}", "now", "'ready' should be `key: value` pairs, not 'now'"),
        ("business_date:", "merge: [orders_private]\nbusiness_date:", "choose a name without _private"),
        ("{date:%Y/%m/%d}", "{date:%Y/%m}", "must name the day exactly once"),
        ("{date:%Y/%m/%d}", "2017", "must name the day exactly once"),
        ("shop/orders/{date", "s3://shop/orders/{date", "write an object key of the raw bucket"),
        ("{files: 1, quiet_minutes: 5}", "{quiet_minutes: 5}", "say exactly one of files, marker or manifest"),
        ("quiet_minutes: 5", "quiet_minute: 5", "did you mean 'quiet_minutes'?"),
        ("partition_by: ordered_at", "partition_by: state", "'state' gives no day to every row"),
        ("schedule: {cron:", "schedule: {on_delivery: true, cron:", "a delivery is complete at once where one source"),
        ('cron: "15 4 * * ? *"', "cron: null", "nothing starts a night: write a cron, on_delivery: true or by_request"),
        ("schedule: {cron:", "schedule: {by_request: true, cron:", "a night that is started by request alone has no"),
        ("partition_by: ordered_at", "durations: [ordered_at]", "is no column of"),
        ("partition_by: ordered_at", "newest_wins: true", "rows of several business dates meet where partition_by"),
        ("partition_by: ordered_at", "partition_grain: month", "or let partition_by be the column whose month"),
        ("ordered_at: meta.created", "orderd_at: meta.created", "did you mean 'ordered_at'?"),
        ('delimiter: ";"', 'delimiter: ";;"', "'delimiter'"),
        ('delimiter: ";"', 'delimitr: ";"', "did you mean 'delimiter'?"),
        ("  customers:\n", "  clients:\n", "the contract has no dataset 'clients'"),
        ("format: jsonl", "format: csv", "CSV cannot hold the nested column 'lines'"),
        ("business_date:", "merge: [daily]\nbusiness_date:", "there is no sql/shop/merge/daily.sql"),
        ("business_date:", "merge: [orders]\nbusiness_date:", "there is already a table 'orders'"),
        ("    path: shop/orders", "\tpath: shop/orders", "indent with spaces, not tabs"),
        ("    ready: {marker", "    format: csv\n    ready: {marker", "'format' stands here twice"),
    ],
)
def test_a_faulty_pipeline_file_is_refused_at_its_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    found = problems(write(tmp_path, pipeline=changed(PIPELINE, old, new)))
    line = PIPELINE[: PIPELINE.index(old)].count("\n") + 1
    assert [problem.line for problem in found if reason in problem.reason] == [line], found


def test_all_problems_of_both_files_come_at_once(tmp_path: Path) -> None:
    contract = changed(changed(CONTRACT, "decimal(12,2)", "money"), "name: state", "name: State")
    found = problems(write(tmp_path, contract, changed(PIPELINE, "format: jsonl", "format: xml")))
    assert [(Path(problem.file).name, problem.line) for problem in found] == [
        ("contract.odcs.yaml", 14),
        ("contract.odcs.yaml", 18),
        ("pipeline.yaml", 7),
    ]


def test_a_dataset_without_a_source_is_named(tmp_path: Path) -> None:
    (found,) = problems(write(tmp_path, pipeline=PIPELINE[: PIPELINE.index("  customers:")]))
    assert found.reason == "the dataset 'customers' has no source: add it under `sources` in pipeline.yaml"
    assert found.line == CONTRACT[: CONTRACT.index("- name: customers")].count("\n") + 1


def test_files_that_are_not_there_are_problems_too(tmp_path: Path) -> None:
    folder = tmp_path / "pipelines" / "shop"
    folder.mkdir(parents=True)
    assert [Path(problem.file).name for problem in problems(folder)] == ["contract.odcs.yaml", "pipeline.yaml"]


def test_a_merge_statement_is_found_beside_the_pipelines(tmp_path: Path) -> None:
    folder = write(tmp_path, pipeline=PIPELINE + "merge: [daily_orders]\n")
    statement = tmp_path / "sql" / "shop" / "merge" / "daily_orders.sql"
    statement.parent.mkdir(parents=True)
    statement.write_text("SELECT 1 AS one\n")
    assert load_pipeline(folder).merge == ("daily_orders",)


def test_two_pipelines_cannot_publish_the_same_table(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, changed(CONTRACT, "id: shop", "id: stall"), name="stall")
    with pytest.raises(ContractError) as caught:
        load_pipelines(tmp_path / "pipelines")
    assert [problem.reason for problem in caught.value.problems] == [
        f"the table {table!r} is already that of pipeline 'shop': rename the dataset"
        for table in ("orders", "customers", "customers_private")
    ]


def test_the_problems_of_all_pipelines_come_together(tmp_path: Path) -> None:
    write(tmp_path, changed(CONTRACT, "id: shop", "id: stall"))
    write(tmp_path, name="kiosk")
    with pytest.raises(ContractError) as caught:
        load_pipelines(tmp_path / "pipelines")
    assert [Path(problem.file).parent.name for problem in caught.value.problems] == ["kiosk", "shop"]


def test_two_pipelines_cannot_differ_by_underscores_alone(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, changed(CONTRACT, "id: shop", "id: sho_p"), name="sho_p")
    with pytest.raises(ContractError, match="differs from that of pipeline 'sho_p' only by '_': rename one of them"):
        load_pipelines(tmp_path / "pipelines")
