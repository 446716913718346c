"""What a server says of its requests: log lines, request ids, OpenTelemetry traces."""
