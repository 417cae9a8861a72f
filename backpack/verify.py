"""Verifies a replay: a second pass over the trace that shares nothing with the engine.

The pass keeps the state in a plain dict, as a reader of the trace would, and compares it with what
the Backpack says of every commit it retains. Only the judgement whether a value may be missing
asks the Backpack's own codec, sizing and reference policy: what is over the limit is theirs to
say, and they are asked about the dict's value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from attrs import define, field, frozen

from backpack.errors import BackpackError, CommitPruned
from backpack.operations import Append, Change, Look, Operation, Pack, Several, changes_of
from backpack.records import NewValue, Reference, SizedValue, Unavailable
from backpack.replay import LookBack, Replay, commit_id, fingerprint, state_digest
from backpack.wording import one_line, shown

if TYPE_CHECKING:
    from backpack.container import Backpack
    from backpack.records import Commit

__all__ = ["Verification", "evenly", "verify"]

_PRUNED_CHECKED = 100
_MISTAKES_SHOWN = 20
_OPERATIONS_PER_REPORT = 16

T = TypeVar("T")


@frozen
class Verification:
    """What a verification found.

    Attributes:
        verified: Retained commits whose whole state was compared, and is right.
        wrong: Answers that are not right: of retained commits, of look-backs during the replay,
            of the current state, and of pruned commits.
        values: Values that were compared in the states of retained commits.
        values_unavailable: How many of them are references, rightly.
        look_backs: Look-backs compared.
        pruned: Pruned commits that were asked for, and said so.
        mistakes: The first twenty wrong answers, one line each.
        seconds: How long it took.
    """

    verified: int
    wrong: int
    values: int
    values_unavailable: int
    look_backs: int
    pruned: int
    mistakes: tuple[str, ...]
    seconds: float


def verify(
    operations: Iterable[Operation],
    replayed: Replay,
    backpack: Backpack,
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Compare what a Backpack says with what the trace says.

    Compared are the states of the retained commits (value for value, type for type, with their
    keys, ``by``, tags and notes), what look-backs returned during the replay, the current state,
    and that pruned commits answer so. A value may be missing only where the reference policy leaves
    it out and a later commit superseded it.

    Args:
        operations: The same trace, from its start.
        replayed: What the replay kept.
        backpack: The Backpack it went through, unchanged since.
        limit: How many retained commits to compare, evenly spread, newest and oldest among
            them; None for all.
        progress: Called now and then with the operations done and their number.

    Returns:
        What was found.
    """
    start = perf_counter()
    history = backpack.history()
    check = _Check(
        backpack,
        total=replayed.commits,
        chosen={commit.seq: commit for commit in evenly(history, limit)},
    )
    for look_back in replayed.look_backs:
        check.look_backs[look_back.seq].append(look_back)
    done = 0
    for operation in islice(operations, replayed.operations):
        if not isinstance(operation, Look):
            check.step(operation)
        done += 1
        if progress is not None and done % _OPERATIONS_PER_REPORT == 0:
            progress(done, replayed.operations)
    if done < replayed.operations:
        check.wrong["trace"] = f"has {done} operations left of {replayed.operations}"
    check.finish(history)
    return Verification(
        verified=check.compared - check.commits_wrong,
        wrong=len(check.wrong),
        values=check.values,
        values_unavailable=check.values_unavailable,
        look_backs=len(replayed.look_backs),
        pruned=check.pruned,
        mistakes=tuple(
            f"{subject}: {problem}"
            for subject, problem in islice(check.wrong.items(), _MISTAKES_SHOWN)
        ),
        seconds=perf_counter() - start,
    )


