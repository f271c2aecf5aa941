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
    def stages(self) -> list[list[tuple[str, str]]]:
        """The instructions of each stage, without its `FROM`."""
        stages: list[list[tuple[str, str]]] = []
        for instruction in self.instructions:
            if instruction[0] == "FROM":
                stages.append([])
            elif stages:
                stages[-1].append(instruction)
        return stages

    @property
    def steps(self) -> list[str]:
        """What the builder stage runs, but for installing uv."""
        return [arguments for name, arguments in self.stages[0] if name == "RUN" and not arguments.startswith("pip ")]

    @property
    def uv_commands(self) -> list[list[str]]:
        return [shlex.split(step)[1:] for step in self.steps if step.startswith("uv ")]

    def environment(self, stage: int) -> dict[str, str]:
        given = " ".join(arguments for name, arguments in self.stages[stage] if name == "ENV")
        return dict(assignment.split("=", 1) for assignment in shlex.split(given))

    @property
    def labels(self) -> dict[str, str]:
        return dict(assignment.split("=", 1) for assignment in shlex.split(" ".join(self.all("LABEL"))))

    @property
    def entrypoint(self) -> list[str]:
        return [str(word) for word in json.loads(self.last("ENTRYPOINT"))]

    @property
    def command(self) -> list[str]:
        return [str(word) for word in json.loads(self.last("CMD"))]
