"""How change sets travel and stay true: pure, no I/O, no clock, no randomness, no grpc, no SQL."""
