"""A server that says exactly the bytes that it is told, and remembers what it heard."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

Reply = bytes | Sequence[bytes | float] | Callable[[bytes], bytes]
"""Bytes; or bytes and pauses in seconds; or what makes them of the request."""


def reply(
    body: bytes = b"[]", *lines: str, status: str = "200 OK", length: int | None = None, keep: bool = False
) -> bytes:
    """An answer as servers write it; `length` is what it says of itself, -1 to say nothing."""
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", *lines, *([] if keep else ["Connection: close"])]
    head += [f"Content-Length: {len(body) if length is None else length}"] if length != -1 else []
    return "\r\n".join([*head, "", ""]).encode() + body


class OddServer:
    """Gives each request its reply, the last one for ever; `heard` are the requests."""

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None, keep: bool = False) -> None:
        self.heard: list[str] = []
        self.connections = 0
        self._replies = list(replies)
        self._tls = tls
        self._keep = keep
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        """Until it is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            with client:
                while request := _request(client):
                    self.heard.append(request.decode("latin-1"))
                    said = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
                    _say(client, said(request) if callable(said) else said)
                    if not self._keep:
                        return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _request(client: socket.socket) -> bytes:
    heard = b""
    while b"\r\n\r\n" not in heard:
        piece = client.recv(65536)
        if not piece:
            return b""
        heard += piece
    head, _, body = heard.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < (lengths or [0])[0]:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def _say(client: socket.socket, said: bytes | Sequence[bytes | float]) -> None:
    for part in [said] if isinstance(said, bytes) else said:
        if isinstance(part, bytes):
            client.sendall(part)
        else:
            time.sleep(part)


@contextmanager
def serving(*replies: Reply, tls: ssl.SSLContext | None = None, keep: bool = False) -> Iterator[OddServer]:
    """One that listens."""
    server = OddServer(*replies, tls=tls, keep=keep)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
