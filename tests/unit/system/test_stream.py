"""Programs that carry data: their end, their words and their children are under control in every case."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.program import is_running, wait_until
from tracker_backup.errors import CommandError
from tracker_backup.system.files import write_all
from tracker_backup.system.stream import Child, describe_exit


def read_all(child: Child) -> bytes:
    """Return everything that comes out."""
    return child.stdout.read() or b""


def feeding(child: Child, data: bytes) -> Callable[[], None]:
    """Return a function that fills a child's stdin."""
    return lambda: write_all(child.stdin.fileno(), data)


def test_data_goes_through_whole() -> None:
    """More than any pipe holds, in both directions at once."""
    data = os.urandom(1 << 20) * 4
    with Child(["cat"]) as child:
        child.feed(feeding(child, data))
        assert read_all(child) == data
        child.require_success()


def test_a_program_that_stops_reading_is_no_error_of_its_own() -> None:
    with Child(["head", "-c", "10"]) as child:
        child.feed(feeding(child, b"0" * 5_000_000))
        assert read_all(child) == b"0" * 10
        child.require_success()


def test_a_failure_is_told_with_its_last_words() -> None:
    with Child(["sh", "-c", "echo first >&2; echo second >&2; exit 7"]) as child:
        assert read_all(child) == b""
        with pytest.raises(CommandError, match="sh exited with 7: first / second"):
            child.require_success()


def test_every_line_of_what_it_said_is_there_with_the_exit_code() -> None:
    with Child(["sh", "-c", "echo first >&2; echo second >&2; exit 1"]) as child:
        read_all(child)
        assert child.end() == 1
        assert child.complaints() == (["first", "second"], False)


def test_too_many_lines_are_told_to_be_too_many() -> None:
    with Child(["sh", "-c", "yes a line of some length | head -c 200000 >&2; exit 1"]) as child:
        read_all(child)
        assert child.end() == 1
        said, cut_off = child.complaints()
        assert cut_off
        assert said[-2] == "a line of some length"


def test_a_death_by_signal_is_told() -> None:
    with Child(["sh", "-c", "kill -SEGV $$"]) as child:
        read_all(child)
        with pytest.raises(CommandError, match="sh was killed by SIGSEGV: it said nothing"):
            child.require_success()


@pytest.mark.parametrize(("code", "text"), [(0, "exited with 0"), (-9, "was killed by SIGKILL")])
def test_exit_codes_in_words(code: int, text: str) -> None:
    assert describe_exit(code) == text


def test_an_error_while_feeding_ends_the_program_and_is_told() -> None:
    """It waits for the rest of its input, which will never come."""

    def fail() -> None:
        write_all(child.stdin.fileno(), b"some")
        raise OSError(5, "Input/output error", "/raw")

    with Child(["cat"]) as child:
        child.feed(fail)
        assert read_all(child) in (b"", b"some")
        with pytest.raises(OSError, match="Input/output error"):
            child.require_success()


def test_a_broken_pipe_elsewhere_does_not_hang_the_program() -> None:
    """Whoever shows the progress may be gone: the program still gets to the end of its input."""

    def fail() -> None:
        write_all(child.stdin.fileno(), b"some")
        raise BrokenPipeError

    with Child(["cat"]) as child:
        child.feed(fail)
        assert read_all(child) == b"some"
        child.require_success()


def test_what_is_said_on_stderr_is_bounded_and_never_blocks() -> None:
    """A chatty program neither fills memory nor waits for somebody to read."""
    script = (
        "i=0; while [ $i -lt 40000 ]; do echo 'a long line of complaint' >&2; i=$((i+1)); done; echo end >&2; exit 1"
    )
    with Child(["sh", "-c", script]) as child:
        read_all(child)
        with pytest.raises(CommandError, match=r"complaint / end$"):
            child.require_success()
        assert len(child._stderr) <= 64 * 1024


def test_leaving_the_block_ends_the_program_with_all_that_it_started(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    script = 'trap "" TERM; sleep 600 & echo $! >"$1.new"; mv "$1.new" "$1"; wait'

    with Child(["sh", "-c", script, "sh", str(told)]) as child:
        wait_until(told.exists, lambda: "it never started")

    wait_until(lambda: not is_running(int(told.read_text())), lambda: "what it started goes on")
    assert child.stdin.closed
    assert child.stdout.closed


def test_leaving_the_block_while_a_thread_feeds_a_stopped_program() -> None:
    """The thread stands in a full pipe: it must not write to whatever gets the pipe's number next."""
    with Child(["cat"]) as child:
        os.kill(child._process.pid, signal.SIGSTOP)
        child.feed(feeding(child, b"0" * 10_000_000))

    assert child._feeder is not None
    assert not child._feeder.is_alive()


def test_no_descriptor_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(5):
        with Child(["cat"]) as child:
            child.feed(feeding(child, b"x"))
            read_all(child)
            child.require_success()

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_program_gets_a_clean_environment_and_a_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_OF_OURS", "x")

    with Child(["sh", "-c", "env; ps -o sid= -p $$; echo $$; ps -o tty= -p $$"]) as child:
        lines = read_all(child).decode().splitlines()
        child.require_success()

    assert "LC_ALL=C.UTF-8" in lines
    assert not any("LD_PRELOAD_OF_OURS" in line for line in lines)
    assert lines[-3].strip() == lines[-2]
    assert lines[-1] == "?"


def test_low_priority_is_the_lowest() -> None:
    with Child(["sh", "-c", "nice"], low_priority=True) as child:
        assert read_all(child) == b"19\n"
        child.require_success()
        assert child.name == "sh"


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program", "/etc/passwd"])
def test_what_can_not_be_run_is_an_error_of_ours(name: str) -> None:
    with pytest.raises(CommandError, match=r"is not installed|cannot run"):
        Child([name])


def test_an_end_that_does_not_come_is_an_error() -> None:
    with Child(["sh", "-c", "exec sleep 600"]) as child, pytest.raises(CommandError, match="did not end within"):
        child.finish(0.1)


def test_a_child_inherits_the_descriptors_it_is_given_and_no_others() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"handed over")
    os.close(writing)
    try:
        with Child(["sh", "-c", f"cat /dev/fd/{reading}; ls /proc/self/fd | wc -l >&2"], inherit=[reading]) as child:
            assert read_all(child) == b"handed over"
            child.require_success()
            # The three, the one, and the directory that ls reads.
            assert child.stderr_text() == "5\n"
    finally:
        os.close(reading)


def test_a_child_gets_variables_on_top_of_the_clean_environment() -> None:
    with Child(["sh", "-c", 'echo "$PATH $EXTRA"'], env={"EXTRA": "more"}) as child:
        assert read_all(child).decode().endswith("/bin more\n")
