"""What the stand-in is made of: X in memory, and who may ask it for what."""
