"""The application as a library: studies, fronts, loops of the user's own."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import hwnas
from hwnas.errors import DataError, HwnasError, InfeasibleError, NotHeldError, QuantityError, SupernetError
from hwnas.executor import Where
from hwnas.metric import Budget, get_metric, metrics
from hwnas.space import get_space, macs_cost
from hwnas.study import Provenance, RunConditions
from hwnas.study._found import Found
from hwnas.study._measure import Measuring
from hwnas.study._metrics import Metrics
from hwnas.study._place import searched_conditions
from hwnas.testing import METRIC_CHECKS, check_all
from tests.e2e.machine import fake_runtime, true_ns

SPACE = get_space("digits")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def front() -> hwnas.Front:
    study = hwnas.Study("digits", objectives=["macs", get_metric("params", "max")], budgets={"macs": "100k"})
    return study.search(seed=0, population=40, generations=3)


def test_importing_hwnas_is_light() -> None:
    code = (
        "import sys, hwnas; print({m for m in sys.modules if m.partition('.')[0] in ('torch', 'pymoo', 'matplotlib')})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
    assert hwnas.Metric is type(get_metric("top1"))
    assert {"Study", "Front", "Metric"} <= set(dir(hwnas))
    with pytest.raises(AttributeError, match="no attribute 'Stdy'"):
        hwnas.Stdy  # noqa: B018


def test_a_front_is_a_table_a_file_and_a_picture(front: hwnas.Front) -> None:
    frame = front.to_frame()
    assert (frame["macs"] <= 100e3).all()
    assert frame["arch"].iloc[0] == front.arch(1)
    saved = front.save("found.csv")
    assert saved.path == Path("found.csv")
    assert {p.name for p in Path.cwd().iterdir()} == {"found.csv", "found.json", "found.png"}
    again = hwnas.Front.load("found.csv")
    assert again.space == front.space
    assert again.frame.equals(front.frame)
    assert again.provenance.objectives == ["macs", "params"]
    assert again.provenance.directions == {"macs": "min", "params": "max"}
    assert again.provenance.space.name == "digits"
    assert again.provenance.versions["hwnas"] == hwnas.__version__
    lowest, highest = (get_metric("macs").show(frame["macs"].agg(end)) for end in ("min", "max"))
    assert repr(front).startswith(f"Front({len(front)} subnets of digits: macs {lowest}..{highest}, params ")
    assert repr(replace(front, frame=front.frame[:1])) == f"Front(1 subnet of digits: macs {lowest}, params 5.25k)"
    assert repr(front.plot()) == f"Plot(macs against params of {len(front)} subnets)"
    assert front.plot()._repr_png_().startswith(b"\x89PNG")
    assert f"{len(front)} Pareto-optimal subnets" in front._repr_html_()
    assert "data:" in front.report("page.html").read_text() or Path("page.html").stat().st_size > 10_000


def test_a_deviation_keeps_the_unit_of_its_metric_last() -> None:
    class Told:
        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.ones(len(x))

        predict_std = predict

    values = Metrics(SPACE, Found(Told(), {}), tells="latency_ms").score(SPACE.sample(2, np.random.default_rng(0)))
    assert [*values][:2] == ["latency_ms", "latency_std_ms"]


def test_the_best_row_within_budgets(front: hwnas.Front) -> None:
    frame = front.to_frame()
    assert front.best(by="params")["params"] == frame["params"].max()
    least = int(frame["macs"].iloc[len(frame) // 2])
    assert front.best(by="params", macs=least)["macs"] == frame["macs"][frame["macs"] <= least].max()
    with pytest.raises(InfeasibleError, match="no row of the front"):
        front.best(macs=1.0)
    for unknown in ({"energy_mj": 1.0}, {"throughput": "50/s"}):
        with pytest.raises(DataError, match="has no such column"):
            front.best(**unknown)
    with pytest.raises(DataError, match="metric lateny: the front has no such column"):
        front.best(by="lateny")
    params = frame["params"].where(frame["row"] == 2)  # as after measuring one of the rows
    assert replace(front, frame=front.frame.assign(some=params)).best(by="some")["row"] == 2
    with pytest.raises(DataError, match="rows: there are none to measure"):
        front.measure(rows=[])
    with pytest.raises(DataError, match="rows 1 to"):
        front.arch(0)


@pytest.mark.parametrize(
    ("of", "method"),
    [("Front", "measure"), ("Front", "export"), ("Study", "search"), ("Study", "ask")],
)
def test_a_keyword_that_is_none_is_told_of_the_method_that_was_called(front: hwnas.Front, of: str, method: str) -> None:
    called = getattr(front if of == "Front" else hwnas.Study("digits"), method)
    with pytest.raises(TypeError, match=rf"^{of}\.{method}\(\) got an unexpected keyword argument 'seeed'"):
        called(seeed=1)


def test_a_front_without_a_budget_is_refused_before_it_is_measured(
    front: hwnas.Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwnas.study._measure.measure_on", lambda *_: pytest.fail("it was measured"))
    with pytest.raises(DataError, match="held: there is no latency budget to hold; pass budget="):
        front.measure(device="cpu", held=True)


def test_another_machine_measures_under_the_conditions_of_the_search(
    front: hwnas.Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = {"precision": "int8", "conditions": {"name": "cpu", "threads": 2, "batch": 4}}
    there: list[Any] = []

    def elsewhere(*given: Any) -> Any:
        there.append(given[4])
        return SimpleNamespace(measure=None, prepare=None)

    monkeypatch.setattr("hwnas.study._measure.Elsewhere", elsewhere)
    found = replace(front, provenance=replace(front.provenance, device=searched))
    Measuring(found, [0]).elsewhere("ssh://pi@kitchen", "python3", Path(), "")
    Measuring(found, [0], conditions=RunConditions(threads=1)).elsewhere("ssh://pi@kitchen", "python3", Path(), "")
    assert [(device.threads, device.batch) for device in there] == [(2, 4), (1, 4)]
    assert searched_conditions(found.provenance, "cpu")["precision"] == "int8"
    assert searched_conditions(found.provenance, "cuda") == searched_conditions(Provenance(), "cpu")
    assert searched_conditions(Provenance(), "cpu") == {
        "threads": 1,
        "batch": 1,
        "spinning": "stop",
        "precision": "fp32",
    }


def test_rows_and_budgets_to_measure_are_written_as_elsewhere(
    front: hwnas.Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_runtime(monkeypatch, true_ns())
    measured = front.measure(rows=2, budget="6s", journal="kept.jsonl")
    assert measured.frame["row"][measured.frame["latency_measured_ms"].notna()].tolist() == [2]
    assert measured.provenance.budgets["latency_ms"] == 6000
    assert Path("kept.jsonl").exists()
    assert front.measure(rows=front.frame["row"].iloc[1], budget=6e3, held=True).frame["row"].tolist() == [2]
    with pytest.raises(QuantityError, match="budget 6: a quantity needs a unit; write 6ms"):
        front.measure(budget="6")
    with pytest.raises(DataError, match="most 0: it is a whole number, 1 or more"):
        front.measure(most=0)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"budgets": 5}, "budget 5: it does not say what it bounds"),
        ({"budgets": {"macs": None}}, "budget macs None: it is a text with its unit, or a finite number"),
        ({"budgets": {"macs": math.nan}}, "budget macs nan: it is a text with its unit, or a finite number"),
        ({"budgets": {5: "300k"}}, "budget of 5: it is a name or a path"),
        ({"budgets": {"lateny": "6ms"}}, r'budget lateny<=6ms: this is not a number; did you mean "latency<=6ms"\?'),
        ({"budgets": {"top1": 0.75}}, 'budget top1 0.75: .* write for example "75"'),
        ({"objectives": []}, "objectives: there is none"),
        ({"device": ""}, "device '': it is a name or a path; write for example \"cpu\""),
        ({"objectives": [5]}, "objective 5: it is a name or a hwnas.Metric"),
        ({"space": 5}, "space 5: it is a reference, a SearchSpace or a Supernet"),
        ({"fix": "r=8"}, "fix 'r=8': it maps genes to choices to keep"),
        ({"evaluation": "digits"}, r"write hwnas\.Evaluation\('digits'\)"),
        ({"threads": "2"}, "threads '2': it is a whole number, 1 or more"),
        ({"batch": 0}, "batch 0: it is a whole number, 1 or more"),
        ({"device": 0}, 'device 0: it is a name or a path; write for example "cpu"'),
        ({"predictor": 5}, "predictor 5: it is a name or a path"),
        ({"library": 5}, "library 5: it is a name or a path"),
        ({"tables": ["t.csv", 5]}, "table 5: it is a name or a path"),
        ({"costs": 5}, "costs 5: it is a name or a path"),
    ],
    ids=str,
)
def test_what_is_of_the_wrong_kind_is_refused_when_the_study_is_made(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        hwnas.Study(**{"space": "digits", **given})


@pytest.mark.parametrize(
    "given", [{"generations": 0}, {"top": 0}, {"seed": -1}, {"seed": None}, {"population": "9"}], ids=str
)
def test_numbers_of_a_search_that_are_none_are_refused(given: dict[str, Any]) -> None:
    [(name, value)] = given.items()
    with pytest.raises(DataError, match=f"^{name} {value!r}: it is a whole number"):
        hwnas.Study("digits", ["macs", "params:max"]).search(**given)


def test_precisions_may_be_a_list() -> None:
    written, listed = (hwnas.Study("digits", precision=given) for given in ("fp32,int8", ["fp32", "int8"]))
    assert written.request == listed.request


def test_a_page_is_no_picture(front: hwnas.Front, folder: Path) -> None:
    with pytest.raises(DataError, match=r"page front\.pdf: its name ends in \.html; write front\.html"):
        front.report("front.pdf")
    assert not list(folder.iterdir())


def test_a_page_says_that_a_front_has_no_provenance(front: hwnas.Front) -> None:
    page = replace(front, provenance=Provenance()).report("bare.html").read_text("utf-8")
    assert "the JSON that a search writes beside the CSV is missing" in page


def test_what_is_no_path_is_refused(front: hwnas.Front) -> None:
    study: Any = hwnas.Study("digits", ["macs", "params:max"])
    five: Any = 5
    calls: list[tuple[str, Callable[[], object]]] = [
        ("path", lambda: front.save(five)),
        ("path", lambda: front.plot(five)),
        ("path", lambda: front.report(five)),
        ("path", lambda: hwnas.Front.load(five)),
        ("path", lambda: front.export(path=five)),
        ("checkpoint", lambda: front.export(checkpoint=five)),
        ("data", lambda: front.export(data=five)),
        ("journal", lambda: front.measure(journal=five)),
        ("path", lambda: study.search(path=five)),
        ("seed_archs", lambda: study.search(seed_archs=five)),
        ("prior", lambda: study.search(prior=five)),
        ("metric", lambda: hwnas.Metric(five, "energy_mj", "min")),
        ("column", lambda: hwnas.Metric("energy", five, "min")),
    ]
    for name, called in calls:
        with pytest.raises(DataError, match=f"^{name} 5: it is a name or a path; write for example"):
            called()


def test_paths_of_an_export_may_be_texts(front: hwnas.Front) -> None:
    facts = front.export(row=1, path="subnet.onnx", device="cpu", budget="50s", images=20)
    assert facts == Path("subnet.onnx")
    with pytest.raises(DataError, match="data photos: there is no such folder"):
        front.export(row=1, data="photos")
    with pytest.raises(SupernetError, match=r"own\.safetensors"):
        front.export(row=1, checkpoint="own.safetensors")
    with pytest.raises(DataError, match="opset 3: it is 14 to 21"):
        front.export(row=1, opset=3)
    with pytest.raises(DataError, match="threads 2: nothing is measured without a device"):
        front.export(row=1, threads=2)
    with pytest.raises(NotHeldError, match=r"subnet\.onnx: it is written, but does not hold"):
        front.export(row=1, device="cpu", budget=1e-6)


def test_errors_of_python_name_values_and_no_options(front: hwnas.Front) -> None:
    study = hwnas.Study("digits", ["macs:max", "params"])
    five: Any = 5

    def raced(tolerance: Any) -> hwnas.Study:
        return hwnas.Study("digits", "top1,macs", evaluation=hwnas.Evaluation("digits", 8, racing=tolerance))

    for value, wrong in {
        "population 8": lambda: study.search(searcher="exact", population=8),
        "prior a.csv": lambda: study.search(prior="a.csv"),
        "asynchronous": lambda: study.search(asynchronous=True),
        "verify": lambda: study.search(verify=True),
        "seed archs a.csv": lambda: study.search(searcher="exact", seed_archs="a.csv"),
        "fix r=9": lambda: hwnas.Study("digits", "macs,params", fix={"r": 9}).space,
        "device cpu": lambda: hwnas.Study("digits", "macs,params", device="cpu").space,
        "device with a library": lambda: hwnas.Study(library="lib.csv", device="cpu").space,
        "evals 3": lambda: hwnas.Study("digits", evaluation=hwnas.Evaluation("digits", evals=3)).search(),
        "images 5": lambda: front.export(random_weights=True, images=5),
        "output net.pt": lambda: front.export(path="net.pt"),
        "output front.txt": lambda: front.save("front.txt"),
        "row '1'": lambda: front.arch("1"),  # type: ignore[arg-type]
        "budget -6": lambda: front.measure(most=1, budget=-6),
        "budget nan": lambda: front.measure(most=1, budget=math.nan),
        "images 0": lambda: front.export(images=0),
        "calibrate 0": lambda: front.export(calibrate=0),
        "batch size 0": lambda: front.export(batch_size=0),
        "data 5": lambda: hwnas.Evaluation("digits", data=5),  # type: ignore[arg-type]
        "supernet 5": lambda: hwnas.Evaluation(5),  # type: ignore[arg-type]
        "where 2": lambda: hwnas.Evaluation("digits", where=2),  # type: ignore[arg-type]
        "searcher 5": lambda: study.search(searcher=5),  # type: ignore[arg-type]
        "evals '9'": lambda: hwnas.Study("digits", evaluation=hwnas.Evaluation("digits", evals="9")).search(),  # type: ignore[arg-type]
        "workers '2'": lambda: Where("2"),  # type: ignore[arg-type]
        "device 0": lambda: front.measure(device=0),  # type: ignore[arg-type]
        "threads '2'": lambda: front.measure(threads="2"),  # type: ignore[arg-type]
        "most '2'": lambda: front.measure(most="2"),  # type: ignore[arg-type]
        "batch 0": lambda: front.export(device="cpu", batch=0),
        "ask: n 'a'": lambda: study.ask("a"),  # type: ignore[arg-type]
        "tell: metric 5": lambda: study.tell(study.ask(1), {five: 1.0}),
        "row 1.5": lambda: front.measure(rows=1.5),  # type: ignore[arg-type]
        "row np.int64(999)": lambda: front.measure(rows=np.array([1, 999])),  # type: ignore[arg-type]
        "seed 'a'": lambda: front.measure(seed="a"),  # type: ignore[arg-type]
        "metric 5": lambda: front.best(by=5),  # type: ignore[arg-type]
        "supernet 6": lambda: front.export(supernet=6),  # type: ignore[arg-type]
        "columns ['text']": lambda: front.export(columns=["text"]),  # type: ignore[arg-type]
        "racing 'yes'": lambda: raced("yes").search(),
        "space ofa_mbv3_w1.0": lambda: hwnas.Study("ofa_mbv3_w1.0", evaluation=hwnas.Evaluation("digits")).search(),
        "output .": lambda: front.save("."),
        "path ''": lambda: front.save(""),
        "file .": lambda: hwnas.Front.load("."),
    }.items():
        with pytest.raises(HwnasError) as error:
            wrong()
        assert error.value.value == value


def test_budgets_are_written_in_three_ways() -> None:
    ways = ({"macs": "100k"}, {"macs": 100e3}, ["macs<=100k"])
    fronts = [hwnas.Study("digits", ["macs", "params"], budgets).setup.budgets for budgets in ways]
    assert fronts[0] == fronts[1] == fronts[2]
    with pytest.raises(InfeasibleError, match="the smallest needs"):
        _ = hwnas.Study("digits", ["macs", "params"], {"macs": "1k"}).problem


def test_one_thing_may_stand_where_several_can() -> None:
    written = hwnas.Study("digits", "macs,params:min", "macs<=300k", tables="t.csv", costs=Path("c.csv"))
    listed = hwnas.Study("digits", ["macs", "params:min"], ["macs<=300k"], tables=["t.csv"], costs=["c.csv"])
    assert written.request == listed.request
    assert hwnas.Study("digits", device=Path("tables/phone")).request.device == "tables/phone"
    assert hwnas.Evaluation("digits", data="photos").data == Path("photos")  # type: ignore[arg-type]
    alone = hwnas.Study("digits", get_metric("macs"), Budget(get_metric("macs"), upper=3e5)).request
    assert (alone.objectives.columns, alone.budgets) == (("macs",), listed.request.budgets)  # type: ignore[union-attr]
    with pytest.raises(DataError, match="a part between commas is empty; write objectives macs,params"):
        hwnas.Study("digits", "macs,,params")


def test_a_loop_of_ones_own_asks_and_tells() -> None:
    macs = macs_cost(SPACE)
    study = hwnas.Study("digits", objectives=["f1", "macs"])
    for _ in range(3):
        for x in study.ask(8, seed=1):  # which begins one search, not three
            study.tell(x, {"f1": 0.5 + 0.03 * np.log(macs(x[None])[0])})
    front = study.front()
    assert list(front.frame.columns[:3]) == ["row", "f1", "macs"]
    assert front.provenance.evaluations == 20  # a searcher hands out what it has: 8, 8 and 4 of its first batch
    assert front.frame["f1"].is_monotonic_decreasing
    with pytest.raises(DataError, match=r"ask\(seed=2\): the search has begun with other options"):
        study.ask(8, seed=2)
    assert study.space.decode(x)["r"] in (8, 10, 12, 14, 16)  # without a predictor of F1
    for begun in ({"seed": "x"}, {"evaluations": 0}):
        with pytest.raises(DataError, match=f"ask: {next(iter(begun))} .*: it is a whole number"):
            hwnas.Study("digits", ["f1", "macs"]).ask(8, **begun)
    with pytest.raises(DataError, match="ask: n -1: it is a whole number, 0 or more"):
        study.ask(-1)
    with pytest.raises(DataError, match="tell: f1 'good': values are numbers"):
        study.tell(SPACE.sample(1, np.random.default_rng(0))[0], {"f1": "good"})
    for value, rule in ((200, "f1 lies within 0..100"), (-3, "f1 lies within"), (math.nan, "it is no finite number")):
        with pytest.raises(DataError, match=f"row 2, told f1 {value}: {rule}"):
            study.tell(SPACE.sample(2, np.random.default_rng(0)), {"f1": [50, value]})
    with pytest.raises(DataError, match="row 1, told latency inf: it is no finite number"):
        study.tell(SPACE.sample(1, np.random.default_rng(0)), {"f1": 50, "latency": math.inf})
    with pytest.raises(InfeasibleError, match="the front: no subnet has been evaluated"):
        hwnas.Study("digits", objectives=["f1", "macs"]).front()


def test_what_evaluations_have_no_use_for_is_refused() -> None:
    evaluation = hwnas.Evaluation("digits", evals=8)
    with pytest.raises(DataError, match="predictor with evaluation: it has no meaning"):
        _ = hwnas.Study(objectives=["top1", "macs"], evaluation=evaluation, predictor="mine.safetensors").setup
    with pytest.raises(DataError, match="verify with evaluation: it has no meaning"):
        hwnas.Study(objectives=["top1", "macs"], evaluation=evaluation).search(verify=True)


def test_a_metric_of_other_metrics_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """FLOPs per watt: operations over energy, which a table of the user's tells by layer."""
    per_watt = hwnas.Metric(
        "efficiency", "gflops_per_watt", "max", label="Efficiency", source="metrics",
        of=("macs", "energy_mj"), derive=lambda macs, energy_mj: 2e-6 * macs / energy_mj,
    )  # fmt: skip
    monkeypatch.setitem(hwnas.metric.BUILT_IN, "efficiency", per_watt)
    metrics.cache_clear()
    try:
        check_all(METRIC_CHECKS, per_watt)
        layers = SPACE.layers()
        energy = [f"{key},{1e-6 * (layer.macs + 30 * layer.params + 1)}" for key, layer in layers.items()]
        Path("energy.csv").write_text("\n".join(["key,energy_mj", *energy]))
        study = hwnas.Study("digits", ["macs", "efficiency"], {"efficiency": 0.05}, costs=["energy.csv"])
        frame = study.search(seed=0, population=40, generations=3).to_frame()
        expected = 2e-6 * frame["macs"] / frame["energy_mj"]
        np.testing.assert_allclose(frame["gflops_per_watt"], expected, rtol=1e-3)  # as written in the table
        assert (frame["gflops_per_watt"] >= 0.05).all()
        with pytest.raises(DataError, match="it is derived from energy_mj, which is not known"):
            _ = hwnas.Study("digits", ["macs", "efficiency"]).problem
    finally:
        monkeypatch.undo()
        metrics.cache_clear()


