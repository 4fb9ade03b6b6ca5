"""The two halves of the mail server that the stand-in plays: what is sent, and what is read."""
