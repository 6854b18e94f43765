"""Beam's pool of Python workers for engines that run on the JVM (Flink, Spark), one per node.

    python -m cluster.engines.worker_pool [--port 50000] [--listen ADDRESS]

Whoever reaches the pool's port can have it run any Python code: that is what it is for, and there is no password. So it
listens on this machine's loopback address alone, where the engine's own process on the node finds it as
``localhost:50000``; Beam's own `worker_pool_main` listens on every address. Give another address only on a network
that nobody else reaches.
"""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError

PORT = 50000
LOOPBACK = "127.0.0.1"


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until it is told to end; returns the exit code."""
    from preprocessing.arguments import OptionParser

    parser = OptionParser("python -m cluster.engines.worker_pool", __doc__.split("\n")[0], ClusterError)
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on; 0 takes a free one")
    text = "address to listen on; whoever reaches it can run any code here"
    parser.add_argument("--listen", default=LOOPBACK, help=text)
    try:
        arguments = parser.parse_args(argv)
        server, port = start(arguments.listen, arguments.port)
    except ClusterError as error:
        print(f"worker_pool: {error}", file=sys.stderr)
        return error.exit_code
    print(f"worker pool on {arguments.listen}:{port}", flush=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.stop(grace=None)
    return 0


def start(address: str, port: int) -> tuple[Any, int]:
    """The running server and its port. ClusterError when the port is taken. Workers end with this process."""
    import grpc
    from apache_beam.portability.api import beam_fn_api_pb2_grpc
    from apache_beam.runners.worker.worker_pool_main import (
        BeamFnExternalWorkerPoolServicer,
        kill_process_gracefully,
    )
    from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

    # Beam starts `python`, whichever comes first: it must be the one that has this project.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    server = grpc.server(shared_unbounded_instance(), options=[("grpc.so_reuseport", 0)])
    pool = BeamFnExternalWorkerPoolServicer(use_process=True, data_buffer_time_limit_ms=-1)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        bound = server.add_insecure_port(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
    except RuntimeError as error:
        raise ClusterError(
            f"--listen {address} --port {port}: cannot listen there; is another pool running?"
        ) from error
    server.start()
    atexit.register(lambda: [kill_process_gracefully(worker) for worker in pool._worker_processes.values()])
    return server, bound


if __name__ == "__main__":
    sys.exit(main())
