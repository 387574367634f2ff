"""A machine with systemd for a test: this machine's programs in separate namespaces.

Its root is an overlay of ours: what is installed and set up there is gone at the end. Of systemd's
units it has a few, and none of what runs here; this checkout is at /mnt. The network is shared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.brokers import IN_CI
from tests.deploy.tools import ROOT, program
from tests.waiting import wait_until

OPERATOR: Final = "ops"
SYSTEMD: Final = Path("/lib/systemd/systemd")
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNITS: Final = (
    "sysinit.target", "basic.target", "multi-user.target", "shutdown.target", "network.target",
    "network-online.target", "systemd-journald.service", "systemd-journald.socket",
)  # fmt: skip
"""Those of systemd that ours and the journal need; nothing that a machine does at its start."""

BOOT: Final = """
set -eu
root=$1
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/new"
mount -t overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" overlay "$root/new"
mount --bind "$CHECKOUT" "$root/new/mnt"
cd "$root/new"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
for place in tmp run etc/systemd/system; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
chmod 1777 tmp dev/shm
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
mkdir sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
mkdir -p "sys/fs/cgroup/systemd/$GROUP"
echo $$ > "sys/fs/cgroup/systemd/$GROUP/cgroup.procs"
umount sys/fs/cgroup/systemd
for unit in $UNITS; do cp "lib/systemd/system/$unit" etc/systemd/system/; done
mkdir etc/systemd/system/sysinit.target.wants
ln -s ../systemd-journald.service etc/systemd/system/sysinit.target.wants/
mkdir run/old
pivot_root . run/old
umount -l /run/old
mount --make-rshared /
hostname machine
exec unshare --cgroup sh -c '
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
    exec "$SYSTEMD" --system --unit=basic.target --log-target=console --show-status=0'
"""


RUN_END_S: Final = 1_500
"""End of one command there: the quickstart's installs all that it needs."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where `systemd` is the first process."""

    first: int  # its process id as seen from here

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command there as root."""
        inside = ("nsenter", f"--target={self.first}", "--mount", "--pid", "--uts", "--ipc",
                  "--cgroup", "/usr/bin/env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8",
                  "SYSTEMD_PAGER=")  # fmt: skip
        return subprocess.run(
            [*inside, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=RUN_END_S,
        )  # fmt: skip

    def must(self, *words: str | Path) -> str:
        """What a command says, which has to end well."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def shows(self, unit: str, what: str) -> str:
        """A property of a unit."""
        return self.must("systemctl", "show", "--property", what, "--value", unit).strip()


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Boot it. Without the right to, the test is skipped, and in CI it fails."""
    program("systemd-analyze")  # of the same package
    if os.geteuid() != 0:
        why = "only root can boot a machine in namespaces"
        pytest.fail(why) if IN_CI else pytest.skip(why)
    root = folder / "root"
    root.mkdir()
    console = folder / "console.log"
    group = f"otpguard-{uuid.uuid4().hex}"
    spaces = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
              "--propagation=private")  # fmt: skip
    with console.open("wb") as log:
        booted = subprocess.Popen(
            [*spaces, "/bin/sh", "-c", BOOT, "sh", str(root)], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
            env={"PATH": PATH, "container": "test", "UNITS": " ".join(UNITS), "GROUP": group,
                 "CHECKOUT": str(ROOT),
                 "SYSTEMD": str(SYSTEMD), "SYSTEMD_UNIT_PATH": "/etc/systemd/system"},
        )  # fmt: skip
    try:
        children = Path(f"/proc/{booted.pid}/task/{booted.pid}/children")

        def up() -> bool:
            if booted.poll() is not None:
                pytest.fail(f"no machine: {console.read_text()[-2000:]}")
            first = children.read_text().split()
            return bool(first) and "running" in Machine(int(first[0])).run(
                "systemctl", "is-system-running").stdout  # fmt: skip

        wait_until(up, f"systemd is up; see {console}")
        yield Machine(int(children.read_text().split()[0]))
    finally:
        for first in children.read_text().split():
            os.kill(int(first), signal.SIGKILL)  # it is gone when all that it started are
        booted.wait()
        counted = Path("/sys/fs/cgroup/systemd", group)  # what its processes were counted in
        for place in sorted((counted, *counted.rglob("*/")), reverse=True):
            if place.is_dir():
                place.rmdir()
