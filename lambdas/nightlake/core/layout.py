"""Where every object of the lake lies: one function per kind of key, and nobody else spells a key."""

import hashlib
from collections.abc import Iterable
from datetime import date


def day_path(day: date) -> str:
    """The Hive folders of one day, such as `year=2017/month=06/day=12`."""
    return "year={}/month={}/day={}".format(*partition_values(day))


def partition_values(day: date) -> tuple[str, str, str]:
    """The same day as the values of the partition keys year, month and day."""
    year, month, number = day.isoformat().split("-")  # strftime does not pad years
    return year, month, number


def extractions(pipeline: str, dataset: str, day: date) -> str:
    """The prefix, in the raw bucket, of all that was extracted from an API for one day; below it a folder each time."""
    return f"{pipeline}/{dataset}/{'/'.join(partition_values(day))}/"


def staged(pipeline: str, dataset: str, fingerprint: str) -> str:
    """The prefix of what was converted from one shard; its name follows from the content, so that reruns find it."""
    return f"staging/{pipeline}/{dataset}/{fingerprint}/"


def staged_file(
    pipeline: str, dataset: str, fingerprint: str, *, attempt: str, table: str, day: date, number: int
) -> str:
    """One Parquet file that one attempt converted; no two attempts ever write the same key."""
    return f"{staged(pipeline, dataset, fingerprint)}{attempt}/{table}-{day.isoformat()}-{number}.parquet"


def receipt(pipeline: str, dataset: str, fingerprint: str) -> str:
    """The receipt of that shard, which lives as long as the files that it names."""
    return f"{staged(pipeline, dataset, fingerprint)}receipt.json"


def merged(pipeline: str, merge: str, run_id: str, attempt: str) -> str:
    """The prefix that one attempt of a merge's CTAS writes to; Athena refuses one that is not empty."""
    return f"staging/{pipeline}/{merge}/{run_id}/{attempt}/"


def data(pipeline: str) -> str:
    """The prefix of everything that was ever sealed and not yet expired."""
    return f"data/{pipeline}/"


def sealed(pipeline: str, table: str, run_id: str) -> str:
    """The prefix of a run's sealed files of one table; below it, `day_path` for each day."""
    return f"data/{pipeline}/{table}/run={run_id}/"


def rebuilt(pipeline: str, table: str, run_id: str, digest: str) -> str:
    """The prefix of a partition that a run puts together from its own files and those of other business dates."""
    return f"data/{pipeline}/{table}/rebuilt={digest}/run={run_id}/"


def run_of(key: str) -> str | None:
    """The run that wrote a file or prefix under `data/`; None where the key names none."""
    return next((part.removeprefix("run=") for part in key.split("/") if part.startswith("run=")), None)


def run(pipeline: str, day: date, run_id: str) -> str:
    """The prefix of what a run writes about itself."""
    return f"runs/{pipeline}/{day.isoformat()}/{run_id}/"


def runs(pipeline: str, day: date) -> str:
    """The prefix of what all runs of a day write about themselves."""
    return f"runs/{pipeline}/{day.isoformat()}/"


def plan(pipeline: str, day: date, run_id: str, dataset: str, attempt: int, *, cutting: int = 0) -> str:
    """All shards of one source, as JSON; `cutting` is the round of the plan."""
    return f"{run(pipeline, day, run_id)}plans/{dataset}-{attempt}{_round(cutting)}.json"


def shards(pipeline: str, day: date, run_id: str, dataset: str, attempt: int, *, cutting: int = 0) -> str:
    """The shards that are still to be converted, as JSON Lines: what the Distributed Map reads."""
    return f"{run(pipeline, day, run_id)}shards/{dataset}-{attempt}{_round(cutting)}.jsonl"


def _round(number: int) -> str:
    return f"-{number}" if number else ""


def failure(pipeline: str, day: date, run_id: str, dataset: str, fingerprint: str) -> str:
    """Why a shard of a run could not be converted."""
    return f"{run(pipeline, day, run_id)}failures/{dataset}/{fingerprint}.json"


def asked(pipeline: str, day: date, run_id: str, dataset: str) -> str:
    """The prefix of notes on how an API behaved, one for each function that asked it."""
    return f"{run(pipeline, day, run_id)}asked/{dataset}/"


def validation(pipeline: str, day: date, run_id: str, dataset: str) -> str:
    """The newest verdict on one source."""
    return f"{run(pipeline, day, run_id)}validation/{dataset}.json"


def is_validation(key: str, dataset: str) -> bool:
    """Whether a key below `runs` is that of a verdict on the dataset."""
    return key.endswith(f"/validation/{dataset}.json")


def across_audit(pipeline: str, day: date, run_id: str) -> str:
    """The verdict on keys and relationships of a run."""
    return f"{run(pipeline, day, run_id)}across.json"


