"""Whether a host answers on SSH, asked of real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from minicloud.controllers.second_path import SshAddress, ask


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def place(server: socket.socket, host: str = "node1") -> SshAddress:
    return SshAddress(host, "127.0.0.1", server.getsockname()[1])


def greet(server: socket.socket, words: bytes) -> None:
    connection, _peer = server.accept()
    with connection:
        connection.sendall(words)


def test_a_server_that_greets_answers(listener: socket.socket) -> None:
    threading.Thread(target=greet, args=(listener, b"SSH-2.0-OpenSSH_9.2\r\n"), daemon=True).start()
    assert ask([place(listener)], timeout=2) == {"node1": True}


def test_another_server_does_not_count(listener: socket.socket) -> None:
    threading.Thread(target=greet, args=(listener, b"HTTP/1.1 400\r\n"), daemon=True).start()
    assert ask([place(listener)], timeout=2) == {"node1": False}


def test_a_kernel_that_takes_the_connection_is_no_answer(listener: socket.socket) -> None:
    begun = time.monotonic()
    assert ask([place(listener)], timeout=0.2) == {"node1": False}
    assert time.monotonic() - begun < 2


def test_a_closed_port_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = place(server)
    assert ask([gone], timeout=2) == {"node1": False}


def test_hosts_are_asked_at_once(listener: socket.socket) -> None:
    begun = time.monotonic()
    heard = ask([place(listener, f"node{number}") for number in range(8)], timeout=0.3)
    assert set(heard.values()) == {False}
    assert time.monotonic() - begun < 1.5


def test_nobody_to_ask() -> None:
    assert ask([], timeout=1) == {}
