"""The space that is searched: which one by default, that of a front, and the choices that are left of it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, SpaceError, UnknownNameError
from hwnas.quantity import listed, parts_of
from hwnas.study._lengths import with_lengths

if TYPE_CHECKING:
    from hwnas.space import SearchSpace

DEFAULT_SPACE = "ofa_mbv3_w1.0"


def open_space(reference: str | SearchSpace | None) -> SearchSpace:
    """The space behind a reference (``hwnas.supernet.KINDS`` are all there are), or given; None for the default one.

    ``digits-fp32+int8`` is a space with a precision for every layer, and so is any other reference with that ending.

    Raises:
        UnknownNameError, SpaceError, SupernetError: there is none, or it does not load.
    """
    from hwnas.space import precisions_named
    from hwnas.supernet import reference_kind

    if reference is not None and not isinstance(reference, str):
        return reference
    name = DEFAULT_SPACE if reference is None else reference
    plain, precisions = precisions_named(name)
    if precisions and not Path(name.removeprefix("hf:")).exists():
        return with_precisions_of(name, open_space(plain))
    return reference_kind(name).space(name).opened_by(name)


def open_in(reference: str | SearchSpace | None, precision: str | None) -> tuple[SearchSpace, str | None]:
    """A space as it is searched in a precision, and the precision as ``hwnas.graph.parse_precision`` writes it.

    Raises:
        UnknownNameError, SpaceError, SupernetError: as :func:`open_space`, or there is no such precision.
        DataError: one for all, of a space whose layers have their own.
    """
    from hwnas.graph import mixed_space, parse_precision

    space, asked = open_space(reference), parse_precision(precision) if precision is not None else None
    if space.plain is None:
        return (space if asked is None else mixed_space(space, asked)), asked
    own = "+".join(space.precisions)
    if asked is not None and asked != own:
        named = {*asked.split("+")} <= {*space.precisions}
        left = f"they choose from {listed(space.precisions)}: drop --precision"
        remedy = f"fix them: --fix q={asked.replace('+', ',')}" if named else left
        raise DataError(f"precision {asked}", f"the layers of {space.name} have precisions of their own", remedy)
    return space, own


def with_precisions_of(name: str, space: SearchSpace) -> SearchSpace:
    """``space``, with precisions for its layers if a name says so.

    Raises:
        UnknownNameError, SpaceError: there are no such precisions, or they cannot be mixed.
    """
    from hwnas.graph import mixed_space, parse_precision
    from hwnas.space import precisions_named

    _, precisions = precisions_named(name)
    return mixed_space(space, parse_precision("+".join(precisions))) if precisions else space


def plain_name(name: str) -> str:
    """A space's name, without the precisions of layers and the number of classes that it may tell."""
    return _family_and_classes(name)[0]


def classes_of(name: str) -> int | None:
    """The number of classes that a space's name tells, if it is another than its family's."""
    return _family_and_classes(name)[1]


def _family_and_classes(name: str) -> tuple[str, int | None]:
    from hwnas.space import classes_named, precisions_named

    return classes_named(precisions_named(name)[0])


def space_of_front(facts: Mapping[str, Any], csv: Path, name: str | None) -> SearchSpace:
    """The space that was searched, as the provenance beside a CSV tells, or as named.

    Raises:
        DataError: neither tells. SpaceError: the space has changed since, or the provenance tells another one.
    """
    from hwnas.space import with_classes

    about = facts.get("space") or {}
    if name is None and not about.get("name"):
        raise DataError(f"file {csv}", "nothing beside it tells its space", "pass --space NAME")
    try:
        space = open_space(name or about.get("reference") or about["name"])
    except UnknownNameError:  # files of earlier versions name the supernet alone
        supernet = (facts.get("evaluator") or {}).get("supernet")
        if name is None and (table := table_of(facts)) is not None:
            rule = f"its space is the table {table}, without networks"
            raise SpaceError(f"file {csv}", rule, "pass a front of a supernet") from None
        if name is not None or not isinstance(supernet, str):
            raise
        space = open_space(supernet)
    searched = str(about.get("name"))
    classes = classes_of(searched)
    if name is None and classes is not None and space.name == plain_name(searched):
        space = with_classes(space, classes)
    if name is None and space.plain is None:
        space = with_precisions_of(searched, space)
    if name is not None:
        refuse_other_space(facts, csv, space)
    elif about.get("fingerprint") not in (None, space.fingerprint):
        raise SpaceError(f"space {space.name}", f"it is not the one that {csv} was searched in", "search again")
    return space


