"""Rules of Backpacks with an archive: closed and opened again, saved and restored, killed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from backpack.audit import accesses, retained
from backpack.container import Backpack
from backpack.errors import BudgetError, PolicyError
from backpack.spec.hostile import Saboteur
from backpack.spec.laws import LawBroken
from backpack.spec.laws.archive import check_made_again
from backpack.spec.machine.abusing import at_line
from backpack.spec.machine.base import begun, event, keys, simple_values, step
from backpack.spec.machine.forgetting import Forgetting, several
from backpack.spec.machine.keeping import Keeping
from backpack.spec.temporary import abandon, copied, folder_of, removed, temporary_archive

if TYPE_CHECKING:
    from backpack.records import PruneRequest

__all__ = ["Archiving"]

#: The modules whose lines write an archive.
_WRITING: Final = {"backpack.archive.log", "backpack.archive.database"}
#: A crash may be anywhere in these; it is tried every so many lines.
_STRIDE: Final = 20
#: What a Backpack is given that is made again and does not fit, in terms of what it had.
_MORE: Final = 2


class Archiving(Keeping, Forgetting):
    """Restarts and crashes of a Backpack that enters into an archive what it gives up."""

    @initialize(budget=st.integers(0, 11), on_commit=st.booleans())
    def begin(self, budget: int = 0, on_commit: bool = False) -> None:
        """Start with an empty Backpack in an empty archive."""
        self.archives: list[Any] = []
        self.archive = self.kept(temporary_archive(write="on-commit" if on_commit else "on-prune"))
        self.closed = 0
        self.all_opened: list[Backpack] = []
        self.start({"budget": budget, "on_commit": on_commit})

    def place(self) -> dict[str, Any]:
        """Return the settings that say where commits are archived."""
        return {"archive": self.archive}

    def opened(self, backpack: Backpack) -> None:
        """Remember a Backpack, to let go of its archive in the end."""
        self.all_opened.append(backpack)

    def go_on_with(self, *fork: Any) -> None:
        """Go on with a fork, which begins a log of its own."""
        self.closed = 0
        super().go_on_with(*fork)  # type: ignore[misc]

    def teardown(self) -> None:
        """Let go of everything in the end."""
        try:
            super().teardown()
        finally:
            self.put_away()

    def put_away(self) -> None:
        """Let go of every archive, whatever has it open, and of its folder."""
        for backpack in getattr(self, "all_opened", ()):
            abandon(backpack)
        for archive in getattr(self, "archives", ()):
            removed(archive)
        self.all_opened, self.archives = [], []

    def kept(self, archive: Any) -> Any:
        """Remember an archive, to remove its folder in the end."""
        self.archives.append(archive)
        return archive

    # --- what is made again ------------------------------------------------------------------

    @step()
    def restart(self) -> None:
        """Close it, and go on with what is opened again: it answers the same."""
        before, order = accesses(self.backpack), list(self.backpack)
        self.backpack.close()
        self.closed = len(self.model.commits)
        after, asked = self.reopen("A2", self.archive, len(self.model.commits))
        if self.over:
            return
        self.require(
            list(self.backpack) == order, "A2", f"Keys {order} are {list(self.backpack)} again."
        )
        wrong = {each for each in before.keys() & after.keys() if before[each] != after[each]}
        self.require(
            not wrong and (asked or before.keys() == after.keys()),
            "A2",
            lambda: f"Retained, and looked at so often, were {before}, are {after}.",
        )

    @step()
    def crash(self) -> None:
        """Be killed: go on with what is on disk at this moment."""
        self.revive([self.kept(copied(self.archive))], self.durable)

    @step(key=keys, value=simple_values, tight=st.booleans(), line=st.integers(1, _STRIDE))
    def crash_while_packing(self, key: str, value: Any, tight: bool, line: int) -> None:
        """Be killed in the middle of a change, perhaps one for which room has to be made."""
        least, room = self.durable, self.room()
        note = "n" * (room + 9) if tight and room is not None else None
        with self.imaged(line) as images:
            self.commit(
                lambda: self.backpack.pack(key, deepcopy(value), note=note), {key: value}, note=note
            )
        if images:
            event("killed while it packs")
            self.revive(images, least)

    @step(at=several, key=st.none() | keys, line=st.integers(1, _STRIDE), when=begun)
    def crash_while_erasing(self, at: list[int], key: str | None, line: int) -> None:
        """Be killed while commits are erased: all of them are gone then, or none.

        Where another comes in their place, it is there, or they are.
        """
        going, least, made = self.numbers(at), self.durable, len(self.model.commits)
        if going & {*self.pins, *([made] if key is None else [])}:
            return
        if not all(map(self.is_there, going)):
            return
        with self.imaged(line) as images:
            if key is None:
                self.erase_commits(going)
            else:
                self.replace_commits(going, key, made)
        if images:
            event("killed while it erases")
            self.revive(images, least, going, 0 if key is None else made + 1)

    @step(line=st.integers(1, _STRIDE))
    def crash_while_closing(self, line: int) -> None:
        """Be killed in the middle of closing it; where that writes nothing, all is there."""
        least = self.durable
        with self.imaged(line) as images:
            self.backpack.close()
        if not images:
            images, least = [self.kept(copied(self.archive))], len(self.model.commits)
        self.revive(images, least)

    @step(archived=st.booleans())
    def save_and_restore(self, archived: bool) -> None:
        """Save it to a file, and make another of that: it answers the same."""
        spills = any(each.reference and each.reference.spilled for each in self.model.versions())
        archived = archived or spills
        path = folder_of(self.archive) / "saved.backpack"
        with self.judging("A2"):
            self.backpack.save(path, archived=archived)
            place = {"archive": self.kept(temporary_archive())} if archived else {}
            size = _MORE * self.backpack.max_history_size
            again = Backpack.restore(path, **self.settings(self.make_plain(), size), **place)
            self.opened(again)
            self.require(
                list(again) == list(self.backpack), "A2", f"It has keys {list(again)} again."
            )
            self.require(
                retained(again) == retained(self.backpack),
                "A2",
                lambda: f"Restored, it retains {retained(again)}.",
            )
            self.ask("A2", check_made_again, again, self.model, "A2", self.most)

    # --- how ---------------------------------------------------------------------------------

    @property
    def durable(self) -> int:
        """The number of the newest commit that a crash must not lose."""
        made = len(self.model.commits)
        if self.archive.on_commit:
            return made
        stay = {commit.seq for commit in retained(self.backpack)}
        return max(self.closed, *(seq for seq in range(made + 1) if seq not in stay))

    @contextmanager
    def imaged(self, line: int) -> Iterator[list[Any]]:
        """Keep what is on disk when so many lines that write it were run, and again and again."""
        images: list[Any] = []

        def keep() -> None:
            images.append(self.kept(copied(self.archive)))

        with at_line(_WRITING, line, keep, every=_STRIDE):
            yield images

    def revive(
        self, images: list[Any], least: int, going: Collection[int] = (), instead: int = 0
    ) -> None:
        """A3: what a crash has left can be gone on with, and has so many commits; do so with one.

        Args:
            images: What it has left, or would have, at some moments; that of the last is taken.
            least: The number of the newest commit that has to be there.
            going: The numbers of the commits that were being erased.
            instead: The number of the commit that was to come in their place, if one was.
        """
        for image in images[:-1]:
            with self.judging("A3"):
                backpack = self.opened_again(image, self.model.code, lambda request: None)
                self.opened(backpack)
                head = self.require_head(backpack, "A3", least)
                self.still_there(backpack, head, going, instead)
        if not self.over:
            self.reopen("A3", images[-1], least, going, instead)

    def still_there(
        self, backpack: Backpack, head: int, going: Collection[int], instead: int
    ) -> set[int]:
        """Return which commits are there of those that were being erased: all, or none."""
        before = {seq for seq in going if seq <= head}
        there = before & {commit.seq for commit in backpack.history()}
        possible = [before, set()] if not instead else [set()] if head >= instead else [before]
        self.require(
            there in possible,
            "A3",
            f"Of {sorted(before)}, which were being erased, {sorted(there)} are there; the newest "
            f"commit is {head}, and {instead or 'none'} was to come in their place.",
        )
        return there

    def require_head(self, backpack: Backpack, law: str, least: int) -> int:
        """Return the number of the newest commit of what was made again, if it can be that."""
        made, head = len(self.model.commits), backpack.head.seq if backpack.head else 0
        self.require(
            least <= head <= made,
            law,
            f"Of {made} commits there are {head} again; {least} have to be.",
        )
        return head

    def reopen(
        self,
        law: str,
        archive: Any,
        least: int,
        going: Collection[int] = (),
        instead: int = 0,
    ) -> tuple[dict[str, tuple[int, int]], bool]:
        """Open what is in an archive, and go on with it.

        Args:
            law: The law that says what is there.
            archive: The archive.
            least: The number of the newest commit that has to be there.
            going: As for :meth:`revive`.
            instead: As for :meth:`revive`.

        Returns:
            How often retained commits were looked at, and whether room had to be made for it.
        """
        looked: dict[str, tuple[int, int]] = {}
        code = self.model.code
        asked: list[PruneRequest] = []
        abandon(self.backpack)
        self.views.clear()  # What is in the archive is not read through what was closed.
        with self.judging(law):
            backpack = self.opened_again(archive, code, asked.append)
            self.opened(backpack)
            head = self.require_head(backpack, law, least)
            self.model.forget(head)
            self.model.erased -= self.still_there(backpack, head, going, instead)
            self.archive, self.closed = archive, head
            self.adopt(backpack, self.model)
            looked = accesses(backpack)
            self.ask(law, check_made_again, backpack, self.model, law, self.most)
        return looked, bool(asked)

    def opened_again(
        self, archive: Any, code: str, asked: Callable[[PruneRequest], object]
    ) -> Backpack:
        """Open a Backpack; with more room, where how versions lean anew does not fit."""
        size = self.backpack.max_history_size
        try:
            settings = self.settings(self.make_plain(), size, Saboteur(watch=[asked]))
            return Backpack.open(archive, code, **settings)
        except BudgetError:
            event("did not fit when it was opened again")
            settings = self.settings(self.make_plain(), _MORE * size)
            return Backpack.open(archive, code, **settings)

    @contextmanager
    def judging(self, law: str) -> Iterator[None]:
        """Break a law by whatever goes wrong, unless it is a policy that fails."""
        try:
            yield
        except LawBroken:
            raise
        except PolicyError:
            event("a policy failed by itself")
            self.over = True
        except Exception as error:
            self.over = True
            self.breaks(law, f"It raised {type(error).__name__}: {error}"[:500], error)

    def make_plain(self) -> Backpack:
        """Return a Backpack with new policies, of which there are only the settings to be had."""
        plain = self.make()
        plain.close()
        return plain
