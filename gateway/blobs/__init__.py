"""The blob store: files and large raw payloads, by key, in a local folder or in a bucket that speaks S3."""
