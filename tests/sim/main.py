#!/usr/bin/env python3
"""A simulator of Xero and of shops: python3 main.py --listen 127.0.0.1:0 [--ready-file PATH]

Owns: the command line, the HTTP server (keep-alive, one send an answer, gzip both ways, resets),
and the end on SIGTERM or SIGINT. What it plays is simulator.py's. See README.md.
"""

import argparse
import gzip
import http.server
import ipaddress
import os
import signal
import socket
import struct
import sys
import zlib

from calls import Answer, Call, Drop, Hang
from simulator import Simulator

LARGEST = 3_500_000
_DROPPED = LARGEST * 4  # a body beyond this is not even read


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address, simulator):
        super().__init__(address, Handler)
        self.simulator = simulator

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """The ledger is the log."""

    def _handle(self):
        try:
            body = self._read_body()
        except ValueError:  # a length that is none
            self._send(Answer(400), close=True)
            return
        if body is None:
            self._send(Answer(413), close=True)
            return
        call = Call(self.command, self.path, self.headers, body)
        try:
            self._send(self.server.simulator.handle(call))
        except Drop:
            self._drop()
        except Hang:
            self.server.simulator.faults.hold()
            self._drop()

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _handle

    def _read_body(self):
        """The body, unpacked; None when it is too large. Raises on a broken connection."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._read_chunks()
        else:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _DROPPED:
                return None
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionResetError
        if body is not None and self.headers.get("Content-Encoding", "").lower() == "gzip":
            try:
                body = zlib.decompressobj(31).decompress(body, LARGEST + 1)
            except zlib.error:
                body = b""
        return body if body is not None and len(body) <= LARGEST else None

    def _read_chunks(self):
        body = b""
        while True:
            length = int(self.rfile.readline().split(b";")[0], 16)
            if length + len(body) > LARGEST:
                return None
            body += self.rfile.read(length)
            self.rfile.readline()
            if length == 0:
                return body

    def _send(self, answer, close=False):
        body = answer.body
        head = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('', ''))[0]}"]
        if answer.kind:
            head.append(f"Content-Type: {answer.kind}")
        if len(body) > 500 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            head.append("Content-Encoding: gzip")
        if answer.status not in (204, 304):
            head.append(f"Content-Length: {len(body)}")
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        if close:
            self.close_connection = True
            head.append("Connection: close")
        try:
            self.wfile.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
        except ConnectionError:
            self.close_connection = True

    def _drop(self):
        """Resets the connection: the other side sees an error, not an end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def _address(text):
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError("HOST:PORT")
    if not ipaddress.ip_address(host).is_loopback and not os.environ.get("LH_SIM_ANY_HOST"):
        raise argparse.ArgumentTypeError("the control has no password: listen on loopback only")
    return host, int(port)


def _write_ready(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description="a simulator of Xero")
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    parser.add_argument(
        "--ready-file", metavar="PATH", help="where the URL is written when it listens"
    )
    arguments = parser.parse_args()
    server = Server(arguments.listen, Simulator())

    def stop(_signal, _frame):
        if arguments.ready_file:
            try:
                os.unlink(arguments.ready_file)
            except OSError:
                pass
        os._exit(0)  # held calls and idle connections end with the process

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    url = f"http://{server.server_address[0]}:{server.server_address[1]}"
    if arguments.ready_file:
        _write_ready(arguments.ready_file, url)
    print(f"listening on {url}", flush=True)
    # the kernel may hand a signal to any thread, and only the main one runs its handler
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
