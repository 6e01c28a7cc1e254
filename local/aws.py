"""The local AWS's life: started, stopped and looked at. Nothing of the caller's AWS configuration reaches it."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict

from local import outages
from local.errors import OtherModeError, PortInUseError, StartFailedError
from local.home import HOST, await_end, carries, free_port, last_words, locked

DEFAULT_PORT = 4566
REGION = "us-east-1"
ACCOUNT = "000000000000"

_MARK = "NIGHTLAKE_LOCAL_AWS"
"""Variable that holds the home: the emulator and its Lambda workers carry it, a recycled pid does not."""
_START_SECONDS = 60
_PATIENCE_SECONDS = 20
_STOP_SECONDS = 20
_LOG = "emulator.log"
GRANTS_USED = "grants-used.jsonl"
"""A file of the home: each action and resource that a role was granted and that alone allowed a call, as JSON lines."""
API_KEY = "api-key"
"""A file of the home: the header line with which this machine asks the API; `nightlake api` makes it."""
TEMPLATES = "cdk"
"""A folder of the home: the templates that `nightlake deploy` last put into this local AWS, and their files."""
_MADE = (
    *(API_KEY, TEMPLATES),
    *(_LOG, "emulator.previous.log", "endpoint.json", GRANTS_USED, outages.FILE),
    *("lock", "s3", "state", "tls", "tmp"),
)
"""What a home holds; every one of these is made by `start`, by the emulator that it starts or for what runs in it."""


class Endpoint(BaseModel):
    """Where the local AWS listens; stored as `endpoint.json` in its home while it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    port: int
    pid: int
    iam: bool
    ca_bundle: Path | None

    def environment(self) -> dict[str, str]:
        """Environment variables with which every AWS SDK and the CDK talk to this AWS and to no other.

        They belong on top of an environment without `AWS_*` variables: a profile of the caller would win over them.
        """
        variables = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": f"{HOST},localhost",
        }
        if self.ca_bundle:
            variables |= {"AWS_CA_BUNDLE": str(self.ca_bundle), "NODE_EXTRA_CA_CERTS": str(self.ca_bundle)}
        return variables

    def client(self, service: str) -> Any:
        """A boto3 client of this AWS, whatever the caller's environment says."""
        import boto3
        from botocore.config import Config

        known = self.environment()
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
            verify=str(self.ca_bundle) if self.ca_bundle else None,
            config=Config(connect_timeout=5, retries={"mode": "standard"}, proxies={}),
        )


class Status(BaseModel):
    """How the local AWS is. `endpoint` is None when it does not run; `memory_bytes` is resident, with its workers."""

    model_config = ConfigDict(frozen=True)

    running: bool
    healthy: bool = False
    endpoint: Endpoint | None = None
    version: str | None = None
    uptime_seconds: float | None = None
    memory_bytes: int | None = None
    workers: int = 0


