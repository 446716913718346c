"""The Open Inference Protocol v2 over gRPC.

    server (address, limits, start and stop) -> calls (id, key, log, errors) -> service, stream, health -> messages

What a request means and how it is batched and counted is shared with HTTP: `oip` and `models`.
`inference.proto` says how `inference_pb2` is generated.
"""
