"""Models on servers, measured beside those in this process.

opening (address -> client -> model, a trial request, the comparison with the bundle) -> model (callers, target)
client: what HTTP (`over_http`) and gRPC (`over_grpc`) have in common
"""
