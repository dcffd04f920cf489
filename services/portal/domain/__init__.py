"""Pure values and rules of the portal; nothing here knows HTTP or gRPC."""