def merge_audit(pipeline: str, day: date, run_id: str, merge: str) -> str:
    """The verdict on one merge of a run."""
    return f"{run(pipeline, day, run_id)}audits/{merge}.json"


def sealed_tables(pipeline: str, day: date, run_id: str) -> str:
    """The prefix of the lists of a run's sealed files, one a table."""
    return f"{run(pipeline, day, run_id)}sealed/"


def sealed_table(pipeline: str, day: date, run_id: str, table: str) -> str:
    """The list of a run's sealed files of one table."""
    return f"{sealed_tables(pipeline, day, run_id)}{table}.json"


def records(pipeline: str) -> str:
    """The prefix of all run records: one listing has the runs in the order of their starts."""
    return f"runs/{pipeline}/records/"


def merge_attempt(pipeline: str, day: date, run_id: str, merge: str) -> str:
    """Where the newest attempt of a merge writes."""
    return f"{run(pipeline, day, run_id)}merges/{merge}.json"


def record(pipeline: str, run_id: str) -> str:
    """The run record: counts and the outcome; found by the run's name alone."""
    return f"{records(pipeline)}{run_id}.json"


def locks(pipeline: str) -> str:
    """The prefix of all locks of a pipeline."""
    return f"locks/{pipeline}/"


def pipeline_lock(pipeline: str) -> str:
    """The lock of the nights: one at a time, backfills aside."""
    return f"locks/{pipeline}/night.json"


def date_lock(pipeline: str, day: date) -> str:
    """The lock of one business date: one run at a time, of whatever kind."""
    return f"locks/{pipeline}/{day.isoformat()}.json"


def model_lock(pipeline: str) -> str:
    """The lock of a pipeline's model: one scoring or training at a time."""
    return f"locks/{pipeline}/model.json"


def trigger(pipeline: str, scheduled_at: str) -> str:
    """The mark of one firing of the trigger: its second delivery finds it."""
    return f"triggers/{pipeline}/{scheduled_at.replace(':', '')}.json"


def delivered(pipeline: str, key: str, sequencer: str) -> str:
    """The mark of one delivery that started a run: the second telling of it finds it."""
    digest = hashlib.sha256(f"{key}\0{sequencer}".encode()).hexdigest()[:32]
    return f"triggers/{pipeline}/delivered/{digest}.json"


def watch(pipeline: str) -> str:
    """Since when the watchdog watches a pipeline."""
    return f"watchdog/{pipeline}.json"


def snapshots(pipeline: str) -> str:
    """The prefix of HEAD, snapshots and manifests."""
    return f"snapshots/{pipeline}/"


def head(pipeline: str) -> str:
    """The one object that says which snapshot is published; moving it is the commit."""
    return f"snapshots/{pipeline}/HEAD"


def snapshot(pipeline: str, number: int, run_id: str) -> str:
    """One immutable snapshot; two runs that race for a number write two objects, and HEAD names one."""
    return f"snapshots/{pipeline}/{number:08}-{run_id}.json"


def partition_manifests(pipeline: str) -> str:
    """The prefix of the manifests of all partitions."""
    return f"snapshots/{pipeline}/partitions/"


def partition_manifest(pipeline: str, table: str, day: date, digest: str) -> str:
    """The immutable list of one partition's files, named by its content."""
    return f"snapshots/{pipeline}/partitions/{table}/{day.isoformat()}/{digest}.json"


def key_indexes(pipeline: str) -> str:
    """The prefix of the indexes of keys."""
    return f"snapshots/{pipeline}/indexes/"


def key_index(pipeline: str, table: str) -> str:
    """The pointer to the newest index of a table's keys."""
    return f"{key_indexes(pipeline)}{table}.json"


def key_index_entries(pipeline: str, table: str, digest: str) -> str:
    """The immutable entries of an index, named by their content."""
    return f"{key_indexes(pipeline)}{table}/{digest}.keys"


def file_list(pipeline: str, table: str, digest: str) -> str:
    """All manifests of one state of a table."""
    return f"{key_indexes(pipeline)}{table}/{digest}.files"


def reports(pipeline: str, name: str) -> str:
    """The prefix of one report, as all runs computed it."""
    return f"reports/{pipeline}/{name}/"


def report(pipeline: str, name: str, run_id: str) -> str:
    """One report as a run computed it."""
    return f"{reports(pipeline, name)}{run_id}.json"


def pages(pipeline: str, day: date | None = None) -> str:
    """The prefix of the pages of a pipeline, or of one day of it."""
    return f"pages/{pipeline}/{day.isoformat()}/" if day else f"pages/{pipeline}/"


