"""Intake: every way in ends in one place that makes events durable before the provider hears yes.

``door`` takes webhook calls, ``puller`` reads what has to be fetched, ``ports`` holds the listeners that channels open
themselves; ``recorder`` is where they meet.
"""
