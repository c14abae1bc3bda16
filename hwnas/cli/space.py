"""``hwnas space shrink``: shrink a space to what a device's front needs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli._command import command_group
from hwnas.cli._console import say
from hwnas.cli._groups import ProblemOptions, shares_options
from hwnas.cli._next import options_of
from hwnas.cli._options import AsJson
from hwnas.cli._out import check_out
from hwnas.errors import DataError
from hwnas.wording import count_of, listed

if TYPE_CHECKING:
    from hwnas.study import ShrunkSpace

KEPT_PCT = 99.5
"""Default share of the hypervolume to keep, in percent: ``hwnas.search.SHARE``."""


@shares_options
def shrink(
    context: typer.Context,
    front: Annotated[
        Path | None,
        typer.Argument(help="A front of `hwnas search`, instead of a search now.", metavar="FRONT"),
    ] = None,
    *,
    problem: ProblemOptions,
    keep: Annotated[
        float,
        typer.Option(
            "--keep",
            help="Least share of the front's hypervolume to keep, in percent.",
            min=50,
            max=100,
            metavar="PERCENT",
        ),
    ] = KEPT_PCT,
    out: Annotated[Path, typer.Option("--out", help="JSON to write: a reference for --space.", metavar="FILE")] = Path(
        "space.json"
    ),
    to_json: AsJson = False,
) -> None:
    """Drop choices (kernels, widths, depths, precisions) that a device's front does not need.

    The front is exact if all objectives are sums over layers. Every command takes the file as --space and --supernet.

    Example: hwnas space shrink --device cpu --space ofa_mbv3_w1.0 --fix r=224 --out small.json
    """
    from hwnas.report import provenance_path
    from hwnas.study import Front, shrink, shrink_to

    check_out(out, "a shrunk space", ".json")
    if front is not None and out.absolute() == provenance_path(front).absolute():
        rule = f"{front} has its provenance there"
        raise DataError(f"--out {out}", rule, f"write --out {out.with_stem(f'{out.stem}-space')}")
    if front is not None:
        named = [word.partition("=")[0] for word in context.obj or [] if word.startswith("--")]
        given = [option for option in named if option not in _OF_FRONT]
        if given:
            raise DataError(given[0], f"{front} decides it", "drop one of the two")
        searched = Front.load(front)
        found, words = shrink_to(searched, keep / 100), shlex.split(searched.provenance.command or "")
    else:
        found, words = shrink(problem.request(), keep / 100), context.obj or []
    found.save(out)
    if to_json:
        say(out.read_text(encoding="utf-8").rstrip())
        return
    for line in _lines(found):
        say(line)
    say(f"\nwrote {out}")
    say(f"next: {_search(words, out)}")


_OF_FRONT = {"--keep", "--out", "--json"}
"""Options that have an effect with a given front."""

_IN_FILE = {"--space", "--supernet", "--fix", "--precision"} | _OF_FRONT
"""Options that the file replaces, or that a search does not have."""


def _search(words: Sequence[str], out: Path) -> str:
    """The command that searches the smaller space, by the same objectives and budgets on the same device.

    Args:
        words: words of the command that found the front.
        out: file of the smaller space.
    """
    kept = options_of(words, lambda option: option not in _IN_FILE)
    return shlex.join(["hwnas", "search", "--space", str(out), *kept])


def _lines(found: ShrunkSpace) -> list[str]:
    about = found.about
    left, before = found.space.size(), found.whole.size()
    where = f" on {about['device']}" if about["device"] else ""
    pct, rows, axes = about["hypervolume_kept_pct"], about["rows"], " against ".join(about["objectives"])
    name, fewer = found.whole.name, before / left
    lines = [
        f"{_count(left)} of {_count(before)} subnets of {name} {'is' if left == 1 else 'are'} left: {fewer:.3g} times fewer",
        f"they keep {pct:.2f} % or more of the hypervolume of the {about['front']} front ({count_of(rows, 'subnet')}, {axes}{where})",
    ]
    for group, columns in found.whole.groups.items():
        had = [{found.whole.genes[c].choices[i] for i in found.whole.domain[c]} for c in columns]
        has = [{found.space.genes[c].choices[i] for i in found.space.domain[c]} for c in columns]
        everywhere = dict.fromkeys(v for c in columns for v in found.whole.genes[c].choices)
        gone = [v for v in everywhere if any(v in h for h in had) and not any(v in h for h in has)]
        n_had, n_has = sum(map(len, had)), sum(map(len, has))
        nowhere = f"; {listed(gone)} nowhere" if gone else ""
        lines.append(f"  {group:4} {n_has} of {n_had} choices{nowhere}")
    return lines


def _count(n: int) -> str:
    return f"{n:,}" if n < 1_000_000 else f"{float(n):.3g}"


app = command_group("space", "Make smaller search spaces.", shrink)
