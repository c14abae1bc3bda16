"""CSVs of subnets: what upstream writes is read, what is broken is refused, what we write comes back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwnas.errors import DataError, HwnasError
from hwnas.io import arch_column, metric_column, read_archs, read_csv, read_metric, write_csv
from hwnas.space import get_space, space_names

ARCH = '{"ks": ' + str([3] * 20) + ', "e": ' + str([4] * 20) + ', "d": [2, 2, 2, 2, 2], "r": 224}'


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(space_names()),
    seed=st.integers(0, 2**32 - 1),
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6),
    gz=st.booleans(),
)
def test_archs_and_numbers_survive_a_round_trip(tmp_path_factory, name, seed, values, gz):
    space = get_space(name)
    x = space.sample(len(values), np.random.default_rng(seed), distinct_uniform=False)
    path = tmp_path_factory.mktemp("records") / ("archs.csv.gz" if gz else "archs.csv")
    write_csv(pd.DataFrame({"arch": arch_column(x, space), "top1": values, "note": 'a, "b"\nc'}), path)
    frame = read_csv(path)
    assert (read_archs(frame, space) == x).all()
    assert frame["top1"].tolist() == values
    assert frame["note"].tolist() == ['a, "b"\nc'] * len(values)


@pytest.mark.parametrize("name", space_names())
def test_archs_in_columns_equal_archs_in_json(tmp_path, name):
    space = get_space(name)
    x = space.sample(20, np.random.default_rng(0))
    archs = space.decode_many(x)
    columns = {
        group: ["-".join(map(str, a[group])) if isinstance(a[group], list) else str(a[group]) for a in archs]
        for group in space.groups
    }
    write_csv(pd.DataFrame(columns), tmp_path / "columns.csv")
    assert (read_archs(read_csv(tmp_path / "columns.csv"), space) == x).all()


def test_digit_strings_and_zeros_of_skipped_layers_are_read(tmp_path):
    path = tmp_path / "digits.csv"
    path.write_text(
        "ks,e,d,r\n75557757573753735353,64466343363336346436,22223,204\n"
        "75007700570075007353,64006300360063006436,22224,204\n"
    )
    space = get_space("ofa_mbv3_w1.0")
    x = read_archs(read_csv(path), space)
    assert space.decode(x[1])["ks"] == [7, 5, 3, 3, 7, 7, 3, 3, 5, 7, 3, 3, 7, 5, 3, 3, 7, 3, 5, 3]
    assert space.decode(x[0])["r"] == 204


def test_a_dynast_result_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "dynast.csv"
    arch = {"wid": None, "ks": [3] * 20, "e": [4] * 20, "d": [2] * 5, "r": [224]}
    header = "Sub-network,Date,Model Parameters,Latency (ms),MACs,Top-1 Acc (%)"
    path.write_text(f'{header}\n"{arch}",2022-01-01 10:00:00,5029656,12.5,255502624,75.448\n')
    frame = read_csv(path)
    space = get_space("ofa_mbv3_w1.0")
    assert space.decode(read_archs(frame, space)[0])["d"] == [2] * 5
    assert read_metric(frame, "top1").tolist() == [75.448]
    assert [metric_column(frame, m) for m in ("macs", "params", "latency_ms")] == [
        header.split(",")[i] for i in (4, 2, 3)
    ]


@pytest.mark.parametrize("column", ["arch", "Sub-network"])
@pytest.mark.parametrize("spell", [json.dumps, str])
@pytest.mark.parametrize("as_text", [False, True])
def test_archs_are_read_in_any_spelling_whose_meaning_is_certain(column, spell, as_text):
    space = get_space("ofa_mbv3_w1.0")
    x = space.sample(5, np.random.default_rng(0))
    archs = space.decode_many(x)
    if as_text:
        archs = [{k: [str(c) for c in v] if isinstance(v, list) else str(v) for k, v in arch.items()} for arch in archs]
    frame = pd.DataFrame({column: [spell(arch) for arch in archs]})
    assert (read_archs(frame, space) == x).all()


def test_text_that_is_no_choice_is_refused_as_it_was_written():
    with pytest.raises(DataError, match=r'row 1.*"225"'):
        read_archs(pd.DataFrame({"arch": [ARCH.replace("224", '"225"')]}), get_space("ofa_mbv3_w1.0"))


def test_measured_data_is_read(shared_data):
    space = get_space("ofa_mbv3_w1.0")
    frame = read_csv(shared_data / "ofa_mbv3_w1.0_imagenet" / "dynast_224.csv.gz")
    x = read_archs(frame, space)
    repeated = pd.DataFrame(x).duplicated(keep=False).to_numpy()
    assert repeated.sum() >= 12
    spread = pd.Series(read_metric(frame, "top1")).groupby([row.tobytes() for row in x]).std()
    assert spread.max() < 0.15


def test_columns_stay_text_where_numbers_would_lose_something(tmp_path):
    path = tmp_path / "text.csv"
    path.write_text("ops,big,gap,x,empty\n021121,75557757573753735353,1,0.5,\n121121,15557757573753735353,,nan,\n")
    frame = read_csv(path)
    assert frame["ops"].tolist() == ["021121", "121121"]
    assert frame["big"].tolist() == ["75557757573753735353", "15557757573753735353"]
    write_csv(frame, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text().splitlines()[1:] == [
        "021121,75557757573753735353,1,0.5,",
        "121121,15557757573753735353,,,",
    ]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"arch,top1\n", "no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not text"),
        (b"PK\x03\x04\x00\x00", "binary"),
        (b"a,a\n1,2\n", "occurs twice"),
        (b"a,b\n1,2\n3", "1 fields"),
        (b"a,b\n1,2,3\n", "3 fields"),
        (b'a,b\n1,"2\n', "not a CSV"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 4000, mtime=0)[:-20], "cut short"),
        (b"arch;top1\nx;1,5\n", "semicolons separate its columns, not commas"),
        (b'arch;top1\n"{""ks"": [3, 3]}";75,5\n', "semicolons separate its columns, not commas"),
        (b"arch\ttop1\nx\t1.5\n", "tabs separate its columns, not commas"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, content, rule):
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rule):
        read_csv(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_csv(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_table_or_a_clear_error(tmp_path, content):
    path = tmp_path / "fuzz.csv"
    path.write_bytes(content)
    try:
        frame = read_csv(path)
        read_archs(frame, get_space("ofa_mbv3_w1.0"))
    except HwnasError:
        pass


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("not json", "row 2, arch 'not json'"),
        ("[1, 2]", "row 2"),
        (ARCH.replace("224", "225"), "row 2.*r of ofa_mbv3_w1.0"),
        (ARCH.replace('"d"', '"depth"'), "row 2.*depth"),
        (ARCH.replace("[4, 4,", "[4, 5,"), r"row 2.*e\[1\]"),
        (ARCH.replace("[3, 3,", "[3,"), "row 2.*list of 20"),
    ],
)
def test_a_bad_arch_names_its_row(cell, expected):
    with pytest.raises(DataError, match=expected):
        read_archs(pd.DataFrame({"arch": [ARCH, cell]}), get_space("ofa_mbv3_w1.0"))


def test_columns_of_another_kind_are_refused():
    space = get_space("ofa_mbv3_w1.0")
    with pytest.raises(DataError, match="column 'arch'"):
        read_archs(pd.DataFrame({"foo": [1]}), space)
    with pytest.raises(DataError, match=r"row 1.*20 values"):
        read_archs(pd.DataFrame({"ks": ["3-3"], "e": ["3-3"], "d": ["2-2"], "r": [224]}), space)
    with pytest.raises(DataError, match="needs 'r'"):
        read_archs(pd.DataFrame({"ks": ["3" * 20], "e": ["3" * 20], "d": ["22222"]}), space)


def test_a_fixed_resolution_may_be_missing():
    space = get_space("ofa_mbv3_w1.0").restrict(r=192)
    x = read_archs(pd.DataFrame({"ks": ["3" * 20], "e": ["3" * 20], "d": ["22222"]}), space)
    assert space.decode(x[0])["r"] == 192


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([75.0, float("nan")], "row 2"),
        (pd.array([75, None], dtype="Int64"), "row 2"),
        (["70", "high"], "row 2"),
        ([0.75, 0.76], "percent"),
        ([75.0, 101.0], "row 2"),
    ],
)
def test_metrics_that_are_no_percentages_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        read_metric(pd.DataFrame({"top1": values}), "top1")


def test_an_unknown_metric_lists_what_there_is():
    with pytest.raises(DataError, match="choose from top5"):
        read_metric(pd.DataFrame({"top5": [90.0], "arch": ["x"]}), "top1")


def test_writing_replaces_whole_files_and_refuses_bad_paths(tmp_path: Path):
    frame = pd.DataFrame({"a": [1]})
    write_csv(frame, tmp_path / "new" / "a.csv.gz")
    first = (tmp_path / "new" / "a.csv.gz").read_bytes()
    write_csv(frame, tmp_path / "new" / "a.csv.gz")
    assert (tmp_path / "new" / "a.csv.gz").read_bytes() == first
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.csv.gz"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_csv(frame, tmp_path / "file" / "a.csv")