def test_settings_are_refused_before_a_table_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwnas.study._study.prepare", lambda *_: pytest.fail("it is set up"))
    with pytest.raises(DataError, match="population 1: it is a whole number, 2 or more"):
        hwnas.Study("digits").search(population=1)


def test_a_study_is_told_by_its_repr() -> None:
    study = hwnas.Study("digits", ["macs", "params:max"], {"macs": "300k"})
    assert repr(study) == "Study(digits; macs, params:max; macs <= 300k MACs)"
    assert repr(hwnas.Study(SPACE, evaluation=hwnas.Evaluation("digits"))) == "Study(digits)"
    assert repr(hwnas.Study()) == "Study(ofa_mbv3_w1.0)"


def test_numbers_may_be_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``for seed in np.arange(3)`` gives them; files hold them as plain numbers."""
    n: Any = np.int64
    found = hwnas.Study("digits", ["macs", "params:max"], batch=n(1)).search(
        seed=n(3), top=n(4), population=n(20), generations=n(2)
    )
    assert hwnas.Front.load(found.save("a.csv").path or "").provenance.searcher["seed"] == 3  # type: ignore[index]
    assert json.loads(found.to_json())["provenance"]["searcher"]["seed"] == 3
    evaluation = hwnas.Evaluation("digits", evals=n(8), seed=n(0), racing=n(0))
    hwnas.Study("digits", ["top1", "macs"], evaluation=evaluation).search(path="b.csv", seed=n(0)).save("b.csv")
    fake_runtime(monkeypatch, true_ns())
    assert type(RunConditions(threads=n(2)).threads) is int
    measured = found.measure(rows=np.array([1, 2]), threads=n(1), batch=n(1), seed=n(3))  # type: ignore[arg-type]
    assert measured.save("c.csv").frame["latency_measured_ms"].notna().sum() == 2
