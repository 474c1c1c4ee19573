"""Targets: what is compared with what, and when one is met."""

from __future__ import annotations

from bench.targets import TARGETS, Target
from support.bench_results import SECONDS, mysql_run, sqlite_run, tables


def target(words: str) -> Target:
    (found,) = [each for each in TARGETS if each.what.startswith(words)]
    return found


def test_a_ratio_is_of_medians_within_one_table() -> None:
    found = tables(*(sqlite_run(name, number, size="4G") for name in ("cp", "ours-copy") for number in (1, 2, 3)))

    copying = target("live copy in WAL mode")

    assert copying.values(found) == [("4 GiB random", 8 / 11)]
    assert copying.verdict(found) == "met"
    assert target("the same at 1 GiB").verdict(found) == "not measured"


def test_one_value_above_it_is_enough_to_miss_it() -> None:
    found = tables(
        *(sqlite_run(name) for name in ("cp", "ours-copy")),
        *(sqlite_run(name, size="4G") for name in ("cp", "ours-copy")),
    )
    slow = tables(*(run for table in found for run in table.runs), sqlite_run("ours-copy", writes={"p99": 999.0}))

    latency = target("writer's p99 during the copy")

    assert latency.verdict(found) == "met"
    assert [round(value, 2) for _, value in latency.values(found)] == [0.1, 0.1]
    assert latency.verdict(slow) == "**not met**"


def test_unfinished_runs_have_no_seconds_but_their_failures_count() -> None:
    failed = sqlite_run("ours", outcome="failed", writes={"failed": 3})
    found = tables(sqlite_run("cp"), sqlite_run("incumbent"), failed)

    assert target("whole run as a multiple of the incumbent").verdict(found) == "not measured"
    assert target("failed writes").verdict(found) == "**not met**"


def test_memory_is_the_most_of_any_round_and_is_compared_over_sizes() -> None:
    runs = [sqlite_run("ours-scheduled", number, size) for number in (1, 2) for size in ("1G", "4G")]
    runs.append(sqlite_run("ours-scheduled", 3, "4G", anonymous_bytes=200 * 1024**2))

    assert target("anonymous memory").values(tables(*runs)) == [("1 GiB random", 50), ("4 GiB random", 200)]
    assert target("the same at the largest size").values(tables(*runs)) == [("4 GiB to 1 GiB, random", 4)]
    assert target("the same at the largest size").verdict(tables(*runs[:1])) == "not measured"


def test_mysql_and_start_up() -> None:
    startup = {"kind": "startup", "contender": "--version", "round": 1, "outcome": "ok", "cpu_seconds": 0.1}
    found = tables(*(mysql_run(name) for name in ("client", "ours", "gzip")), startup)

    assert target("MySQL: dump and compression").values(found) == [("", 1.1)]
    assert target("MySQL: the same").verdict(found) == "met"
    assert target("`tracker-backup --version`").verdict(found) == "met"


def test_small_databases_decide_nothing() -> None:
    found = tables(*(sqlite_run(name, size="64M") for name in SECONDS))

    assert {each.verdict(found) for each in TARGETS} == {"not measured"}
