"""How many cases agree with a peer: the number that is kept may only grow, and what differs has a name and a reason."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("agreement.toml")
_SHOWN = 3


class Agreement:
    """The cases of one table of `agreement.toml`, as they are compared."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.agreeing = 0
        self.excepted: Counter[str] = Counter()
        self.unexplained: list[str] = []

    def compare(self, case: str, ours: Any, theirs: Any, exception: str | None = None) -> None:
        """Counts a case. `exception`: the name, in `agreement.toml`, of why this one may differ."""
        if ours == theirs:
            self.agreeing += 1
        elif exception is not None:
            self.excepted[exception] += 1
        else:
            self.unexplained.append(f"{case}: ours {ours!r}, theirs {theirs!r}")

    def problems(self, kept: dict[str, Any]) -> list[str]:
        """What is wrong beside the table that is kept: its `agreeing`, and its `exceptions` with a reason each."""
        reasons = kept.get("exceptions", {})
        found = []
        if self.unexplained:
            shown = "; ".join(self.unexplained[:_SHOWN])
            found.append(f"{self.name}: {len(self.unexplained)} cases differ and no exception is named: {shown}")
        found += [f"{self.name}: {name} is no exception of the table" for name in self.excepted if name not in reasons]
        found += [
            f"{self.name}: nothing is excepted for {name}: remove it" for name in reasons if not self.excepted[name]
        ]
        if self.agreeing < kept["agreeing"]:
            found.append(f"{self.name}: {self.agreeing} cases agree, and {kept['agreeing']} did")
        if self.agreeing > kept["agreeing"]:
            found.append(f"{self.name}: {self.agreeing} cases agree, more than {kept['agreeing']}: write that down")
        return found

    def hold(self) -> None:
        """Fails where less agrees than is kept, or more: then the number is to be raised."""
        kept = tomllib.loads(KEPT.read_text(encoding="utf-8"))
        problems = self.problems(kept[self.name])
        assert not problems, "\n".join(problems)
