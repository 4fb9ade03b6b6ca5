"""Retention and the right to be forgotten (Indonesia's law 27/2022 on personal data); docs/privacy.md tells of it."""
