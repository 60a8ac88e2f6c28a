"""A real server, with a simulated Parliament behind it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = os.environ.get("EXPLORER_BIN")
    if not binary:
        binary = str(tmp_path_factory.mktemp("bin") / "explorer")
        subprocess.run(["go", "build", "-o", binary, "."], cwd=ROOT, check=True, timeout=600)
    server = subprocess.Popen([binary, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout is not None
    try:
        address, seen = None, []
        for line in server.stdout:
            seen.append(line)
            if match := re.search(r"Ready after .* at (http://\S+)", line):
                address = match.group(1)
            if "Ctrl-C stops" in line:
                break
        assert address is not None, "the server did not start:\n" + "".join(seen)
        yield address
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
