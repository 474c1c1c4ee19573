"""Foreign bytes stay as they are, whatever they are."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tracker_backup.errors import ScheduleError
from tracker_backup.schedule.blocks import cut, find_block, spliced

pytestmark = pytest.mark.guarantee(8)

OURS = b"# job daily\n0 3 * * * /usr/local/bin/tracker-backup --now\n"
NEWER = b"# job daily\n0 4 * * * /usr/local/bin/tracker-backup --now\n"
OTHER = b"# BEGIN tracker-backup other\n0 5 * * * x\n# END tracker-backup other\n"

LINES = st.sampled_from(
    [
        b"-0 3 * * * root not logged",
        b"0~30 3 * * * at random",
        b"MAILTO=",
        b'MAILTO=""',
        b"CRON_TZ=Asia/Tokyo",
        b"CRON_TZ=UTC",
        b"PATH = /x",
        b"\t0\t3\t*\t*\t*\ttabs",
        b'0 0 * * * echo "a #b" # c',
        b"0 3 * * * date +\\%F",
        b"## remark",
        b"# caf\xe9",
        b"# nul \0 within",
        b"0 4 * * * \xff\xfe",
        b"#0 3 * * * /usr/local/bin/tracker-backup --now",
        b"  ",
        b"",
        b"# BEGIN tracker-backup default-2",
        b"# END tracker-backup default-2",
        b"# BEGIN tracker-backup default remarks of mine",
        b" # BEGIN tracker-backup default",
    ]
)
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\x0b", b"\x0c", b"\x85"])
TABLES = st.one_of(
    st.lists(st.tuples(LINES, ENDS)).map(lambda lines: b"".join(line + end for line, end in lines)),
    st.lists(st.tuples(LINES, ENDS), min_size=1).map(lambda lines: b"".join(x + end for x, end in lines).rstrip(b"\n")),
    st.binary(),
)


def has_markers(table: bytes) -> bool:
    """Tell whether a table holds a marker of ours by itself: a half block, which is an error."""
    lines = [line.rstrip(b" \t\r\n") for line in table.split(b"\n")]
    return b"# BEGIN tracker-backup default" in lines or b"# END tracker-backup default" in lines


@given(table=TABLES)
@example(table=b"")
@example(table=b"MAILTO=")
@example(table=b"0 3 * * * no end")
@example(table=OTHER)
@example(table=OTHER[:-1])
@example(table=b"\n\n")
def test_apply_apply_remove_gives_back_every_byte(table: bytes) -> None:
    assume(not has_markers(table))
    once = spliced(table, "default", OURS, where="t")
    assert once.startswith(table)
    assert spliced(once, "default", OURS, where="t") == once
    again = spliced(once, "default", NEWER, where="t")
    assert spliced(again, "default", OURS, where="t") == once
    assert cut(once, "default", where="t") == table
    assert cut(again, "default", where="t") == table


@given(before=TABLES, after=TABLES)
def test_lines_added_below_stay_lines_of_their_own(before: bytes, after: bytes) -> None:
    """Somebody appends to a table whose last line had no end before our block came."""
    assume(after and not has_markers(before) and not has_markers(after))
    grown = spliced(before, "default", OURS, where="t") + after
    changed = spliced(grown, "default", NEWER, where="t")
    assert changed.startswith(before)
    assert changed.endswith(after)
    separated = before if not before or before.endswith(b"\n") else before + b"\n"
    assert cut(changed, "default", where="t") == separated + after


@given(table=TABLES)
def test_instances_do_not_touch_each_other(table: bytes) -> None:
    assume(not has_markers(table) and b"tracker-backup default-2" not in table)
    both = spliced(spliced(table, "default", OURS, where="t"), "default-2", NEWER, where="t")
    assert find_block(both, "default-2", where="t").body == NEWER  # type: ignore[union-attr]
    assert cut(cut(both, "default-2", where="t"), "default", where="t") == table
    rest = cut(both, "default", where="t")
    assert find_block(rest, "default-2", where="t").body == NEWER  # type: ignore[union-attr]
    assert rest.startswith(table)


def test_our_block_edited_with_windows_line_ends_is_still_ours() -> None:
    table = b"0 1 * * * x\n" + spliced(b"", "default", OURS, where="t").replace(b"\n", b"\r\n")
    assert spliced(table, "default", OURS, where="t") == b"0 1 * * * x\n" + spliced(b"", "default", OURS, where="t")


BEGIN, END = b"# BEGIN tracker-backup default\n", b"# END tracker-backup default\n"


@pytest.mark.parametrize(
    "damaged",
    [
        BEGIN,
        END,
        END + BEGIN,
        BEGIN + BEGIN + END,
        BEGIN + END + END,
        BEGIN + END + BEGIN + END,
        BEGIN + OTHER + END,
        BEGIN + OTHER[: OTHER.index(b"# END")] + END,
    ],
)
def test_damaged_markers_are_an_error_that_names_their_lines(damaged: bytes) -> None:
    table = b"0 1 * * * x\n" + damaged
    for function in (lambda: spliced(table, "default", OURS, where="/t"), lambda: cut(table, "default", where="/t")):
        with pytest.raises(ScheduleError, match=r"^/t: .*damaged .* in line 2.*nothing was changed") as caught:
            function()
        assert caught.value.hint
