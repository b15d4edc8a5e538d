"""The server of a run: a thread that reads requests and posts them as events, and sends the answers.

Rule: only the thread touches the sockets; answers are handed to it through a queue. Clients are served
without blocking; an idle client costs one descriptor and is dropped when there are too many.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue

from reloader.common.peers import is_ours
from reloader.controlling import protocol, sockets
from reloader.messages import events, notices

# How many clients there may be at once; for another one, the oldest is dropped.
MOST = 16
# How long, in seconds, no client is accepted after there were no descriptors left for one.
PAUSE = 1.0

_READ, _WRITE = select.POLLIN, select.POLLOUT


class _Peer:
    """One client. Its next request is read once the last one was answered."""

    def __init__(self, connected: socket.socket, number: int) -> None:
        self.socket = connected
        self.number = number
        self.received = b""
        self.to_write = b""
        self.is_last = False
        """Whether it is dropped once all is written."""


class Server:
    """Listens for one run. `run` is the thread; the main thread calls `reply` and `close`."""

    def __init__(
        self,
        run: Mapping[str, object],
        project: str,
        environment: Mapping[str, str],
        post: Callable[[events.Event], None],
    ) -> None:
        """`run` has the keys of each answer that identify the run."""
        self._run = run
        self._project = project
        self._environment = environment
        self._post = post
        self._outbox: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._peers: dict[int, _Peer] = {}
        self._poll = select.poll()
        self._number = 0

    # --- the main thread --------------------------------------------------------------------------

    def reply(self, peer: int, status: notices.Status) -> None:
        """Answer the request of this peer, unless it has gone."""
        self._put((peer, protocol.answer(self._run, status)))

    def close(self) -> None:
        """Let the thread end."""
        self._put(None)

    def _put(self, answer: tuple[int, bytes] | None) -> None:
        self._outbox.put(answer)
        with suppress(OSError):  # it has ended, or has been woken often enough
            self._wake.send(b"x")

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Listen until `close`; posts Requested, or ListeningFailed when it cannot."""
        try:
            listener, path = sockets.listen(self._project, self._environment)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self._post(events.ListeningFailed(where + (error.strerror or str(error)).lower()))
            return
        try:
            self._serve(listener)
        finally:
            sockets.remove(path)
            for closing in (listener, *(peer.socket for peer in self._peers.values())):
                closing.close()

    def _serve(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._poll.register(self._woken, _READ)
        self._poll.register(listener, _READ)
        paused = False
        while True:
            ready = dict(self._poll.poll(PAUSE * 1000 if paused else None))
            if paused:
                paused = False
                self._poll.register(listener, _READ)
            if self._woken.fileno() in ready and not self._deliver():
                return
            if listener.fileno() in ready and not self._accept(listener):
                paused = True
                self._poll.unregister(listener)
            for fd in ready:
                if (peer := self._peers.get(fd)) is not None:
                    self._hear(peer, ready[fd])

    def _deliver(self) -> bool:
        """Write the answers in the queue; False once `close` was called."""
        self._woken.recv(1 << 12)
        with suppress(Empty):
            while True:
                answer = self._outbox.get_nowait()
                if answer is None:
                    return False
                number, data = answer
                for peer in list(self._peers.values()):
                    if peer.number == number:
                        self._write(peer, data)
        return True

    def _accept(self, listener: socket.socket) -> bool:
        """Accept a client; False where there are no descriptors left."""
        if len(self._peers) >= MOST:
            self._send_away(min(self._peers.values(), key=lambda peer: peer.number))
        try:
            connected, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return True  # it has gone again
        except OSError:
            return False
        if not is_ours(connected):
            connected.close()
            return True
        connected.setblocking(False)
        self._number += 1
        self._peers[connected.fileno()] = _Peer(connected, self._number)
        self._poll.register(connected, _READ)
        return True

    def _hear(self, peer: _Peer, happened: int) -> None:
        if happened & _WRITE:
            self._write(peer, b"")
            return
        try:
            data = peer.socket.recv(protocol.REQUEST_LIMIT) if happened & _READ else b""
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            peer.received += data
            self._understand(peer)
        else:
            self._send_away(peer)

    def _understand(self, peer: _Peer) -> None:
        """Post the next request, if it has arrived completely."""
        line, end, rest = peer.received.partition(b"\n")
        if not end and len(line) < protocol.REQUEST_LIMIT:
            return
        peer.received = rest
        try:
            verb = protocol.understand(line)
        except protocol.RefusedError as refused:
            peer.is_last = True
            self._write(peer, protocol.refusal(str(refused)))
        else:
            # Until it is answered, poll(2) only reports whether the client hangs up.
            self._poll.modify(peer.socket, 0)
            self._post(events.Requested(peer.number, verb))

    def _write(self, peer: _Peer, data: bytes) -> None:
        peer.to_write += data
        try:
            peer.to_write = peer.to_write[peer.socket.send(peer.to_write) :]
        except BlockingIOError:
            pass
        except OSError:
            self._send_away(peer)
            return
        if peer.to_write:
            self._poll.modify(peer.socket, _WRITE)
        elif peer.is_last:
            self._send_away(peer)
        else:
            self._poll.modify(peer.socket, _READ)
            self._understand(peer)

    def _send_away(self, peer: _Peer) -> None:
        if self._peers.pop(peer.socket.fileno(), None) is not None:
            self._poll.unregister(peer.socket)
            peer.socket.close()
