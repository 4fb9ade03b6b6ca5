"""The world around a gateway, as one cheap process: citizens who write over four channels, and their providers."""
