"""The parts of a Dockerfile that the deploy tests look at or carry out."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Dockerfile:
    """Instructions in order, continuation lines joined: `("COPY", "a b")`."""

    instructions: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, path: Path) -> "Dockerfile":
        lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
        joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
        return cls(tuple((line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()))

    def all(self, name: str) -> list[str]:
        return [arguments for instruction, arguments in self.instructions if instruction == name]

    def last(self, name: str) -> str:
        return self.all(name)[-1]

    @property
    def sources(self) -> list[str]:
        """Every path of the repository that any stage copies."""
        copies = [arguments.split() for arguments in self.all("COPY") if not arguments.startswith("--from")]
        return [source for copy in copies for source in copy[:-1]]

    @property
    def uv_commands(self) -> list[list[str]]:
        return [shlex.split(run)[1:] for run in self.all("RUN") if run.startswith("uv ")]

    @property
    def command(self) -> list[str]:
        return [str(word) for word in json.loads(self.last("CMD"))]
