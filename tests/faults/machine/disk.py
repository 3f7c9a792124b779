"""A small disk for Postgres, which can be filled: a file system of its own.

It is mounted in a mount namespace of this process and its children: it is invisible elsewhere and disappears
with them, however they end.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

SIZE = "640m"
CHUNK = bytes(1024 * 1024)
_CLONE_NEWNS = 0x00020000


class UnavailableError(Exception):
    """This machine does not allow the fault. The message says why."""


class SmallDisk:
    """Replaces a folder, with its contents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._balloon = folder / "balloon"
        self._mounts: list[Path] = []

    def mount(self) -> None:
        """Copy the folder onto the small disk and mount that over the folder.

        Nothing may use the folder meanwhile.

        Raises:
            UnavailableError: not Linux, not root, or mounting is not allowed.
        """
        _own_name_space()
        owner = self._folder.stat()
        aside = self._folder.with_name(f"{self._folder.name}.aside")
        aside.mkdir()
        options = f"size={SIZE},uid={owner.st_uid},gid={owner.st_gid},mode=0700"
        # First over an empty folder: if mounting is not allowed, nothing has changed.
        _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(aside))
        _run("cp", "-a", f"{self._folder}/.", str(aside))
        _run("mount", "--bind", str(aside), str(self._folder))
        self._mounts = [self._folder, aside]

    def unmount(self) -> None:
        """Unmount it; nothing may use it any more. Does nothing if it was never mounted."""
        for mount in self._mounts:
            _run("umount", "--lazy", str(mount))
        self._mounts = []

    def fill(self) -> int:
        """Fill the disk: the bytes written."""
        written = 0
        # Unbuffered: bytes that do not fit must not be written again on closing.
        with self._balloon.open("wb", buffering=0) as balloon:
            for size in (len(CHUNK), 4096):
                try:
                    while True:
                        written += balloon.write(CHUNK[:size])
                except OSError:
                    continue
        return written

    def empty(self) -> None:
        """Free the space."""
        self._balloon.unlink(missing_ok=True)


def _own_name_space() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise UnavailableError("a small disk needs Linux and root")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise UnavailableError(f"no mount name space of one's own: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnavailableError(f"{' '.join(command[:2])}: {done.stderr.strip()}")
