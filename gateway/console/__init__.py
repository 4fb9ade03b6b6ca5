"""The operators' console at ``/ops``: accounts and sign-in, and the shell that every page stands in."""
