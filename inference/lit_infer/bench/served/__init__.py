"""Models that a server answers for, measured beside those in this process.

opening (address -> client -> model, a trial, the comparison with the bundle) -> model (callers, target)
client: what HTTP (`over_http`) and gRPC (`over_grpc`) have in common
"""
