"""`reproduce`: the record that is meant, what runs again, and what is said of the two results."""

from __future__ import annotations

import base64
import copy
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from faults import Faults, prepare, wait_for
from recordfactory import make_record
from reportrecords import failed, record, store
from workplace import give_teacher, make

from bench import records
from bench.cli import main
from bench.data import describe
from bench.errors import BenchError, DataMissing, ModelMissing, UnknownName
from bench.measure.environment import gpu_name
from bench.records import Record, seal
from bench.reproduce.again import Means, job_of
from bench.reproduce.compare import DIFFERENT, EQUAL, IDENTICAL, compare
from bench.reproduce.environment import differences
from bench.reproduce.find import NotReproducible, find
from bench.runner.main import run as run_job
from bench.suite import read as read_suite
from bench.sweep.jobs import job as job_of_plan
from bench.sweep.place import Place
from bench.sweep.plan import make as make_plan
from bench.sweep.wish import Wish

# which record is meant


def test_a_record_is_found_by_its_path_and_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    made = make_record()
    (path,) = store(tmp_path, [made])
    for wanted in (str(path), made.id[:6], made.id[:16], made.id):
        assert find(wanted, tmp_path) == (path, made)


@pytest.mark.parametrize("wanted", ["0" * 8, "*", "../x", "absent.json"])
def test_what_is_no_record_is_refused(tmp_path: Path, wanted: str) -> None:
    store(tmp_path, [make_record()])
    with pytest.raises(UnknownName, match="no record"):
        find(wanted, tmp_path)


def test_a_cell_on_two_platforms_is_to_be_named_by_a_path(tmp_path: Path) -> None:
    made = make_record()
    paths = store(tmp_path, [made, make_record(platform="cpu/torch-2.15.0/1-threads")])
    with pytest.raises(UnknownName, match="2 records have an id that begins with") as caught:
        find(made.id[:8], tmp_path)
    assert all(str(path) in str(caught.value) for path in paths)


@pytest.mark.parametrize(
    ("made", "reason"),
    [(record(provenance="author-code"), "of provenance author-code"), (failed(), "failed: out of luck")],
)
def test_records_that_nothing_here_can_repeat_are_refused(tmp_path: Path, made: Record, reason: str) -> None:
    (path,) = store(tmp_path, [made])
    with pytest.raises(NotReproducible, match=reason):
        find(str(path), tmp_path)


# what is missing


def test_missing_or_other_data_models_and_options_get_one_clear_line(tmp_path: Path) -> None:
    place = make(tmp_path)
    means = Means(place.results, tmp_path / "new", place.data)
    tiny = make_record(spec={"dataset": "tiny"}, data={"fingerprint": "0" * 64})
    with pytest.raises(NotReproducible, match="holds other images .* --data-root"):
        job_of(tiny, means, "")
    with pytest.raises(DataMissing, match="cifar10 is not in"):
        job_of(make_record(), means, "")
    with pytest.raises(NotReproducible, match="has not the options of the record: .*did you mean temperature"):
        job_of(make_record(spec={"options": {"temperatur": 3.0}}), means, "")
    shapes = make_record(spec={"dataset": "shapes10"}, data={"fingerprint": _fingerprint("shapes10")})
    with pytest.raises(ModelMissing, match="bench pretrain --dataset shapes10 --model resnet20"):
        job_of(shapes, means, "")
    give_teacher(place)
    tiny = make_record(spec={"dataset": "tiny"}, data={"fingerprint": describe("tiny", place.data).fingerprint})
    with pytest.raises(ModelMissing, match="has the weights aaaaaaaaaaaa, and .*tiny-resnet20.safetensors has"):
        job_of(tiny, means, "")


