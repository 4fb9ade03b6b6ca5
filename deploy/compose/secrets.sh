#!/bin/sh
# Makes the secrets of compose.yaml: random, one file each; a file that is there stays as it is.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"; }

for name in sender_key api_tokens sms_webhook_token sms_password postgres_password; do
    keep "$name" "$(random)"
done
keep store_url "postgresql+asyncpg://gateway:$(cat secrets/postgres_password)@postgres/gateway"
# The containers read them as another user.
chmod 644 secrets/*
echo "secrets are in $(pwd)/secrets"
