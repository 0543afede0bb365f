"""Options: contracts, prices and Greeks, surfaces and chains. Pure: arrays, Decimals and frozen dataclasses in and out."""