@pytest.mark.skipif(gpu_name() is not None, reason="there is a GPU")
def test_a_record_of_a_gpu_says_that_there_is_none(tmp_path: Path) -> None:
    made = make_record(
        spec={"dataset": "shapes10", "init": "", "tutor": ""},
        data={"fingerprint": _fingerprint("shapes10")},
        platform="NVIDIA-H200/torch-2.15.0",
    )
    with pytest.raises(NotReproducible, match="no NVIDIA GPU here; give --device cpu"):
        job_of(made, Means(tmp_path, tmp_path, tmp_path), "")
    assert job_of(made, Means(tmp_path, tmp_path, tmp_path, device="cpu"), "").device == "cpu"


def test_the_record_gives_seed_options_device_and_threads(tmp_path: Path) -> None:
    made = make_record(
        spec={"dataset": "shapes10", "init": "", "tutor": "", "seed": 7, "options": {"temperature": 10}},
        data={"fingerprint": _fingerprint("shapes10")},
    )
    job = job_of(made, Means(tmp_path, tmp_path / "new", tmp_path), "me")
    assert (job.cells[0].seed, job.cells[0].options["temperature"]) == (7, 10.0)
    assert job.cells[0].options.keys() > {"temperature"}  # those that the method has gained since, at their defaults
    assert (job.device, job.threads, job.results) == ("cpu", 2, tmp_path / "new")


def _fingerprint(name: str) -> str:
    return describe(name, Path("nowhere")).fingerprint


# how results compare


def changed(made: Record, **fields: Any) -> Record:
    """The record with some fields of its result replaced; None removes one."""
    result = {key: value for key, value in (made.result | fields).items() if value is not None}
    return Record(**{**vars(made), "result": seal(result)})


def test_equal_digests_are_identical() -> None:
    assert compare(make_record(), make_record(run={"resumed": 3})).verdict == IDENTICAL


def test_results_with_other_sets_of_fields_are_identical_in_those_that_both_have() -> None:
    then = make_record()
    epochs = [epoch | {"watched": {"norm": 1.0}} for epoch in copy.deepcopy(then.result["epochs"])]
    now = changed(then, epochs=epochs, fresh=0.5, newer={"a": 1.0, "b": 2.0}, steps=None)
    found = compare(then, now)
    assert found.verdict == IDENTICAL
    assert found.why.startswith("identical in all ") and found.why.endswith(" common fields")
    assert (found.only_then, found.only_now) == (("steps",), ("epochs.watched", "fresh", "newer"))


def test_a_list_of_another_length_is_a_difference_and_no_other_set_of_fields() -> None:
    then = make_record()
    found = compare(then, changed(then, epochs=then.result["epochs"][:1], unquantized=[]))
    assert {"epochs.top1", "unquantized"} <= set(found.differing)
    assert (found.only_then, found.only_now) == ((), ())


@pytest.mark.parametrize(("wrong", "verdict"), [(3, EQUAL), (30, DIFFERENT)])
def test_other_results_are_tested_by_mcnemar_on_the_same_images(wrong: int, verdict: str) -> None:
    then = changed(make_record(), correct=_bits(64))
    found = compare(then, changed(then, correct=_bits(64 - wrong), weights="e" * 64))
    assert found.verdict == verdict
    assert found.differing == ("correct", "weights")
    assert f"0 images are right that were wrong and {wrong} wrong that were right" in found.why


def test_equally_many_right_images_are_equal_whichever_they_are() -> None:
    then = changed(make_record(), correct=_bits(32))
    now = changed(then, correct=base64.b64encode(bytes(4) + b"\xff" * 4).decode())
    found = compare(then, now)
    assert found.verdict == EQUAL and "p = 1," in found.why


def test_a_run_that_did_not_end_as_the_record_did_is_not_reproduced() -> None:
    found = compare(make_record(), make_record(status="diverged", reason="a loss was not finite"))
    assert found.verdict == DIFFERENT and "this run diverged (a loss was not finite)" in found.why


def test_without_correctness_bits_nothing_is_called_equal() -> None:
    then = make_record()
    assert compare(then, changed(then, weights="e" * 64, correct=None)).verdict == DIFFERENT


