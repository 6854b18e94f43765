"""Plain text and EPUB → books or chapters as raw documents."""
