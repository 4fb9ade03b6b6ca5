"""The command line's groups, a module each; :mod:`gateway.cli` puts them together."""
