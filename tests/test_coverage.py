"""What is not to be traced is not, whoever traces."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

COMMAND = (sys.executable, "-c", "import sys; print(sys.gettrace())")


@pytest.mark.no_cover
def test_nothing_is_traced_where_nothing_is_to_be() -> None:
    """Neither the test, nor its threads, nor the processes it starts."""
    seen: list[object] = [sys.gettrace()]
    thread = threading.Thread(target=lambda: seen.append(sys.gettrace()))
    thread.start()
    thread.join()
    assert [None, None] == seen
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=True)
    assert "None" == done.stdout.strip()
