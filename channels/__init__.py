"""Ways in and out: what a channel is (base.py), and one folder a type of channel."""
