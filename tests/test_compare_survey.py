"""The survey: what a trace looks back at, worked out without a Backpack."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from comparing import look, pack, traces, write_trace
from hypothesis import given, settings

from backpack.codec import MsgpackCodec
from backpack.compare.survey import LookAhead, survey
from backpack.operations import Look, changes_of
from backpack.trace import read_trace


def size_of(value: object) -> int:
    """Return the bytes of a value as the default codec encodes it."""
    return len(MsgpackCodec().encode(value))


@settings(max_examples=40)
@given(operations=traces())
def test_it_weighs_what_is_looked_at_as_copies_of_all_states_do(
    operations: list[dict[str, Any]],
) -> None:
    """Sizes, changes and looks are those of a list of every state, copied whole."""
    with TemporaryDirectory() as folder:
        path = write_trace(Path(folder) / "t.jsonl", operations)
        found = survey(path)
        read = {
            (each.line, change.key): getattr(change, "value", None)
            for each in read_trace(path)
            if not isinstance(each, Look)
            for change in changes_of(each)
        }
    states: list[dict[str, Any]] = [{}]
    looks = []
    for line, each in enumerate(operations, start=1):
        state = json.loads(json.dumps(states[-1]))
        match each["op"]:
            case "snapshot":
                made = len(states) - 1
                looks.append(LookAhead(line, made - each["back"], made))
                continue
            case "commit":
                changes = each["changes"]
            case _:
                changes = [each]
        for change in changes:
            key = change["key"]
            if change["op"] == "append":
                state[key].append(change["item"])
            elif change["op"] == "remove":
                del state[key]
            else:
                # A value of which there is only the size is made up by the reader, always alike.
                state[key] = change.get("value", read[line, key])
        states.append(state)

    assert (len(operations), len(states) - 1) == (found.operations, found.commits)
    assert tuple(looks) == found.looks
    weights = {seen.seq: sum(map(size_of, states[seen.seq].values())) for seen in looks}
    assert weights == found.state_bytes
    assert sum(weights[seen.seq] for seen in looks) == found.look_bytes
    for seen in looks:
        for key, value in states[seen.seq].items():
            assert size_of(value) == found.value_bytes(key, seen.seq)
            later = (
                seq
                for seq in range(seen.seq + 1, len(states))
                if states[seq].get(key, ...) != states[seq - 1].get(key, ...)
            )
            assert next(later, None) == found.superseded(key, seen.seq)


def test_a_trace_that_is_cut_off_is_surveyed_until_there(tmp_path: Path) -> None:
    """Where it ends is part of the answer."""
    path = write_trace(tmp_path / "t.jsonl", [pack("a", 1), look(0)])
    path.write_text(path.read_text() + '{"op": "pa')
    found = survey(path)

    assert (2, 1, 1) == (found.operations, found.commits, len(found.looks))
    assert found.error is not None
    assert f"{path}:3: the last line ends in the middle of its JSON" in found.error


def test_a_value_that_the_default_codec_refuses_has_a_weight_too(tmp_path: Path) -> None:
    """Another codec may take it."""
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    path = write_trace(tmp_path / "t.jsonl", [pack("a", deep), look(0)])

    assert survey(path).look_bytes > 300


def test_it_tells_how_far_it_is(tmp_path: Path) -> None:
    """Over both passes."""
    told: list[tuple[int, int]] = []
    path = write_trace(tmp_path / "t.jsonl", [pack("a", 1)] * 200)
    survey(path, lambda done, total: told.append((done, total)))

    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == 2 * path.stat().st_size
