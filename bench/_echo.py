"""A bare grpc.aio server over mTLS: answers every Check with one message, and does nothing else."""

import sys
from pathlib import Path

import grpc
import uvloop
from accord.sharing.v1 import decision_service_pb2 as pb


async def serve(directory: Path, port: int) -> None:
    """Serve on a port of loopback with the certificates and the answer in `directory`."""
    answer = pb.CheckResponse.FromString((directory / "answer.bin").read_bytes())

    async def check(_request: pb.CheckRequest, _context: object) -> pb.CheckResponse:
        return answer

    handler = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=pb.CheckRequest.FromString,
        response_serializer=pb.CheckResponse.SerializeToString,
    )
    server = grpc.aio.server()
    service = "accord.sharing.v1.DecisionService"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"Check": handler}),)
    )
    credentials = grpc.ssl_server_credentials(
        [((directory / "sharing.key").read_bytes(), (directory / "sharing.crt").read_bytes())],
        root_certificates=(directory / "bundle.pem").read_bytes(),
        require_client_auth=True,
    )
    server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
