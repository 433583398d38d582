"""One RTSP connection of the relay: a publisher that announces a stream, or a reader that plays it."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.local.rtsp_protocol import Authentication, Interleaved, MalformedRequest, Request, reply, take

_MAX_BACKLOG_BYTES = 8 << 20
_METHODS = "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, PAUSE, RECORD, GET_PARAMETER, SET_PARAMETER, TEARDOWN"


@dataclass(slots=True)
class Stream:
    """What one publisher announced, and who watches."""

    name: str
    sdp: bytes = b""
    is_live: bool = False
    """The publisher has sent RECORD."""
    is_stalled: bool = False
    loss: float = 0.0
    """Share of the RTP packets that are dropped on purpose."""
    readers: set[Session] = field(default_factory=set["Session"])


@dataclass(slots=True)
class Relay:
    """What all connections share; touched on the server's loop alone."""

    authentication: Authentication
    host: str
    has_udp: bool
    on_change: Callable[[], None]
    streams: dict[str, Stream] = field(default_factory=dict[str, Stream])
    sessions: set[Session] = field(default_factory=set["Session"])


class Session(asyncio.Protocol):
    """Answers one peer. Packets of a publisher go to every reader of its stream as they come; nothing is kept."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._stream: Stream | None = None
        self._is_publisher = False
        self._channels: dict[int, int] = {}
        """Of a reader: from the stream's channel to the one that it asked for."""
        self._datagrams: dict[int, tuple[socket.socket, tuple[str, int]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._relay.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._relay.sessions.discard(self)
        for sender, _ in self._datagrams.values():
            sender.close()
        if self._stream is None:
            return
        self._stream.readers.discard(self)
        if self._is_publisher and self._relay.streams.get(self._stream.name) is self._stream:
            for reader in list(self._stream.readers):
                reader.hang_up()
            del self._relay.streams[self._stream.name]
            self._relay.on_change()

    def hang_up(self, *, reset: bool = False) -> None:
        """Closes the connection: with FIN after what is queued, or with RST at once."""
        if self._transport is None:
            return
        if reset:
            linger = bytes((1, 0, 0, 0, 0, 0, 0, 0))
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while self._buffer and (message := take(self._buffer)) is not None:
                if isinstance(message, Request):
                    self._answer(message)
                elif self._is_publisher and self._stream is not None:
                    self._forward(self._stream, message)
        except MalformedRequest:
            self.hang_up()

    def _forward(self, stream: Stream, packet: Interleaved) -> None:
        is_rtp = packet.channel % 2 == 0
        if stream.is_stalled or (is_rtp and stream.loss and random.random() < stream.loss):
            return
        for reader in list(stream.readers):
            reader.deliver(packet)

    def deliver(self, packet: Interleaved) -> None:
        """Sends one packet of the stream; a reader that lags too far behind is cut off."""
        assert self._transport is not None
        if packet.channel in self._datagrams:
            sender, address = self._datagrams[packet.channel]
            try:
                sender.sendto(packet.payload, address)
            except BlockingIOError:
                return  # UDP: what the socket does not take is lost, as on a real network
        elif packet.channel in self._channels:
            if self._transport.get_write_buffer_size() > _MAX_BACKLOG_BYTES:
                self.hang_up(reset=True)
            else:
                self._transport.write(Interleaved(self._channels[packet.channel], packet.payload).encode())

    def _send(
        self, request: Request, code: int = 200, headers: dict[str, str | list[str]] | None = None, body: bytes = b""
    ) -> None:
        assert self._transport is not None
        self._transport.write(reply(request, code, headers, body))

    def _answer(self, request: Request) -> None:
        is_open = self._is_publisher or request.method in {"OPTIONS", "ANNOUNCE"}
        if not is_open and not self._relay.authentication.admits(request):
            self._send(request, 401, self._relay.authentication.challenge())
            return
        session: dict[str, str | list[str]] = {"Session": f"{id(self):x};timeout=60"}
        match request.method:
            case "OPTIONS":
                self._send(request, 200, {"Public": _METHODS})
            case "ANNOUNCE":
                self._announce(request)
            case "DESCRIBE":
                self._describe(request)
            case "SETUP":
                self._set_up(request, session)
            case "PLAY" | "RECORD":
                self._start(request, session)
            case "PAUSE" | "GET_PARAMETER" | "SET_PARAMETER":
                self._send(request, 200, session)
            case "TEARDOWN":
                self._send(request, 200, session)
                self.hang_up()
            case _:
                self._send(request, 455)

    def _announce(self, request: Request) -> None:
        sdp = re.sub(rb"a=control:.*?streamid=", b"a=control:streamid=", request.body)
        self._is_publisher = True
        self._stream = self._relay.streams[request.path] = Stream(request.path, sdp)
        self._send(request)

    def _describe(self, request: Request) -> None:
        stream = self._relay.streams.get(request.path)
        if stream is None or not stream.is_live:
            self._send(request, 404)
            return
        base = request.url.split("?")[0].rstrip("/") + "/"
        self._send(request, 200, {"Content-Type": "application/sdp", "Content-Base": base}, stream.sdp)

    def _set_up(self, request: Request, session: dict[str, str | list[str]]) -> None:
        if not self._is_publisher:
            self._stream = self._relay.streams.get(request.path)
        if self._stream is None:
            self._send(request, 404)
            return
        transport, first = request.headers.get("transport", ""), 2 * request.track
        if "TCP" in transport:
            found = re.search(r"interleaved=(\d+)-(\d+)", transport)
            channel = int(found[1]) if found else first
            self._channels |= {first: channel, first + 1: channel + 1}
            answer = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        else:
            found = re.search(r"client_port=(\d+)-(\d+)", transport)
            if self._is_publisher or not self._relay.has_udp or found is None:
                self._send(request, 461)
                return
            ports = [self._bind(first + i, int(found[1 + i])) for i in (0, 1)]
            answer = f"RTP/AVP;unicast;client_port={found[1]}-{found[2]};server_port={ports[0]}-{ports[1]}"
        self._send(request, 200, {**session, "Transport": answer})

    def _bind(self, channel: int, client_port: int) -> int:
        assert self._transport is not None
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((self._relay.host, 0))
        sender.setblocking(False)
        self._datagrams[channel] = (sender, (self._transport.get_extra_info("peername")[0], client_port))
        return sender.getsockname()[1]

    def _start(self, request: Request, session: dict[str, str | list[str]]) -> None:
        if self._stream is None:
            self._send(request, 455)
            return
        if self._is_publisher:
            self._stream.is_live = True
            self._relay.on_change()
        else:
            session = {**session, "Range": "npt=0.000-"}
        self._send(request, 200, session)
        if not self._is_publisher:
            self._stream.readers.add(self)
