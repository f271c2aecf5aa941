"""What became of every injected fault, for the table at the end of a test run."""

from collections import Counter, defaultdict
from enum import StrEnum

from tests.support.fault_proxy import FaultKind


class Outcome(StrEnum):
    HTTP_ERROR = "HTTP error"
    STREAM_ERROR = "stream_error"
    REDIRECT = "redirect"
    PER_ITEM = "told per item"
    OF_TOOL = "tool result"
    SUPPRESSED = "best effort"
    HARMLESS = "no effect"
    UNSEEN = "UNSEEN"


class OutcomeTable:
    def __init__(self) -> None:
        self._counts: dict[str, Counter[Outcome]] = defaultdict(Counter)
        self._kinds: Counter[FaultKind] = Counter()

    def add(self, scenario: str, kind: FaultKind, outcome: Outcome) -> None:
        self._counts[scenario][outcome] += 1
        self._kinds[kind] += 1

    def lines(self) -> list[str]:
        if not self._counts:
            return []
        shown = [outcome for outcome in Outcome if any(counts[outcome] for counts in self._counts.values())]
        width = max(len(scenario) for scenario in self._counts)
        total: Counter[Outcome] = sum(self._counts.values(), Counter())
        rows = [*self._counts.items(), ("all", total)]
        return [
            f"{'':{width}}  {'  '.join(f'{outcome:>13}' for outcome in shown)}  {'faults':>6}",
            *(
                f"{scenario:{width}}  {'  '.join(f'{counts[outcome]:>13}' for outcome in shown)}  {counts.total():>6}"
                for scenario, counts in rows
            ),
            "by kind: " + ", ".join(f"{kind} {count}" for kind, count in sorted(self._kinds.items())),
        ]


OUTCOMES = OutcomeTable()
