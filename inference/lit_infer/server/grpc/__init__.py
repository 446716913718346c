"""The Open Inference Protocol v2 over gRPC, beside the HTTP that the rest of the server speaks.

    server (address, limits, start and stop) -> calls (id, key, log, errors) -> service, stream, health -> messages

What a request means, how it is batched and counted is HTTP's too: protocol, inference, answers, describe.
`inference.proto` says how `inference_pb2` is made.
"""
