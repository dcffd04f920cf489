"""The root that people are asked to trust is worth nothing but for localhost."""

import ssl
from pathlib import Path

import pytest

from runtime.authority import Authority
from sandbox.mesh import Mesh


def handshake(root: Path, host: str) -> None:
    """Let a browser that trusts `root` meet a server with a certificate of it for `host`."""
    stem = root.parent / "leaf"
    Authority.read("localhost", root).issue(dns=[host]).write(stem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(stem.with_suffix(".crt"), stem.with_suffix(".key"))
    client = ssl.create_default_context(cafile=root.with_suffix(".crt"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)


def test_the_web_root_speaks_for_localhost_and_nobody_else(region: Mesh, tmp_path: Path) -> None:
    root = tmp_path / "web"
    for suffix in (".crt", ".key"):
        source = region.material.web_root.with_suffix(suffix)
        root.with_suffix(suffix).write_bytes(source.read_bytes())
    handshake(root, "localhost")
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        handshake(root, "bank.example")
