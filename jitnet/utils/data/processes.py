"""Workers that are processes: batches come back through a pipe, arrays without a copy in pickle."""

from __future__ import annotations

import pickle
import random
import signal
import threading
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from queue import Queue
from typing import Any

import numpy as np

import jitnet

from .worker import Died, Failure, Setup, Task, work

PATIENCE = 5.0  # seconds for a worker to end by itself


def send_message(connection: Connection, message: Any) -> None:
    """Send an object; the memory of its arrays follows as it is (pickle protocol 5)."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    connection.send(tuple(view.nbytes for view in views))
    connection.send_bytes(body)
    for view in views:
        if view.nbytes:
            connection.send_bytes(view)


def receive_message(connection: Connection) -> tuple[bytes, list[Any]]:
    """Return what send_message sent, to be unpickled by `unpack` where it is wanted."""
    sizes = connection.recv()
    body = connection.recv_bytes()
    buffers = []
    for size in sizes:
        memory = np.empty(size, np.uint8)
        if size:
            connection.recv_bytes_into(memory)
        buffers.append(memory)
    return body, buffers


def unpack(message: tuple[bytes, list[Any]]) -> Any:
    """Return the object of a received message."""
    body, buffers = message
    return pickle.loads(body, buffers=buffers)


def _sendable(answer: Any) -> Any:
    """Return an answer without what another process could not read."""
    if not isinstance(answer, Failure):
        return answer
    kind = answer.kind
    try:
        pickle.loads(pickle.dumps(kind))
    except Exception:  # a class that only that process knows; its traceback names it
        kind = RuntimeError
    return Failure(answer.epoch, None, kind, answer.text)


def run_process(connection: Connection, setup: Setup) -> None:
    """Be a worker process: the target of multiprocessing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it and ends its workers
    seed = setup.info.seed
    random.seed(seed)
    np.random.seed(seed % 2**32)
    jitnet.manual_seed(seed)
    try:
        work(
            setup,
            connection.recv,
            lambda answer: send_message(connection, _sendable(answer)),
        )
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    finally:
        connection.close()


class ProcessWorker:
    """A process that fetches batches, and a thread here that takes them off its pipe."""

    def __init__(self, setup: Setup, context: BaseContext) -> None:
        self.where = f"worker process {setup.info.id}"
        self._connection, theirs = context.Pipe()
        self._process = context.Process(  # type: ignore[attr-defined]
            target=run_process,
            args=(theirs, setup),
            name=f"jitnet-data-{setup.info.id}",
            daemon=True,
        )
        self._process.start()
        theirs.close()
        self.results: Queue[Any] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Take messages off the pipe, so that the worker never waits for us to do it."""
        try:
            while True:
                self.results.put(receive_message(self._connection))
        except (EOFError, OSError):
            self.results.put(None)

    def send(self, task: Task) -> None:
        """Give the worker a task."""
        try:
            self._connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return  # it died: `receive` says so

    def receive(self, timeout: float | None) -> Any:
        """Return the next result; queue.Empty after timeout seconds."""
        message = self.results.get(timeout=timeout)
        if message is not None:
            return unpack(message)
        self._process.join(PATIENCE)
        return Died(f"process {self._process.pid} ended with exit code {self._process.exitcode}")

    def stop(self) -> None:
        """Ask the process to end after the tasks that it has."""
        try:
            self._connection.send(None)
        except (OSError, ValueError):
            return  # it is gone already

    def join(self) -> None:
        """Wait for the end; a process that does not come to it is terminated."""
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        if threading.current_thread() is not self._reader:
            self._reader.join(PATIENCE)
        self._connection.close()
        self._process.close()
