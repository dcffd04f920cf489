"""Run the sandbox: `python -m sandbox.providers --port 9443 --certificate … --key …`.

Prints its origin on standard output once it listens.
"""

import argparse
import socket

import uvicorn

from sandbox.providers.app import application


def main() -> None:
    """Serve over HTTPS on loopback until stopped."""
    parser = argparse.ArgumentParser(prog="sandbox.providers", description=__doc__)
    parser.add_argument("--port", type=int, default=9443, help="0: any that is free")
    parser.add_argument("--certificate", required=True, help="PEM chain for localhost")
    parser.add_argument("--key", required=True, help="PEM private key")
    parser.add_argument(
        "--portal",
        action="append",
        metavar="ORIGIN",
        help="origin of a portal whose callbacks are registered; may be repeated",
    )
    parser.add_argument("--hostile", action="store_true", help="also offer people whose tokens lie")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port))
    origin = f"https://localhost:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        application(
            origin,
            options.portal or ["https://localhost:8443"],
            hostile=options.hostile,
        ),
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        log_level="warning",
        access_log=False,  # addresses carry codes and states
        timeout_graceful_shutdown=1,
    )
    config.load()
    print(origin, flush=True)  # from here on a connection waits until it is accepted
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
