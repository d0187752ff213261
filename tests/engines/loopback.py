"""Whether other machines can reach an engine: what listens where."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

LISTEN: Final = "0A"
"""The state of a socket that waits for others, as /proc/net/tcp has it."""


def family(pid: int) -> set[int]:
    """Return *pid*, and the processes that it, or one of them, has started."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # it has ended
            # The name of a program, in brackets, may hold anything.
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def addresses(pids: set[int]) -> list[str]:
    """Return the addresses on which *pids* wait for connections over TCP."""
    inodes = {inode for pid in pids for inode in _open_files(pid)}
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and f"socket:[{fields[9]}]" in inodes:
                words = bytes.fromhex(fields[1].split(":")[0])
                # Words of four bytes, each in the order of the machine.
                packed = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                address = ipaddress.ip_address(packed)
                mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
                found.append(str(mapped or address))
    return found


def _open_files(pid: int) -> Iterator[str]:
    """Yield what /proc calls the files that a process has open."""
    with suppress(OSError):  # it has ended
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it was closed meanwhile
                yield os.readlink(link)  # noqa: PTH115  # what it leads to is no path


def reachable(pids: set[int]) -> list[str]:
    """Return the addresses among `addresses` at which other machines may reach *pids*."""
    return [address for address in addresses(pids) if not ipaddress.ip_address(address).is_loopback]
