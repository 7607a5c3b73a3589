"""grpc.py: just enough of gRPC to ask containerd's CRI service, and of WebSocket for its streams. A library of tests/shim/pods.

Client("/run/….sock").call("runtime.v1.RuntimeService", "Version", request, response, **values) is one unary call on a connection
of its own. HTTP/2 is asked for no dynamic table of headers, so that the answer needs none; Huffman's code is
the one of RFC 7541, which its lengths alone determine.
"""
import base64, os, socket, struct, urllib.parse

import protobuf

# the length of the code of each byte, less 5, as a letter; the last is that of the end
LENGTHS = ("ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBBBABCBAABCCCCC"
           "KGJIXPRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWVZ")


def codes():
    table, code, before = {}, 0, 0
    for symbol in sorted(range(257), key=lambda s: (LENGTHS[s], s)):
        length = ord(LENGTHS[symbol]) - 60
        code <<= length - before
        table[length, code] = symbol
        code, before = code + 1, length
    return table


CODES = codes()
STATUS = {1: "cancelled", 2: "unknown", 3: "invalid argument", 4: "deadline", 5: "not found", 6: "already exists", 9: "failed precondition", 12: "unimplemented", 14: "unavailable"}


def plain(data):
    """Huffman's code undone."""
    out, code, length = bytearray(), 0, 0
    for byte in data:
        for bit in range(7, -1, -1):
            code, length = code << 1 | byte >> bit & 1, length + 1
            if (length, code) in CODES:
                out.append(CODES[length, code])
                code = length = 0
    return bytes(out)


def number(data, at, bits):
    mask = (1 << bits) - 1
    value = data[at] & mask
    at += 1
    if value == mask:
        shift = 0
        while True:
            byte = data[at]
            at += 1
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
    return value, at


def text(data, at):
    coded = data[at] & 128
    size, at = number(data, at, 7)
    raw = data[at:at + size]
    return (plain(raw) if coded else raw).decode(errors="replace"), at + size


def headers(data):
    """Name and value of what is spelled out; what the static table has is nothing that is needed here."""
    at, found = 0, {}
    while at < len(data):
        first = data[at]
        if first & 128:
            _, at = number(data, at, 7)
        elif first & 0xe0 == 0x20:
            _, at = number(data, at, 5)
        else:
            index, at = number(data, at, 6 if first & 64 else 4)
            name, at = text(data, at) if index == 0 else (f"static {index}", at)
            found[name], at = text(data, at)
    return found


def spelled(pairs):
    length = lambda raw: bytes([len(raw)]) if len(raw) < 127 else bytes([127]) + protobuf.varint(len(raw) - 127)
    return b"".join(b"\0" + length(n.encode()) + n.encode() + length(v.encode()) + v.encode() for n, v in pairs)


class Refused(Exception):
    def __init__(self, code, message):
        self.code, self.message = STATUS.get(code, str(code)), message
        super().__init__(f"{self.code}: {message}")


class Client:
    def __init__(self, path):
        self.path = path

    def call(self, service, method, request, response, within=60, **values):
        payload = protobuf.encode(request, values)
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(within)
        with link:
            link.connect(self.path)
            frame = lambda kind, flags, stream, data: struct.pack(">I", len(data))[1:] + struct.pack(">BBI", kind, flags, stream) + data
            message = struct.pack(">BI", 0, len(payload)) + payload
            asked = spelled([(":method", "POST"), (":scheme", "http"), (":path", f"/{service}/{method}"), (":authority", "localhost"),
                             ("content-type", "application/grpc"), ("te", "trailers")])
            # settings: no dynamic table, a large window for streams; and for the whole connection
            link.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, struct.pack(">HIHI", 1, 0, 4, 1 << 30)) + frame(8, 0, 0, struct.pack(">I", 1 << 30)))
            link.sendall(frame(1, 4, 1, asked))
            for at in range(0, len(message), 16000):
                link.sendall(frame(0, int(at + 16000 >= len(message)), 1, message[at:at + 16000]))
            body, said = b"", {}
            file = link.makefile("rb")
            while True:
                head = file.read(9)
                if len(head) < 9:
                    raise Refused(14, "the connection was closed")
                size, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
                data = file.read(size)
                if kind == 4 and not flags & 1:
                    link.sendall(frame(4, 1, 0, b""))
                elif kind == 6 and not flags & 1:
                    link.sendall(frame(6, 1, 0, data))
                elif kind == 7 or (kind == 3 and stream == 1):
                    raise Refused(14, f"the stream was ended: {data!r}")
                elif kind == 0 and stream == 1:
                    body += data
                elif kind == 1 and stream == 1:
                    said.update(headers(data))
                if stream == 1 and kind in (0, 1) and flags & 1:
                    break
        code = int(said.get("grpc-status", "0"))
        if code:
            raise Refused(code, urllib.parse.unquote(said.get("grpc-message", "")))
        return protobuf.decode(response, body[5:])


class Stream:
    """A stream of the kubelet's protocol v4 over a WebSocket: channels 0 to 4 are input, output, errors, status and size."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.link = socket.create_connection((parts.hostname, parts.port), 20)
        target = parts.path + ("?" + parts.query if parts.query else "")
        self.link.sendall(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n".encode())
        self.file = self.link.makefile("rb")
        first = self.file.readline()
        while self.file.readline().strip():
            pass
        if b" 101 " not in first:
            raise Refused(14, first.decode(errors="replace"))

    def send(self, channel, data):
        data = bytes([channel]) + data
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(data))
        self.link.sendall(b"\x82" + size + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(data)))

    def receive(self):
        """(channel, data), or None at the end."""
        while True:
            head = self.file.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return None
            size = head[1] & 127
            size = struct.unpack(">H", self.file.read(2))[0] if size == 126 else struct.unpack(">Q", self.file.read(8))[0] if size == 127 else size
            data = self.file.read(size)
            if head[0] & 15 in (0, 1, 2) and data:
                return data[0], data[1:]

    def until(self, test, seconds=10):
        """What came on the output until the test of it is true, or the end."""
        got = b""
        self.link.settimeout(seconds)
        try:
            while not test(got):
                piece = self.receive()
                if piece is None:
                    break
                if piece[0] in (1, 2):
                    got += piece[1]
        except (TimeoutError, OSError):
            pass
        return got

    def close(self):
        try:
            self.link.sendall(b"\x88\x80" + os.urandom(4))
        except OSError:
            pass
        self.file.close()
        self.link.close()
