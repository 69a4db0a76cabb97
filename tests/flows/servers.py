"""Servers that do not do what they should, on this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that gives every connection to `answer`."""

    def talk(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the other side has gone
            answer(connection)

    def accept() -> None:
        with suppress(OSError):  # closed below
            while True:
                Thread(target=talk, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def is_silent(connection: socket.socket) -> None:
    """Read, and never answer."""
    while connection.recv(1 << 16):
        pass


def drips(connection: socket.socket) -> None:
    """Answer a byte at a time, so that no timeout between two bytes ever ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.2)


def _says(status: str, text: str) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        while connection.recv(1 << 16):
            connection.sendall(
                f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
            )

    return answer


WRONG = {
    "silent": is_silent,
    "dripping": drips,
    "a page": _says("200 OK", "<html><body>It works!</body></html>"),
    "an error": _says("500 Internal Server Error", "oops"),
}

NOWHERE = "http://127.0.0.1:9"
"""Nobody answers at the port of "discard"."""
