"""What the attacks share: a canary on the host, and programs of the attacker's, compiled when they are first needed."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .host import eventually, mounts

# Exchanges two names until it is killed, as fast as it can.
SWAPPER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
int main(int count, char **words)
{
	(void)count;
	for (;;)
		if (renameat2(AT_FDCWD, words[1], AT_FDCWD, words[2], RENAME_EXCHANGE))
			return 1;
}
"""

# Looks at every process that is not its own until /tmp/stop exists: prints what their descriptors, directories and
# programs lead to, each finding once.
INSPECTOR = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char seen[65536];

static void look(const char *path)
{
	char target[512], line[1100];
	ssize_t length = readlink(path, target, sizeof target - 1);

	if (length < 0)
		return;
	target[length] = 0;
	snprintf(line, sizeof line, "%s\n", target);
	if (!strstr(seen, line) && strlen(seen) + strlen(line) < sizeof seen) {
		strcat(seen, line);
		fputs(line, stdout);
		fflush(stdout);
	}
	if (strstr(path, "/exe") && strstr(target, "stave")) {
		int fd = open(path, O_RDWR);

		if (fd >= 0 && write(fd, "x", 1) == 1)
			puts("overwritten");
	}
}

int main(void)
{
	puts("ready");
	fflush(stdout);
	while (access("/tmp/stop", F_OK)) {
		for (int pid = 2; pid < 400; pid++) {
			char path[64];

			if (pid == getpid())
				continue;
			for (int fd = 0; fd < 24; fd++) {
				snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
				look(path);
			}
			snprintf(path, sizeof path, "/proc/%d/cwd", pid);
			look(path);
			snprintf(path, sizeof path, "/proc/%d/exe", pid);
			look(path);
		}
	}
	return 0;
}
"""

# Tries to write to its own program file as it was started from, and keeps trying from a descriptor it took.
OVERWRITER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words)
{
	int written = 0;

	(void)words;
	for (int pid = 0; pid < 60; pid++) {
		char path[64];
		int fd;

		snprintf(path, sizeof path, pid ? "/proc/%d/exe" : "/proc/self/exe", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		for (int i = 0; i < 200; i++) {
			char again[64];
			int writable;

			snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
			writable = open(again, i % 2 ? O_WRONLY : O_WRONLY | O_TRUNC);
			if (writable >= 0) {
				written += write(writable, "#!/bin/evil\n", 12) > 0;
				close(writable);
			}
		}
	}
	printf("%d %d\n", count, written);
	return 0;
}
"""


@functools.cache
def _build_directory() -> Path:
    return Path(tempfile.mkdtemp(prefix="stave-attacks-"))


@functools.cache
def _compiled(source: str) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    target = _build_directory() / f"program-{abs(hash(source))}"
    command: list[str | Path] = [compiler, "-O1", "-static", "-x", "c", "-", "-o", target]
    subprocess.run(command, input=source.encode(), check=True)
    return target


def program(source: str, target: Path) -> Path:
    """The compiled source is at the path."""
    shutil.copy(_compiled(source), target)
    target.chmod(0o755)
    return target


def forget_programs() -> None:
    """The compiled programs are gone."""
    shutil.rmtree(_build_directory(), ignore_errors=True)
    _build_directory.cache_clear()
    _compiled.cache_clear()


@contextlib.contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Two names are exchanged all the time."""
    place = one.parent / ".swapper"
    with subprocess.Popen([program(SWAPPER, place), one, other]) as process:
        try:
            # Else the test would prove nothing.
            eventually(lambda: os.path.islink(one), "the swapper swaps")
            eventually(lambda: not os.path.islink(one), "the swapper swaps back")
            yield
            assert process.poll() is None
        finally:
            process.kill()
    place.unlink()


class Canary:
    """A directory on the host that nobody may touch: content, owners, modes and times, and no mounts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "sub").mkdir(parents=True)
        for name in ("file", "sub/file", "null", "console"):
            (path / name).write_text("canary\n")
        os.chown(path / "file", 4321, 1234)
        self._before = self._look()

    def assert_alive(self) -> None:
        """It is as it was."""
        assert self._look() == self._before
        assert not [line for line in mounts() if str(self.path) in line.split()[4]]

    def _look(self) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for directory, names, files in os.walk(self.path):
            for name in [".", *names, *files]:
                path = Path(directory, name)
                status = path.lstat()
                content = path.read_bytes() if path.is_file() else sorted(os.listdir(path))
                found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
        return found
