"""The soak: citizens write on every channel while everything that can die does; at the end the books must balance."""
