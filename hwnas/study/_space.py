"""Open the space of a search or of a front, and restrict its choices."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.arguments import parts_of
from hwnas.errors import DataError, HwnasError, SpaceError, UnknownNameError
from hwnas.study._lengths import with_lengths
from hwnas.study._provenance import Provenance
from hwnas.wording import listed

if TYPE_CHECKING:
    from hwnas.space import SearchSpace

DEFAULT_SPACE = "ofa_mbv3_w1.0"


def open_space(reference: str | SearchSpace | None) -> SearchSpace:
    """Open the space behind a reference (see ``hwnas.supernet.KINDS``); None opens the default one.

    A reference that ends in precisions, such as ``digits-fp32+int8``, opens a space with a precision for every layer.

    Raises:
        UnknownNameError, SpaceError, SupernetError: there is no such space, or it does not load.
    """
    from hwnas.space import precisions_named
    from hwnas.supernet import reference_kind

    if reference is not None and not isinstance(reference, str):
        return reference
    name = DEFAULT_SPACE if reference is None else reference
    plain, precisions = precisions_named(name)
    if precisions and not Path(name.removeprefix("hf:")).exists():
        return with_precisions_of(name, open_space(plain))
    return reference_kind(name).space().opened_by(name)


def open_in(reference: str | SearchSpace | None, precision: str | None) -> tuple[SearchSpace, str | None]:
    """Open a space in a precision; returns it and the precision in the form of ``hwnas.graph.parse_precision``.

    Raises:
        UnknownNameError, SpaceError, SupernetError: as :func:`open_space`, or there is no such precision.
        DataError: one precision is asked for, but layers have their own.
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
        raise DataError(f"precision {asked}", f"the layers of {space.name} have their own precisions", remedy)
    return space, own


def with_precisions_of(name: str, space: SearchSpace) -> SearchSpace:
    """``space``, with precisions for its layers if a name ends in some.

    Raises:
        UnknownNameError, SpaceError: there are no such precisions, or they cannot be mixed.
    """
    from hwnas.graph import mixed_space, parse_precision
    from hwnas.space import precisions_named

    _, precisions = precisions_named(name)
    return mixed_space(space, parse_precision("+".join(precisions))) if precisions else space


def plain_name(name: str) -> str:
    """A space's name, without precisions and number of classes."""
    return _plain_and_classes(name)[0]


def classes_of(name: str) -> int | None:
    """The number of classes in a space's name; None if it is its family's."""
    return _plain_and_classes(name)[1]


def _plain_and_classes(name: str) -> tuple[str, int | None]:
    from hwnas.space import classes_named, precisions_named

    return classes_named(precisions_named(name)[0])


def space_of_front(provenance: Provenance, csv: Path, name: str | None) -> SearchSpace:
    """The space of a front, by name or by the provenance beside its CSV.

    Raises:
        DataError: there is neither a name nor a provenance.
        SpaceError: the space has changed since or does not open here, or the provenance names another one.
    """
    from hwnas.space import with_classes

    searched = provenance.space
    if name is None and not searched.name:
        raise DataError(f"file {csv}", "no JSON beside it names its space", "pass --space NAME")
    try:
        space = open_space(name or searched.reference or searched.name)
    except UnknownNameError:  # files of earlier versions only name the supernet
        supernet = (provenance.evaluator or {}).get("supernet")
        if name is None and (table := table_of(provenance)) is not None:
            rule = f"its space is the table {table}, without networks"
            raise SpaceError(f"file {csv}", rule, "pass a front of a supernet") from None
        if name is not None or not isinstance(supernet, str):
            raise
        space = open_space(supernet)
    except HwnasError as error:
        if name is not None or searched.reference is None:
            raise
        rule = f"it was searched in {searched.reference}, which does not open here ({error.rule})"
        raise SpaceError(f"file {csv}", rule, "run the command where the search ran, or pass --space NAME") from error
    classes = classes_of(searched.name)
    if name is None and classes is not None and space.name == plain_name(searched.name):
        space = with_classes(space, classes)
    if name is None and space.plain is None:
        space = with_precisions_of(searched.name, space)
    if name is not None:
        refuse_other_space(provenance, csv, space)
    elif searched.fingerprint not in (None, space.fingerprint):
        raise SpaceError(f"space {space.name}", f"it is not the one that {csv} was searched in", "search again")
    return space


def table_of(provenance: Provenance) -> str | None:
    """The file that was the space of a front: a library without a model. None for other fronts."""
    files = [str(file.get("name")) for file in provenance.files]
    return next((file for file in files if Path(file).stem == provenance.space.name), None)


def refuse_other_space(provenance: Provenance, csv: Path, space: SearchSpace) -> None:
    """Refuse a named space if the provenance beside a CSV names another one. A space that is a file may have been renamed.

    Raises:
        SpaceError: the spaces differ.
    """
    searched = provenance.space
    if searched.reference is None and searched.fingerprint not in (None, space.fingerprint):
        rule = f"the JSON beside {csv} says that its subnets are of {searched.name}"
        raise SpaceError(f"space {space.name}", rule, "drop --space")


def restricted(space: SearchSpace, fixes: Sequence[str] | None, *, any_length: bool = False) -> SearchSpace:
    """``space`` with the choices that ``--fix GENE=VALUE[,VALUE...]`` leaves.

    A fix of a single gene, such as ``q[0]=int4``, takes precedence over one of its group, ``q=fp32,int8``.

    Args:
        space: the space.
        fixes: the text of each ``--fix``.
        any_length: allow lengths of a decoder's runs that its genes do not have.

    Raises:
        SpaceError: a text has another form, a gene is unknown, or a value is not one of its choices.
        DataError: there is a comma too many.
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
    """Sort key: numbers by size, then texts."""
    return (True, 0.0, value) if isinstance(value, str) else (False, float(value), "")


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
