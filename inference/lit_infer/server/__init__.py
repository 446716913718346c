"""`lit-serve`: the runtime's predictor and batcher behind the Open Inference Protocol v2.

    cli -> models (load, golden check, warm up) -> app -> run
    a request: http or grpc (id, key, log, errors) -> oip (what it asks) -> models (batched, run) -> oip (the answer)

`app.create_app(repository, settings)` is the whole service without its sockets. `errors`, `results`, `settings`,
`auth` and `listeners` belong to all; `telemetry` logs and traces.
"""
