"""Passes requests of a newer Docker API on to an engine that only knows an older version.

    api.py LISTEN ENGINE VERSION

Each connection carries one request, whose path gets VERSION; that both sides close it is asked for in the request.
"""

import asyncio
import re
import sys

LISTEN, ENGINE, VERSION = sys.argv[1:]


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        if writer.can_write_eof():
            try:
                writer.write_eof()
            except OSError:
                pass


async def serve(reader, writer):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        writer.close()
        return
    line, rest = head.split(b"\r\n", 1)
    line = re.sub(rb" /v1\.\d+/", b" /v" + VERSION.encode() + b"/", line, count=1)
    # A connection that becomes a stream of its own says so in this header already.
    if b"\r\nconnection:" not in rest.lower():
        rest = b"Connection: close\r\n" + rest
    upstream, engine = await asyncio.open_unix_connection(ENGINE)
    engine.write(line + b"\r\n" + rest)
    # The engine takes the end of the client's half for the end of the client, so it is not passed on.
    up = asyncio.ensure_future(copy_body(reader, engine))
    await copy(upstream, writer)
    up.cancel()
    engine.close()
    writer.close()


async def copy_body(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def main():
    server = await asyncio.start_unix_server(serve, LISTEN)
    async with server:
        await server.serve_forever()


asyncio.run(main())
