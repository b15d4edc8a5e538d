"""On which file systems the system tells of every change, decided by the mount's type.

inotify(7): what another machine or a host changes on a network or shared file system is not told. What is
changed here is, but nobody can know who edits, so such a mount is looked at instead. Only Linux can be
asked; elsewhere events are relied upon.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

MOUNTS = "/proc/self/mountinfo"
# Network file systems; what virtual machines share with their host; WSL's view of Windows' drives (9p,
# drvfs, wslfs). Of FUSE, only fuseblk is a local disk.
_SILENT = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "glusterfs", "lustre"}
    | {"gpfs", "beegfs", "ocfs2", "gfs2", "davfs", "9p", "drvfs", "wslfs", "virtiofs", "vboxsf", "prl_fs"}
    | {"vmhgfs", "fuse"}
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """Where a file system is mounted, and its type."""

    path: str
    kind: str

    @property
    def silent(self) -> bool:
        """Whether changes made elsewhere bring no events."""
        return self.kind in _SILENT or self.kind.startswith("fuse.")


def mount_of(path: str, text: str | None = None) -> Mount | None:
    """The mount that the path lies on, of `text` or of this process; None where that cannot be known."""
    if text is None:
        try:
            with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except OSError:
            return None
    real = os.path.realpath(path)
    found: Mount | None = None
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        place = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
        lies_there = real == place or real.startswith(place.rstrip("/") + "/")
        # Of two mounts over the same place the later one is seen.
        if lies_there and (found is None or len(place) >= len(found.path)):
            found = Mount(place, after.split(" ")[0])
    return found
