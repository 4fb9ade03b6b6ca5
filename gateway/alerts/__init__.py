"""Telling people that a channel, or a process of the gateway, has gone wrong, and when it is over."""