def page(pipeline: str, day: date | None, run_id: str) -> str:
    """What a run looks like to people: one HTML file; there is one also where Prepare failed before it knew the day."""
    return f"{pages(pipeline, day)}{'' if day else 'unknown/'}{run_id}.html"


def model_versions(pipeline: str) -> str:
    """The prefix of all versions of a pipeline's model: one listing has them in their order."""
    return f"models/{pipeline}/versions/"


def model_version(pipeline: str, version: int) -> str:
    """The prefix of one version of a model."""
    return f"{model_versions(pipeline)}{version:08}/"


def model_claim(pipeline: str, version: int) -> str:
    """Which execution trains a version: no two train the same."""
    return f"{model_version(pipeline, version)}claim.json"


def model_artifact(pipeline: str, version: int) -> str:
    """What scores."""
    return f"{model_version(pipeline, version)}model.npz"


def model_interactions(pipeline: str, version: int) -> str:
    """What the version was trained on."""
    return f"{model_version(pipeline, version)}interactions.parquet"


def numbered_versions(pipeline: str, keys: Iterable[str], file: str) -> list[int]:
    """The versions, in their order, of which the keys below `model_versions` have this file."""
    found = (key.removeprefix(model_versions(pipeline)).partition("/") for key in keys)
    return sorted(int(number) for number, _, name in found if name == file)


def model_record(pipeline: str, version: int) -> str:
    """How the version came about; written last, and once."""
    return f"{model_version(pipeline, version)}record.json"


def model_verdict(pipeline: str, version: int) -> str:
    """How the version did against the champion of its time."""
    return f"{model_version(pipeline, version)}verdict.json"


def champion(pipeline: str) -> str:
    """The one object that says which version scores and answers; moving it is the promotion."""
    return f"models/{pipeline}/CHAMPION"


def scored_versions(pipeline: str) -> str:
    """The prefix of what was published with each version's scores."""
    return f"models/{pipeline}/scored/"


def scored(pipeline: str, version: int) -> str:
    """What was published last with one version's scores."""
    return f"{scored_versions(pipeline)}{version:08}.json"


def model_run(pipeline: str, run_id: str) -> str:
    """The prefix of what a scoring or a training writes about itself."""
    return f"models/{pipeline}/runs/{run_id}/"


def model_run_record(pipeline: str, run_id: str) -> str:
    """How a scoring or a training ended."""
    return f"{model_run(pipeline, run_id)}record.json"


def measurement(pipeline: str, run_id: str) -> str:
    """How the champion does on what came since it was trained."""
    return f"{model_run(pipeline, run_id)}measurement.json"


def scoring_shards(pipeline: str, run_id: str) -> str:
    """The users to be scored, as JSON Lines: what the Distributed Map reads."""
    return f"{model_run(pipeline, run_id)}shards.jsonl"


def scoring_users(pipeline: str, run_id: str, index: int) -> str:
    """The users of one shard and what each has had, as Parquet; it expires like all that is staged."""
    return f"staging/{pipeline}/_model/{run_id}/users-{index:05}.parquet"


def scoring_items(pipeline: str, run_id: str) -> str:
    """The items that may be recommended, as Parquet."""
    return f"staging/{pipeline}/_model/{run_id}/items.parquet"


def scoring_receipts(pipeline: str, run_id: str) -> str:
    """The prefix of the receipts of all shards."""
    return f"{model_run(pipeline, run_id)}receipts/"


def scoring_receipt(pipeline: str, run_id: str, index: int) -> str:
    """What became of one shard of users."""
    return f"{scoring_receipts(pipeline, run_id)}{index:05}.json"


def queries(caller: str) -> str:
    """The prefix of what a caller of the API asked of Athena; a caller's name can be any text."""
    return f"queries/{hashlib.sha256(caller.encode()).hexdigest()[:32]}/"


def query(caller: str, name: str) -> str:
    """One query of a caller."""
    return f"{queries(caller)}{name}.json"


def running_queries(caller: str) -> str:
    """Which of a caller's queries are under way."""
    return f"{queries(caller)}running.json"


def api_answer(digest: str, ending: str) -> str:
    """An answer of the API that is too long to be sent, by the SHA-256 of its content."""
    return f"queries/answers/{digest}.{ending}"


def quarantined(pipeline: str, dataset: str, fingerprint: str, attempt: str) -> str:
    """The refused rows that one attempt found in one shard, in the quarantine bucket."""
    return f"staging/{pipeline}/{dataset}/{fingerprint}/{attempt}.parquet"


def quarantine(pipeline: str, run_id: str) -> str:
    """All refused rows of one run, in the quarantine bucket: where the quarantine table points."""
    return f"{pipeline}/run={run_id}/"


def quarantined_rows(pipeline: str, run_id: str, dataset: str) -> str:
    """Those of one source."""
    return f"{quarantine(pipeline, run_id)}{dataset}/"