def _bits(right: int) -> str:
    """Correctness bits of 64 images of which the first so many are right."""
    return base64.b64encode((((1 << right) - 1) << (64 - right)).to_bytes(8)).decode()


def test_what_differs_in_machine_software_and_code_is_named() -> None:
    old = {"processor": "A", "threads": 2, "packages": {"torch": "2.14.0", "numpy": "2"}}
    then = make_record(run={"environment": old}, method={"code": {"methods.gdfq": "1", "bench.quant": "2"}})
    new = {"processor": "B", "threads": 2, "packages": {"torch": "2.15.0", "numpy": "2"}}
    now = make_record(run={"environment": new}, method={"code": {"methods.gdfq": "9", "bench.quant": "2"}})
    assert differences(then, now) == [
        "package torch: 2.14.0 -> 2.15.0",
        "processor: A -> B",
        "code of methods.gdfq: 1 -> 9",
    ]
    assert differences(then, then) == []


def test_a_record_without_the_names_of_its_modules_says_so() -> None:
    then, now = make_record(method={"code": "c" * 64}), make_record(method={"code": {"methods.gdfq": "9"}})
    assert differences(then, now) == [
        "code: the record does not name the modules that it ran, so which of them changed is not known"
    ]


# for real


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Two cells of one source, run in this process, so that only repetitions cost a process."""
    made = prepare(tmp_path, ("W4A4", "W3A3"), seeds=1)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(made.place.data)
    plan = make_plan(read_suite(made.place.suite), Wish(), Place(made.place.results, made.place.data, "cpu", 1))
    (group,) = plan.groups()
    assert run_job(job_of_plan(plan, group, "sweep", "a test").text()) == 0
    return made


def repeated(faults: Faults, *told: str) -> int:
    """Exit code of `reproduce` in this process, which runs the cell in one of its own."""
    places = ["--results", str(faults.place.results), "--data-root", str(faults.place.data)]
    return main(["reproduce", *told, *places])


def files(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_cell_run_again_alone_is_identical_and_its_record_stays_untouched(
    faults: Faults, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, kept = files(faults.place.results), ("--keep", str(tmp_path / "kept"))
    path = sorted((faults.place.results / "records").rglob("*.json"))[0]
    assert repeated(faults, str(path), *kept) == 0
    assert "identical: the result digests are equal" in capsys.readouterr().out
    assert files(faults.place.results) == before
    forge(path)
    assert repeated(faults, path.name[:12], *kept) == 3  # compared with the run that was kept
    out = capsys.readouterr().out
    assert "not reproduced: 1 of " in out and "differing    correct" in out


def forge(path: Path) -> None:
    """Turn all correctness bits of a record over, and seal it again."""
    plain = json.loads(path.read_text())
    bits = base64.b64decode(plain["result"]["correct"])
    plain["result"]["correct"] = base64.b64encode(bytes(255 - byte for byte in bits)).decode()
    plain["result"] = seal(plain["result"])
    path.write_text(json.dumps(plain))


@pytest.mark.slow
def test_an_interrupted_repetition_that_is_kept_continues(faults: Faults, tmp_path: Path) -> None:
    path = sorted((faults.place.results / "records").rglob("*.json"))[0]
    told = ("reproduce", str(path), "--keep", str(tmp_path / "kept"))
    process = faults.place.start(*told, **faults.environment, BENCH_CHECKPOINT_SECONDS="0")
    wait_for(tmp_path / "kept" / ".work" / "checkpoints", "*")
    os.kill(process.pid, signal.SIGINT)
    assert process.wait() == 130, process.communicate()[0]
    assert repeated(faults, *told[1:]) == 0
    (kept,) = records.load(tmp_path / "kept")
    assert kept.run["resumed"] == 1


@pytest.mark.parametrize("told", [("--threads", "0"), ("--device", "tpu")])
def test_wrong_options_are_usage_errors(told: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["reproduce", "abc", *told])
    assert caught.value.code == 2
    assert issubclass(NotReproducible, BenchError) and NotReproducible.exit_code == 2
