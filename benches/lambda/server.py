"""A small HTTP/1.1 server on loopback, which records when each request arrives."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field


@dataclass
class Request:
    arrived: int
    method: str
    path: str
    headers: dict
    body: bytes


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict = field(default_factory=dict)

    def encoded(self):
        headers = {**self.headers, "Content-Length": len(self.body)}
        lines = [f"HTTP/1.1 {self.status} Told", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@contextlib.asynccontextmanager
async def serving(answer, tls=None):
    """Answers each request with what the coroutine returns for it; gives host and port."""
    conversations = set()
    ends = (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError)

    async def converse(reader, writer):
        conversations.add(asyncio.current_task())
        with contextlib.suppress(*ends):
            while True:
                writer.write((await answer(await read(reader))).encoded())
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=tls)
    try:
        yield "%s:%d" % server.sockets[0].getsockname()
    finally:
        server.close()
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations)


async def read(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    arrived = time.perf_counter_ns()
    start, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, path, _ = start.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(arrived, method, path, headers, body)
