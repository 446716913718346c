"""`lit-serve`: the runtime's predictor and batcher behind the Open Inference Protocol v2.

    cli -> opening (load, golden check, warm up) -> repository -> app -> run
    a request: sockets (uvicorn) -> edge (id, key, log, errors) -> rest -> protocol -> inference -> runner -> answers

`app.create_app(repository, settings)` is the whole service without its sockets.
"""
