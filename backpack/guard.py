"""The fence around policies: they may look at the Backpack that asks them, never change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from backpack.errors import ArchiveError, PolicyError
from backpack.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Guard", "name_of"]

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def name_of(policy: object) -> str:
    """Return what a policy is called in messages: its function's or its class's name."""
    name = getattr(policy, "__name__", None)
    return name if isinstance(name, str) else type(policy).__name__


class Guard:
    """Puts questions to policies; while one is asked, and after the end, changes are refused."""

    def __init__(self) -> None:
        self._asking: object = None
        self.is_closed = False

    def close(self) -> None:
        """Refuse every change from here on."""
        self.is_closed = True

    def ask(
        self, policy: object, method: Callable[[Question], Answer], question: Question
    ) -> Answer:
        """Return what a policy answers.

        Args:
            policy: Whom to name if it fails.
            method: The policy itself, or the method of it to call.
            question: The record it takes.

        Raises:
            PolicyError: It raised an exception, or tried to change the Backpack.
        """
        before, self._asking = self._asking, policy
        try:
            return method(question)
        except (PolicyError, RecursionError, MemoryError):
            raise
        except Exception as error:
            name = name_of(policy)
            raise PolicyError(
                f"policy {name} raised {one_line(f'{type(error).__name__}: {error}')}; "
                "nothing was changed",
                policy=name,
            ) from error
        finally:
            self._asking = before

    def check(self) -> None:
        """Refuse to change anything while a policy is being asked.

        Raises:
            PolicyError: A policy's callback tries to change the Backpack that asks it.
            ArchiveError: It is closed.
        """
        if self.is_closed:
            raise ArchiveError(
                "this Backpack is closed: what it holds can be read, not changed; Backpack.open "
                "goes on from where it stopped"
            )
        if self._asking is not None:
            name = name_of(self._asking)
            raise PolicyError(
                f"policy {name} tried to change the Backpack that is asking it; "
                "a policy may read it, and answers by what it returns",
                policy=name,
            )