def start(home: Path, port: int | None = None, *, iam: bool | None = None, detached: bool = True) -> Endpoint:
    """Start the local AWS, or find it running. What was deployed before the last `stop` is there again.

    Args:
        home: folder that holds its state, log, objects and certificates; made if missing.
        port: TCP port on 127.0.0.1; 0 takes a free one; None takes that of the running one, else 4566.
        iam: enforce IAM policies, over TLS; None takes the running one's mode, else False.
        detached: outlive the calling process; otherwise it ends when the caller does, however that ends.

    Raises:
        PortInUseError: another program listens on the port.
        OtherModeError: it already runs on another port or in the other mode.
        StartFailedError: it ended or did not become healthy within a minute.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with locked(home):
        running = status(home).endpoint
        if running and _answers(running):
            return _as_asked(running, port, iam)
        _end(home)
        return _launch(home, port, iam=bool(iam), detached=detached)


def stop(home: Path) -> bool:
    """Save the state and end the local AWS with all its workers. False when it did not run."""
    home = home.resolve()
    if not _is_home(home):
        return False
    with locked(home):
        return _end(home)


def clean(home: Path) -> None:
    """Stop the local AWS and forget everything that was ever deployed to it or stored in it.

    Where it never ran nothing is touched, and what it did not make stays: a home may have been named by mistake.
    """
    home = home.resolve()
    if not _is_home(home):
        return
    with locked(home):
        _end(home, save=False)
    for name in _MADE:
        path = home / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        home.rmdir()


def status(home: Path) -> Status:
    """How the local AWS of `home` is; starts and changes nothing."""
    home = home.resolve()
    endpoint = _recorded(home)
    if endpoint is None:
        return Status(running=False)
    try:
        server = psutil.Process(endpoint.pid)
        workers = server.children(recursive=True)
        if not carries(server, _MARK, str(home)):
            return Status(running=False)
        health = _health(endpoint)
        return Status(
            running=True,
            healthy=health is not None,
            endpoint=endpoint,
            version=health["version"] if health else None,
            uptime_seconds=time.time() - server.create_time(),
            memory_bytes=server.memory_info().rss + sum(_memory(worker) for worker in workers),
            workers=len(workers),
        )
    except psutil.NoSuchProcess:
        return Status(running=False)


def _is_home(home: Path) -> bool:
    return (home / _LOG).exists()


def _as_asked(endpoint: Endpoint, port: int | None, iam: bool | None) -> Endpoint:
    if port in (None, 0, endpoint.port) and iam in (None, endpoint.iam):
        return endpoint
    mode = "with IAM" if endpoint.iam else "without IAM"
    raise OtherModeError(
        f"The local AWS already runs on port {endpoint.port} {mode}. "
        "Stop it first (nightlake down) to start it otherwise."
    )


def _launch(home: Path, port: int | None, *, iam: bool, detached: bool) -> Endpoint:
    port = free_port() if port == 0 else port or DEFAULT_PORT
    _refuse_taken(port)
    log = home / _LOG
    if log.exists():
        log.replace(home / "emulator.previous.log")
    (home / "tmp").mkdir(exist_ok=True)
    environment = _environment(home, port, iam=iam) | {"NIGHTLAKE_DETACHED": str(int(detached))}
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", "local.server"],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), output, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        # A session of its own: Ctrl-C in the terminal that started it must not end it.
        setsid=True,
    )
    endpoint = Endpoint(
        url=environment["AWS_ENDPOINT_URL"],
        port=port,
        pid=pid,
        iam=iam,
        ca_bundle=Path(environment["AWS_CA_BUNDLE"]) if iam else None,
    )
    try:
        _await_health(endpoint, log)
    except BaseException:
        _end(home)
        raise
    (home / "endpoint.json").write_text(endpoint.model_dump_json(indent=2) + "\n")
    return endpoint


def _answers(endpoint: Endpoint) -> bool:
    """Whether a running one answers in a while: a busy machine is no reason to end it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _health(endpoint):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def _await_health(endpoint: Endpoint, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if os.waitpid(endpoint.pid, os.WNOHANG) != (0, 0):
            raise StartFailedError(f"The local AWS ended at its start. {last_words(log)}")
        if _health(endpoint):
            return
        time.sleep(0.1)
    raise StartFailedError(f"The local AWS did not answer on {endpoint.url} in {_START_SECONDS} s. {last_words(log)}")


def _environment(home: Path, port: int, *, iam: bool) -> dict[str, str]:
    """The server's whole environment; its Lambda workers inherit it. Nothing of the caller's AWS is in it."""
    # Tests let waits of state machines pass faster.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "SFN_WAIT_SCALE") if name in os.environ}
    variables = kept | {
        _MARK: str(home),
        "NIGHTLAKE_GRANTS_USED": str(home / GRANTS_USED),
        "NIGHTLAKE_OUTAGES": str(home / outages.FILE),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": str(home / "tmp"),
        "PYTHONUNBUFFERED": "1",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "AUTH": str(iam).lower(),
        "USE_SSL": str(int(iam)),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home / "s3"),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home / "state"),
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "LAMBDA_EXECUTOR": "local",
        # No container engine is ever asked, also where one is installed.
        "DOCKER_HOST": f"unix://{home}/no-container-engine.sock",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AWS_ENDPOINT_URL": f"{'https' if iam else 'http'}://{HOST}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    if iam:
        from local import tls

        material = tls.ensure(home / "tls")
        variables |= {
            "MINISTACK_SSL_CERT": str(material.certificate),
            "MINISTACK_SSL_KEY": str(material.key),
            "AWS_CA_BUNDLE": str(material.authority),
            "NODE_EXTRA_CA_CERTS": str(material.authority),
        }
    return variables


def _end(home: Path, *, save: bool = True) -> bool:
    """End the recorded server, which may `save` its state, then whatever else still carries the mark of this home."""
    endpoint = _recorded(home)
    family = _family(home)
    for server in family:
        if save and endpoint and server.pid == endpoint.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                server.terminate()
            await_end([server], _STOP_SECONDS)
    leftovers = _family(home)
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    await_end(leftovers, _STOP_SECONDS)
    (home / "endpoint.json").unlink(missing_ok=True)
    shutil.rmtree(home / "tmp", ignore_errors=True)
    return bool(family)


def _family(home: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if carries(process, _MARK, str(home))]


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _recorded(home: Path) -> Endpoint | None:
    try:
        return Endpoint.model_validate_json((home / "endpoint.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _health(endpoint: Endpoint) -> dict[str, str] | None:
    context = ssl.create_default_context(cafile=str(endpoint.ca_bundle)) if endpoint.ca_bundle else None
    # Without the empty handler a proxy of the caller's would be asked for 127.0.0.1.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
    )
    try:
        with opener.open(f"{endpoint.url}/_ministack/health", timeout=5) as response:
            health: dict[str, str] = json.load(response)
            return health
    except (OSError, ValueError, urllib.error.URLError):
        return None


def _refuse_taken(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise PortInUseError(
            f"Port {port} on {HOST} cannot be opened: {_listener(port) or error.strerror}. "
            "End that program or choose another port (nightlake up --port)."
        ) from error


def _listener(port: int) -> str | None:
    """The program that listens on `port`, where the system lets us see it."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
                return f"in use by pid {connection.pid} ({' '.join(psutil.Process(connection.pid).cmdline())[:200]})"
    return None
