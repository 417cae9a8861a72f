"""Checking a policy or a Backpack against the laws, in a program."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

from attrs import evolve, field, frozen

from backpack.container import Backpack
from backpack.errors import ConfigError
from backpack.spec.laws import ARCHIVE, CONTAINER, LAWS, laws_of
from backpack.spec.laws.reference import limit_of
from backpack.spec.program import Writer
from backpack.spec.report import Report, Verdict
from backpack.spec.target import Subject, subject_of
from backpack.spec.trial import Effort, Found, first_line, try_law, try_machine
from backpack.wording import nearest, one_of, shown

__all__ = ["Check", "check_backpack", "check_policy", "plan"]

_EXAMPLES: Final = 200
_TIME_LIMIT: Final = 20.0
#: One program on a Backpack without an archive is run for so many examples, ...
_PLAIN: Final = 2
#: ... and one on a Backpack with it; or for so many, where there is none without.
_ARCHIVED: Final = 20
_ARCHIVED_ONLY: Final = 5

#: Called with a verdict that was reached, how many were, and how many there will be.
Progress: TypeAlias = Callable[[Verdict, int, int], object]


@frozen
class Check:
    """What is to be checked, and how.

    Attributes:
        subject: The policy or the Backpack.
        laws: The ids of the laws, in the order of the list.
        expected: ``{id: reason}`` of those that are to be broken.
        effort: How hard to try.
    """

    subject: Subject
    laws: tuple[str, ...]
    expected: Mapping[str, str] = field(factory=dict)
    effort: Effort = field(factory=Effort)

    def verdicts(
        self, begin: Callable[[str], object] = lambda law: None
    ) -> Iterator[tuple[Verdict, Found]]:
        """Try one law after the other; the container laws are tried together.

        Args:
            begin: Called with each law that is about to be tried; with the first of several.

        Yields:
            A verdict, and all that was found on the way to it.
        """
        effort, subject = self.effort, self.subject
        for law_id in self.laws:
            if CONTAINER not in LAWS[law_id].axes:
                begin(law_id)
                began = time.monotonic()
                found = try_law(LAWS[law_id], subject, effort)
                if found.late:  # What hangs once will hang again.
                    effort = evolve(effort, time_limit=effort.time_limit / 4)
                yield self._judged(law_id, found, began), found
        yield from self._container_verdicts(effort, begin)

    def _container_verdicts(
        self, effort: Effort, begin: Callable[[str], object]
    ) -> Iterator[tuple[Verdict, Found]]:
        """Try the container laws, first on a Backpack without an archive, then on one with it."""
        subject = self.subject
        left = [law_id for law_id in self.laws if CONTAINER in LAWS[law_id].axes]
        stages = [(False, _PLAIN), (True, _ARCHIVED)]
        if left and subject.needs_archive():
            stages = [(True, _ARCHIVED_ONLY)]
        found, began, passed = Found(), 0.0, dict[str, tuple[Verdict, Found]]()
        for archived, share in stages:
            programs = evolve(effort, examples=-(-effort.examples // share))
            while tried := [each for each in left if archived or ARCHIVE not in LAWS[each].axes]:
                begin(tried[0])
                began = time.monotonic()
                found = try_machine(subject, frozenset(tried), programs, archived=archived)
                if found.broken is None:
                    break
                # What else is broken is seen by those that do not look at this law any more.
                left.remove(found.broken.law)
                yield self._judged(found.broken.law, found, began), found
            for law_id in tried:
                passed.setdefault(law_id, (self._judged(law_id, found, began), found))
            if found.late or found.error is not None:
                break  # What hangs once will hang again.
        for law_id in left:
            yield passed.get(law_id) or (self._judged(law_id, found, began), found)

    def run(self, progress: Progress | None = None) -> Report:
        """Try every law, and report."""
        order = list(self.laws)
        reached: list[Verdict] = []
        remarks: list[str] = []
        for verdict, found in self.verdicts():
            reached.append(verdict)
            remark = _printed(found)
            if remark and remark not in remarks:
                remarks.append(remark)
            if progress is not None:
                progress(verdict, len(reached), len(order))
        reached.sort(key=lambda verdict: order.index(verdict.law))
        return self.report(reached, remarks)

    def report(self, verdicts: Collection[Verdict], remarks: Collection[str] = ()) -> Report:
        """Put verdicts together."""
        return Report(
            subject=self.subject.name,
            axis=self.subject.axis,
            seed=self.effort.seed,
            examples=self.effort.examples,
            verdicts=tuple(verdicts),
            replay=self.replay,
            remarks=tuple(remarks),
        )

    @property
    def replay(self) -> str:
        """What checks the laws called LAWS again in the same way."""
        seed, examples = self.effort.seed, self.effort.examples
        subject = self.subject
        if subject.target is not None:
            options = f"--laws LAWS --seed {seed} --examples {examples}"
            axis = "" if subject.axis == CONTAINER else f" --axis {subject.axis}"
            return f"backpack check {subject.target}{axis} {options}"
        name = "check_backpack" if subject.axis == CONTAINER else "check_policy"
        factory = subject.expression.removesuffix("()")
        return f'{name}({factory}, laws=["LAWS"], seed={seed}, examples={examples})'

    def _judged(self, law_id: str, found: Found, began: float) -> Verdict:
        """Say what was found about a law, and hold it against what was expected."""
        verdict = self._plain(law_id, found)
        verdict = evolve(
            verdict, examples=found.examples, seconds=round(time.monotonic() - began, 3)
        )
        reason = self.expected.get(law_id)
        if reason is None:
            return verdict
        if verdict.outcome in ("broken", "out of time"):
            return evolve(verdict, outcome="expected failure", why=reason)
        if verdict.outcome == "passed":
            return evolve(verdict, outcome="unexpected pass", why=f"It was to fail: {reason}")
        return verdict

    def _plain(self, law_id: str, found: Found) -> Verdict:
        broken = found.broken
        if broken is not None and broken.law == law_id:
            program = self._program(law_id, broken.case, archived=found.archived)
            return Verdict(law_id, "broken", broken.why, program, broken.table)
        if found.late:
            why = f"It did not come back within {found.patience:g} seconds."
            program = self._program(law_id, found.case, archived=found.archived)
            return Verdict(law_id, "out of time", why, program)
        if found.error is not None:
            error = f"{type(found.error).__name__}: {found.error}"
            return Verdict(law_id, "not judged", f"The suite failed: {first_line(error)}")
        if found.judged == 0:
            if found.not_applicable is not None:
                why = found.not_applicable
                return Verdict(law_id, "not applicable", f"{why[:1].upper()}{why[1:]}.")
            return Verdict(law_id, "not judged", f"It failed whenever it was asked: {found.failed}")
        return Verdict(law_id, "passed")

    def _program(self, law_id: str, case: Any, *, archived: bool = False) -> str:
        """Write down what broke a law, as a program."""
        subject, writer = self.subject, Writer()
        if CONTAINER in LAWS[law_id].axes:
            made = writer.call(
                "machine_for",
                {
                    "limit": subject.limit,
                    "laws": [law_id],
                    **({"archived": True} if archived else {}),
                },
                f"lambda: {subject.maker}",
            )
            calls = [writer.call(f"state.{name}", arguments) for name, arguments in case or ()]
            body = [f"state = {made}()", *calls, "state.teardown()"]
            writer.imports.add("from backpack.spec import machine_for")
            if subject.axis != CONTAINER:
                writer.imports.add("from backpack.spec import backpack_with")
        else:
            factory = subject.expression
            factory = factory.removesuffix("()") if factory.endswith("()") else f"lambda: {factory}"
            arguments = [factory] if case is None else [factory, writer.write(case)]
            body = [writer.call(f'LAWS["{law_id}"]', {}, *arguments)]
            writer.imports.add("from backpack.spec import LAWS")
        head = _joined({*writer.imports, *(subject.imports or ())})
        if subject.imports is None:
            head.insert(0, f"# Beside the definition of {subject.name}:")
        return "\n".join([*head, "", *body])


def _joined(imports: Collection[str]) -> list[str]:
    """Return import statements, one for each module."""
    names: dict[str, set[str]] = {}
    for line in sorted({line for each in imports for line in each.splitlines()}):
        module, _, name = line.partition(" import ")
        names.setdefault(module, set()).add(name)
    return [
        f"{module} import {', '.join(sorted(some))}" if some != {""} else module
        for module, some in names.items()
    ]


def plan(
    subject: Subject,
    *,
    laws: Collection[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    seed: int | None = None,
    examples: int | None = None,
    time_limit: float = _TIME_LIMIT,
) -> Check:
    """Plan a check of one subject.

    Args:
        subject: The policy or the Backpack.
        laws: The ids of the laws; all that bind it if left out.
        expected_failures: ``{id: reason}`` of those that are to be broken.
        seed: What examples are drawn from; a new one if left out.
        examples: How many for each law of policies, and half as many programs for those of
            Backpacks; 200 if left out.
        time_limit: Seconds one example may take.

    Raises:
        ConfigError: An id names no law, or one that does not bind this axis; or a number cannot
            be.
    """
    bound = laws_of(subject.axis)
    if subject.axis != CONTAINER:
        bound = (*bound, *laws_of(CONTAINER))
    asked = bound if laws is None else _known(laws, bound, subject.axis, "laws")
    expected = dict(expected_failures or {})
    _known(expected, asked, subject.axis, "expected_failures")
    for law_id, reason in expected.items():
        if not str(reason).strip():
            raise ConfigError(
                f"say why {law_id} is expected to fail, as text", field="expected_failures"
            )
    if examples is not None and (type(examples) is not int or examples < 1):
        raise ConfigError("expected a number of examples, 1 or more", field="examples")
    if not 0 < time_limit < 86_400:
        raise ConfigError("expected a number of seconds, above 0", field="time_limit")
    if seed is not None and type(seed) is not int:
        raise ConfigError(f"expected a whole number, not {shown(seed)}", field="seed")
    effort = Effort(
        seed=random.SystemRandom().randrange(2**31) if seed is None else seed,
        examples=_EXAMPLES if examples is None else examples,
        time_limit=time_limit,
    )
    return Check(subject, asked, expected, effort)


def check_policy(
    factory: Any,
    *,
    axis: str | None = None,
    laws: Collection[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    seed: int | None = None,
    examples: int | None = None,
    time_limit: float = _TIME_LIMIT,
    progress: Progress | None = None,
) -> Report:
    """Check a policy of your own against the laws.

    First come the laws of its axis, asked of the policy alone; then those of every Backpack, in
    random programs on a small one that uses it.

    Args:
        factory: A class, or a function without arguments, that makes one; or a policy itself, of
            which copies are checked.
        axis: ``sizing``, ``reference``, ``storage`` or ``pruning``; found out from the
            annotations if left out.
        laws: The ids of the laws to check; all that bind it if left out.
        expected_failures: ``{id: reason}`` of laws it breaks, and is meant to. One that then
            holds fails the check, so that the list stays true.
        seed: What examples are drawn from; a new one if left out. The report tells it.
        examples: How many for each law of policies, and half as many programs for those of
            Backpacks; 200 if left out.
        time_limit: Seconds one example may take before the policy counts as hanging.
        progress: Called with every verdict, how many there are and how many there will be.

    Returns:
        The verdicts; true if no law is broken and at least one had something to judge.

    Raises:
        ConfigError: The factory makes no policy, or one that fits several axes; or an argument
            cannot be.

    >>> from backpack.policies import Oldest
    >>> report = check_policy(Oldest, laws=["PR1", "PR3"], seed=1)
    >>> bool(report), report["PR3"].outcome
    (True, 'passed')
    """
    return plan(
        subject_of(factory, axis=axis),
        laws=laws,
        expected_failures=expected_failures,
        seed=seed,
        examples=examples,
        time_limit=time_limit,
    ).run(progress)


def check_backpack(
    make: Callable[[], Backpack],
    *,
    limit: int | None = None,
    laws: Collection[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    seed: int | None = None,
    examples: int | None = None,
    time_limit: float = _TIME_LIMIT,
    progress: Progress | None = None,
) -> Report:
    """Check a whole Backpack, with whatever policies, against the laws of all Backpacks.

    Args:
        make: Returns a new one. Choose a small budget: one that prunes all the time finds more.
        limit: The size in bytes around which values are drawn; what the reference policy
            declares, or 1 KiB, if left out.
        laws: The ids of the laws to check; all that bind it if left out.
        expected_failures: ``{id: reason}`` of laws it breaks, and is meant to.
        seed: What examples are drawn from; a new one if left out. The report tells it.
        examples: Twice as many as programs; 200 if left out.
        time_limit: Seconds one program may take.
        progress: Called with every verdict, how many there are and how many there will be.

    Raises:
        ConfigError: It makes no Backpack, or an argument cannot be.

    >>> report = check_backpack(
    ...     lambda: Backpack(max_history_size=8192), laws=["B1", "P2"], seed=1, examples=5)
    >>> bool(report)
    True
    """
    name = getattr(make, "__qualname__", repr(make))
    made: object = make()
    if not isinstance(made, Backpack):
        raise ConfigError(f"{name} makes no Backpack; pass a function that returns a new one")
    limit = limit or min(limit_of(made.reference) or 1024, made.max_history_size // 8)
    is_importable = "<" not in name and make.__module__ != "__main__"
    imports = frozenset({f"from {make.__module__} import {name}"}) if is_importable else None
    subject = Subject(name, CONTAINER, make, f"{name}()", imports, None, limit)
    return plan(
        subject,
        laws=laws,
        expected_failures=expected_failures,
        seed=seed,
        examples=examples,
        time_limit=time_limit,
    ).run(progress)


def _known(laws: Collection[str], known: Collection[str], axis: str, name: str) -> tuple[str, ...]:
    """Return ids of laws in the order of the list; refuse what is none."""
    if isinstance(laws, str):
        raise ConfigError(f"expected ids in a list, like [{laws!r}]", field=name)
    for law_id in laws:
        if law_id in known:
            continue
        if law_id in LAWS:
            raise ConfigError(
                f"{law_id} is not among the laws that are checked here, for {axis}: "
                f"{', '.join(known)}",
                field=name,
            )
        meant = nearest(str(law_id).upper(), known)
        advice = f"did you mean {meant}?" if meant else f"there are: {one_of(known)}"
        raise ConfigError(f"no law is called {shown(law_id)}; {advice}", field=name)
    return tuple(law_id for law_id in known if law_id in laws)


def _printed(found: Found) -> str | None:
    if not found.printed.strip():
        return None
    return f"the policy prints, as in: {first_line(found.printed)}"
