"""Wall clocks that step: each process's own, by a library between it and the system (``clock.c``)."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
COMPILERS = ("cc", "gcc", "clang")
_NUMBER = struct.Struct("=q")


def compiler() -> str:
    """The C compiler; empty where there is none."""
    return next((found for name in COMPILERS if (found := shutil.which(name))), "")


class Clocks:
    """The clocks of all processes that start with :attr:`environment`, and of what they fork."""

    def __init__(self, folder: Path) -> None:
        """Build the library. Raises :class:`subprocess.CalledProcessError` with the compiler's words."""
        self._folder = folder / "clocks"
        self._folder.mkdir(parents=True)
        library = folder / "clock.so"
        command = [compiler(), "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        self.environment: Mapping[str, str] = {"LD_PRELOAD": str(library), "SOAK_CLOCKS": str(self._folder)}

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """What is started in this block has a clock of its own."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def set(self, pid: int, seconds: int) -> None:
        """Let one process's clock be wrong by so much; 0 puts it right.

        Raises :class:`FileNotFoundError` for one that was started without a clock of its own.
        """
        file = os.open(self._folder / str(pid), os.O_WRONLY)
        try:
            os.pwrite(file, _NUMBER.pack(seconds), 0)
        finally:
            os.close(file)
