"""A dump's bytes → its articles as raw documents."""
