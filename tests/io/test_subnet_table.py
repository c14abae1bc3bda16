"""Tables of every subnet, and of every layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.errors import DataError
from hwnas.io import read_layer_costs, read_subnet_table
from hwnas.space import Gene, SearchSpace

SPACE = SearchSpace("pair", [Gene("ops", i, ("0", "1", "2"), aliases={0: "0", 1: "1", 2: "2"}) for i in range(2)], ())
OPS = [f"{a}{b}" for a in range(3) for b in range(3)]


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    pd.DataFrame({"id": range(9), "ops": OPS, "acc": np.arange(9) + 50.0, "note": "x"}).to_csv(
        tmp_path / "a.csv", index=False
    )
    pd.DataFrame({"id": range(8, -1, -1), "phone": np.arange(8, -1, -1) / 2}).to_csv(tmp_path / "b.csv", index=False)
    return [tmp_path / "a.csv", tmp_path / "b.csv"]


def test_tables_are_joined_and_columns_renamed(tables: list[Path]) -> None:
    x, columns = read_subnet_table(tables, SPACE, {"acc": "top1", "phone": "latency_ms"})
    assert x.tolist() == [[a, b] for a in range(3) for b in range(3)]
    assert list(columns) == ["id", "top1", "latency_ms"]
    assert columns["latency_ms"].tolist() == (np.arange(9) / 2).tolist()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda a, b: (a.iloc[:8], b), "8 of the 9 subnets of pair"),
        (lambda a, b: (a, b.iloc[1:]), "no row for id 8"),
        (lambda a, b: (a, pd.concat([b, b])), "rows occur twice"),
        (lambda a, b: (a, b.rename(columns={"id": "key"})), "shares no column"),
        (lambda a, b: (a.rename(columns={"acc": "accuracy"}), b), "no such column; choose from id, accuracy"),
        (lambda a, b: (a.assign(top1=1.0), b), "has a column of that name"),
    ],
)
def test_tables_that_do_not_fit_get_one_line(tables: list[Path], change, complaint: str) -> None:
    for path, frame in zip(tables, change(*(pd.read_csv(p, dtype={"ops": str}) for p in tables)), strict=True):
        frame.to_csv(path, index=False)
    with pytest.raises(DataError, match=complaint) as caught:
        read_subnet_table(tables, SPACE, {"acc": "top1"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("layer,mj\na,1\n", "`key`"),
        ("key\na\n", "`key`"),
        ("key,mj\na,1\na,2\n", "key a: it is there twice"),
        ("key,mj\na,much\n", "a number is needed"),
        ("key,mj\na,inf\n", "a number is needed"),
    ],
)
def test_costs_of_layers(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("key,mj,g\na,1,2\nb,3,4\n")
    keys, columns = read_layer_costs(path)
    assert (keys, {name: v.tolist() for name, v in columns.items()}) == (["a", "b"], {"mj": [1, 3], "g": [2, 4]})
    path.write_text(text)
    with pytest.raises(DataError, match=complaint):
        read_layer_costs(path)
