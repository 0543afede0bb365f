"""Push to browsers and programs over one WebSocket, `/ws/stream/`.

What is pushed is the outbox, so only what has committed. Each web process reads the table once (`hub`), whatever the
number of its connections, and hands each event to those that may see it and asked for it. A client gets messages

    {"id": 4711, "type": "order.moved", "at": "2026-01-05T21:00:03Z", "account": "demo", "payload": {…}}

in the order they became visible. It chooses topics (the word before the dot) by `?topics=order,fill` or by sending
`{"action": "subscribe", "topics": ["order", "fill"]}`; without either it gets all. `?since=<id>` first replays the later
events, at most `outbox.REPLAY_LIMIT`; where there were more, `stream.truncated` comes before them and the client reads
the state anew. Ids of transactions that ran side by side may arrive out of order: ask for the highest you have.
`stream.ready` says that what follows is live, and names the id to ask for where nothing came yet.
"""
