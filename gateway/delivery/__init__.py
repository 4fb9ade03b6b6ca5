"""Takes replies from the outbox to the citizen: one sender a channel, each with its limit, breaker and leases."""
