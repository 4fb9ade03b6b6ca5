"""The running program: intake, event log, dispatcher, store, delivery, health, and the command that starts them."""
