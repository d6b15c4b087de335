"""The page: the numbers of the tables, records that can be opened, no foreign markup, nothing loaded, equal bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from reportrecords import CELL, INIT, failed, finished, record, seeds, store

from bench.cli import main
from bench.page.compact import rounded
from bench.page.document import page
from bench.page.links import Links
from bench.plots.sources import Sources
from bench.records import Record, seal
from bench.report.contents import build
from bench.report.documents import documents
from bench.report.text import plain
from bench.spec import FULL, Bits

ROOT = Path(__file__).resolve().parents[1]
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`\u2028\u2029\u202e--><!-- &amp; ${7*7}"
VOID = ("meta", "input", "br", "img", "link")


class Parsed(HTMLParser):
    """A page as a browser takes it: tags with attributes, tables as text, data blocks by record."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.blocks: list[tuple[dict[str, str], str]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("script", "style"):
            self.blocks.append((attributes, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            attributes, text = self.blocks[-1]
            self.blocks[-1] = (attributes, text + data)
        elif "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    @property
    def details(self) -> dict[str, dict[str, Any]]:
        """What is embedded of each record, by key."""
        return {named["data-record"]: json.loads(text) for named, text in self.blocks if "data-record" in named}

    def block(self, name: str) -> Any:
        """The data block with an id."""
        (text,) = (text for named, text in self.blocks if named.get("id") == name)
        return json.loads(text)

    def links(self) -> list[list[str]]:
        """Keys behind each number that leads to records."""
        return [json.loads(named["data-records"]) for _, named in self.tags if "data-records" in named]


def parsed(results: Path, *made: Record) -> Parsed:
    store(results, list(made))
    return Parsed(page(results))


def many() -> list[Record]:
    """Records with something of everything."""
    low = CELL.but(bits=Bits(3, 3))
    made = [*seeds(0.88, 0.9), *seeds(0.7, cell=low), *seeds(0.5, cell=CELL.but(dataset="cifar100"))]
    return [*made, failed(CELL.but(method="bag", seed=3), "oom", "no memory"), record(provenance="paper", platform="x")]


# the numbers


def test_tables_are_those_of_every_other_form_cell_by_cell(tmp_path: Path) -> None:
    shown = parsed(tmp_path, *many()).tables
    grids = [grid for document in documents(build(tmp_path)) for grid in document.grids]
    assert len(grids) == len(shown) - 1  # that of cells without a result is the page's own
    for grid in grids:
        assert [list(grid.columns), *map(list, grid.lines)] in shown


def test_every_accuracy_leads_to_the_records_of_its_seeds(tmp_path: Path) -> None:
    found = parsed(tmp_path, *many())
    details = found.details
    assert all(key in details for keys in found.links() for key in keys)
    shares = {key: detail["record"]["result"].get("top1", {}).get("last") for key, detail in details.items()}
    behind = {tuple(shares[key] for key in keys) for keys in found.links()}
    assert behind == {(0.88, 0.9), (0.7,), (0.5,), (None,)}


def test_rows_that_tables_tell_apart_by_data_access_lead_to_their_own_records(tmp_path: Path) -> None:
    other = seeds(0.9, method={"data": "train", "version": "gdfq-2"})
    found = parsed(tmp_path, *seeds(0.88), *other)
    assert {len(keys) for keys in found.links()} == {1}
    assert {key for keys in found.links() for key in keys} == set(found.details)


def test_runs_of_authors_programs_lead_to_records_that_nothing_here_reproduces(tmp_path: Path) -> None:
    theirs = seeds(0.87, 0.89, provenance="author-code", platform="gdfq-original")
    found = parsed(tmp_path, *seeds(0.88), *theirs)
    commands = {key: detail["reproduce"] for key, detail in found.details.items()}
    ((first, second),) = (keys for keys in found.links() if len(keys) == 2)
    assert commands[first] is None and commands[second] is None
    assert sum(command is not None for command in commands.values()) == 1


def test_a_published_figure_stands_beside_a_measured_one_that_leads_to_its_record(tmp_path: Path) -> None:
    (tmp_path / "published.csv").write_bytes((ROOT / "results" / "published.csv").read_bytes())
    (made,) = seeds(0.88, cell=CELL.but(schedule="paper"))
    store(tmp_path, [made])
    report = build(tmp_path)
    (grid,) = (grid for document in documents(report) for grid in document.grids if "here" in grid.columns)
    lines = [dict(zip(grid.columns, line, strict=True)) for line in grid.lines]
    links = Links(report, Sources(tmp_path))
    ours = [line for line in lines if line["here"] == "paper gdfq"]
    assert ours
    for line in ours:
        assert [source.record.id for source in links.foreign("cifar10", line, "last")] == [made.id]
        assert links.foreign("cifar100", line, "last") == []
        assert links.foreign("cifar10", {**line, "last": "88.01"}, "last") == []


def test_the_full_precision_model_leads_to_the_record_of_its_training(tmp_path: Path) -> None:
    made = record(CELL.but(method="pretrain", bits=FULL, init="", tutor=""), finished() | {"weights": INIT})
    found = parsed(tmp_path, *seeds(0.88), made)
    assert [detail["record"]["spec"]["method"] for detail in found.details.values()] == ["gdfq", "pretrain"]


def test_cells_without_a_result_stand_with_their_reason_and_lead_to_their_records(tmp_path: Path) -> None:
    found = parsed(tmp_path, *many())
    (row,) = (row for table in found.tables for row in table if row[-1] == "no memory")
    assert row[-2] == "oom"
    assert any(detail["record"]["status"] == "oom" for detail in found.details.values())


def test_what_tables_leave_out_is_told(tmp_path: Path) -> None:
    store(tmp_path, many())
    (tmp_path / "records" / "cifar10" / "broken.json").write_text("{")
    shown = page(tmp_path)
    assert "records/cifar10/broken.json" in shown
    assert "1 of provenance paper" in shown


def test_a_folder_without_records_gives_a_page_that_says_so(tmp_path: Path) -> None:
    found = parsed(tmp_path)
    assert not found.tables and not found.details
    assert "no data set yet" in page(tmp_path)


# the records


def test_a_record_is_embedded_but_for_its_bits_and_what_plots_show(tmp_path: Path) -> None:
    made = record(result=finished() | {"correct": "QUJD" * 400, "weights": "ab" * 32}, suite="methods")
    found = parsed(tmp_path, made)
    (detail,) = found.details.values()
    shared = found.block("shared")
    assert detail["record"]["result"] == {k: v for k, v in made.result.items() if k != "correct"}
    assert detail["record"]["suite"] == "methods"
    assert shared[detail["shared"]["spec.options"]] == made.spec["options"]
    assert shared[detail["shared"]["method"]] == made.method
    assert detail["path"] == f"records/cifar10/gdfq/{made.id[:16]}@cpu-torch-2.15.0-2-threads.json"
    assert "QUJDQUJD" not in page(tmp_path)


def test_a_record_comes_with_the_command_that_reproduces_it(tmp_path: Path) -> None:
    (made,) = seeds(0.88)
    (detail,) = parsed(tmp_path, made).details.values()
    assert detail["reproduce"] == f"python -m bench reproduce {made.id[:16]}"


def test_a_cell_of_two_platforms_is_reproduced_by_its_path(tmp_path: Path) -> None:
    details = parsed(tmp_path, *seeds(0.88), *seeds(0.88, platform="cuda/torch-2.15.0")).details
    commands = [shlex.split(detail["reproduce"]) for detail in details.values()]
    assert [command[-1] for command in commands] == [f"results/{detail['path']}" for detail in details.values()]
    assert len({command[-1] for command in commands}) == 2


def test_generated_images_are_linked_where_there_are_some(tmp_path: Path) -> None:
    first, second = seeds(0.88, 0.9)
    (path, _) = store(tmp_path, [first, second])
    image = tmp_path / "images" / "cifar10" / "gdfq" / f"{path.stem}.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"png")
    linked = {d["record"]["spec"]["seed"]: d["images"] for d in Parsed(page(tmp_path)).details.values()}
    assert linked == {0: image.relative_to(tmp_path).as_posix(), 1: None}


def test_a_record_of_the_published_length_takes_little_room(tmp_path: Path) -> None:
    curve = [
        {"epoch": e, "top1": 0.5 + e / 1000, "losses": {f"learn/{name}": 1 / (e + 3) for name in "abcdef"}}
        for e in range(400)
    ]
    alone = len(page(tmp_path))
    several = [record(CELL.but(seed=seed), seal(finished() | {"epochs": curve})) for seed in range(20)]
    store(tmp_path, several)
    assert (len(page(tmp_path)) - alone) / 20 < 5000


def test_curves_keep_four_digits() -> None:
    assert [rounded(value) for value in (79.03456, 0.00123456, 12.0, -3.5e-9, None)] == [
        79.03,
        0.001235,
        12,
        -3.5e-09,
        None,
    ]


# foreign text


def hostile() -> list[Record]:
    """Records with markup wherever a record may hold text."""
    cell = CELL.but(options={"temperature": NASTY, NASTY: {NASTY: [NASTY]}})
    curve = [{"epoch": e, "top1": 0.5, "losses": {NASTY: 1.0}, "phase": NASTY} for e in range(2)]
    result = finished() | {"epochs": curve, "ranges": {NASTY: [0.0, 1.0]}, "unquantized": [NASTY], "weights": NASTY}
    about = {"title": NASTY, "data": NASTY, "quantizer": NASTY, "version": NASTY, "reading": NASTY}
    run = {"command": NASTY, "environment": {NASTY: NASTY}}
    made = record(cell, result, about, {"fingerprint": NASTY}, suite=NASTY, run=run)
    return [made, failed(cell.but(seed=1), reason=NASTY, method=about, data={"fingerprint": NASTY})]


def test_text_of_records_never_becomes_markup(tmp_path: Path) -> None:
    harmless = parsed(tmp_path / "harmless", *seeds(0.88), failed(CELL.but(seed=1)))
    found = parsed(tmp_path / "hostile", *hostile())
    assert {tag for tag, _ in found.tags} == {tag for tag, _ in harmless.tags}
    assert {name for _, named in found.tags for name in named} == {name for _, named in harmless.tags for name in named}
    assert not [text for named, text in found.blocks if named and re.search("[<>&]", text)]
    running = [text for named, text in found.blocks if named == {}]
    assert running == [text for named, text in harmless.blocks if named == {}]


def test_text_of_records_comes_through_whole(tmp_path: Path) -> None:
    made, _ = hostile()
    found = parsed(tmp_path, *hostile())
    detail = next(detail for detail in found.details.values() if detail["record"]["status"] == "ok")
    shared = found.block("shared")
    assert detail["record"]["run"]["command"] == NASTY
    assert shared[detail["shared"]["spec.options"]] == made.spec["options"]
    assert shared[detail["shared"]["run.environment"]] == {NASTY: NASTY}
    assert any(plain(NASTY) in cell for table in found.tables for row in table for cell in row)


def test_the_page_holds_no_character_that_ends_lines_or_turns_text(tmp_path: Path) -> None:
    store(tmp_path, hostile())
    assert not re.search("[\u2028\u2029\u202a-\u202e\u2066-\u2069]", page(tmp_path))


def test_a_record_that_names_itself_oddly_on_disk_has_a_plain_key(tmp_path: Path) -> None:
    (path,) = store(tmp_path, seeds(0.88))
    path.rename(path.with_name("a  b\u202e\"'<.json"))
    found = Parsed(page(tmp_path))
    ((key,),) = {tuple(keys) for keys in found.links()}
    assert set(found.details) == {key}
    assert re.fullmatch(r"[\w/@.%-]+", key)


# the file


def test_the_same_records_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    store(tmp_path, [*many(), *hostile()])
    first = page(tmp_path).encode()
    script = "import sys, pathlib, bench.page.document as d; d.write(pathlib.Path(sys.argv[1]))"
    elsewhere = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, env=elsewhere, check=True)
    assert (tmp_path / "index.html").read_bytes() == first
    assert str(tmp_path).encode() not in first


def test_check_says_whether_the_page_is_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path, seeds(0.88))
    check = ["page", "--check", "--results", str(tmp_path)]
    assert main(check) == 1
    assert "run: python -m bench page" in capsys.readouterr().out
    assert main(["page", "--results", str(tmp_path)]) == 0
    assert main(check) == 0
    store(tmp_path, seeds(0.88, 0.9))
    assert main(check) == 1


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    found = parsed(tmp_path, *many())
    loading = {"src", "href", "srcset", "action", "data", "poster", "background", "style"}
    assert not [(tag, named) for tag, named in found.tags if loading & set(named) or tag in ("link", "iframe", "base")]
    assets = "".join(text for named, text in found.blocks if named == {})
    assert set(re.findall(r"https?://[^\s\"']+", assets)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|innerHTML|insertAdjacent|eval\(", assets)


def test_the_policy_allows_the_pages_own_script_and_style_and_no_other(tmp_path: Path) -> None:
    found = parsed(tmp_path, *many())
    (policy,) = (n["content"] for t, n in found.tags if n.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy and "http" not in policy
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    own = [text for named, text in found.blocks if named == {}]
    assert {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in own} == set(allowed)
    assert len(own) == 2


def test_tables_are_real_tables_with_headers_that_can_be_reached_by_keyboard(tmp_path: Path) -> None:
    found = parsed(tmp_path, *many())
    heads = [named for tag, named in found.tags if tag == "th"]
    assert heads and all(named["scope"] == "col" and named["aria-sort"] == "none" for named in heads)
    assert sum(tag == "button" for tag, _ in found.tags) >= len(heads) + len(found.links())
    regions = [named for _, named in found.tags if named.get("role") == "region"]
    assert len(regions) == len(found.tables) and all(named["tabindex"] == "0" for named in regions)
