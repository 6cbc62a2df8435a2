# SPDX-License-Identifier: GPL-2.0
"""Python's socket module over weft: echo server and client by AF_INET6 names.

    test_python.py server PORT
    test_python.py client ADDR PORT
"""
import socket
import sys
import time

WEFT_PROTO_INET6 = 41


def weft_socket(kind=socket.SOCK_STREAM):
    """A weft socket that Python takes for one of IPv6."""
    with open("/sys/module/weft/parameters/family") as parameter:
        family = int(parameter.read())
    fd = socket.socket(family, kind, WEFT_PROTO_INET6).detach()
    return socket.socket(socket.AF_INET6, kind, 0, fileno=fd)


def server(port):
    lis = weft_socket()
    # As asyncio and socket.create_server() do, which need it to succeed.
    lis.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    lis.bind(("::", port))
    lis.listen()
    assert lis.getsockname()[1] == port
    conn, peer = lis.accept()
    assert conn.getpeername() == peer
    assert conn.getsockname()[1] == port
    with conn:
        while data := conn.recv(65536):
            conn.sendall(data)


def connect(addr, port):
    """The server is being started: refusals are waited out."""
    end = time.monotonic() + 20
    while True:
        sock = weft_socket()
        try:
            sock.connect((addr, port))
            return sock
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            sock.close()
            time.sleep(0.05)


def client(addr, port):
    with connect(addr, port) as sock:
        assert sock.getpeername()[:2] == (addr, port), sock.getpeername()
        assert sock.getsockname()[1] != 0
        sock.settimeout(20)
        with sock.makefile("rwb") as file:
            for i in range(100):
                file.write(b"line %d\n" % i)
                file.flush()
                assert file.readline() == b"line %d\n" % i
        blob = bytes(range(256)) * 1000
        sock.sendall(blob)
        got = bytearray()
        while len(got) < len(blob):
            got += sock.recv(65536)
        assert got == blob
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


if sys.argv[1] == "server":
    server(int(sys.argv[2]))
else:
    client(sys.argv[2], int(sys.argv[3]))
