"""The running program: store, link, control service, CLI, configuration, telemetry, simulator, testing kit."""
