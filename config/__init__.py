"""Settings models, the shipped TOML files and the reply templates."""
