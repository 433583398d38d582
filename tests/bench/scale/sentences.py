"""What `docs/scaling.md` says around its tables."""

HEAD = """\
# Scaling

Where the limits lie at 100, 1,000 and 10,000 cameras. `make scaling` measures this machine, simulates the rest from the
real code, and writes this page and its pictures; `python -m tests.bench.scale pages` writes them from the kept
measurements ({machine}; `tests/bench/scale/measured.json`).

Assumed: cameras of 720p25 at 2 Mbit/s, five sampled pictures a second each, a gate with its default refresh of 2 s,
nodes of 16 cores and one GPU. A share of the cameras shows movement: 4 % at night, 45 % by day. **No GPU was at
hand**: what one gives is a range, never a measurement. Weights are random, which compute as long as trained ones.

## The first limit

As it is set up by default: one publisher, six partitions, 256 MiB of Redis."""

NOT_MEASURED = """\
Not measured: Ray's own load. A node is asked for its health once a second, and 10,000 cameras are some 800 actors; no
cluster of that size was at hand. Kafka's and Redis' brokers are on paper too: 10 MB/s a partition is a guideline.
Redis is trimmed by bytes and is no limit: beyond its share, results are kept for less than a minute."""

TIMES = """\
## Service times

Computation is told by processor time, so that what else runs on the machine counts little. A publisher's call is told
by the clock, since it waits for the disk: of the quickest tenth of the calls, and of the best round of 16 owners."""

DAY = """\
## A day

Mailboxes, the choice of frames, the merging of calls and the plan with its credits are the real code under a virtual
clock (`tests/bench/scale/engine.py`). Every frame of every camera is simulated, for seconds that stand for an hour
(hours of the same load are one), and the loss of a node at noon from end to end, which stands for one in each hour: its
cameras are `unread` until Ray tells so and another node reads them, and calls at its analyzer are lost. A GPU gives
1,000 pictures/s here, and there are publishers enough."""

AGES = """\
Age is from the decoded frame to the publisher's receipt. `unread` never reached a ledger: nobody read the camera. Nodes
that come and go with the hour save little, since decoding takes most of a node by day and by night; a gate saves the
model, not the decoder. Fewer decoded pictures (a sub-stream, a lower rate at the camera) save nodes."""

NOON = """\
## Noon, with faster and slower models"""

OVERLOAD = """\
## Asked for a quarter more than the analyzers give

Calls that wait inside an analyzer hold frames that no newer ones replace. So an owner calls every analyzer only where
owners are few; where they are many, each calls two analyzers on GPUs, or as many lanes as are its share
(`pipeline/control/planning/credits.py`): half of its calls at its own node, the others where least is called. "A call
at each analyzer" is the same with each owner at every analyzer: ages grow with the number of owners, and few frames
are replaced before their time. Its row of 10,000 cameras is what {after:.0f} seconds came to, and grows on: one frame
for each of its calls is {seconds:.1f} s of all that its analyzers give. An owner both of whose analyzers are slow gets
less, never nothing; while neither is up, it calls the others."""

OWNERS = """\
## What analyzers cost an owner

One thread a credit. One owner of 16 cameras at five pictures a second, with analyzers that answer at once. With 64
nodes an owner calls two analyzers; before credits were shared out so, it called all 64:"""

PUBLISHERS = """\
## Publishers

Results of the size of real ones through `Publisher.publish`, each answered once it is on disk; what comes while another
is written shares the next transaction, so the more owners call at once, the less each waits for the disk. Each
publisher is a process of its own on the same cores, which they share with whoever else runs: core-ms, the making of the
results included, say what a machine with cores enough would give. Results of pictures that the gate passed over cost
less; they are counted as whole ones, but for their bytes. A camera belongs to a publisher by its name's hash, so with
more publishers the cameras of one owner are spread, and its calls carry fewer results each. What Ray takes for a call
is not in it; see "One node and more". Medians of rounds up and down (`python -m tests.bench.scale publishers`)."""

RATIOS = """1, 2 and 4 publishers: results/s as {rates}; core-ms a result as {cores}."""

CONTROL = """\
## The supervisor

The real `Supervisor` with actors of its own process that answer at once: leases, plan, accounts and pages are real,
Ray is not there. Seconds are of a core; `start` besides waits for the disk once a decoder, for its leases. A step is
one call to each actor, once a second."""

CHECK = """\
## Is the simulation right?

The real owner, readers, credits and lanes with their threads, in one process without Ray, for eight seconds each. The
simulation is told how long the lane took and what a lonely frame takes besides."""
