"""Backpacks with one bug each, and the law of the container that must kill it."""

from __future__ import annotations

from typing import Final

from mutants.broken_container import BrokenContainer
from mutants.containers_account import BROKEN_ACCOUNTS
from mutants.containers_archived import BROKEN_ARCHIVES
from mutants.containers_asking import BROKEN_QUESTIONS
from mutants.containers_changing import BROKEN_CHANGES
from mutants.containers_forgetting import BROKEN_FORGETTING
from mutants.containers_leaning import BROKEN_LEANINGS
from mutants.containers_reading import BROKEN_READINGS
from mutants.containers_unseen import BROKEN_UNSEEN

__all__ = ["BROKEN", "BrokenContainer"]

#: ``{what is wrong with it: the container}``.
BROKEN: Final[dict[str, BrokenContainer]] = {
    **BROKEN_ACCOUNTS,
    **BROKEN_READINGS,
    **BROKEN_QUESTIONS,
    **BROKEN_CHANGES,
    **BROKEN_UNSEEN,
    **BROKEN_LEANINGS,
    **BROKEN_FORGETTING,
    **BROKEN_ARCHIVES,
}
