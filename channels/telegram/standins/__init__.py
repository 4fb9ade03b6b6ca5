"""The parts of the stand-in: the Bot API's methods, the queue of updates, and the shapes of what citizens write."""
