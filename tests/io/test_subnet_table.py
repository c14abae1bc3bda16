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
    table = read_subnet_table(tables, SPACE, {"acc": "top1", "phone": "latency_ms"})
    assert table.x.tolist() == [[a, b] for a in range(3) for b in range(3)]
    assert list(table.columns) == ["id", "top1", "latency_ms"]
    assert table.columns["latency_ms"].tolist() == (np.arange(9) / 2).tolist()
    table.refuse_gaps(None)
    table.refuse_gaps(["top1"])
    with pytest.raises(DataError, match=r"row 1, note 'x'.*text, not numbers"):
        table.refuse_gaps(["note"])


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [("", r"row 4, acc \(empty"), ("n/a", "row 4, acc 'n/a'"), ("inf", "row 4, acc inf"), ("1,5", "row 4, acc '1,5'")],
)
def test_a_cell_without_a_number_is_named_instead_of_its_column_vanishing(
    tables: list[Path], cell: str, complaint: str
) -> None:
    tables[0].write_text(tables[0].read_text().replace("53.0", f'"{cell}"'))
    table = read_subnet_table(tables, SPACE, {})
    assert "acc" not in table.columns
    for names in (None, ["acc"]):
        with pytest.raises(DataError, match=complaint):
            table.refuse_gaps(names)
    table.refuse_gaps(["phone"])


def test_one_subnet_with_two_values_names_both_rows(tables: list[Path]) -> None:
    whole = tables[0].read_text()
    tables[0].write_text(whole + whole.splitlines()[3].replace("2,02", "9,02") + "\n")
    table = read_subnet_table(tables[:1], SPACE, {})
    assert len(table.x) == len(table.columns["acc"]) == 9  # a repeat that says the same is no harm
    with pytest.raises(DataError, match=r"id of rows 3 and 10: they are one subnet with two values, 2 and 9"):
        table.refuse_gaps(["id"])
    tables[0].write_text(whole + whole.splitlines()[3].replace("52.0", "52.5") + "\n")
    with pytest.raises(DataError, match=r"acc of rows 3 and 10.* 52 and 52\.5; keep one of the rows, or their mean"):
        read_subnet_table(tables[:1], SPACE, {}).refuse_gaps(None)


def test_a_table_of_a_part_of_the_space_says_which_options_keep_to_it(tables: list[Path]) -> None:
    lines = tables[0].read_text().splitlines()
    tables[0].write_text("\n".join([lines[0], *(line for line in lines[1:] if "2" not in line.split(",")[1])]))
    with pytest.raises(
        DataError, match=r"4 of the 9 subnets.*keep to what it holds: --fix 'ops\[0\]=0,1' --fix"
    ) as told:
        read_subnet_table(tables[:1], SPACE, {})
    assert told.value.remedy.count("--fix") == 2
    part = SPACE.restrict(**{"ops[0]": ["0", "1"], "ops[1]": ["0", "1"]})
    assert len(read_subnet_table(tables[:1], part, {}).x) == 4
    tables[0].write_text("\n".join(lines[:5]))  # of no part the whole
    with pytest.raises(DataError, match=r"4 of the 9 subnets of pair; complete it$"):
        read_subnet_table(tables[:1], SPACE, {})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda a, b: (a.iloc[:8], b), "8 of the 9 subnets of pair"),
        (lambda a, b: (a, b.iloc[1:]), "no row for id 8"),
        (lambda a, b: (a, pd.concat([b, b])), "rows occur twice"),
        (lambda a, b: (a, b.rename(columns={"id": "key"})), "shares no column"),
        (lambda a, b: (a, b.assign(id="0" + b["id"].astype(str))), "not both numbers, or both text"),
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
        ("key,mj\na,much\n", "a finite number is needed"),
        ("key,mj\na,inf\n", "a finite number is needed"),
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
