"""Compiles the service levels of a contract: latency, and how long published days are kept."""

from collections.abc import Mapping

from open_data_contract_standard.model import OpenDataContractStandard

from nightlake.core.wording import nearest, shown
from nightlake.core.yaml_file import YamlFile

DEFAULT_LATENCY_MINUTES = 60
DEFAULT_RETENTION_DAYS = 730
MAX_LATENCY_MINUTES = 1_440  # after a day the next night begins
MAX_RETENTION_DAYS = 36_500
LATENCY_UNITS = {"minutes": 1, "hours": 60, "days": 1440}
RETENTION_UNITS = {"days": 1, "weeks": 7, "years": 365}
# The other properties that the standard names stay what they are there: promises for people to read.
_FOR_PEOPLE = (
    "availability",
    "throughput",
    "errorRate",
    "generalAvailability",
    "endOfSupport",
    "endOfLife",
    "frequency",
    "timeOfAvailability",
    "timeToDetect",
    "timeToNotify",
    "timeToRepair",
)


def compile_service_levels(file: YamlFile, contract: OpenDataContractStandard) -> tuple[int, int]:
    """Latency in minutes and retention in days; what is wrong is reported to the file."""
    values = {"latency": DEFAULT_LATENCY_MINUTES, "retention": DEFAULT_RETENTION_DAYS}
    seen = set()
    for index, level in enumerate(contract.slaProperties or ()):
        location, name = ("slaProperties", index), str(level.property)
        if name not in values:
            if name not in _FOR_PEOPLE:
                reason = f"{shown(name)} is no service level: {nearest(name, (*values, *_FOR_PEOPLE))}"
                file.report((*location, "property"), reason)
            continue
        if name in seen:
            file.report(location, f"{name!r} stands here twice: remove one")
        seen.add(name)
        latency = (LATENCY_UNITS, MAX_LATENCY_MINUTES, "a day (the next night begins then)")
        units, most, words = latency if name == "latency" else (RETENTION_UNITS, MAX_RETENTION_DAYS, "a century")
        if level.element is not None:
            file.report((*location, "element"), f"{name} is kept for the pipeline as a whole: remove `element`")
        amount = _whole(file, location, level.value, level.unit, units)
        if amount > most:
            file.report(
                (*location, "value"), f"{shown(level.value)} {level.unit} is too long: {name} is at most {words}"
            )
        values[name] = amount
    return values["latency"], values["retention"]


def _whole(file: YamlFile, location: tuple[str, int], value: object, unit: str | None, units: Mapping[str, int]) -> int:
    if unit is None or unit not in units:
        file.report((*location, "unit"), f"{shown(unit)} is no unit here: use {', '.join(units)}")
        return 1
    amount = value * units[unit] if isinstance(value, int) and not isinstance(value, bool) else 0
    if amount <= 0:
        file.report((*location, "value"), f"{shown(value)} {unit} is out of range: write a whole number, at least 1")
        return 1
    return amount
