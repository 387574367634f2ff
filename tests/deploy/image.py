"""Builds the images with buildah, without a container engine, and runs processes from their roots.

No registry is asked: the base is a Debian that mmdebstrap makes, once, into `.cache`. A process
gets what a pod gives it: the image's user and environment, a read-only root, a tmpfs on /tmp.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.brokers import IN_CI
from tests.deploy.tools import ROOT
from tests.enforce.services import CACHE, need

RELEASE: Final = "bookworm"
BASE: Final = "localhost/otpguard-base"

PACKAGES: Final = {
    "buildah": "buildah",
    "podman": "podman",
    "mmdebstrap": "mmdebstrap",
    "unshare": "util-linux",
}

ENTER: Final = """
set -eu
root=$1; image=$2; settings=$3; user=$4; folder=$5
shift 5
mount -t tmpfs tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/new"
mount -t overlay -o "lowerdir=$image,upperdir=$root/upper,workdir=$root/work" overlay "$root/new"
mkdir -p "$root/new/etc/otpguard" "$root/new/mnt"
cp "$settings" "$root/new/etc/otpguard/otpguard.toml"
chmod 644 "$root/new/etc/otpguard/otpguard.toml"
mount -o remount,ro "$root/new"
mount -t proc proc "$root/new/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/new/tmp"
mount --bind /dev "$root/new/dev"
exec chroot --userspec="$user" "$root/new" /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""
"""Arguments: a folder to mount on, the image's root, settings, user, working folder, command."""


@dataclass(frozen=True, slots=True)
class Image:
    """What was built, and where its root is mounted."""

    root: Path
    config: dict[str, Any]  # as its `Config` says: User, Env, Entrypoint, Cmd, …
    health: list[str]  # the command that tells if it is well

    def megabytes(self, place: str) -> int:
        """What a folder of it takes on disk."""
        said = subprocess.run(["du", "-sm", self.root / place.lstrip("/")], capture_output=True,
                              text=True, check=True)  # fmt: skip
        return int(said.stdout.split()[0])

    def command(self, folder: Path, settings: Path, *words: str, **environment: str) -> list[str]:
        """How to start it there with the arguments `words`, or with its own if there are none."""
        folder.mkdir(parents=True, exist_ok=True)
        variables = [*self.config["Env"], *(f"{k}={v}" for k, v in environment.items())]
        inside = [*self.config["Entrypoint"], *(words or self.config["Cmd"])]
        return [
            "unshare", "--mount", "--propagation=private", "/bin/sh", "-c", ENTER, "sh",
            str(folder), str(self.root), str(settings), self.config["User"],
            self.config["WorkingDir"], "/usr/bin/env", "-i", *variables, *inside,
        ]  # fmt: skip


class Builder:
    """Images of one folder, which goes with the test."""

    def __init__(self, folder: Path) -> None:
        for program, package in PACKAGES.items():
            need(program, package)
        if os.geteuid() != 0:
            why = "only root can build an image by chroot"
            pytest.fail(why) if IN_CI else pytest.skip(why)
        self.folder = folder
        limits = folder / "containers.conf"
        limits.write_text("[containers]\ndefault_ulimits = []\n")
        self._environment = {**os.environ, "CONTAINERS_CONF": str(limits)}
        # podman takes no path of over 50 characters for it, and a test's folder may be longer.
        self._run = tempfile.TemporaryDirectory(prefix="otpguard-run-", dir="/tmp")
        self._storage = ("--root", str(folder / "storage"), "--runroot", self._run.name,
                         "--storage-driver", "vfs")  # fmt: skip
        self._based = False

    def build(self, target: str) -> Image:
        """Base, image, mount."""
        name = f"localhost/otpguard-{target}:test"
        if not self._based:
            self._lay_the_base()
        docker = ROOT / "deploy" / "docker"
        trust = [
            word
            for variable in ("PIP_CERT", "SSL_CERT_FILE")
            if variable in os.environ  # a network with an authority of its own
            for word in ("--env", variable)
        ]
        self._must(
            "buildah", "bud", "--isolation=chroot", "--network=host", "--ulimit=nofile=1024:1024",
            "--format=docker", "--layers=false", "--volume=/etc/ssl:/etc/ssl:ro", *trust,
            "--build-arg", f"BASE={BASE}", "--file", str(docker / "Dockerfile"),
            "--ignorefile", str(docker / "Dockerfile.dockerignore"), "--target", target,
            "--tag", name, str(ROOT),
        )  # fmt: skip
        (told,) = json.loads(self._must("podman", "inspect", name))
        mounted = Path(self._must("podman", "image", "mount", name))
        return Image(mounted, told["Config"], told["Healthcheck"]["Test"])

    def _lay_the_base(self) -> None:
        start = self._must("buildah", "from", "scratch")
        self._must("buildah", "add", start, str(base()), "/")
        self._must("buildah", "commit", "--rm", start, BASE)
        self._based = True

    def close(self) -> None:
        """Nothing of it stays, mounts included."""
        self._must("podman", "image", "umount", "--all")
        shutil.rmtree(self.folder / "storage")
        self._run.cleanup()

    def _must(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [program, *self._storage, *words], capture_output=True, text=True, check=False,
            env=self._environment,
        )  # fmt: skip
        if done.returncode:
            pytest.fail(f"{program} {words[0]}: {done.stdout[-2000:]}{done.stderr[-3000:]}")
        return done.stdout.strip()


def base() -> Path:
    """A Debian with Python, as an archive; it stays, as checkov's environment does."""
    archive = CACHE.absolute() / f"debian-{RELEASE}.tar"
    if not archive.exists():
        CACHE.mkdir(exist_ok=True)
        made = archive.with_suffix(f".{os.getpid()}.tar")
        done = subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase",
             "--include=python3,python3-venv,ca-certificates",
             '--customize-hook=ln -s python3 "$1/usr/bin/python"', RELEASE, str(made)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.fail(f"mmdebstrap: {done.stderr[-3000:]}")
        made.rename(archive)
    return archive
