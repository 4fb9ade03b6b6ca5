"""The normalizers of one process, a channel each, made from the settings."""

from __future__ import annotations

from collections.abc import Mapping

from config.settings import Settings
from gateway.channelset import ChannelConfig
from gateway.identity import sender_secret
from normalizer.normalize import Normalizer
from normalizer.words import IntentWords


class Readers:
    """The normalizers of one process, a channel each. Raises :class:`OSError` where the senders' key cannot be kept."""

    def __init__(self, settings: Settings, channels: Mapping[str, ChannelConfig]) -> None:
        rules = settings.rules
        self._secret = sender_secret(settings)
        self._words = IntentWords(
            stop=rules.stop_words,
            help=rules.help_words,
            status=rules.status_words,
            new_case=rules.new_case_words,
            meaningless=rules.meaningless_words,
            asking=rules.asking_words,
            report=rules.report_words,
            state=rules.state_words,
            filler=rules.filler_words,
        )
        self._made = {name: self._make(config.spec.type, name, config) for name, config in channels.items()}

    def __call__(self, channel_type: str, instance: str) -> Normalizer:
        """The normalizer of a channel; also of one that is not in the settings any more."""
        found = self._made.get(instance)
        if found is None:
            found = self._made[instance] = self._make(channel_type, instance, None)
        return found

    def _make(self, channel_type: str, instance: str, config: ChannelConfig | None) -> Normalizer:
        regions = getattr(config.settings, "regions", ()) if config else ()
        return Normalizer(channel_type, instance, secret=self._secret, regions=regions, words=self._words)
