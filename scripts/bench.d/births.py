"""When processes were executed, as the kernel tells whoever listens to its process connector: without stopping,
tracing or slowing them. Its clock is CLOCK_MONOTONIC, as the stamps'."""

import os
import socket
import struct
from collections import defaultdict

from stage import Failed

NETLINK_CONNECTOR, CN_IDX_PROC, CN_VAL_PROC, LISTEN = 11, 1, 1, 1
SO_RCVBUFFORCE = 33  # Python's socket has no name for it
EXEC, COMM = 0x2, 0x200
NETLINK_HEADER, CONNECTOR_HEADER = "=IHHII", "=IIIIHH"
EVENT, COMM_DATA = "=IIQII", "=16s"
HEADERS = struct.calcsize(NETLINK_HEADER) + struct.calcsize(CONNECTOR_HEADER)


class Births:
    """A context manager; listens from enter to exit."""

    def __enter__(self):
        try:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            self.socket.bind((0, CN_IDX_PROC))
        except OSError as error:
            raise Failed(f"the kernel's process connector (CONFIG_PROC_EVENTS): {error}") from error
        operation = struct.pack("=I", LISTEN)
        message = struct.pack(CONNECTOR_HEADER, CN_IDX_PROC, CN_VAL_PROC, 0, 0, len(operation), 0) + operation
        whole = struct.calcsize(NETLINK_HEADER) + len(message)
        self.socket.send(struct.pack(NETLINK_HEADER, whole, 3, 0, 0, os.getpid()) + message)
        self.socket.setblocking(False)
        return self

    def __exit__(self, *_):
        self.socket.close()

    def first_after(self, instant, name):
        """When the first process since `instant` was executed that then called itself `name`. Forgets all events so
        far."""
        after = [at for at in self.all()[name] if at >= instant]
        if not after:
            raise Failed(f"no process was executed that called itself {name}")
        return min(after)

    def all(self):
        """When processes were executed that then called themselves so: name (cut to 15 bytes) -> list. Forgets all
        events so far."""
        executed, found = {}, defaultdict(list)
        for what, at, pid, data in self._events():
            if what == EXEC:
                executed[pid] = at
            elif what == COMM and pid in executed:
                (comm,) = struct.unpack_from(COMM_DATA, data)
                found[comm.rstrip(b"\0").decode(errors="replace")].append(executed.pop(pid))
        return found

    def _events(self):
        while True:
            try:
                message = self.socket.recv(4096)
            except BlockingIOError:
                return
            except OSError as error:  # ENOBUFS: the machine is anything but idle
                raise Failed(f"events of the process connector were lost: {error}") from error
            what, _, at, pid, _ = struct.unpack_from(EVENT, message, HEADERS)
            yield what, at, pid, message[HEADERS + struct.calcsize(EVENT) :]
