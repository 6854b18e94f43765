"""The arguments of a template: by position and by name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arguments:
    """Positional arguments in order, and named ones; blanks around a value are not part of it."""

    positional: list[str]
    named: dict[str, str]

    def at(self, number: int) -> str:
        """The positional argument {{{number}}}, counted from 1; "" when absent."""
        if str(number) in self.named:
            return self.named[str(number)]
        return self.positional[number - 1] if number <= len(self.positional) else ""

    def get(self, *names: str) -> str:
        """The first of the named arguments that is present and not empty; "" when none is."""
        return next((value for name in names if (value := self.named.get(name))), "")


def parse(raw: list[str]) -> Arguments:
    """Split `name=value` from positional arguments. A number may be given as a name: `1=text`."""
    positional: list[str] = []
    named: dict[str, str] = {}
    for argument in raw:
        name, equals, value = argument.partition("=")
        if equals and _is_name(name):
            named[name.strip().lower()] = value.strip()
        else:
            positional.append(argument.strip())
    return Arguments(positional, named)


def _is_name(name: str) -> bool:
    # A sentence or an address that holds "=" is a value: its authors forgot the "1=".
    return len(name) <= 40 and "/" not in name and "." not in name
