"""The local AWS's surroundings, without starting it: what it inherits, what clients get, what is refused."""

import os
import socket
from pathlib import Path

import pytest

from local import aws
from local.errors import PortInUseError


def endpoint(ca_bundle: Path | None = None) -> aws.Endpoint:
    return aws.Endpoint(url="http://127.0.0.1:4599", port=4599, pid=1, iam=bool(ca_bundle), ca_bundle=ca_bundle)


def test_nothing_of_the_callers_aws_reaches_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"AWS_PROFILE": "work", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_ENDPOINT_URL_S3": "https://s3", "SERVICES": "s3"}
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)

    inherited = aws._environment(tmp_path, 4599, iam=True)

    assert not theirs.keys() & inherited.keys()
    assert inherited["AWS_ENDPOINT_URL"] == "https://127.0.0.1:4599"
    assert inherited["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert inherited["BIND_HOST"] == "127.0.0.1"


def test_clients_are_told_of_the_certificate_only_when_there_is_one(tmp_path: Path) -> None:
    plain, encrypted = endpoint().environment(), endpoint(tmp_path / "ca.pem").environment()

    assert not {"AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} & plain.keys()
    assert encrypted["AWS_CA_BUNDLE"] == encrypted["NODE_EXTRA_CA_CERTS"] == str(tmp_path / "ca.pem")


def test_a_client_ignores_the_callers_profile_and_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.example")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    client = endpoint().client("s3")

    assert client.meta.endpoint_url == "http://127.0.0.1:4599"
    assert client.meta.region_name == "us-east-1"


def test_an_empty_home_runs_nothing(tmp_path: Path) -> None:
    assert aws.status(tmp_path) == aws.Status(running=False)
    assert aws.stop(tmp_path) is False
    assert aws.stop(tmp_path / "none") is False


def test_a_recycled_pid_is_neither_reported_nor_ended(tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").write_text(endpoint().model_copy(update={"pid": os.getpid()}).model_dump_json())

    assert aws.status(tmp_path).running is False
    assert aws.stop(tmp_path) is False


def test_an_unreadable_endpoint_file_is_no_endpoint(tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").write_text("{half")

    assert aws.status(tmp_path).running is False


def test_a_port_in_use_is_refused_with_its_owner(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"Port {port} on 127.0.0.1.*pid {os.getpid()}"):
            aws.start(tmp_path, port)

    assert not (tmp_path / "endpoint.json").exists()


def test_clean_forgets_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "s3").mkdir()
    (home / "emulator.log").write_text("")

    aws.clean(home)

    assert not home.exists()


def test_a_folder_that_never_was_a_home_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "state" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")

    aws.clean(tmp_path)

    assert precious.read_text() == "years of work"
    assert list(tmp_path.iterdir()) == [precious.parent]


def test_forgetting_a_home_leaves_what_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "emulator.log").write_text("")
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")

    aws.clean(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
