"""A pytest plugin: examples that fail are reported as they were found. Where only the failing counts, shrinking them is waste."""

from hypothesis import Phase, settings

settings.register_profile("unshrunk", phases=[Phase.explicit, Phase.generate])
settings.load_profile("unshrunk")