def evenly(items: Sequence[T], limit: int | None) -> list[T]:
    """Return so many of the items, evenly spread, the first and the last among them.

    Args:
        items: What to choose from.
        limit: How many; None for all. One alone is the first.

    >>> evenly("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if limit is None or limit >= len(items):
        return list(items)
    if limit < 2:
        return list(items[:limit])
    return [items[index * (len(items) - 1) // (limit - 1)] for index in range(limit)]


@define
class _Version:
    """A value in the plain state, with what is worked out about it once.

    Attributes:
        value: The value.
        previous: The value before, if there was one.
        waiting: ``(commits made, subject)`` of every answer that left this value out; right only
            if another version had superseded it by then.
    """

    value: object
    previous: Sequence[object] = ()
    waiting: list[tuple[int, str]] = field(factory=list)
    _printed: bytes | None = field(default=None, init=False)
    _reference: tuple[Reference | None, str] | None = field(default=None, init=False)

    def printed(self) -> bytes:
        """Return the fingerprint of the value."""
        if self._printed is None:
            self._printed = fingerprint(self.value)
        return self._printed

    def reference(self, key: str, backpack: Backpack) -> tuple[Reference | None, str]:
        """Return what the reference policy says of the value, and in words why that is wrong.

        The words matter only where the policy says that the value stays.
        """
        if self._reference is None:
            try:
                self._reference = _asked(key, self.value, self.previous, backpack)
            except Exception as error:
                # The policies may be anybody's; what they raise is an answer too.
                problem = f"the policies fail on it: {type(error).__name__}: {error}"
                self._reference = (None, problem)
        return self._reference


def _asked(
    key: str, value: object, previous: Sequence[object], backpack: Backpack
) -> tuple[Reference | None, str]:
    encoded = backpack.codec.encode(value, key)
    before = next((backpack.codec.encode(each, key) for each in previous), None)
    size = backpack.sizing(NewValue(key, value, encoded, before))
    reference = backpack.reference(SizedValue(key, value, encoded, size))
    if reference is None:
        return None, f"the reference policy keeps its {size:,} bytes"
    return reference, ""


def _difference(path: str, answer: object, truth: object) -> str:
    """Return in words the first place at which two values differ that are not the same."""
    pairs: Iterable[tuple[object, object, object]] = ()
    if type(answer) is type(truth) is list and len(answer) == len(truth):
        pairs = zip(range(len(truth)), answer, truth, strict=True)
    elif type(answer) is type(truth) is dict and list(answer) == list(truth):
        pairs = ((name, answer[name], truth[name]) for name in truth)
    for place, answered, true in pairs:
        if fingerprint(answered) != fingerprint(true):
            return _difference(f"{path}[{shown(place)}]", answered, true)
    return f"{path} is {_described(answer)}; the trace says {_described(truth)}"


def _described(value: object) -> str:
    if type(value) is dict:
        return f"an object with the fields {shown(', '.join(map(str, value)))}"
    return f"a list of {len(value)}" if type(value) is list else shown(value)


@define
class _Check:
    """One verification under way.

    Attributes:
        backpack: Whose answers are checked.
        total: How many commits the replay made.
        chosen: The retained commits to compare, by number.
        look_backs: The look-backs of the replay, by the number of the commit looked at.
        state: The plain state, as the trace says it.
        wrong: ``{whose answer: what is wrong with it}``.
    """

    backpack: Backpack
    total: int
    chosen: Mapping[int, Commit]
    look_backs: defaultdict[int, list[LookBack]] = field(factory=lambda: defaultdict(list))
    state: dict[str, _Version] = field(factory=dict)
    wrong: dict[str, str] = field(factory=dict)
    made: int = 0
    compared: int = 0
    commits_wrong: int = 0
    values: int = 0
    values_unavailable: int = 0
    pruned: int = 0

    def step(self, operation: Change | Several) -> None:
        """Apply the next commit of the trace, and compare what was said of it."""
        self.made += 1
        for change in changes_of(operation):
            self._change(change)
        if (commit := self.chosen.get(self.made)) is not None:
            self._check_commit(commit, operation)
        for look_back in self.look_backs.pop(self.made, ()):
            self._check_look_back(look_back)

    def _change(self, change: Change) -> None:
        before = self.state.pop(change.key, None)
        previous = () if before is None else (before.value,)
        after: _Version | None = None
        match change:
            case Pack(value=value):
                after = _Version(value, previous)
            case Append(item=item):
                items = before.value if before is not None else None
                after = _Version([*items, item] if isinstance(items, list) else None, previous)
        if after is not None:
            self.state[change.key] = after
        if before is not None and before.waiting:
            self._supersede(before, after)

    def finish(self, history: Sequence[Commit]) -> None:
        """Check what can be checked only at the end."""
        if self.made:
            self._compare("current state", dict(self.backpack), self.made)
        for version in self.state.values():
            for _, subject in version.waiting:
                self._still_current(subject)
        numbers = [commit.seq for commit in history]
        if numbers != sorted(set(numbers) & set(range(1, self.made + 1)), reverse=True):
            self._note("history", "does not list commits that were made, each once, newest first")
        if self.made and self.made not in numbers:
            self._note("history", f"lacks the newest commit, {self.made}")
        self._check_pruned(set(numbers))

    def _check_commit(self, commit: Commit, operation: Change | Several) -> None:
        subject = f"commit {commit.id}"
        self.compared += 1
        keys = tuple(change.key for change in changes_of(operation))
        labels = (operation.by, tuple(sorted(set(operation.tags))), operation.note)
        if commit.keys != keys or (commit.by, commit.tags, commit.note) != labels:
            self._note(subject, "its keys, its 'by', tags or note are not what the trace says")
        try:
            state = self.backpack.snapshot(commit).to_dict()
        except BackpackError as error:
            self._note(subject, f"cannot be read: {type(error).__name__}: {error}")
            return
        values, unavailable = self._compare(subject, state, self.total)
        self.values += values
        self.values_unavailable += unavailable

    def _check_look_back(self, look_back: LookBack) -> None:
        subject = f"look-back at line {look_back.line}"
        missing = {answer.key: answer for answer in look_back.unavailable}
        for key, answer in missing.items():
            if key in self.state:
                self._left_out(subject, key, answer, look_back.made)
        read = ((k, version.printed()) for k, version in self.state.items() if k not in missing)
        if look_back.digest != state_digest(read) or not missing.keys() <= self.state.keys():
            self._note(subject, f"what it read of commit {look_back.seq} is not the state then")

    def _check_pruned(self, retained: set[int]) -> None:
        gone = [seq for seq in range(1, self.made + 1) if seq not in retained]
        for seq in evenly(gone, _PRUNED_CHECKED):
            commit = commit_id(self.backpack, seq)
            try:
                self.backpack.snapshot(commit)
            except CommitPruned:
                self.pruned += 1
            except BackpackError as error:
                self._note(f"pruned commit {commit}", f"answers {type(error).__name__}: {error}")
            else:
                self._note(f"pruned commit {commit}", "can be read, but history does not list it")

    def _compare(self, subject: str, state: Mapping[str, object], made: int) -> tuple[int, int]:
        """Compare a whole state; return how many values it has and how many were left out."""
        unavailable = 0
        if state.keys() != self.state.keys():
            key = min(state.keys() ^ self.state.keys())
            what = "has" if key in state else "lacks"
            self._note(subject, f"{what} the key {shown(key)}, unlike the trace")
        for key, version in self.state.items():
            if key not in state:
                continue
            answer = state[key]
            if isinstance(answer, Unavailable):
                unavailable += self._left_out(subject, key, answer, made)
            elif fingerprint(answer) != version.printed():
                self._note(subject, _difference(shown(key), answer, version.value))
        return len(state), unavailable

    def _left_out(self, subject: str, key: str, answer: Unavailable, made: int) -> bool:
        """Judge a value that was left out; True if the reference policy says so too.

        Whether it was superseded shows later in the trace, so the answer is put on its version.
        """
        version = self.state[key]
        reference, problem = version.reference(key, self.backpack)
        if reference is None:
            self._note(subject, f"{shown(key)} is left out, but {problem}")
            return False
        said = Reference(answer.size, answer.digest, answer.reason, answer.preview)
        if said != reference or answer.key != key:
            self._note(subject, f"{shown(key)} is left out with another reference than its own")
            return False
        version.waiting.append((made, subject))
        return True

    def _supersede(self, before: _Version, after: _Version | None) -> None:
        if after is not None and after.printed() == before.printed():
            # Packing an equal value makes a commit, not a version.
            after.waiting, after.previous = before.waiting, before.previous
            return
        for made, subject in before.waiting:
            if made < self.made:
                self._still_current(subject)

    def _still_current(self, subject: str) -> None:
        self._note(subject, "a value is left out though nothing had superseded it yet")

    def _note(self, subject: str, problem: str) -> None:
        if subject not in self.wrong:
            self.wrong[subject] = one_line(problem)
            self.commits_wrong += subject.startswith("commit ")
