"""The space of a search, and the metrics in the user's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError
from hwnas.files import file_hash
from hwnas.study._library_file import Library, read_library
from hwnas.study._request import Request
from hwnas.study._space import open_in, restricted

if TYPE_CHECKING:
    from hwnas.io import SubnetTable
    from hwnas.search import MetricFunction
    from hwnas.space import SearchSpace


@dataclass(frozen=True)
class Given:
    """A space and the contents of the user's files.

    Attributes:
        space: the space with the choices that ``--fix`` leaves.
        columns: metrics by name, in the order of the files.
        facts: names and hashes of the files, for the provenance.
        table: the tables of subnets, with all their columns.
        library: the library that is the space; None if there is none.
    """

    space: SearchSpace
    columns: Mapping[str, MetricFunction] = field(default_factory=dict)
    facts: list[dict[str, Any]] = field(default_factory=list)
    table: SubnetTable | None = None
    library: Library | None = None

    @property
    def of_model(self) -> bool:
        """Whether the space is the library of a model, and not just any table."""
        return self.library is not None and self.library.model is not None


def read_given(request: Request, of: SearchSpace | None) -> Given:
    """Read the files.

    Args:
        request: names the files, and objectives that may rename their columns.
        of: the space, if it is known already; None if the request names it.

    Raises:
        DataError: a file does not fit, or options exclude each other.
        UnknownNameError: there is no such space.
    """
    from hwnas.io import read_subnet_table
    from hwnas.search import Lookup

    renamed = request.objectives.renamed if request.objectives is not None else {}
    files = [*([request.library] if request.library else []), *request.tables, *request.costs]
    columns: dict[str, MetricFunction] = {}
    table, library = None, None
    if request.library is not None:
        idle = {
            "space": request.space,
            "table": request.tables,
            "costs": request.costs,
            "predictor": request.predictor,
            **_of_devices(request),
        }
        _refuse(idle, " with a library", "the library is the space and its metrics")
        library = read_library(request.library)
        columns.update({renamed.get(name, name): cost for name, cost in library.costs.items()})
        space = restricted(library.space, request.fix)
    else:
        whole, _ = open_in(of or request.space, request.conditions.precision)
        space = restricted(whole, request.fix)
        if not space.slots:
            _refuse(_of_devices(request), "", f"{space.name} has no layers to time: its metrics come from a table")
        if request.tables:
            table = read_subnet_table(request.tables, space, renamed)
            columns.update({name: Lookup(space.whole, table.x, v, name) for name, v in table.columns.items()})
        elif not space.slots:
            rule = f"{space.name} has no layers: its metrics come from a table of all its subnets"
            raise DataError(f"space {space.name}", rule, "pass --table FILE.csv")
        for path in request.costs:
            space = _add_layer_costs(path, renamed, space, columns)
    facts: list[dict[str, Any]] = [{"name": path.name, "sha256": file_hash(path)} for path in files]
    if library is not None:
        facts[0] |= {name: library.facts[name] for name in ("lengths", "tables") if name in library.facts}
    return Given(space, columns, facts, table, library)


def _of_devices(request: Request) -> dict[str, object]:
    """Options of timing, by name."""
    return {
        "device": request.device,
        **vars(request.conditions),
        "as-is": request.as_is,
    }


def _refuse(options: Mapping[str, object], where: str, rule: str) -> None:
    """Refuse options that have no meaning here.

    Raises:
        DataError: one was given; the message names the first.
    """
    for option, value in options.items():
        if value:
            raise DataError(f"{option}{where}", rule, f"drop --{option}")


def _add_layer_costs(
    path: Path, renamed: Mapping[str, str], space: SearchSpace, columns: dict[str, MetricFunction]
) -> SearchSpace:
    """Add the metrics of a file as sums over layers; returns the part of the space whose layers are all in the file."""
    from hwnas.io import read_layer_costs
    from hwnas.latency import Device, LatencyTable, Row

    keys, values = read_layer_costs(path)
    for source, numbers in values.items():
        name = renamed.get(source, source)
        if name in columns:
            raise DataError(f"column {name!r} of {path}", "another file has it too", "rename it")
        rows = [Row(key, v, v, v, 1, 0) for key, v in zip(keys, numbers.tolist(), strict=True)]
        table = LatencyTable.of(Device(f"{path.name}:{source}", ""), rows)
        space = table.covered(space)
        columns[name] = table.cost(space)
    return space
