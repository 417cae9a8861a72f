"""Files that are spoiled on purpose, and what Backpacks answer that are made of them.

A sample is a few files, and all that may be answered of them. Whatever is done to the files, what
is answered is what was written, or an error of Backpack's own that says they are damaged.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from archives import Past, settings
from attrs import frozen

from backpack import ArchiveError, Backpack, BackpackError, CorruptError
from backpack.policies import Delta, Stub

__all__ = ["ALL", "DAMAGE", "SAMPLES", "Sample", "cuts", "flips", "outcomes", "put"]

#: Whether each byte is flipped and each length tried, instead of some.
ALL: Final = os.environ.get("BACKPACK_FLIPS") == "all"

#: What damage may raise.
DAMAGE: Final = (ArchiveError, CorruptError)

#: As small as SQLite has it: many pages in few bytes.
_PAGE: Final = 512

#: ``{name: bytes}`` of files in one folder.
Files = Mapping[str, bytes]
#: ``{question: answer}``; an error is an answer, too.
Answers = Mapping[str, Any]


@frozen
class Sample:
    """Files, and all that may be answered of them.

    Attributes:
        files: The files.
        read: Reads everything from the files in a folder, and goes on from there.
        moments: All that was answered at moments of the past, the last one last.
    """

    files: Files
    read: Callable[[Path], Answers]
    moments: list[Answers]

    def judge(self, folder: Path) -> str:
        """Return what comes of the files in a folder, once they are spoiled.

        Returns:
            ``"as written"``, ``"as it was before"``, or the name of the first error.

        Raises:
            AssertionError: Something is answered that never was so, or not at one moment.
        """
        answers = self.read(folder)
        errors = [each for each in answers.values() if isinstance(each, DAMAGE)]
        for each in errors:
            assert str(each).isprintable()
        for moment in reversed(self.moments):
            if not _differing(answers, moment):
                if errors:
                    return type(errors[0]).__name__
                return "as written" if moment is self.moments[-1] else "as it was before"
        question = _differing(answers, self.moments[-1])[0]
        raise AssertionError(f"{question}: {answers[question]!r}")


def _differing(answers: Answers, moment: Answers) -> list[str]:
    """Return the questions that were answered otherwise at a moment."""
    return [
        question
        for question, answer in answers.items()
        if not isinstance(answer, DAMAGE) and not _is_same(answer, moment[question])
    ]


def _is_same(answer: object, expected: object) -> bool:
    if isinstance(answer, BackpackError):
        return type(answer) is type(expected)
    return answer == expected


def outcomes(sample: Sample, folder: Path, spoiled: Iterable[tuple[str, Files]]) -> Counter[str]:
    """Judge spoiled files one after the other; count what comes of them."""
    counted: Counter[str] = Counter()
    for what, files in spoiled:
        put(folder, files)
        try:
            counted[sample.judge(folder)] += 1
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    return counted


def flips(files: Files, every: int = 1, first: int = 0) -> Iterator[tuple[str, Files]]:
    """Iterate over files of which a byte was flipped: all bits of it, and of some a single one.

    Args:
        files: The files.
        every: One byte in so many is flipped.
        first: The first of them.
    """
    for name, data in files.items():
        for number, place in enumerate(range(first, len(data), every)):
            for mask in (0xFF, 1 << number // 4 % 8)[: 1 if number % 4 else 2]:
                changed = bytearray(data)
                changed[place] ^= mask
                yield f"{name}, byte {place} ^ {mask:#04x}", {**files, name: bytes(changed)}


def cuts(files: Files, every: int = 1, first: int = 0) -> Iterator[tuple[str, Files]]:
    """Iterate over files of which one ends early.

    Args:
        files: The files.
        every: One length in so many is tried.
        first: The first of them.
    """
    for name, data in files.items():
        for length in range(first, len(data), every):
            yield f"{name}, the first {length} bytes", {**files, name: data[:length]}


def put(folder: Path, files: Files) -> None:
    """Have these files in a folder, and nothing else."""
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


# --- reading everything ------------------------------------------------------------------


class _Asked(dict[str, Any]):
    """``{question: answer}``."""

    def ask(self, question: str, call: Callable[[], Any]) -> Any:
        """Note what a call returns, or raises; return it."""
        try:
            self[question] = call()
        except BackpackError as error:
            self[question] = error
        return self[question]

    def ask_all(self, name: str, code: str, commits: int, backpack: Backpack) -> None:
        """Ask a Backpack for everything, and go on with it."""

        def state_at(seq: int) -> Any:
            snapshot = backpack.snapshot(f"{seq}-{code}")
            return snapshot.commit, snapshot.archived, list(snapshot.to_dict().items())

        def numbers() -> Any:
            usage = backpack.memory_usage()
            return usage.commits_made, usage.commits_retained, usage.current_bytes, usage.pins

        self.ask(f"{name}: state", lambda: list(backpack.items()))
        self.ask(f"{name}: numbers", numbers)
        self.ask(f"{name}: history", backpack.history)
        self.ask(f"{name}: history of a", lambda: backpack.history("a"))
        for seq in range(1, commits + 1):
            self.ask(f"{name}: at {seq}", partial(state_at, seq))
        self.ask(f"{name}: changed since 2", lambda: backpack.diff(f"2-{code}"))
        self.ask(f"{name}: tagged", lambda: backpack.tag(f"1-{code}", "more"))
        # Another commit than the one tagged: that may have been refused, and then it tells no tag.
        self.ask(f"{name}: pinned", lambda: backpack.pin(f"{commits - 1}-{code}"))
        packed = self.ask(f"{name}: one more", lambda: backpack.pack("a", "more", by="next"))
        if isinstance(packed, DAMAGE):
            assert list(backpack.items()) == self[f"{name}: state"]
        else:
            self.ask(f"{name}: state then", lambda: list(backpack.items()))

    def ask_saved(self, name: str, backpack: Backpack, file: Path) -> None:
        """Ask a Backpack for a checkpoint of all of it, and that for everything."""

        def saved() -> Any:
            backpack.save(file, archived=True)
            again = Backpack.restore(file)
            past = [(each, again.snapshot(each).to_dict()) for each in again.history()]
            return list(again.items()), past

        changed = [self[f"{name}: {each}"] for each in ("tagged", "pinned", "one more")]
        answer = self.ask(f"{name}: saved", saved)
        if any(isinstance(each, DAMAGE) for each in changed) and not isinstance(answer, DAMAGE):
            del self[f"{name}: saved"]  # There is nothing to compare it with.


# --- samples -----------------------------------------------------------------------------


def checkpoint(folder: Path) -> Sample:
    """A checkpoint of a Backpack with something of everything in it."""
    backpack, past = Backpack(**_settings(max_history_size=65536)), Past()
    _use(backpack, past, 25)
    backpack.pin(past.commits[-3])
    past.retag(backpack.tag(past.commits[-4], "late"))
    backpack.save(folder / "it")
    with closing(sqlite3.connect(folder / "it")) as connection:
        connection.execute(f"PRAGMA page_size={_PAGE}")
        connection.execute("VACUUM")
    code = backpack.code

    def read(folder: Path) -> Answers:
        asked = _Asked()
        again = asked.ask("open", lambda: Backpack.restore(folder / "it", clock=_clock))
        if isinstance(again, Backpack):
            asked["open"] = None
            asked.ask_all("it", code, 25, again)
            asked.ask_saved("it", again, folder / "saved")
        return asked

    return _sampled(folder, read, [_taken(folder)], {"it": past})


def closed_archive(folder: Path) -> Sample:
    """An archive of two Backpacks that were closed."""
    return _archive(folder, 0)


def killed_archive(folder: Path) -> Sample:
    """An archive whose writer was killed: the newest commits are in the write-ahead log only."""
    return _archive(folder, 4)


#: Every sample.
SAMPLES: Final = (checkpoint, closed_archive, killed_archive)


def _archive(folder: Path, changes: int) -> Sample:
    """Return an archive of two Backpacks; one was changed so many times since all was closed."""
    with closing(sqlite3.connect(folder / "runs.db")) as connection:
        connection.execute(f"PRAGMA page_size={_PAGE}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")
    pasts = {"it": Past(), "other": Past()}
    codes = {}
    for name, count in (("it", 14), ("other", 3)):
        with _opened(folder, name) as backpack:
            _use(backpack, pasts[name], count)
            codes[name] = backpack.code
    moments = [_taken(folder)]
    if changes:
        backpack, past = _opened(folder, "it"), pasts["it"]
        for number in range(changes):
            if number == 1:
                past.retag(backpack.tag(past.commits[1], "late"))
            elif number == 2:
                backpack.pin(past.commits[-2])
            else:
                _use(backpack, past, 1)
            moments.append(_taken(folder))
        _let_go(backpack)

    def read(folder: Path) -> Answers:
        asked = _Asked()
        for name, code in codes.items():
            again = asked.ask(f"{name}: open", partial(_opened, folder, name))
            if isinstance(again, Backpack):
                asked[f"{name}: open"] = None
                asked.ask_all(name, code, len(pasts[name].commits), again)
                if name == "it":
                    asked.ask_saved(name, again, folder / "saved")
                asked.ask(f"{name}: close", again.close)
                _let_go(again)
        return asked

    return _sampled(folder, read, moments, pasts)


def _sampled(
    folder: Path,
    read: Callable[[Path], Answers],
    moments: list[Files],
    pasts: Mapping[str, Past],
) -> Sample:
    """Return a sample of files, which are what they were at the last of some moments."""
    answers = []
    for files in moments:
        put(folder, files)
        answers.append(read(folder))
    for name, past in pasts.items():
        newest = answers[-1]
        assert newest[f"{name}: state"] == list(past.current.items())
        history = newest[f"{name}: history"]
        assert history == past.commits[: -len(history) - 1 : -1]
    put(folder, {})
    return Sample(moments[-1], read, answers)


def _taken(folder: Path) -> Files:
    """Return what is in the files of a folder, the index of a write-ahead log aside."""
    names = [each.name for each in folder.iterdir() if not each.name.endswith("-shm")]
    return {name: (folder / name).read_bytes() for name in sorted(names)}


def _settings(**others: Any) -> dict[str, Any]:
    """Return settings with little room, by which values lean on each other, or are left out."""
    leaning = {"storage": Delta(least=1), "reference": Stub("400 B")}
    return settings(**{"max_history_size": 6144, **leaning, "clock": _clock, **others})


def _opened(folder: Path, name: str) -> Backpack:
    return Backpack.open(f"sqlite:///{folder}/runs.db", name, **_settings())


def _let_go(backpack: Backpack) -> None:
    """Let go of an archive without writing anything, as a process that ends does."""
    scribe = backpack._engine.scribe
    assert scribe is not None
    scribe.log.close()


def _use(backpack: Backpack, past: Past, count: int) -> None:
    """Change a Backpack so many times, now and then in another way."""
    for _ in range(count):
        number, state = len(past.commits), past.current
        chance = random.Random(number)  # noqa: S311
        key = chance.choice("abc")
        if number % 7 == 6 and key in state:
            commit = backpack.remove(key)
            del state[key]
        else:
            state[key] = _value(chance, state.get(key), is_large=number % 6 == 3)
            tags = ("t",) if number % 5 == 1 else ()
            note = "why\0" if number % 5 == 2 else None
            commit = backpack.pack(key, state[key], by=f"node {key}", tags=tags, note=note)
        past.record(commit, state)


def _value(chance: random.Random, before: object, *, is_large: bool) -> Any:
    """Return a value that leans on the one before, or stands alone, or is too large."""
    if is_large:
        return {"left out": [chance.random() for _ in range(50)]}
    if isinstance(before, str) and len(before) < 200:
        at = chance.randrange(len(before))
        return f"{before[:at]}{chance.randrange(1000)}{before[at:]}"
    return chance.randbytes(60).hex()


def _clock() -> float:
    return 1e9
