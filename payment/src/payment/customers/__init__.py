"""The Customer service, over gRPC."""
