"""The build of shards: its two functions, configuration, folder and engines."""
