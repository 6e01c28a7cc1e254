"""The linter of state machines names every kind of damage that is done to the real definition, at its line."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core import asl, errors
from nightlake.core.asl import lint_asl
from nightlake.core.asl_errors import LAMBDA_ERRORS
from nightlake.core.asl_states import machines
from nightlake.core.errors import Problem, TransientError
from nightlake.core.json_file import Location, parse_json

Definition = dict[str, Any]

SMALL = Path(__file__).parent / "asl" / "small.asl.json"
TEXT = SMALL.read_text()
STATES = [state for machine in machines(json.loads(TEXT)) for state in machine.states.values()]
NAMES = [state.name for state in STATES]
TARGETS = [location for state in STATES for location, _ in state.targets()]
CATCHES = [location for state in STATES for location, _ in state.items("Catch")]
TASKS = [state.location for state in STATES if state.kind == "Task"]
FALLIBLE = [
    state.location
    for machine in machines(json.loads(TEXT))
    for state in machine.states.values()
    if not machine.location and state.kind in ("Task", "Map", "Parallel")
]


def lint(tmp_path: Path, text: str | bytes) -> tuple[Problem, ...]:
    path = tmp_path / "daily.asl.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return lint_asl(path)


def at(definition: Any, location: Location) -> Any:
    for step in location:
        definition = definition[step]
    return definition


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[[Callable[[Definition], object]], list[tuple[str, str]]]:
    """Each finding on the damaged definition: what it says, and the line of the file that it points at."""

    def lint_damaged(damage: Callable[[Definition], object]) -> list[tuple[str, str]]:
        definition = json.loads(TEXT)
        damage(definition)
        text = json.dumps(definition, indent=2)
        assert definition != json.loads(TEXT), "the damage does nothing"
        return [(each.reason, text.splitlines()[each.line - 1].strip()) for each in lint(tmp_path, text)]

    return lint_damaged


Damaged = Callable[[Callable[[Definition], object]], list[tuple[str, str]]]


def test_the_small_definition_is_good() -> None:
    assert lint_asl(SMALL) == ()


@pytest.mark.parametrize("location", TARGETS, ids=lambda location: "-".join(map(str, location)))
def test_a_reference_to_nowhere(damaged: Damaged, location: Location) -> None:
    found = damaged(lambda definition: at(definition, location[:-1]).update({location[-1]: "Nowhere"}))
    assert any("leads to 'Nowhere'; name one of the states here" in reason for reason, _ in found)
    assert f'"{location[-1]}": "Nowhere"' in {line.removesuffix(",") for reason, line in found if "leads to" in reason}


@pytest.mark.parametrize("location", TASKS, ids=lambda location: location[-1])
def test_a_task_without_a_time_limit(damaged: Damaged, location: Location) -> None:
    (found,) = damaged(lambda definition: at(definition, location).pop("TimeoutSeconds"))
    assert found == (
        f"state {location[-1]!r} may wait for ever; give it TimeoutSeconds",
        f'"{location[-1]}": {{',
    )


@pytest.mark.parametrize("location", FALLIBLE, ids=lambda location: location[-1])
def test_a_failure_that_nobody_catches(damaged: Damaged, location: Location) -> None:
    found = damaged(lambda definition: at(definition, location).pop("Catch"))
    reason = f"state {location[-1]!r} lets failures pass; catch States.ALL and lead it to a Fail state"
    assert (reason, f'"{location[-1]}": {{') in found


def test_a_failure_in_a_branch_that_would_abort_its_sisters(tmp_path: Path) -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": {}, "TimeoutSeconds": 9}
    caught = {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Rejected"}]}
    branches = [
        {"StartAt": "Alone", "States": {"Alone": {**task, "End": True}}},
        {"StartAt": "Safe", "States": {"Safe": {**task, **caught, "End": True}, "Rejected": {"Type": "Succeed"}}},
    ]

    def found(*inside: Definition) -> list[str]:
        definition = json.loads(TEXT)
        definition["States"]["Begin"] |= {"Type": "Parallel", "Branches": list(inside)}
        reasons = (each.reason for each in lint(tmp_path, json.dumps(definition)))
        return [reason for reason in reasons if "aborts the branches beside it" in reason]

    assert found(*branches) == [
        "state 'Alone' aborts the branches beside it when it fails; catch States.ALL within the branch"
    ]
    assert found(branches[0]) == []


@pytest.mark.parametrize("location", CATCHES, ids=lambda location: location[-3])
@pytest.mark.parametrize("path", ["$", None])
def test_a_caught_error_that_replaces_the_input_or_is_lost(
    damaged: Damaged, location: Location, path: str | None
) -> None:
    found = damaged(lambda definition: at(definition, location).update(ResultPath=path))
    assert any('keep both with "ResultPath": "$.error"' in reason for reason, _ in found)
    found = damaged(lambda definition: at(definition, location).pop("ResultPath"))
    assert any(f"state {location[-3]!r} catches an error over its input" in reason for reason, _ in found)


@pytest.mark.parametrize("location", FALLIBLE, ids=lambda location: location[-1])
def test_a_failure_that_ends_well(damaged: Damaged, location: Location) -> None:
    def end_well(definition: Definition) -> None:
        at(definition, location)["Catch"][0]["Next"] = "Complete"

    reason = (
        f"state {location[-1]!r} catches States.ALL and may end well in Complete; lead every failure to a Fail state"
    )
    assert (reason, '"Next": "Complete"') in damaged(end_well)


@pytest.mark.parametrize("error", LAMBDA_ERRORS)
def test_a_transient_error_of_lambda_that_is_not_retried(damaged: Damaged, error: str) -> None:
    def remove(definition: Definition) -> None:
        for retrier in definition["States"]["Prepare"]["Retry"]:
            retrier["ErrorEquals"] = [name for name in retrier["ErrorEquals"] if name != error] or [
                "States.Permissions"
            ]

    (found,) = damaged(remove)
    assert found == (
        f"state 'Prepare' does not retry {error}; add what is transient to its Retry",
        '"Retry": [',
    )


def test_a_retrier_that_tries_nothing_again(damaged: Damaged) -> None:
    (found,) = damaged(lambda definition: definition["States"]["Prepare"]["Retry"][0].update(MaxAttempts=0))
    assert "does not retry Lambda.ServiceException, Lambda.AWSLambdaException" in found[0]


def test_a_transient_error_of_ours_is_retried_by_every_lambda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "SourceBusyError", type("SourceBusyError", (TransientError,), {}), raising=False)
    assert [problem.reason.partition(";")[0] for problem in lint(tmp_path, TEXT)] == [
        f"state {name!r} does not retry SourceBusyError" for name in ("Prepare", "DefineTable")
    ]
    assert lint(tmp_path, TEXT.replace('"Lambda.TooManyRequestsException"', '"States.TaskFailed"')) == ()
    named = '"Lambda.TooManyRequestsException", "SourceBusyError"'
    assert lint(tmp_path, TEXT.replace('"Lambda.TooManyRequestsException"', named)) == ()


def test_any_task_failure_leaves_timeouts_out(damaged: Damaged) -> None:
    def all_but_timeouts(definition: Definition) -> None:
        retry = definition["States"]["Prepare"]["Retry"]
        retry[:] = [{**retry[0], "ErrorEquals": ["States.TaskFailed"]}]

    (found,) = damaged(all_but_timeouts)
    assert found[0].startswith("state 'Prepare' does not retry States.Timeout;")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("InvalidDatError", "names InvalidDatError in Retry, which core/errors.py does not raise"),
        ("TransientError", "names TransientError in Retry, which core/errors.py does not raise"),
        ("Problem", "names Problem in Retry, which core/errors.py does not raise"),
        ("States.Runtime", "names States.Runtime in Retry, which Step Functions cannot match there"),
        ("States.Timeot", "names States.Timeot in Retry, which Step Functions cannot match there"),
        ("States.ALL", "names States.ALL beside or before other errors in Retry; it stands alone and last"),
    ],
)
def test_an_error_name_that_matches_nothing_or_everything(damaged: Damaged, name: str, says: str) -> None:
    found = damaged(lambda definition: definition["States"]["Prepare"]["Retry"][0]["ErrorEquals"].append(name))
    assert any(f"state 'Prepare' {says}" in reason for reason, _ in found)


@pytest.mark.parametrize("name", ["States.Timeout", "Glue.EntityNotFoundException"])
def test_an_error_name_that_somebody_raises(tmp_path: Path, name: str) -> None:
    assert (
        lint(
            tmp_path,
            TEXT.replace('"Lambda.TooManyRequestsException"', f'"{name}", "Lambda.TooManyRequestsException"'),
        )
        == ()
    )


def test_states_all_before_another_handler(damaged: Damaged) -> None:
    def append(definition: Definition) -> None:
        catchers = definition["States"]["Prepare"]["Catch"]
        catchers.append({**catchers[0], "ErrorEquals": ["States.Timeout"]})

    (found,) = damaged(append)
    assert "names States.ALL beside or before other errors in Catch" in found[0]


def put(**fields: Any) -> Callable[[Definition], None]:
    return lambda definition: definition.update(fields)


def put_in(state: str, **fields: Any) -> Callable[[Definition], None]:
    return lambda definition: definition["States"][state].update(fields)


def rename(old: str, new: str) -> Callable[[Definition], None]:
    def damage(definition: Definition) -> None:
        text = json.dumps(definition).replace(f'"{old}"', json.dumps(new))
        definition.clear()
        definition.update(json.loads(text))

    return damage


def add_unreachable(definition: Definition) -> None:
    definition["States"]["Lost"] = {"Type": "Succeed"}


def drop(key: str) -> Callable[[Definition], None]:
    return lambda definition: definition.pop(key)


@pytest.mark.parametrize(
    ("damage", "says", "line"),
    [
        (put(StartAt="Nowhere"), "StartAt names 'Nowhere'; name one of the states here (Begin, Prepare", '"StartAt":'),
        (put(StartAt=["Begin"]), "StartAt names ['Begin']", '"StartAt": ['),
        (drop("StartAt"), "StartAt is missing", "{"),
        (put(States={}), "States is missing or empty", '"States": {}'),
        (drop("States"), "States is missing or empty", "{"),
        (drop("TimeoutSeconds"), "TimeoutSeconds of the whole definition is missing", "{"),
        (drop("Comment"), "Comment of the whole definition is missing", "{"),
        (add_unreachable, "state 'Lost' is never reached; lead a state to it or remove it", '"Lost": {'),
        (rename("GetTable", "Prepare"), "state 'Prepare' has the name of another state", '"Prepare": {'),
        (rename("Begin", "B" * 81), "has a name of 81 characters; use at most 80", '"BBBBB'),
        (lambda machine: machine["States"].update(Complete=3), "state 'Complete' is not an object", '"Complete": 3'),
        (put_in("Prepare", QueryLanguage="JSONata"), "is not written in JSONPath", '"QueryLanguage"'),
        (put_in("Begin", Parameters={"a.$": "$$.Execution.Nam"}), "reads $$.Execution.Nam, which", '"a.$"'),
        (put_in("Begin", Parameters={"a.$": "States.Format('{}', $$.Sate.Name)"}), "reads $$.Sate.Name,", '"a.$"'),
        (put_in("EnsureTables", ItemsPath="$$.Map.Item.Valu"), "reads $$.Map.Item.Valu,", '"ItemsPath"'),
        (put_in("Begin", Parameters={"a.$": "$$.Map.Item.Value"}), "reads $$.Map.Item.Value,", '"a.$"'),
        (put_in("Begin", Parameters={"a.$": "$$.Task.Token"}), "reads $$.Task.Token,", '"a.$"'),
        (lambda machine: machine["States"]["Failed"].pop("CausePath"), "'Failed' does not say its Cause;", '"Failed"'),
        (lambda machine: machine["States"]["Failed"].pop("ErrorPath"), "'Failed' does not say its Error;", '"Failed"'),
        # What statelint says.
        (put_in("Begin", Parameters={"a.$": "name"}), "statelint: ", '"Begin": {'),
        (put_in("Begin", Resource="arn:aws:states:::sns:publish"), "statelint: ", '"Begin": {'),
        (put_in("Begin", Nxt="Prepare"), 'statelint: Field "Nxt" not allowed', '"Begin": {'),
        (put_in("Begin", Type="Pas"), "statelint: ", '"Type": "Pas"'),
        (put_in("Prepare", TimeoutSeconds="60"), "statelint: ", '"TimeoutSeconds": "60"'),
        (put_in("EnsureTables", MaxConcurrency=-1), "statelint: ", '"MaxConcurrency": -1'),
        (lambda machine: machine["States"]["Begin"].pop("Next"), "statelint: ", '"Begin": {'),
        (lambda machine: machine["States"]["Prepare"]["Retry"][0].pop("ErrorEquals"), "statelint: ", "{"),
    ],
)  # fmt: skip
def test_other_damage(damaged: Damaged, damage: Callable[[Definition], object], says: str, line: str) -> None:
    found = damaged(damage)
    assert [each for each in found if says in each[0] and each[1].startswith(line)], found


FAILURE = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "AlertFailure"}


def with_branches(machine: Definition) -> Definition:
    """The real definition with a Parallel of two branches, the second of which chooses between states."""
    definition: Definition = json.loads(TEXT)
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.valid", "BooleanEquals": True, "Next": "Good"}],
        "Default": "Rejected",
    }
    ends = {name: {"Type": "Pass", "End": True} for name in ("Good", "Rejected")}
    branches = [machine, {"StartAt": "IsValid", "States": {"IsValid": choice, **ends}}]
    parallel = {"Type": "Parallel", "Branches": branches, "Catch": [FAILURE], "Next": "Complete"}
    definition["States"]["EnsureTables"]["Next"] = "Sources"
    definition["States"]["Sources"] = parallel
    return definition


def test_branches_and_choices(tmp_path: Path) -> None:
    only = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}
    assert lint(tmp_path, json.dumps(with_branches(only))) == ()
    elsewhere = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "Next": "Complete"}}}
    told = [problem.reason for problem in lint(tmp_path, json.dumps(with_branches(elsewhere)))]
    assert "state 'Only' leads to 'Complete'; name one of the states here (Only)" in told
    for kept, lost in (("Default", "Good"), ("Choices", "Rejected")):
        definition = with_branches(only)
        choice = definition["States"]["Sources"]["Branches"][1]["States"]["IsValid"]
        choice["Default"] = choice["Choices"][0]["Next"] = {"Default": "Rejected", "Choices": "Good"}[kept]
        (found,) = lint(tmp_path, json.dumps(definition))
        assert f"state {lost!r} is never reached" in found.reason


def test_a_caught_failure_in_a_branch_may_end_well(tmp_path: Path) -> None:
    """What comes after the branches judges their ends: an error thrown out of one would abort its sisters."""
    publish = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": "${AlertTopic}", "Message": "Seen"},
        "TimeoutSeconds": 60,
        "Catch": [{**FAILURE, "Next": "Given up"}],
        "Next": "Given up",
    }
    branch = {"StartAt": "Tell", "States": {"Tell": publish, "Given up": {"Type": "Pass", "End": True}}}
    assert lint(tmp_path, json.dumps(with_branches(branch))) == ()


def test_the_older_name_of_a_maps_states_is_looked_into(tmp_path: Path) -> None:
    definition = json.loads(TEXT)
    tables = definition["States"]["EnsureTables"]
    tables["Iterator"] = {key: tables["ItemProcessor"].pop(key) for key in ("StartAt", "States")}
    del tables["ItemProcessor"], tables["Iterator"]["States"]["GetTable"]["TimeoutSeconds"]
    assert any("'GetTable' may wait for ever" in problem.reason for problem in lint(tmp_path, json.dumps(definition)))


def distributed(**fields: Any) -> Definition:
    return {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": f"Convert {fields['Next']}",
            "States": {f"Convert {fields['Next']}": {"Type": "Pass", "End": True}},
        },
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": "lake", "Key.$": "$.key"},
        },
        "ItemSelector": {"item.$": "$$.Map.Item.Value", "run.$": "$$.Execution.Input.run"},
        "Catch": [FAILURE],
        **fields,
    }


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("Convert", "Check", []),
        ("Convert", "Convert", ["'First' shares its Label 'Convert'", "'Second' shares its Label 'Convert'"]),
        ("Convert", "x" * 41, [f"'Second' is a Distributed Map with the Label '{'x' * 41}'"]),
        ("Convert", "two words", ["'Second' is a Distributed Map with the Label 'two words'"]),
        ("Convert", None, ["'Second' is a Distributed Map with the Label None"]),
    ],
)
def test_labels_of_distributed_maps(tmp_path: Path, first: str, second: str | None, says: list[str]) -> None:
    definition = json.loads(TEXT)
    definition["States"]["EnsureTables"]["Next"] = "First"
    definition["States"]["First"] = distributed(Label=first, Next="Second")
    definition["States"]["Second"] = distributed(**({"Label": second} if second else {}), Next="Complete")
    found = lint(tmp_path, json.dumps(definition))
    assert len(found) == len(says), found
    assert [each for each in says if not any(each in problem.reason for problem in found)] == []


@pytest.mark.parametrize("label", [7, ["Convert"], {"a": 1}])
def test_a_label_of_another_type_is_refused(tmp_path: Path, label: object) -> None:
    definition = json.loads(TEXT)
    definition["States"]["EnsureTables"]["Next"] = "First"
    definition["States"]["First"] = distributed(Label=label, Next="Complete")
    assert any("with the Label" in problem.reason for problem in lint(tmp_path, json.dumps(definition)))


def test_a_name_that_the_stack_does_not_bind(tmp_path: Path) -> None:
    (found,) = lint(tmp_path, TEXT.replace("${PrepareFunction}", "${PrepareFuncton}"))
    assert "${PrepareFuncton} is not bound by the stack; it binds ${AlertTopic}, ${AuditAcrossFunction}" in found.reason
    assert '"FunctionName"' in TEXT.splitlines()[found.line - 1]
    (found,) = lint(tmp_path, TEXT.replace("${PrepareFunction}", "${PrepareFunction"))
    assert found.reason.startswith("${PrepareFunction is not bound by the stack")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[]", 1, "is not an object"),
        (b"{\xff}", 1, "is not UTF-8"),
        (TEXT.replace('"TimeoutSeconds": 3600', '"TimeoutSeconds": ${Limit}'), 4, "is not JSON"),
        (TEXT.replace('"StartAt"', '"StartAt": "Prepare", "StartAt"'), 3, 'has the key "StartAt" twice'),
        (TEXT + " " * asl.MAX_BYTES, 1, "Step Functions takes 1048576"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_a_definition(tmp_path: Path, text: str | bytes, line: int, says: str) -> None:
    (found,) = lint(tmp_path, text)
    assert (found.file, found.line) == (str(tmp_path / "daily.asl.json"), line)
    assert says in found.reason


JUNK = st.sampled_from([None, True, 0, -1.5, "", "$", "$$", "Nowhere", "${", [], {}, [[]], [{}], [None], {"": None}])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_breaks_the_linter(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    definition = copy.deepcopy(json.loads(TEXT))
    places = [location for location in parse_json(TEXT).lines if location]
    *parent, last = data.draw(st.sampled_from(places))
    at(definition, tuple(parent))[last] = data.draw(JUNK)
    text = json.dumps(definition, indent=1)
    path = tmp_path_factory.mktemp("damaged") / "daily.asl.json"
    path.write_text(text)
    for problem in lint_asl(path):
        assert 1 <= problem.line <= len(text.splitlines())
