"""Profiling with a runtime of known costs: exact tables, counted runs, resumed interruptions."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hwnas.errors import DeviceError, TableError
from hwnas.graph import Model, mixed_space
from hwnas.latency import LATER, Device, LatencyTable, Plan, get_device, profile, renewal
from hwnas.latency.profiling._plain_check import of_all_sizes
from hwnas.latency.profiling._subnets import choose_subnets
from hwnas.space import SearchSpace, get_space, macs_cost
from hwnas.supernet.hf.decoder._space import Decoder, decoder_space
from tests.latency.fakes import FakeRuntime, costs, layers_of, tiny_space

SPACE = tiny_space()
COSTS = costs(SPACE)
DEVICE = get_device("cpu")
PLAN = Plan(n_validation=10, n_calibration=4)


def layers(row: np.ndarray) -> list[tuple[str, str]]:
    return [(slot, layer.key) for slot, layer in SPACE.network(row)]


def _times(table: LatencyTable) -> dict[str, float]:
    return {row.key: row.median_ms for row in table.rows.values()}


def test_the_table_is_what_the_layers_cost(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    table = profile(
        DEVICE,
        SPACE,
        tmp_path / "t",
        plan=PLAN,
        runtime=FakeRuntime(COSTS),
        progress=lambda done, all_, _: steps.append((done, all_)),
    )
    assert _times(table) == pytest.approx({key: ns / 1e6 for key, ns in COSTS.items()}, rel=1e-3)
    validation = table.validation(SPACE)
    assert validation is not None
    assert validation["n_validation"] == 10
    assert validation["within_5_pct"] == 100
    assert validation["mape_pct"] < 0.1
    assert validation["spearman"] == pytest.approx(1, abs=0.01)
    facts = table.spaces["tiny"]
    assert facts["method"] == "in-context"
    assert facts["resolutions"] == [8, 16]
    assert steps[0][0] == 0
    assert steps[-1][0] == steps[-1][1]
    assert [a for a, _ in steps] == sorted(a for a, _ in steps)
    # Nothing but the table is left, and it reads back the same.
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == ["device.json", "table.csv"]
    again = LatencyTable.load(tmp_path / "t")
    assert _times(again) == pytest.approx(_times(table), rel=1e-5)
    assert again.spaces == table.spaces
    assert again.device == DEVICE


def test_mixed_networks_tell_what_layers_and_conversions_cost(tmp_path: Path) -> None:
    mixed = mixed_space(SPACE, "fp32+int8")
    truth = costs(mixed)
    alone = profile(DEVICE, SPACE, tmp_path, plan=PLAN, runtime=FakeRuntime(COSTS))
    with pytest.raises(TableError, match=r"no row for .* in fp32\+int8.* hwnas profile .* --precision fp32,int8"):
        alone.at("fp32+int8").cost(mixed)
    # Without a conversion what was measured in networks of one precision will do.
    kept = alone.at("fp32+int8").cost(mixed.restrict(q="fp32"))
    x = mixed.restrict(q="fp32").sample(20, np.random.default_rng(0))
    np.testing.assert_allclose(kept(x), alone.cost(SPACE)(x[:, : SPACE.n_genes]))

    table = profile(DEVICE, mixed, tmp_path, precision="fp32+int8", plan=PLAN, runtime=FakeRuntime(truth))
    assert table.precisions == ("fp32", "fp32+int8")
    x = mixed.sample(50, np.random.default_rng(1))
    sums = [sum(truth[layer.key] for _, layer in mixed.network(row)) / 1e6 for row in x]
    np.testing.assert_allclose(table.cost(mixed)(x), sums, rtol=2e-3)
    assert {row.key.partition("-")[0] for row in table.own_rows} == {"first", "later", "head", "convert"}
    validation = table.validation(mixed)
    assert validation is not None
    assert validation["within_5_pct"] == 100
    again = LatencyTable.load(tmp_path)
    assert again.precision == "fp32"
    assert again.cost(SPACE)(x[:, : SPACE.n_genes]) == pytest.approx(alone.cost(SPACE)(x[:, : SPACE.n_genes]))
    np.testing.assert_allclose(again.at("fp32+int8").cost(mixed)(x), table.cost(mixed)(x), rtol=1e-6)


@pytest.mark.parametrize("method", ["in-context", "isolated"])
def test_a_part_is_measured_by_its_own_subnets(method: str, tmp_path: Path) -> None:
    """Also where depths wake genes whose first choice is not in the part."""
    digits = get_space("digits")
    part = digits.restrict(r=8, ks=5, e=[4, 6])
    plan = dataclasses.replace(PLAN, method=method)
    chosen = choose_subnets(part, plan)
    for rows in (chosen.cover, chosen.calibration, chosen.validation):
        assert part.contains(rows).all()
    table = profile(DEVICE, part, tmp_path, plan=plan, runtime=FakeRuntime(costs(digits)))
    assert {row.key for row in table.own_rows} == set(part.layers())
    x, known = part.sample(20, np.random.default_rng(0)), costs(digits)
    sums = [sum(known[layer.key] for _, layer in part.network(row)) / 1e6 for row in x]
    np.testing.assert_allclose(table.cost(part)(x), sums, rtol=2e-3)
    assert renewal(table, part).endswith("--space digits --fix r=8")


def test_the_subnets_of_the_check_took_no_part(tmp_path: Path) -> None:
    runtime = FakeRuntime(COSTS)
    profile(DEVICE, SPACE, tmp_path, plan=dataclasses.replace(PLAN, sessions=1), runtime=runtime)
    opened = Counter(tuple(key for _, key in layers_of(model)) for model in runtime.opened)
    # Each block opens the anchor as well.
    assert sorted(opened.values())[-2] == 1


def test_a_drifting_machine_gives_the_same_ratios(tmp_path: Path) -> None:
    runtime = FakeRuntime(COSTS, speed=lambda run: 1 + 0.3 * np.sin(run / 700) ** 2)
    table = profile(DEVICE, SPACE, tmp_path, plan=PLAN, runtime=runtime)
    found = _times(table)
    scale = found["head-8"] / COSTS["head-8"]
    assert found == pytest.approx({key: ns * scale for key, ns in COSTS.items()}, rel=0.04)
    assert table.spaces["tiny"]["validation"]["within_5_pct"] == 100


def test_without_node_times_layers_run_alone_and_are_scaled(tmp_path: Path) -> None:
    table = profile(DEVICE, SPACE, tmp_path, plan=PLAN, runtime=FakeRuntime(COSTS, nodes=False))
    facts = table.spaces["tiny"]
    assert facts["method"] == "isolated"
    subnets = choose_subnets(SPACE, PLAN)
    assert facts["networks"] == len(subnets.cover) + len(subnets.calibration)
    assert _times(table) == pytest.approx({key: ns / 1e6 for key, ns in COSTS.items()}, rel=1e-3)
    plan = dataclasses.replace(PLAN, method="in-context")
    with pytest.raises(DeviceError, match="does not show the times of single layers"):
        profile(DEVICE, SPACE, tmp_path / "u", plan=plan, runtime=FakeRuntime(COSTS, nodes=False))


def test_a_provider_that_compiles_whole_graphs_is_corrected_by_subnets_that_show_every_layer(tmp_path: Path) -> None:
    compiled = Device("openvino", "OpenVINOExecutionProvider")
    runtime = FakeRuntime(COSTS, nodes=False)
    table = profile(compiled, SPACE, tmp_path, plan=PLAN, runtime=runtime)
    assert table.spaces["tiny"]["method"] == "isolated"
    chosen = choose_subnets(SPACE, dataclasses.replace(PLAN, method="isolated"))
    assert len(chosen.calibration) > 2 * len(choose_subnets(SPACE, PLAN).calibration)
    seen = {layer.key for row in chosen.calibration for _, layer in SPACE.network(row)}
    assert seen == set(SPACE.layers())
    assert table.spaces["tiny"]["networks"] == len(chosen.calibration)
    opened = [model for model in runtime.opened if len(layers_of(model)) == 1]
    assert len(opened) == len(SPACE.layers()), "each layer alone, once"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_an_interruption_loses_the_block_in_flight_and_no_more(share: float, tmp_path: Path) -> None:
    whole = FakeRuntime(COSTS)
    undisturbed = profile(DEVICE, SPACE, tmp_path / "a", plan=PLAN, runtime=whole)

    killed = FakeRuntime(COSTS, stop_after=int(whole.runs * share))
    with pytest.raises(KeyboardInterrupt, match=r"timings are kept in .*; the same command resumes"):
        profile(DEVICE, SPACE, tmp_path / "b", plan=PLAN, runtime=killed)
    (journal,) = (tmp_path / "b").iterdir()
    head, *lines = journal.read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    journal.write_text("\n".join([head, *(json.dumps({**entry, "seconds": 600.0}) for entry in kept), ""]))

    resumed = FakeRuntime(COSTS)
    table = profile(DEVICE, SPACE, tmp_path / "b", plan=PLAN, runtime=resumed)
    anchor = layers(SPACE.encode(undisturbed.spaces["tiny"]["anchor"]["arch"]))
    timed = [sum(layers_of(model) != anchor for model in runtime.opened) for runtime in (whole, resumed)]
    again = [e for e in kept if layers(np.array(json.loads(e["name"]))) != anchor]
    assert timed[1] == timed[0] - len(again)
    assert _times(table) == pytest.approx(_times(undisturbed), rel=1e-3)
    assert table.spaces["tiny"]["networks"] == undisturbed.spaces["tiny"]["networks"]
    assert (table.spaces["tiny"]["seconds"] >= 600) == (len(kept) > 0), "of both runs"
    assert not journal.exists()


def test_files_timed_by_another_process_check_the_table_too_killed_or_not(tmp_path: Path) -> None:
    asked: list[int] = []

    def plain(_: Device, files: list[Path], beside: Path) -> list[tuple[float, float]]:
        """At half the speed, and 3 % off."""
        asked.append(len(files))
        if len(asked) == 3:
            raise KeyboardInterrupt
        each, anchor = ([_ms(Model.read(path)) for path in paths] for paths in (files, [beside]))
        return [(1.03 * ms / anchor[0], 2 * anchor[0]) for ms in each]

    with pytest.raises(KeyboardInterrupt, match="the same command resumes"):
        profile(DEVICE, SPACE, tmp_path, plan=PLAN, runtime=FakeRuntime(COSTS), plain=plain)
    resumed = FakeRuntime(COSTS)
    table = profile(DEVICE, SPACE, tmp_path, plan=PLAN, runtime=resumed, plain=plain)
    assert resumed.runs == 0, "nothing is measured again"
    found = table.spaces["tiny"]["validation_plain"]
    assert 2 * found["n_validation"] == sum(asked) - asked[2], "each in two processes"
    assert found["mape_pct"] == pytest.approx(100 * (1 - 1 / 1.03), abs=0.1)
    assert found["speed_pct"] == pytest.approx(50, abs=0.1)
    smallest, largest = macs_cost(SPACE).minimum()[1], macs_cost(SPACE).maximum()[1]
    rows = of_all_sizes(SPACE, 12, np.random.default_rng(0)).tolist()
    assert smallest.tolist() in rows
    assert largest.tolist() in rows


def _ms(model: Model) -> float:
    return sum(COSTS[key] for _, key in layers_of(model)) / 1e6


def test_another_resolution_joins_the_table_at_the_same_reference_speed(tmp_path: Path) -> None:
    profile(DEVICE, SPACE.restrict(r=8), tmp_path, plan=PLAN, runtime=FakeRuntime(COSTS))
    slower = FakeRuntime(COSTS, speed=lambda _: 2.0)
    table = profile(DEVICE, SPACE.restrict(r=16), tmp_path, plan=PLAN, runtime=slower)
    assert _times(table) == pytest.approx({key: ns / 1e6 for key, ns in COSTS.items()}, rel=1e-3)
    assert table.spaces["tiny"]["resolutions"] == [8, 16]
    # What checks the table is drawn from both.
    old = {model.content for model in slower.opened if model.inputs[0].shape[2] == 8}
    assert len(old) > 1, "the anchor, and others"
    assert table.spaces["tiny"]["validation"]["within_5_pct"] == 100
    assert table.covered(SPACE).size() == SPACE.size()
    # All of it again begins anew, at the speed of now.
    table = profile(DEVICE, SPACE, tmp_path, plan=PLAN, runtime=slower)
    assert _times(table) == pytest.approx({key: 2 * ns / 1e6 for key, ns in COSTS.items()}, rel=1e-3)


def test_another_resolution_of_mixed_networks_joins_at_the_same_reference_speed(tmp_path: Path) -> None:
    mixed = mixed_space(SPACE, "fp32+int8")
    truth, precision = costs(mixed), "fp32+int8"
    for r, speed in ((8, 1.0), (16, 2.0)):
        runtime = FakeRuntime(truth, speed=lambda _, factor=speed: factor)  # type: ignore[misc]
        table = profile(DEVICE, mixed.restrict(r=r), tmp_path, precision=precision, plan=PLAN, runtime=runtime)
    x = mixed.sample(50, np.random.default_rng(1))
    sums = [sum(truth[layer.key] for _, layer in mixed.network(row)) / 1e6 for row in x]
    np.testing.assert_allclose(table.cost(mixed)(x), sums, rtol=2e-3)


def test_a_part_of_a_space_is_profiled(tmp_path: Path) -> None:
    part = SPACE.restrict(d=1, r=8)
    table = profile(DEVICE, part, tmp_path, plan=PLAN, runtime=FakeRuntime(COSTS))
    assert set(_times(table)) == set(part.layers())
    assert table.spaces["tiny"]["resolutions"] == [8]


def test_spaces_share_a_table_and_conditions_do_not(tmp_path: Path) -> None:
    table = profile(DEVICE, SPACE, tmp_path, plan=PLAN, runtime=FakeRuntime(COSTS))
    other = SearchSpace("other", SPACE.genes, SPACE.slots)
    table = profile(DEVICE, other, tmp_path, plan=PLAN, runtime=FakeRuntime(COSTS))
    assert set(table.spaces) == {"tiny", "other"}
    batched = get_device("cpu", batch=4)
    with pytest.raises(TableError, match=r"batch 1, here 4.*--out"):
        profile(batched, SPACE, tmp_path, plan=PLAN, runtime=FakeRuntime(COSTS))


@pytest.mark.clock
def test_onnxruntime_itself(tmp_path: Path) -> None:
    part = SPACE.restrict(r=8)
    table = profile(DEVICE, part, tmp_path, plan=Plan(times=1, sessions=1, n_validation=4))
    assert set(_times(table)) == set(part.layers())
    assert all(0 < row.p10_ms <= row.median_ms <= row.p90_ms for row in table.rows.values())
    assert table.spaces["tiny"]["method"] == "in-context"
    assert table.spaces["tiny"]["validation_plain"]["n_validation"] > 4


def test_every_prediction_has_an_interval_and_noise_and_fallbacks_are_kept(tmp_path: Path) -> None:
    table = profile(
        DEVICE,
        SPACE,
        tmp_path,
        plan=Plan(n_validation=20, n_calibration=4),
        runtime=FakeRuntime(COSTS, strays={"Resize": 2}),
    )
    facts = LatencyTable.load(tmp_path).spaces["tiny"]
    assert facts["elsewhere"] == {"Resize": 2}
    assert facts["repeat_pct"] == pytest.approx(0, abs=0.1)
    assert facts["interval"]["n"] == 20
    assert table.plus_minus(SPACE) == pytest.approx(facts["interval"]["plus_minus_pct"] / 100 + LATER)
    assert table.plus_minus(SearchSpace("other", SPACE.genes, SPACE.slots)) is None


def test_reading_and_writing_of_a_decoder_have_an_anchor_and_a_check_each(tmp_path: Path) -> None:
    decoder = Decoder(2, 24, 32, 6, 2, 8, "silu", 1e-6, 1e4, 20, 64, tied=True)
    space = decoder_space("llama", decoder, (1, 16), (0, 16))
    reading, writing = space.restrict(l=16, p=0), space.restrict(l=1, p=16)
    truth = costs(reading) | costs(writing)
    plan = Plan(sessions=1, n_validation=4, n_calibration=2)
    for part in (reading, writing):
        profile(DEVICE, part, tmp_path, plan=plan, runtime=FakeRuntime(truth))
    table = LatencyTable.load(tmp_path)
    for part in (reading, writing):
        anchor = table.anchor(part)
        assert anchor is not None
        keys = [layer.key for _, layer in anchor.network]
        assert set(keys) <= set(part.layers()), "beside a run of another kind times would tell little"
        assert anchor.median_ms == pytest.approx(sum(truth[key] for key in keys) / 1e6, rel=1e-3)
        assert table.validation(part)["mape_pct"] < 0.1  # type: ignore[index]
    assert table.anchor(space) is None, "of neither alone"
    # Made anew, it is at the speed of now.
    again = profile(DEVICE, writing, tmp_path, plan=plan, runtime=FakeRuntime({k: 2 * ns for k, ns in truth.items()}))
    before, after = table.anchor(writing), again.anchor(writing)
    assert before is not None
    assert before.median_ms is not None
    assert after is not None
    assert after.median_ms == pytest.approx(2 * before.median_ms, rel=1e-3)
    assert again.anchor(reading) == table.anchor(reading)
