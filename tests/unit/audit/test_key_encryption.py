"""The months' keys as files: made, read, and destroyed in the middle of a crash."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from services.audit.store.key_encryption import create_key, destroy_key, load_keys

if TYPE_CHECKING:
    from pathlib import Path


def test_a_stop_while_a_key_is_written_over_leaves_the_others_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for month in ("2026-05", "2026-06"):
        create_key(tmp_path, month)
    write = os.pwrite

    def stop(descriptor: int, data: bytes, at: int) -> int:
        write(descriptor, data[:8], at)
        raise OSError("the disk is gone")

    with monkeypatch.context() as stopped:
        stopped.setattr(os, "pwrite", stop)
        with pytest.raises(OSError, match="the disk is gone"):
            destroy_key(tmp_path, "2026-05")
    assert [key.month for key in load_keys(tmp_path)] == ["2026-06"]
    destroy_key(tmp_path, "2026-05")
    assert [file.name for file in tmp_path.iterdir()] == ["2026-06.kek"]
    destroy_key(tmp_path, "2026-05")  # gone already
