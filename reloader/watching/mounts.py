"""On which file systems the system tells of every change, decided by the mount's type.

inotify(7): what another machine or a host changes on a network or shared file system is not told. What is
changed here is, but nobody can know who edits, so such a mount is looked at instead. Only Linux can be
asked; elsewhere events are relied upon.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reloader.common.lazy_pattern import lazy_pattern

MOUNTS = "/proc/self/mountinfo"
# Network file systems; what virtual machines share with their host; WSL's view of Windows' drives (9p,
# drvfs, wslfs). Of FUSE, only fuseblk is a local disk.
_SILENT = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "glusterfs", "lustre"}
    | {"gpfs", "beegfs", "ocfs2", "gfs2", "davfs", "9p", "drvfs", "wslfs", "virtiofs", "vboxsf", "prl_fs"}
    | {"vmhgfs", "fuse"}
)
_ESCAPED = lazy_pattern(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """Where a file system is mounted, and its type."""

    path: str
    kind: str

    @property
    def silent(self) -> bool:
        """Whether changes made elsewhere bring no events."""
        return self.kind in _SILENT or self.kind.startswith("fuse.")


def mounts(text: str | None = None) -> list[Mount]:
    """The mounts of `text` or of this process; none where they cannot be known."""
    if text is None:
        try:
            with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except OSError:
            return []
    # Of two mounts over the same place the later one is seen.
    found: dict[str, Mount] = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) >= 5 and after:
            place = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
            found[place] = Mount(place, after.split(" ")[0])
    return list(found.values())


def mount_of(path: str, among: Sequence[Mount]) -> Mount | None:
    """The mount that the path lies on; None where that cannot be known."""
    real = os.path.realpath(path)
    above = [mount for mount in among if _lies_in(real, mount.path)]
    return max(above, key=lambda mount: len(mount.path), default=None)


def silent_places(roots: Iterable[str], among: Sequence[Mount]) -> list[tuple[str, Mount]]:
    """Where in these roots no events are to be relied upon: the root itself, or mounts inside of it."""
    found: list[tuple[str, Mount]] = []
    for root in roots:
        mount = mount_of(root, among)
        if mount is not None and mount.silent:
            found.append((root, mount))
        real = os.path.realpath(root)
        below = [
            mount for mount in among if mount.silent and _lies_in(mount.path, real) and mount.path != real
        ]
        found += [(os.path.join(root, os.path.relpath(mount.path, real)), mount) for mount in below]
    return found


def mounted_files(roots: Iterable[str], among: Sequence[Mount]) -> frozenset[str]:
    """The files in these roots that are mount points."""
    found = set()
    for root in roots:
        real = os.path.realpath(root)
        inside = [one.path for one in among if _lies_in(one.path, real) and os.path.isfile(one.path)]
        found |= {os.path.join(root, os.path.relpath(path, real)) for path in inside}
    return frozenset(found)


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
