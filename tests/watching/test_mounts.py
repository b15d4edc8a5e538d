"""Which mount a path lies on, and whether its changes are told."""

from __future__ import annotations

import sys

import pytest

from reloader.watching.mounts import Mount, mount_of, mounts, silent_places

TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv/net rw shared:2 master:1 - nfs4 host:/x rw
31 22 0:41 / /srv/net/local rw - tmpfs tmpfs rw
32 22 0:42 / /mnt/a\\040b rw - fuse.sshfs host: rw
33 22 0:43 / /mnt/c rw - 9p drvfs rw
34 22 0:44 / /mnt/disk rw - fuseblk /dev/sdb rw
35 22 0:45 / /mnt/disk rw - cifs //host/x rw
not a line
"""


@pytest.mark.parametrize(
    ("path", "expected", "silent"),
    [
        ("/home/me", Mount("/", "ext4"), False),
        ("/srv/net", Mount("/srv/net", "nfs4"), True),
        ("/srv/net/a/b", Mount("/srv/net", "nfs4"), True),
        ("/srv/network", Mount("/", "ext4"), False),
        ("/srv/net/local/a", Mount("/srv/net/local", "tmpfs"), False),
        ("/mnt/a b/c", Mount("/mnt/a b", "fuse.sshfs"), True),
        ("/mnt/c/Users", Mount("/mnt/c", "9p"), True),
        ("/mnt/disk/x", Mount("/mnt/disk", "cifs"), True),
    ],
)
def test_a_path_lies_on_the_mount_nearest_above(path: str, expected: Mount, silent: bool) -> None:
    found = mount_of(path, mounts(TABLE))
    assert found is not None
    assert found == expected
    assert found.silent is silent


def test_a_local_disk_of_fuse_is_relied_upon() -> None:
    assert not Mount("/mnt/disk", "fuseblk").silent


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells its mounts")
def test_this_machine_can_be_asked() -> None:
    found = mount_of("/proc/self", mounts())
    assert found is not None
    assert found.kind == "proc"
    assert mount_of("/", []) is None


def test_mounts_inside_a_root_are_found_too() -> None:
    table = mounts(TABLE)
    assert silent_places(["/home/me"], table) == []
    assert silent_places(["/srv/net/a"], table) == [("/srv/net/a", Mount("/srv/net", "nfs4"))]
    assert silent_places(["/srv/net/local"], table) == []
    assert {place for place, _ in silent_places(["/mnt"], table)} == {"/mnt/a b", "/mnt/c", "/mnt/disk"}
    assert [place for place, _ in silent_places(["/srv/net"], table)] == ["/srv/net"]
