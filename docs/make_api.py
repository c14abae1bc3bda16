"""Writes docs/api.md from docstrings: ``python docs/make_api.py``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("api.md")

PUBLIC = {
    "The application": (
        "hwnas.Study hwnas.Front hwnas.Evaluation hwnas.study.SearchSettings hwnas.study.Provenance hwnas.Metric "
        "hwnas.metric.Budget hwnas.metric.get_metric"
    ),
    "Errors": (
        "hwnas.errors.HwnasError hwnas.errors.DataError hwnas.errors.DeviceError hwnas.errors.InfeasibleError "
        "hwnas.errors.NotHeldError hwnas.errors.PredictorError hwnas.errors.QuantityError hwnas.errors.SpaceError "
        "hwnas.errors.SupernetError hwnas.errors.TableError hwnas.errors.UnknownNameError"
    ),
    "Spaces": (
        "hwnas.space.get_space hwnas.space.SearchSpace hwnas.space.Gene hwnas.space.conditional hwnas.space.Slot "
        "hwnas.space.LayerSpec hwnas.space.OpList hwnas.space.Op hwnas.space.macs_cost hwnas.space.params_cost"
    ),
    "Supernets and tasks": (
        "hwnas.supernet.load_supernet hwnas.supernet.Supernet hwnas.supernet.Subnet hwnas.task.Task "
        "hwnas.task.TrainingTask hwnas.task.OwnLossTask hwnas.task.Estimate hwnas.task.ImageFolder"
    ),
    "Latency": "hwnas.latency.get_device hwnas.latency.Device hwnas.latency.LatencyTable",
    "Workers": "hwnas.executor.Where hwnas.executor.Executor hwnas.executor.Opener hwnas.executor.Processes hwnas.executor.Cluster",
    "Predictors": "hwnas.predictor.new_predictor hwnas.predictor.Predictor",
    "Searchers": (
        "hwnas.search.Searcher hwnas.search.SearchOptions hwnas.search.Problem hwnas.search.Stepwise "
        "hwnas.search.Evaluator hwnas.search.run_search hwnas.search.drive_freely"
    ),
}

HEAD = """# Python interface

Generated from docstrings by `python docs/make_api.py`; a test compares it. Names that stand here are kept, or renamed with a word in
the changelog. Plug-ins of installed packages are found by the entry points `hwnas.spaces`, `hwnas.supernets`, `hwnas.metrics` and
`hwnas.searchers`; others by `package.module:Name` or `file.py:Name` ([CONTRIBUTING](../CONTRIBUTING.md)).
"""

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example):$")
_ENTRY = re.compile(r"^([*\w][\w*, .]*): (.*)$")


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, names in PUBLIC.items():
        parts.append(f"## {title}\n")
        parts += [entry for name in names.split() for entry in _entries(name)]
    return "\n".join(parts)


def _entries(name: str) -> Iterator[str]:
    module, _, attribute = name.rpartition(".")
    found = getattr(import_module(module), attribute)
    yield f"### {name}\n"
    yield _described(attribute, found)
    if inspect.isclass(found):
        for member, value in vars(found).items():
            plain = getattr(value, "__func__", value)
            is_default = member in getattr(found, "__dataclass_fields__", {})
            if member.startswith("_") or is_default or not (isinstance(plain, _DESCRIBED) or callable(plain)):
                continue
            if not inspect.getdoc(plain):
                continue
            yield f"#### {attribute}.{member}\n"
            yield _described(f"{attribute}.{member}", plain)


_DESCRIBED = (property, cached_property)


def _described(name: str, found: Any) -> str:
    text = _markdown(inspect.getdoc(found) or "")
    if isinstance(found, _DESCRIBED):
        getter = found.fget if isinstance(found, property) else found.func
        return f"```text\n{name}: {getter.__annotations__.get('return', 'Any')}\n```\n\n{text}"
    if inspect.isclass(found) and (issubclass(found, Exception) or getattr(found, "_is_protocol", False)):
        return text
    return f"```text\n{_signature(name, found)}\n```\n\n{text}"


def _signature(name: str, found: Any) -> str:
    """The call, on one line if it is short, else one parameter per line."""
    try:
        signature = inspect.signature(found)
    except ValueError:
        return name
    shown, kind = [], inspect.Parameter.POSITIONAL_ONLY
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and kind not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            shown.append("*")
        kind = parameter.kind
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(kind, "")
        typed = "" if parameter.annotation is parameter.empty else f": {_plain(parameter.annotation)}"
        default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
        if parameter.name not in ("self", "cls"):
            shown.append(f"{star}{parameter.name}{typed}{default}")
    returned = signature.return_annotation
    arrow = "" if returned in (signature.empty, None, "None") or inspect.isclass(found) else f" -> {_plain(returned)}"
    line = f"{name}({', '.join(shown)}){arrow}"
    return line if len(line) <= 100 else f"{name}(\n    " + ",\n    ".join(shown) + f",\n){arrow}"


def _plain(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:
    if inspect.isroutine(value):
        return "..." if value.__name__ == "format" else value.__name__
    return "..." if "object at 0x" in repr(value) or "factory" in repr(value) else repr(value)


def _markdown(text: str) -> str:
    """A docstring in Google's style as Markdown: sections as bold words and lists."""
    out: list[str] = []
    section = ""
    for line in re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`").splitlines():
        if _SECTION.match(line):
            section = line.removesuffix(":")
            out += [f"**{section}**", ""] if section != "Example" else ["```text"]
            continue
        if section and line and not line.startswith(" "):
            out += ["```", ""] if section == "Example" else []
            section = ""
        entry = _ENTRY.match(line[4:]) if section and section != "Example" and not line.startswith("     ") else None
        if entry is not None:
            out.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            out.append(f"  {line.strip()}".rstrip() if section not in ("", "Example") else line.removeprefix("    "))
    return "\n".join([*out, "```"] if section == "Example" else out).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
