"""From an append to a checkpoint that two other regions have cosigned and that is published.

Their audit services run as processes of their own, with roots, keys and stores of their own, and
are asked over mTLS. What an entry waits for is what anybody can read: the file `checkpoint`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from accord.audit.v1.append_service_pb2 import AppendResponse

from bench._load import connect, percentile, report
from bench._region import NAME, Region, free_port, keygen
from runtime.authority import Authority
from services.audit.domain.cosignature import Cosigner
from services.audit.domain.note import VerifierKey, open_note
from services.audit.store.note_key import NoteVerifier

WITNESSES = ("in", "ru")
REQUESTS_PER_S = 40.0
_METHOD = "/accord.audit.v1.AppendService/Append"
_DEADLINE_S = 30.0
_LOOK_S = 0.005  # between two looks at the file: it is written every 0.4 s

Append = Callable[..., Awaitable[Any]]


async def cosigned(here: Region, requests: Sequence[bytes]) -> None:
    """Send requests at a fixed rate, and report how long the slowest of 100 waits."""
    witnesses = {name: _start_witness(here, name) for name in WITNESSES}
    port = here.start("audit", settings=_settings(here, witnesses))
    checkpoint = here.directory / "tiles" / "checkpoint"
    seen: list[tuple[int, float]] = []  # sizes published, and when each was seen
    async with connect(here.directory, port, "audit", "sharing") as channel:
        append: Append = channel.unary_unary(_METHOD)
        look = asyncio.create_task(_look(checkpoint, seen))
        began = time.monotonic()
        dues = [began + n / REQUESTS_PER_S for n in range(len(requests))]
        sizes = await asyncio.gather(*map(partial(_append, append), requests, dues))
        async with asyncio.timeout(_DEADLINE_S):
            while not seen or seen[-1][0] < max(sizes):  # noqa: ASYNC110  the file tells nobody
                await asyncio.sleep(_LOOK_S)
        look.cancel()
    spent = [next(at for size, at in seen if size >= needed) - due
             for needed, due in zip(sizes, dues, strict=True)]  # fmt: skip
    keys = [Cosigner(NoteVerifier(_vkey(_home(here, name)))) for name in WITNESSES]
    if len(open_note(checkpoint.read_text(), keys).signatures) < len(WITNESSES):
        raise RuntimeError("not all witnesses have cosigned")
    report("cosigned_p99_s", percentile(spent, 99), "s", here.store)
    here.end()


async def _append(append: Append, request: bytes, due: float) -> int:
    """Append when it is due; return of what size the log must be to cover it."""
    await asyncio.sleep(due - time.monotonic())
    while True:
        try:
            response = AppendResponse.FromString(await append(request))
            break
        except grpc.aio.AioRpcError as refusal:
            # A request may overtake the one before it.
            if "was expected" not in (refusal.details() or ""):
                raise
    return 1 + max(receipt.index for receipt in response.receipts)


async def _look(checkpoint: Path, seen: list[tuple[int, float]]) -> None:
    while True:
        size = _size(checkpoint)
        if not seen or size > seen[-1][0]:
            seen.append((size, time.monotonic()))
        await asyncio.sleep(_LOOK_S)


def _size(checkpoint: Path) -> int:
    return int(checkpoint.read_text().split("\n", 2)[1]) if checkpoint.exists() else 0


def _start_witness(here: Region, name: str) -> str:
    """Start the audit service of another region; return the origin of its witness."""
    home, domain = _home(here, name), f"{name}.accord.internal"
    for directory in ("tiles", "regions"):
        (home / directory).mkdir(parents=True)
    authority = Authority.create(domain)
    (home / "bundle.pem").write_bytes(authority.pem)
    authority.issue("svc/audit", dns=[f"audit.{domain}"]).write(home / "audit")
    keygen(name, home / "log" / "log.key", home / "kek")
    (home / "regions" / f"{NAME}.pem").write_bytes((here.directory / "bundle.pem").read_bytes())
    (home / "logs").write_text((here.directory / "log" / "log.vkey").read_text())
    port = free_port()
    settings: dict[str, object] = {
        "REGION": name,
        "TRUST_BUNDLE_FILE": home / "bundle.pem",
        "CERTIFICATE_FILE": home / "audit.crt",
        "KEY_FILE": home / "audit.key",
        "LOG_KEY_FILE": home / "log" / "log.key",
        "KEK_DIRECTORY": home / "kek",
        "TILE_DIRECTORY": home / "tiles",
        "DATABASE_URL": here.url(f"audit-{name}"),
        "KEY_DATABASE_URL": here.url(f"keys-{name}"),
        "REGION_ROOTS_DIRECTORY": home / "regions",
        "WITNESS_KEY_FILE": home / "log" / "witness.key",
        "WITNESS_LISTEN": f"127.0.0.1:{port}",
        "WITNESS_LOGS_FILE": home / "logs",
    }
    told = {f"ACCORD_{setting}": str(value) for setting, value in settings.items()}
    here.start("audit", f"audit-{name}", told)
    return f"https://127.0.0.1:{port}"


def _settings(here: Region, witnesses: dict[str, str]) -> dict[str, str]:
    """Write what our own log needs of them, and return where that stands."""
    roots, policy = here.directory / "regions", here.directory / "policy"
    roots.mkdir()
    lines = []
    for name, origin in witnesses.items():
        home = _home(here, name)
        (roots / f"{name}.pem").write_bytes((home / "bundle.pem").read_bytes())
        lines.append(f"witness {name} {_vkey(home)} {origin}")
    lines += [f"group regions all {' '.join(witnesses)}", "quorum regions"]
    policy.write_text("\n".join(lines) + "\n")
    return {
        "ACCORD_REGION_ROOTS_DIRECTORY": str(roots),
        "ACCORD_WITNESS_POLICY_FILE": str(policy),
    }


def _home(here: Region, name: str) -> Path:
    return here.directory / f"region-{name}"


def _vkey(home: Path) -> VerifierKey:
    return VerifierKey.parse((home / "log" / "witness.vkey").read_text().strip())
