"""How the gateway knows that a channel has gone wrong, and whom it tells."""
