"""Errors a user can act on.

Every error states the value at fault, the rule that it breaks, and the remedy. Library code raises them; the command line prints
``str(error)`` on one line and exits with code 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class HwnasError(Exception):
    """Base of all errors that hwnas raises on purpose.

    Args:
        value: the input at fault, named so that the user can find it (``"population 1"``, ``"--latency 20"``).
        rule: the rule that it breaks (``"a quantity needs a unit"``).
        remedy: what the user can do (``"write 20ms"``).
    """

    def __init__(self, value: str, rule: str, remedy: str) -> None:
        super().__init__(f"{value}: {rule}; {remedy}")
        self.value = value
        self.rule = rule
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors of worker processes are pickled. By default an exception is rebuilt from its message alone, which does not fit
        # the three arguments.
        return _unpickled, (type(self), self.args, self.__dict__)


class QuantityError(HwnasError):
    """A number without a unit, with the wrong unit, or out of range."""


class SpaceError(HwnasError):
    """An arch, gene or population that is not of the search space."""


class DeviceError(HwnasError):
    """A device, provider or option that this machine does not offer."""


class TableError(HwnasError):
    """A latency table that cannot be read, or lacks rows."""


class PredictorError(HwnasError):
    """A predictor that cannot be fitted or read, or belongs to another space."""


class SupernetError(HwnasError):
    """A checkpoint or supernet that cannot be used."""


class DataError(HwnasError):
    """A data file with wrong columns, rows or values."""


class InfeasibleError(HwnasError):
    """A budget that no subnet of the space can meet."""


class NotHeldError(HwnasError):
    """The input was fine and the work is done, but the result breaks a promise, such as a measured subnet over its budget."""


class UnknownNameError(HwnasError):
    """A name that is not registered; suggests the nearest registered one.

    Args:
        kind: of the named thing.
        name: as it was given.
        known: registered names.
        otherwise: another remedy, in case the name is right.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], otherwise: str = "") -> None:
        names = sorted(known)
        folded = {each.casefold(): each for each in names}
        typed = str(name).casefold()
        completions = [each for each in folded if typed and each.startswith(typed)]
        near = completions or get_close_matches(typed, folded, n=1, cutoff=0.5)
        remedy = f"did you mean {folded[near[0]]!r}?" if near else f"known: {', '.join(names) or 'none'}"
        remedy += f"{' Or' if near else '; or'} {otherwise}" if otherwise else ""
        super().__init__(f"{kind} {name!r}", f"there is no such {kind}", remedy)
        self.name = name
        self.known = names


def _unpickled(kind: type[HwnasError], args: tuple[Any, ...], facts: dict[str, Any]) -> HwnasError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error
