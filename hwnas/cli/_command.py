"""Commands that refuse an option given twice, of which only the last would count."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command of hwnas. Options that are lists may be given again."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer's.

        Raises:
            typer.BadParameter: an option is given twice.
        """
        order: list[Any] = list(self.make_parser(ctx).parse_args(args=list(args))[2])
        for i, param in enumerate(order):
            if param in order[:i] and param.param_type_name == "option" and not (param.multiple or param.is_eager):
                raise typer.BadParameter("it is given twice, and takes one value; drop one of them", ctx, param)
        return super().parse_args(ctx, args)