def table_of(facts: Mapping[str, Any]) -> str | None:
    """The file that was the space of a front, where a library of no model was searched; None for others."""
    name = (facts.get("space") or {}).get("name")
    files = [str(file.get("name")) for file in facts.get("files") or ()]
    return next((file for file in files if Path(file).stem == name), None)


def refuse_other_space(facts: Mapping[str, Any], csv: Path, space: SearchSpace) -> None:
    """Refuse a space that was named where the provenance beside a CSV tells another one. Of those that are no registered
    names the files may have been renamed since.

    Raises:
        SpaceError: it does.
    """
    about = facts.get("space") or {}
    if about.get("reference") is None and about.get("fingerprint") not in (None, space.fingerprint):
        rule = f"the JSON beside {csv} says that its subnets are of {about.get('name')}"
        raise SpaceError(f"space {space.name}", rule, "drop --space")


def restricted(space: SearchSpace, fixes: Sequence[str] | None, *, any_length: bool = False) -> SearchSpace:
    """``space`` with the choices that ``--fix GENE=VALUE[,VALUE...]`` leaves: with ``q[0]=int4`` and ``q=fp32,int8`` the latter
    are for all others.

    Args:
        space: with choices.
        fixes: what is said, once for each ``--fix``.
        any_length: let a decoder's runs have lengths that it has no choice of.

    Raises:
        SpaceError: not of that form, an unknown gene, or a value that is no choice of it.
        DataError: a comma too many.
    """
    allowed: dict[str, list[int | float | str]] = {}
    for fix in fixes or ():
        gene, equals, values = fix.partition("=")
        if not equals or not gene.strip() or not values.strip():
            known = gene.strip() if gene.strip() in space.groups else next(iter(space.groups))
            example = space.genes[space.groups[known][0]].choices[-1]
            remedy = f"write for example --fix {known}={example}"
            raise SpaceError(f"fix {fix}", "it reads GENE=VALUE or GENE=VALUE,VALUE", remedy)
        allowed.setdefault(gene.strip(), []).extend(map(_value, parts_of(values, f"--fix {gene.strip()}=")))
    if any_length:
        space = with_lengths(space, allowed)
    for gene, wanted in allowed.items():
        space = _checked(space, gene, wanted, allowed.keys() - {gene})
    return space


def _checked(space: SearchSpace, gene: str, wanted: list[int | float | str], named: Container[str]) -> SearchSpace:
    columns = space.groups.get(gene, [])
    known = {choice for c in columns for choice in space.genes[c].choices}
    stray = [v for v in wanted if columns and v not in known]
    if stray:
        nearest = ", ".join(str(v) for v in sorted(known, key=_in_order))
        raise SpaceError(f"fix {gene}={stray[0]}", f"choices of {gene} in {space.name} are {nearest}", "pick from them")
    genes = [space.genes[c] for c in columns]
    if not any(each.name in named for each in genes):
        return space.restrict(**{gene: wanted})
    left = {each.name: [v for v in wanted if v in each.choices] for each in genes if each.name not in named}
    return space.restrict(**{name: choices or wanted for name, choices in left.items()})


def _in_order(value: float | str) -> tuple[bool, float, str]:
    """Sorts numbers by size, and texts behind them."""
    return (True, 0.0, value) if isinstance(value, str) else (False, float(value), "")


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
