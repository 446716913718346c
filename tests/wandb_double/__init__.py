"""A loopback double of W&B's backend: what the real wandb 0.31 client needs, on the standard library alone.

state.py      projects, runs and artifacts, as data
graphql.py    one handler per GraphQL operation, in one table
server.py     HTTP: keys, GraphQL, file stream, storage; records what it does not know
faults.py     what can be made to go wrong, and how often
fixture.py    `wandb_server` and `client()`, which runs Python in a forked process with W&B folders of its own
"""
