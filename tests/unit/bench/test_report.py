"""The report and its charts."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.charts import charted, latency_chart, time_chart
from bench.readme import BEGIN, END, update
from bench.report import document, write_report
from bench.results import newest_tables
from bench.targets import TARGETS
from support.bench_results import SECONDS, head, mysql_run, sqlite_run, tables, whole

SVG = "{http://www.w3.org/2000/svg}"


def row(text: str, begins: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {begins} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def elements(chart: Path) -> ET.Element:
    return ET.parse(chart).getroot()  # noqa: S314 - written by ourselves


def test_a_table_has_medians_and_ratios() -> None:
    text = document(tables(*(sqlite_run(name, number) for name in SECONDS for number in (1, 2, 3))))

    assert row(text, "cp + sync")[1:3] == ["11", "1.00"]
    assert row(text, "tracker-backup, copy alone")[1:3] == ["8", "0.73"]
    assert row(text, "stop, .backup, gzip, start")[6] == "91"
    assert row(text, "nothing runs")[2] == ""


def test_what_failed_and_what_is_damaged_is_said() -> None:
    runs = [
        sqlite_run("cp", 1, sound=False, checked="malformed"),
        sqlite_run("cp", 2),
        sqlite_run("backup", outcome="too long", said="not within 120 s; 3% of it was there", sound=False),
        sqlite_run("ours"),
    ]

    text = document(tables(*runs))

    assert row(text, "cp + sync")[-1] == "**no**, 1 of 2"
    assert row(text, "sqlite3 .backup")[-1] == "**too long**: not within 120 s; 3% of it was there"
    assert row(text, "sqlite3 .backup")[1:3] == ["", ""]
    assert row(text, "tracker-backup --now")[-1] == "yes"


def test_a_newer_call_replaces_the_cases_that_it_has() -> None:
    old = [head(), *(sqlite_run(name) for name in SECONDS), mysql_run("client")]
    new = [head("2026-12-01T10:00:00+00:00"), sqlite_run("cp", seconds=3.0), sqlite_run("cp", size="17G", seconds=70.0)]
    new += [whole("1G"), whole("17G")]

    text = document(newest_tables([old, new]))

    assert text.count("\n## 1 GiB") == text.count("\n## 161,454,700 rows, random") == 1
    assert "| tracker-backup, copy alone |" not in text
    assert text.index("## 1 GiB") < text.index("## 161,454,700 rows") < text.index("## MySQL 9.7")
    assert "on 2026-12-01" in text


def test_a_call_that_was_cut_short_replaces_nothing() -> None:
    old = [head(), *(sqlite_run(name) for name in SECONDS), whole("1G")]
    new = [head("2026-12-01T10:00:00+00:00"), sqlite_run("cp", seconds=3.0), sqlite_run("cp", size="4G")]

    text = document(newest_tables([old, new]))

    assert row(text.partition("\n## 4 GiB")[0], "cp + sync")[1] == "10"
    assert "\n## 4 GiB" in text


def test_the_report_is_written_with_its_charts(tmp_path: Path) -> None:
    paths = write_report(tables(*(sqlite_run(name) for name in SECONDS)), tmp_path / "docs")

    text = paths[0].read_text(encoding="utf-8")
    for chart in paths[1:]:
        assert f"]({chart.name})" in text
        assert elements(chart)
        assert "prefers-color-scheme:dark" in chart.read_text(encoding="utf-8")
        assert chart.stat().st_size < 64 * 1024
    assert len(paths) == 3


def test_production_size_has_charts_of_its_own(tmp_path: Path) -> None:
    runs = [*(sqlite_run(name) for name in SECONDS), sqlite_run("cp", size="17G"), sqlite_run("ours", size="17G")]

    document_file, *charts = write_report(tables(*runs), tmp_path)

    assert [chart.stem.rpartition("-")[2] for chart in charts] == ["latency", "time", "17G", "17G"]
    text = document_file.read_text(encoding="utf-8")
    assert all(f"]({chart.name})" in text for chart in charts)
    assert "Not measured in this case: nothing runs, tracker-backup, copy alone" in text


def test_a_target_that_is_missed_has_its_reason_below_it() -> None:
    (missed,) = [target for target in TARGETS if "production size" in target.what]
    runs = [sqlite_run(name, size="17G") for name in ("cp", "ours")]

    assert missed.why not in document(tables(*runs))
    assert f"{missed.what}: {missed.why}" in document(tables(runs[0], sqlite_run("ours", size="17G", seconds=90.0)))


def test_the_readme_has_its_part_between_its_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nbehind\n", encoding="utf-8")
    found = tables(*(sqlite_run(name) for name in SECONDS))

    assert update(readme, found, tmp_path / "docs")
    once = readme.read_text(encoding="utf-8")
    assert update(readme, found, tmp_path / "docs")

    assert readme.read_text(encoding="utf-8") == once
    assert once.startswith(f"before\n\n{BEGIN}\n\n1 GiB, random hashes")
    assert once.endswith(f"{END}\n\nbehind\n")
    assert "old" not in once
    assert "](docs/benchmarks-latency.svg)" in once
    assert row(once, "stop, .backup, gzip, start")[1:3] == ["90", "9.00"]


def test_a_readme_without_marks_is_left_as_it_is(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("all of it\n", encoding="utf-8")

    with pytest.raises(ValueError, match="has no <!-- written by make bench -->"):
        update(readme, tables(sqlite_run("cp")), tmp_path / "docs")

    assert readme.read_text(encoding="utf-8") == "all of it\n"
    assert not update(readme, tables(mysql_run("client")), tmp_path / "docs")


def test_without_sqlite_there_are_no_charts(tmp_path: Path) -> None:
    (document_file,) = write_report(tables(mysql_run("client"), mysql_run("gzip")), tmp_path)

    assert "svg" not in document_file.read_text(encoding="utf-8")


def test_the_case_with_most_contenders_is_drawn_and_of_those_the_largest() -> None:
    runs = [sqlite_run(name, size=size) for name in ("cp", "ours") for size in ("1G", "4G")]
    runs += [sqlite_run("cp", size="17G"), *(sqlite_run(name, size="4G", rate="0") for name in SECONDS)]

    drawn = charted(tables(*runs))

    assert list(drawn) == ["", "-17G"]
    assert str(drawn[""].case) == "4 GiB, random hashes, WAL, 100 writes/s"


def test_a_stopped_tracker_is_a_red_box_as_wide_as_it_was_long(tmp_path: Path) -> None:
    (table,) = tables(*(sqlite_run(name) for name in ("none", "cp", "incumbent")))
    latency_chart(table).write(tmp_path / "latency.svg")

    boxes = elements(tmp_path / "latency.svg").findall(f"{SVG}rect[@class='stop']")

    assert len(boxes) == 1
    (hint,) = boxes[0]
    assert hint.text == "87.4 s"


def test_bars_are_as_long_as_runs(tmp_path: Path) -> None:
    (table,) = tables(*(sqlite_run(name) for name in ("none", "cp", "ours", "incumbent")))
    time_chart(table).write(tmp_path / "time.svg")
    root = elements(tmp_path / "time.svg")

    widths = {
        kind: [float(box.get("width", 0)) for box in root.findall(f"{SVG}rect[@class='{kind}']")]
        for kind in ("ours", "other", "stop")
    }

    assert widths["ours"][0] == 2 * widths["other"][0]
    assert widths["stop"] == [widths["other"][1]]
