"""Programs on nats-py against natsd: what an application does, not what the protocol says."""
import asyncio

import pytest

nats = pytest.importorskip('nats', reason='nats-py could not be brought')


def run(program, *arguments):
    return asyncio.run(asyncio.wait_for(program(*arguments), 60))


async def connect(server, **options):
    return await nats.connect(server.url, **options)


async def flush(client):
    """The PING of nats-py's flush() overtakes what publish and subscribe left in its buffer: the second one comes behind that."""
    await client.flush()
    await client.flush()


def test_publish_subscribe_thousands(server):
    async def program():
        a, b = await connect(server), await connect(server)
        got = []

        async def take(message):
            got.append(int(message.data))
        await a.subscribe('n.*', cb=take)
        await flush(a)
        for i in range(5000):
            await b.publish('n.%d' % (i % 7), b'%d' % i)
        await flush(b)
        await flush(a)
        await a.drain()
        await b.close()
        return got
    assert run(program) == list(range(5000))


def test_request_reply_with_headers(server):
    async def program():
        service, client = await connect(server), await connect(server)

        async def answer(message):
            await message.respond(b'answer to ' + message.data)
        await service.subscribe('svc', queue='workers', cb=answer)
        await flush(service)
        answers = await asyncio.gather(*[client.request('svc', b'%d' % i, timeout=20, headers={'A': 'b'}) for i in range(200)])
        await service.close()
        await client.close()
        return [a.data for a in answers]
    assert run(program) == [b'answer to %d' % i for i in range(200)]


def test_no_responders(server):
    async def program():
        client = await connect(server)
        with pytest.raises(nats.errors.NoRespondersError):
            await client.request('nobody', b'', timeout=20)
        await client.close()
    run(program)


def test_queue_group_shares(server):
    async def program():
        members = [await connect(server) for _ in range(4)]
        counts = [0] * 4
        all_came = asyncio.Event()      # nats-py may send the PING of flush() ahead of what was published before
        for i, member in enumerate(members):
            async def take(message, i=i):
                counts[i] += 1
                if sum(counts) == 2000:
                    all_came.set()
            await member.subscribe('jobs', queue='q', cb=take)
            await flush(member)
        sender = await connect(server)
        for _ in range(2000):
            await sender.publish('jobs', b'j')
        await flush(sender)
        for member in members:
            await member.drain()
        await sender.close()
        return counts
    counts = run(program)
    assert sum(counts) == 2000 and min(counts) > 300, counts


def test_auto_unsubscribe(server):
    async def program():
        a, b = await connect(server), await connect(server)
        sub = await a.subscribe('few')
        await sub.unsubscribe(limit=3)
        await flush(a)
        for i in range(10):
            await b.publish('few', b'%d' % i)
        await flush(b)
        await flush(a)
        got = [(await sub.next_msg(timeout=20)).data for _ in range(3)]
        with pytest.raises(Exception):
            await sub.next_msg(timeout=0.2)
        await a.close()
        await b.close()
        return got
    assert run(program) == [b'0', b'1', b'2']


def test_large_payload_and_its_limit(server):
    async def program():
        a = await connect(server)
        sub = await a.subscribe('large')
        body = bytes(range(256)) * 4096
        await a.publish('large', body)
        got = await sub.next_msg(timeout=20)
        with pytest.raises(nats.errors.MaxPayloadError):
            await a.publish('large', body + b'x')
        await a.close()
        return got.data == body
    assert run(program)


def test_reconnect_to_a_restarted_server(servers):
    first = servers('', workers=2, name='nats-server')

    async def program():
        back = asyncio.Event()

        async def reconnected():
            back.set()
        client = await connect(first, reconnected_cb=reconnected, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
        got = asyncio.Queue()

        async def take(message):
            await got.put(message.data)
        await client.subscribe('again', cb=take)
        await flush(client)
        await asyncio.to_thread(first.stop)
        second = await asyncio.to_thread(servers, 'listen: "127.0.0.1:%d"\n' % first.port, workers=2, name='nats-server')
        await asyncio.wait_for(back.wait(), 30)
        other = await connect(second)
        await flush(client)
        await other.publish('again', b'here')
        data = await asyncio.wait_for(got.get(), 30)
        await other.close()
        await client.close()
        return data
    assert run(program) == b'here'


def test_many_connections_and_subjects(server):
    async def program():
        clients = [await connect(server) for _ in range(30)]
        inboxes = []
        for i, client in enumerate(clients):
            sub = await client.subscribe('peer.%d.>' % i)
            inboxes.append(sub)
            await flush(client)
        for i, client in enumerate(clients):
            for j in range(30):
                await client.publish('peer.%d.from.%d' % (j, i), b'%d' % i)
            await flush(client)
        result = []
        for sub, client in zip(inboxes, clients):
            await flush(client)
            result.append(sorted([int((await sub.next_msg(timeout=20)).data) for _ in range(30)]))
        for client in clients:
            await client.close()
        return result
    assert run(program) == [list(range(30))] * 30


def test_logins(servers):
    server = servers('authorization { users: [ { user: u, password: "p w" }, { user: v, password: x, permissions: { subscribe: "only" } } ] }\n',
                     workers=2, name='nats-server')

    async def program():
        good = await connect(server, user='u', password='p w')
        await flush(good)
        with pytest.raises(nats.errors.Error):
            await connect(server, user='u', password='wrong', allow_reconnect=False, max_reconnect_attempts=1)
        seen = asyncio.Queue()

        async def error(e):
            await seen.put(str(e))
        limited = await connect(server, user='v', password='x', error_cb=error)
        await limited.subscribe('other')
        text = await asyncio.wait_for(seen.get(), 30)
        await good.close()
        await limited.close()
        return text
    assert 'permissions violation for subscription to "other"' in run(program).lower()


def test_micro_service(server):
    micro = pytest.importorskip('nats.micro')

    async def program():
        serving, asking = await connect(server), await connect(server)
        service = await micro.add_service(serving, name='calc', version='1.0.0')

        async def double(request):
            await request.respond(b'%d' % (2 * int(request.data)))
        await service.add_endpoint(name='double', handler=double)
        await flush(serving)
        answer = await asking.request('double', b'21', timeout=20)
        ping = await asking.request('$SRV.PING.calc', b'', timeout=20)
        await service.stop()
        await serving.close()
        await asking.close()
        return answer.data, b'"name":' in ping.data.replace(b' ', b'')
    assert run(program) == (b'42', True)
