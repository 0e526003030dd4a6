"""What holds for all tests."""

from hypothesis import settings

# Each example takes as long as the machine needs, which may be busy.
settings.register_profile("any speed", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("any speed")
