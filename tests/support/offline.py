"""Run a command in a network namespace that has a loopback and no route, and report what it tried to reach.

unshare --map-root-user --net python -m tests.support.offline REPORT COMMAND...
"""

import fcntl
import json
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 1


def main(report: str, *command: str) -> int:
    """Run the command; a server is ended when it says that it is ready. Returns its exit code."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _FLAGS, struct.pack("16sh14x", b"lo", _UP))
    before = counters()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("next: curl"):
                process.send_signal(signal.SIGTERM)
    tried = {name: after - before[name] for name, after in counters().items()}
    Path(report).write_text(json.dumps({"tried": tried, "said": said}))
    return process.returncode


def counters() -> dict[str, int]:
    """Packets that found no route, and those to a port of this machine where nobody listens."""
    found = {}
    lines = Path("/proc/net/snmp").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        found.update(zip((f"{names.split()[0]}{name}" for name in names.split()[1:]), values.split()[1:], strict=True))
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return {
        "no route": int(found["Ip:OutNoRoutes"]) + int(six["Ip6OutNoRoutes"]),
        "nobody listens": int(found["Udp:NoPorts"]) + int(six["Udp6NoPorts"]),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
