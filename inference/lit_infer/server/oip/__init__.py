"""The Open Inference Protocol v2, for HTTP and gRPC: inwards protocol and tensors, outwards answers and describe."""
