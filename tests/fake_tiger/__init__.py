"""A broker that speaks Tiger's Open API on the loopback, as a process of its own.

    python -m tests.fake_tiger --journal PATH --keys DIR

The unmodified SDK talks to it over HTTP and push. What it accepted and executed stands in a journal that is written
before any reply leaves, survives SIGKILL, and is read by `journal.Journal`. Tests start it with `client.FakeTiger`,
which also drives its control port: quotes, fills, rejections, faults.

    contracts   what is traded            world      quotes, hours, contracts, settings
    book        orders, cash, positions   venue      what happens to them: place, fill, cancel, expire
    journal     the record and its fold   matching   what an order would trade at
    gateway     HTTP, signatures          methods, market_methods   one function for each API method
    faults      what goes wrong           push       the protobuf stream
    control     the second HTTP port      client     the test's handle
"""
