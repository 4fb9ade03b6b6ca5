"""The normalizer: from a message as a provider gave it to the one event that every channel shares; pure, no I/O."""
