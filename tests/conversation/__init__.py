"""What becomes of every message: DESIGN section 6 as a table of conversations, played on the real dispatcher."""
